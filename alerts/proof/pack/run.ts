/** `firedrill alerts pack`: reads an incident from a Prometheus, replays it, and writes it in five formats. */
import { join } from 'node:path';
import { makeFolder } from '../../../base/make-folder.js';
import { parseDurationMs } from '../../../base/duration.js';
import { exitCode, UserError } from '../../../base/errors.js';
import { counted, formatTable, Progress } from '../../../base/terminal.js';
import { writeFileWhole } from '../../../base/write-file.js';
import { PrometheusClient } from '../../../slo/budget/prometheus.js';
import { type AlertingRule, defaultStepMs, type RuleGroup, sloNames } from '../../../slo/index.js';
import { readRuleText } from '../../rules/read.js';
import { timeOf } from '../backtest/history.js';
import {
  type Incident,
  labelsFile,
  type Measured,
  rulesFile,
  scenarioFile,
  storyFile,
  testFile,
} from './files.js';
import { type Fired, firedIn, readsOf, rulesOf, seriesOf } from './recorded.js';
import { type Matched, matched, replay } from './replay.js';

export interface PackFlags {
  prometheus: string;
  from: string;
  to?: string;
  alert?: string[];
  name: string;
  fault?: string;
  target?: string;
  /** Settings of the fault, each `name=value`. */
  set?: string[];
  out: string;
}

const probeStepMs = 1000;

export interface Packed {
  /** Text for the terminal: a table of alerts, and the files. */
  text: string;
  /** Reasons for files that were not written. */
  notes: string[];
  /** Whether the replay fired the same alerts in the same order. */
  same: boolean;
}

export async function runPack(flags: PackFlags): Promise<void> {
  const { text, notes, same } = await packIncident(flags);
  process.stdout.write(text);
  const said = same
    ? notes
    : [...notes, 'played again, the alerts are not the same in the same order'];
  for (const note of said) process.stderr.write(`${note}\n`);
  if (!same) process.exitCode = exitCode.failed;
}

export async function packIncident(flags: PackFlags): Promise<Packed> {
  if ((flags.fault === undefined) !== (flags.target === undefined)) {
    throw new UserError({ message: 'half of a cause', expected: 'both --fault and --target' });
  }
  const client = new PrometheusClient(flags.prometheus, 60_000);
  const toMs = flags.to === undefined ? Date.now() : timeOf('--to', flags.to, Date.now());
  const fromMs = timeOf('--from', flags.from, toMs);
  if (!(fromMs < toMs)) {
    throw new UserError({
      message: '--from and --to: nothing lies between them',
      expected: 'a span',
    });
  }
  const progress = new Progress();
  progress.update('alerts that fired');
  const wanted = (f: Fired): boolean =>
    flags.alert === undefined || flags.alert.includes(f.labels.alertname ?? '');
  const roughly = (await firedIn(client, { fromMs, toMs }, stepFor(toMs - fromMs))).filter(wanted);
  if (roughly.length === 0) {
    throw new UserError(
      `no alert fired at ${client.url} in that span${flags.alert ? ` of ${flags.alert.join(', ')}` : ''}`,
      exitCode.failed,
    );
  }
  const groups = await rulesOf(client, roughly);
  const stepMs = Math.min(...groups.map((g) => g.intervalMs ?? defaultStepMs));
  const { selectors, leadMs } = readsOf(groups);
  const startMs = Math.floor((fromMs - leadMs) / stepMs) * stepMs;
  progress.update(
    `${counted(selectors.length, 'selector')}, from ${new Date(startMs).toISOString()}`,
  );
  const series = await seriesOf(client, selectors, { fromMs: startMs, toMs }, stepMs);
  const fired = (await firedIn(client, { fromMs, toMs }, stepMs)).filter(wanted);
  const texts = rulesFile(groups, client.url);
  const played = replay(readRuleText('rules.yaml', texts), series, stepMs);
  progress.clear();
  const absolute = played.fired
    .map((f) => ({ ...f, firedMs: startMs + f.firedMs }))
    .filter((f) => f.firedMs >= fromMs - stepMs);
  const incident: Incident = {
    name: flags.name,
    startMs,
    fromMs: Math.max(fromMs, Math.min(...fired.map((f) => f.firedMs - forOf(groups, f)))),
    toMs: Math.max(...fired.map((f) => f.endedMs ?? toMs)),
    fired,
  };
  const files = new Map([
    ['rules.yaml', texts],
    ['test.yaml', testFile(incident, played, series, stepMs)],
    ['labels.yaml', labelsFile(incident)],
  ]);
  const measured = await measuredOf(client, incident);
  if (measured) files.set('story.yaml', storyFile(incident, measured));
  if (flags.fault !== undefined && flags.target !== undefined) {
    const { fault, target } = flags;
    const cause = { fault, target, settings: settingsOf(flags.set ?? []) };
    files.set('scenario.yaml', scenarioFile(incident, cause));
  }
  makeFolder(flags.out);
  for (const [name, text] of files) writeFileWhole(join(flags.out, name), text);
  const { alerts, same } = matched(fired, absolute, 2 * stepMs);
  return {
    text: textOf(
      alerts,
      [...files.keys()].map((name) => join(flags.out, name)),
    ),
    notes: [
      ...(measured ? [] : ['no story.yaml: none of its alerts is of an SLO in Firedrill rules']),
      ...(flags.fault === undefined
        ? ['no scenario.yaml: nothing measured says what broke; --fault and --target do']
        : []),
    ],
    same,
  };
}

function settingsOf(set: readonly string[]): Record<string, string | number> {
  return Object.fromEntries(
    set.map((text) => {
      const [, name, value] = /^([^=]+)=(.+)$/.exec(text) ?? [];
      if (name === undefined || value === undefined) {
        throw new UserError({ message: `--set ${text}`, expected: 'such as latencyMs=300' });
      }
      return [name, Number.isFinite(Number(value)) ? Number(value) : value];
    }),
  );
}

/** The finest step that one answer of a Prometheus allows. */
const stepFor = (spanMs: number): number =>
  Math.max(probeStepMs, Math.ceil(spanMs / 5_000_000) * 1000);

function forOf(groups: readonly RuleGroup[], { labels }: Fired): number {
  const rules = groups.flatMap((g) => g.rules) as AlertingRule[];
  return rules.find((r) => r.alert === labels.alertname)?.forMs ?? 0;
}

/** Measured events before and during the incident, for the first alert of an SLO with our rules. */
async function measuredOf(
  client: PrometheusClient,
  { fired, fromMs, toMs }: Incident,
): Promise<Measured | undefined> {
  const slo = fired.map((f) => f.labels[sloNames.sloLabel]).find((s) => s !== undefined);
  if (slo === undefined) return undefined;
  const sum = async (series: string, from: number, to: number): Promise<number | undefined> => {
    const selector = `${series}{${sloNames.sloLabel}=${JSON.stringify(slo)}}`;
    const seconds = Math.max(1, Math.round((to - from) / 1000));
    return client.scalar(`sum(sum_over_time(${selector}[${seconds}s]))`, to);
  };
  const [bad, total] = [sloNames.badIncrease(defaultStepMs), sloNames.totalIncrease(defaultStepMs)];
  const beforeMs = fromMs - (parseDurationMs('1h') as number);
  const events = await sum(total, fromMs, toMs);
  if (!events) return undefined;
  const eventsBefore = (await sum(total, beforeMs, fromMs)) ?? 0;
  const usual = eventsBefore > 0 ? ((await sum(bad, beforeMs, fromMs)) ?? 0) / eventsBefore : 0;
  const share = ((await sum(bad, fromMs, toMs)) ?? 0) / events;
  return { slo, perSecond: events / ((toMs - fromMs) / 1000), usual, share };
}

function textOf(alerts: readonly Matched[], files: readonly string[]): string {
  const time = (ms: number | undefined): string =>
    ms === undefined ? 'not' : new Date(ms).toISOString().slice(11, 19);
  const rows = alerts.map(({ labels: { alertname = '', ...labels }, measuredMs, replayedMs }) => [
    alertname,
    Object.entries(labels)
      .map(([name, value]) => `${name}=${value}`)
      .join(' '),
    time(measuredMs),
    time(replayedMs),
  ]);
  const header = ['alert', 'labels', 'fired (UTC)', 'played again'];
  return `${formatTable(header, rows)}\n\n${files.join('\n')}\n`;
}
