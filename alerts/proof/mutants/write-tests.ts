/** Writes the missing tests, in the format of `promtool test rules`. */
import { relative, dirname } from 'node:path';
import { Document } from 'yaml';
import { formatDurationMs } from '../../../base/duration.js';
import { histogramLiteral } from '../../../slo/promql/histogram/text.js';
import type { ReadRule } from '../../rules/read.js';
import type { Point } from '../unit/points.js';
import type { UnitSeries } from '../unit/world.js';
import { type Affected, withRule } from './affected.js';
import { type Mutant, nameOf } from './mutate.js';
import { firingAt, type Story, timeline } from './story.js';

export interface WrittenTests {
  /** One document for each evaluation interval, because a test file has only one. */
  documents: { evaluationIntervalMs: number; text: string }[];
  /** Number of survivors that the tests cover. */
  mutants: number;
  /** Number of survivors in recording rules that no alert reads; those tests are left to a person. */
  left: number;
}

/**
 * Writes tests for survivors with a known difference; each story keeps only the series that show it. `file` is the
 * path of the test file; rule files are named relative to it.
 */
export function testsFor(
  mutants: readonly Mutant[],
  affected: ReadonlyMap<ReadRule, Affected>,
  file: string,
): WrittenTests {
  const told = mutants.filter((m) => m.state === 'survived' && m.difference);
  const written = told.filter((m) => (affected.get(m.read)?.alerts.size ?? 0) > 0);
  const byStory = new Map<Story, Mutant[]>();
  for (const mutant of written) {
    const { story } = mutant.difference as { story: Story };
    const known = byStory.get(story);
    if (known) known.push(mutant);
    else byStory.set(story, [mutant]);
  }
  const intervals = new Map<number, unknown[]>();
  for (const [story, group] of byStory) {
    const tests = intervals.get(story.evaluationIntervalMs) ?? [];
    tests.push(...groupTests(story, group, affected));
    intervals.set(story.evaluationIntervalMs, tests);
  }
  const files = new Set(
    written.flatMap((m) => (affected.get(m.read) as Affected).groups.map((g) => g.file)),
  );
  const documents = [...intervals].map(([evaluationMs, tests]) => {
    const document = new Document({
      rule_files: [...files].map((f) => relative(dirname(file), f)),
      evaluation_interval: formatDurationMs(evaluationMs),
      tests,
    });
    return { evaluationIntervalMs: evaluationMs, text: document.toString({ lineWidth: 0 }) };
  });
  return {
    documents,
    mutants: written.length,
    left: told.length - written.length,
  };
}

function groupTests(
  story: Story,
  mutants: readonly Mutant[],
  affected: ReadonlyMap<ReadRule, Affected>,
): unknown[] {
  const [first] = mutants as [Mutant];
  const reach = affected.get(first.read) as Affected;
  const small = smallest(story, mutants, reach);
  const cases = new Map<string, unknown>();
  const changes: string[] = [];
  for (const mutant of mutants) {
    const step = differsAt(small, mutant, reach);
    if (step === undefined) continue;
    changes.push(mutant.mutation.change);
    for (const alertname of reach.alerts) {
      const at = formatDurationMs(step * story.evaluationIntervalMs);
      const firing = firingAt(small, reach.groups, alertname, step);
      cases.set(`${at} ${alertname}`, {
        eval_time: at,
        alertname,
        exp_alerts: firing.map((alert) => ({
          exp_labels: alert.labels,
          ...(Object.keys(alert.annotations).length > 0 && { exp_annotations: alert.annotations }),
        })),
      });
    }
  }
  if (cases.size === 0) return [];
  return [
    {
      name: `${nameOf(first.read)}: notices ${[...new Set(changes)].join('; ')}`,
      interval: formatDurationMs(story.intervalMs),
      ...(Object.keys(story.externalLabels).length > 0 && {
        external_labels: story.externalLabels,
      }),
      ...(story.externalUrl !== '' && { external_url: story.externalUrl }),
      ...(story.startMs !== 0 && { start_timestamp: story.startMs / 1000 }),
      input_series: small.series.map((s) => ({
        series: s.labels.toString(),
        values: pointsText(s),
      })),
      alert_rule_test: [...cases.values()],
    },
  ];
}

function differsAt(story: Story, mutant: Mutant, reach: Affected): number | undefined {
  // promtool evaluates from the story's start, so only a difference that shows from there counts.
  const whole = { ...story, fromStep: 0 };
  const texts = timeline(whole, reach.groups, reach);
  const other = timeline(
    whole,
    withRule(reach.groups, mutant.read, mutant.mutation.rule),
    reach,
    texts,
  );
  const step = other.length - 1;
  if (other[step] === texts[step]) return undefined;
  return texts.slice(0, step + 1).some((t) => t.startsWith('error: ')) ? undefined : step;
}

/** The story without the series that no mutant needs to show its difference. */
function smallest(story: Story, mutants: readonly Mutant[], reach: Affected): Story {
  let small = story;
  for (const series of story.series) {
    if (small.series.length <= 1) break;
    const less = { ...small, series: small.series.filter((s) => s !== series) };
    if (mutants.every((m) => differsAt(less, m, reach) !== undefined)) small = less;
  }
  const last = Math.max(...mutants.map((m) => differsAt(small, m, reach) ?? 0));
  const points = Math.ceil((last * story.evaluationIntervalMs) / story.intervalMs) + 1;
  return {
    ...small,
    series: small.series.map((s) => ({ ...s, points: s.points.slice(0, points) })),
  };
}

/** Writes promtool's notation; equal whole steps and repetitions are abbreviated. */
export function pointsText({ points }: UnitSeries): string {
  const words: string[] = [];
  for (let i = 0; i < points.length;) {
    const run = runAt(points, i);
    words.push(run.text);
    i += run.length;
  }
  return words.length === 0 ? '_' : words.join(' ');
}

function runAt(points: readonly Point[], from: number): { text: string; length: number } {
  const first = points[from];
  if (first === undefined || first === 'stale') {
    let length = 1;
    while (from + length < points.length && points[from + length] === first) length++;
    if (first === undefined) return { text: length > 1 ? `_x${length}` : '_', length };
    return { text: length > 1 ? `stalex${length - 1}` : 'stale', length };
  }
  if (typeof first !== 'number') return { text: histogramLiteral(first), length: 1 };
  const second = points[from + 1];
  if (typeof second !== 'number') return { text: plain(first), length: 1 };
  const step = second - first;
  const exact = Number.isSafeInteger(first) && Number.isSafeInteger(step);
  if (step !== 0 && !exact) return { text: plain(first), length: 1 };
  let length = 2;
  while (points[from + length] === first + step * length) length++;
  if (length === 2 && step !== 0) return { text: plain(first), length: 1 };
  if (step === 0) return { text: `${plain(first)}x${length - 1}`, length };
  const by = `${step < 0 ? '-' : '+'}${plain(Math.abs(step))}`;
  return { text: `${plain(first)}${by}x${length - 1}`, length };
}

/** The number without a positive exponent: `1e+21+5x3` would be read as a sum. */
function plain(value: number): string {
  if (Number.isNaN(value)) return 'NaN';
  if (!Number.isFinite(value)) return value > 0 ? 'Inf' : '-Inf';
  return String(value).replace('e+', 'e');
}
