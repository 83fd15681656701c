/**
 * Drafts the postmortem of a game day whose runner was killed: there is no record, and its events are all that is
 * known. The draft names the facts that they do not show.
 */
import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { eventText } from '../event-text.js';
import { type DrillEvent, parseEvents } from '../events.js';
import { markdownText as t } from '../markdown.js';
import { clockOn, countText, instantText, percentText, timeText } from '../words.js';
import { actionTable, type Postmortem, reviewSections, toFill } from './draft.js';

type Of<K extends DrillEvent['kind']> = Extract<DrillEvent, { kind: K }>;

const told: ReadonlySet<string> = new Set(
  'day scenario phase fault alert expectation abort acknowledgement note'.split(' '),
);

/** The events of the day in that report folder; undefined if it came to its end, or if there are none. */
export function cutOffEvents(path: string): DrillEvent[] | undefined {
  const file = join(path, 'events.jsonl');
  if (!existsSync(path) || !statSync(path).isDirectory() || !existsSync(file)) return undefined;
  const events = parseEvents(file, readFileSync(file, 'utf8'));
  if (events.length === 0 || events.some((e) => e.kind === 'day-record')) return undefined;
  return events.toSorted((a, b) => a.atMs - b.atMs);
}

/** `events`: one at least, in the order of time. */
export function cutOffPostmortem(events: readonly DrillEvent[]): Postmortem {
  const of = <K extends DrillEvent['kind']>(kind: K): Of<K>[] =>
    events.filter((e): e is Of<K> => e.kind === kind);
  const { atMs: startMs } = events[0] as DrillEvent;
  const { atMs: endMs } = events.at(-1) as DrillEvent;
  const [day] = of('day');
  const at = (ms: number): string => clockOn(ms, startMs);
  const load = of('load');
  const requests = load.reduce((sum, e) => sum + e.requests, 0);
  const errors = load.reduce((sum, e) => sum + e.errors, 0);
  const failed =
    requests === 0
      ? 'No request was measured.'
      : `${countText(errors)} of ${countText(requests)} requests failed ` +
        `(${percentText(errors / requests)}) until then.`;
  const alerts = of('alert').filter((e) => e.state === 'notified');
  const section = (name: string, lines: readonly string[]) => ({
    name,
    markdown: lines.join('\n'),
  });
  const rows = events
    .filter((e) => told.has(e.kind))
    .map((e) => `| ${at(e.atMs)} | ${e.kind} | ${t(eventText(e))} |`);
  return {
    title: day?.title ?? 'a game day',
    facts: {
      Date: instantText(startMs),
      Authors: toFill,
      Status: 'draft',
      Source: `${countText(events.length)} events in events.jsonl, of a game day that was cut off`,
    },
    sections: [
      section('Summary', [
        `The game day was cut off: its last event is of ${at(endMs)}, ${timeText(endMs - startMs)} after its start. ` +
          'Nothing later was measured.\n',
        ...(day?.scenarios ?? []).map(
          (id) => `- **${t(id)}**: ${scenarioText(id, of('scenario'))}`,
        ),
      ]),
      section('Impact', [
        `- ${failed}`,
        `- What users, support and the business noticed: ${toFill}`,
      ]),
      section('Root causes', [`- What ended the runner: ${toFill}`]),
      section('Trigger', faultLines(of('fault'), at)),
      section(
        'Detection',
        alerts.length === 0
          ? ['No notification was received until then.']
          : alerts.map((e) => `- ${at(e.atMs)} ${t(eventText(e))}`),
      ),
      section('Resolution', [
        `- What was rolled back afterwards, and when (\`firedrill gameday recover\`): ${toFill}`,
      ]),
      section('Timeline', ['| time (UTC) | source | event |', '| --- | --- | --- |', ...rows]),
      ...reviewSections([]),
      section('Actions', [actionTable([])]),
      section('Supporting information', ['- [events](events.jsonl)']),
    ],
  };
}

function scenarioText(id: string, events: readonly Of<'scenario'>[]): string {
  const own = events.filter((e) => e.scenario === id);
  const ended = own.find((e) => e.state === 'ended');
  if (ended) return t([ended.verdict ?? 'ended', ...(ended.reasons ?? [])].join('; '));
  return own.length > 0 ? 'had begun, and has no verdict.' : 'had not begun.';
}

/** Each fault with what was seen of it; what was put and not seen to be removed may have been on at the end. */
function faultLines(events: readonly Of<'fault'>[], at: (ms: number) => string): string[] {
  const put = events.filter((e) => e.state === 'put');
  if (put.length === 0) return ['No fault had been put.'];
  return put.map((e) => {
    const when = (state: Of<'fault'>['state']): number | undefined =>
      events.find((x) => x.state === state && x.id === e.id && x.scenario === e.scenario)?.atMs;
    const confirmed = when('confirmed');
    const removed = when('removed');
    const lapses = e.leaseMs === undefined ? '' : ` (its lease lasts ${timeText(e.leaseMs)})`;
    return [
      `- ${t(e.fault)} on ${t(e.target)}: put at ${at(e.atMs)}`,
      confirmed === undefined ? 'no effect was seen' : `effect seen at ${at(confirmed)}`,
      removed === undefined ? `**not seen to be removed**${lapses}` : `removed at ${at(removed)}`,
    ].join(', ');
  });
}
