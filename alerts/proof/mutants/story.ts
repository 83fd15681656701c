/**
 * A story is the input of one run of the rules: series over time. If a mutant and its rule fire at the same times in
 * every story, they count as equivalent.
 */
import { metricNameLabel } from '../../../slo/promql/index.js';
import { GroupState } from '../../rules/group.js';
import type { ReadGroup } from '../../rules/read.js';
import type { TestGroup, UnitFile } from '../unit/read.js';
import { readSeries } from '../unit/run.js';
import { type UnitSeries, UnitWorld } from '../unit/world.js';

export interface Story {
  startMs: number;
  intervalMs: number;
  evaluationIntervalMs: number;
  externalLabels: Readonly<Record<string, string>>;
  externalUrl: string;
  series: readonly UnitSeries[];
  /** Ranges include both their ends, as before Prometheus 3. */
  closedRanges: boolean;
  /** The first evaluation. Days before it, in which no test expects anything, are not evaluated. */
  fromStep: number;
  /** The last evaluation that a test looks at. */
  untilStep: number;
}

/** Evaluations before the first look of a test and after its last; an alert resolves within them. */
const leadSteps = 240;
const tailSteps = 60;

/** `records`: some rule records series, so the story must be evaluated from its start. */
export function storyOf(
  unit: UnitFile,
  test: TestGroup,
  { records, closedRanges }: { records: boolean; closedRanges: boolean },
): Story {
  const { evaluationIntervalMs } = unit;
  const looks = [...test.alerts, ...test.exprs].map((c) => c.evalTimeMs / evaluationIntervalMs);
  return {
    startMs: test.startMs,
    intervalMs: test.intervalMs,
    evaluationIntervalMs,
    externalLabels: test.externalLabels,
    externalUrl: test.externalUrl,
    series: test.input.map(readSeries),
    closedRanges,
    fromStep: records ? 0 : Math.max(0, Math.floor(Math.min(...looks)) - leadSteps),
    untilStep: Math.ceil(Math.max(...looks)),
  };
}

export const stepsOf = (story: Story): number =>
  Math.min(lengthOf(story) + 12, story.untilStep + tailSteps);

/** Length in evaluations. */
function lengthOf(story: Story): number {
  const points = Math.max(0, ...story.series.map((s) => s.points.length));
  return Math.ceil((points * story.intervalMs) / story.evaluationIntervalMs);
}

/** The alerts to compare; if the edit reaches no alert, the recorded series to compare. */
export interface Watched {
  alerts: ReadonlySet<string>;
  names: ReadonlySet<string>;
}

/** Number of evaluations over all stories so far, which limits the search. */
export class Effort {
  steps = 0;
}

/**
 * For each evaluation, a text of the firing alerts (or recorded samples), or of the error if a rule fails. Ends at the
 * first step that differs from `other`.
 */
export function timeline(
  story: Story,
  groups: readonly ReadGroup[],
  watched: Watched,
  other?: readonly string[],
  effort?: Effort,
): string[] {
  const world = new UnitWorld(story, story);
  const states = groups.map((group) => new GroupState(silent(group), world));
  const steps = stepsOf(story);
  const texts: string[] = Array.from({ length: story.fromStep }, () => '');
  for (let step = story.fromStep; step < steps; step++) {
    if (effort) effort.steps++;
    const timeMs = story.startMs + step * story.evaluationIntervalMs;
    world.loadUntil(timeMs);
    const failures = states.flatMap((state) => state.evaluate(timeMs));
    const text =
      failures.length > 0
        ? `error: ${failures[0]?.message ?? ''}`
        : seenAt(states, world, watched, timeMs);
    texts.push(text);
    if (other && other[step] !== text) return texts;
  }
  return texts;
}

function seenAt(
  states: readonly GroupState[],
  world: UnitWorld,
  watched: Watched,
  timeMs: number,
): string {
  if (watched.alerts.size > 0) {
    return states
      .flatMap((state) => state.alerting)
      .filter((rule) => watched.alerts.has(rule.rule.alert))
      .flatMap((rule) => rule.active().filter((alert) => alert.state === 'firing'))
      .map((alert) => alert.labels.key)
      .sort()
      .join('\n');
  }
  return [...watched.names]
    .flatMap((name) => world.query(`{${metricNameLabel}=${JSON.stringify(name)}}`, timeMs))
    .map((sample) => `${sample.labels.key} ${sample.value}`)
    .sort()
    .join('\n');
}

/** Drops annotations, which take longer to expand than the rule takes to evaluate and are not compared. */
const silent = (group: ReadGroup): ReadGroup => ({
  ...group,
  rules: group.rules.map((read) =>
    read.rule.kind === 'alert' ? { ...read, rule: { ...read.rule, annotations: {} } } : read,
  ),
});

/** The alerts that fire at a step of a story, with their annotations, as a test would expect them. */
export function firingAt(
  story: Story,
  groups: readonly ReadGroup[],
  alert: string,
  atStep: number,
): { labels: Record<string, string>; annotations: Record<string, string> }[] {
  const world = new UnitWorld(story, story);
  const states = groups.map((group) => new GroupState(group, world));
  for (let step = 0; step <= atStep; step++) {
    const timeMs = story.startMs + step * story.evaluationIntervalMs;
    world.loadUntil(timeMs);
    for (const state of states) state.evaluate(timeMs);
  }
  return states
    .flatMap((state) => state.alerting)
    .filter((rule) => rule.rule.alert === alert)
    .flatMap((rule) => rule.active().filter((a) => a.state === 'firing'))
    .map((a) => {
      const { alertname: _, ...labels } = a.labels.toObject();
      return { labels, annotations: a.annotations };
    });
}
