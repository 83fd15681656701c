/**
 * Variants of the tests' stories in which an edit of a rule would show: values close to the bound, a second instance,
 * a series that only a matcher excludes, an incident that ends, two stories in sequence. Random numbers are seeded, so
 * equal rules and tests give equal stories.
 */
import { type Random, seededRandom } from '../../../base/random.js';
import { Labels, metricNameLabel } from '../../../slo/promql/index.js';
import { matcherOf } from '../../../slo/promql/store/matcher.js';
import type { ReadGroup } from '../../rules/read.js';
import type { Point } from '../unit/points.js';
import { namesIn, selectorsOf } from '../unit/witness.js';
import type { UnitSeries } from '../unit/world.js';
import { type Story, stepsOf } from './story.js';

/** Counts the evaluations of a story in which an alert fires. */
export type Burning = (story: Story) => number;

const basesMax = 8;
const pairsMax = 24;

/** `bases` are the stories of the rule's own tests. */
export function* variantsOf(
  bases: readonly Story[],
  groups: readonly ReadGroup[],
  burning: Burning,
): Generator<Story> {
  const stories = bases.slice(0, basesMax);
  yield* stories;
  // keep_firing_for only matters at the end of an incident.
  for (const story of stories) yield quietAfter(story);
  yield* pairs(stories);
  for (const story of stories) yield* decoys(story, groups);
  for (const story of stories) yield* secondInstances(story, groups);
  for (const story of stories) yield* besideTheBound(story, groups, burning, true);
  // A sum and a maximum differ only if several series share a bound.
  for (const story of stories.slice(0, 3)) {
    for (const selects of [(): boolean => true, ...selectorsIn(groups)].slice(0, 4)) {
      const own = story.series.filter(selects);
      const twin = own.map((s) => ({ ...s, labels: s.labels.with('replica', '2') }));
      for (const doubled of added(story, twin)) {
        yield* besideTheBound(doubled, groups, burning, false);
      }
    }
  }
  for (const story of stories) yield* pulses(story);
  yield* atRandom(stories, groups);
}

const rounded = (value: number): number => Number(value.toPrecision(6));

const mapPoints = (
  series: UnitSeries,
  change: (value: number, i: number) => Point,
): UnitSeries => ({
  ...series,
  points: series.points.map((p, i) => (typeof p === 'number' ? change(p, i) : p)),
});

/** Appends as much time again, in which counters and gauges stay constant. */
function quietAfter(story: Story): Story {
  const length = Math.max(0, ...story.series.map((s) => s.points.length));
  const still = Math.min(200, Math.max(20, length));
  const steps = Math.ceil((still * story.intervalMs) / story.evaluationIntervalMs);
  return {
    ...story,
    untilStep: story.untilStep + steps,
    series: story.series.map((s) => {
      const last = s.points.at(-1);
      return { ...s, points: [...s.points, ...Array.from({ length: still }, () => last)] };
    }),
  };
}

function* pairs(stories: readonly Story[]): Generator<Story> {
  let count = 0;
  for (const first of stories) {
    for (const second of stories) {
      if (first === second || first.intervalMs !== second.intervalMs) continue;
      if (count++ >= pairsMax) return;
      yield after(first, second);
    }
  }
}

/** One story after another; counters continue from their last value. */
function after(first: Story, second: Story): Story {
  const length = Math.max(0, ...first.series.map((s) => s.points.length));
  const byKey = new Map(first.series.map((s) => [s.labels.key, s]));
  const seconds = new Map(second.series.map((s) => [s.labels.key, s]));
  const keys = new Set([...byKey.keys(), ...seconds.keys()]);
  const steps = Math.ceil((length * first.intervalMs) / first.evaluationIntervalMs);
  return {
    ...first,
    fromStep: Math.min(first.fromStep, steps + second.fromStep),
    untilStep: steps + second.untilStep,
    series: [...keys].map((key) => {
      const a = byKey.get(key);
      const b = seconds.get(key);
      const before = Array.from({ length }, (_, i): Point => a?.points[i]);
      const rise = isCounter(a) && isCounter(b) ? Number(a?.points.findLast(isNumber) ?? 0) : 0;
      const later = (b?.points ?? []).map((p) => (typeof p === 'number' ? rounded(p + rise) : p));
      return { labels: ((a ?? b) as UnitSeries).labels, points: [...before, ...later] };
    }),
  };
}

const isNumber = (p: Point): p is number => typeof p === 'number';

function isCounter(series: UnitSeries | undefined): boolean {
  return series !== undefined && /_(total|count|sum|bucket)$/.test(series.labels.metricName);
}

/** Adds series that only a matcher excludes: with another value of the matched label, or without the label. */
function* decoys(story: Story, groups: readonly ReadGroup[]): Generator<Story> {
  const done = new Set<string>();
  for (const { rule } of groups.flatMap((g) => g.rules)) {
    for (const matchers of selectorsOf(rule.expr)) {
      const name = matchers.find((m) => m.name === metricNameLabel && m.op === '=')?.value;
      for (const matcher of matchers) {
        const key = `${name ?? ''} ${matcher.name} ${matcher.op} ${matcher.value}`;
        if (matcher.name === metricNameLabel || done.has(key)) continue;
        done.add(key);
        const value = outside(matcher.op, matcher.value);
        const touched = story.series.filter(
          (s) =>
            (name === undefined || s.labels.metricName === name) &&
            s.labels.get(matcher.name) !== value,
        );
        for (const factor of [1, 20, 0]) {
          const extra = touched.map((s) =>
            mapPoints({ ...s, labels: s.labels.with(matcher.name, value) }, (v) =>
              rounded(v * factor),
            ),
          );
          yield* added(story, extra);
          // The excluded series alone, without those that the matcher accepts.
          yield {
            ...story,
            series: [...story.series.filter((s) => !touched.includes(s)), ...extra],
          };
        }
      }
    }
  }
}

/** A value that the matcher excludes. */
function outside(op: string, value: string): string {
  if (op === '=' || op === '=~') return 'another';
  const first = value.replace(/^\^|\$$/g, '').split('|')[0] ?? '';
  const literal = first.replace(/\.[*+]|\[[^\]]*\]|[()?+*\\^$]/g, '');
  return literal === '' ? 'another' : literal;
}

function* added(story: Story, extra: readonly UnitSeries[]): Generator<Story> {
  const known = new Set(story.series.map((s) => s.labels.key));
  const fresh = extra.filter((s) => !known.has(s.labels.key));
  if (fresh.length > 0) yield { ...story, series: [...story.series, ...fresh] };
}

/** Adds a second instance, for each label: equal, weaker, stronger, and constant. */
function* secondInstances(story: Story, groups: readonly ReadGroup[]): Generator<Story> {
  const names = new Set(story.series.flatMap((s) => s.labels.names));
  names.delete(metricNameLabel);
  const fixed = matchedLabels(groups);
  const chosen = [(): boolean => true, ...selectorsIn(groups)].slice(0, 8);
  for (const label of ['replica', ...[...names].filter((n) => !fixed.has(n))]) {
    for (const selects of chosen) {
      const own = story.series.filter(selects);
      for (const factor of [1, 0.1, 10, 0]) {
        const second = own.map((s) =>
          mapPoints({ ...s, labels: s.labels.with(label, `${s.labels.get(label)}-2`) }, (v) =>
            rounded(v * factor),
          ),
        );
        yield* added(story, second);
      }
    }
  }
}

/** For each selector of the rules, a test for whether it selects a series. */
function selectorsIn(groups: readonly ReadGroup[]): ((series: UnitSeries) => boolean)[] {
  const selectors = new Map<string, (series: UnitSeries) => boolean>();
  for (const { rule } of groups.flatMap((g) => g.rules)) {
    for (const matchers of selectorsOf(rule.expr)) {
      const tests = matchers.map(matcherOf);
      selectors.set(JSON.stringify(matchers), ({ labels }) =>
        tests.every((test) => test.matches(labels.get(test.name))),
      );
    }
  }
  return [...selectors.values()];
}

function matchedLabels(groups: readonly ReadGroup[]): Set<string> {
  return new Set(
    groups.flatMap((g) =>
      g.rules.flatMap(({ rule }) =>
        selectorsOf(rule.expr)
          .flat()
          .map((m) => m.name),
      ),
    ),
  );
}

/**
 * Finds the factor (and the shift) of each metric's values at which the story begins to fire, by bisection. Stories
 * slightly to both sides of it show a changed bound or window.
 */
function* besideTheBound(
  story: Story,
  groups: readonly ReadGroup[],
  burning: Burning,
  each: boolean,
): Generator<Story> {
  const asked = new Set(groups.flatMap((g) => g.rules.flatMap((r) => namesIn(r.rule.expr))));
  const present = [...new Set(story.series.map((s) => s.labels.metricName))].filter((n) =>
    asked.has(n),
  );
  const groupsOfSeries = present.map((n) => (s: UnitSeries) => s.labels.metricName === n);
  for (const one of each ? story.series.slice(0, 8) : []) groupsOfSeries.push((s) => s === one);
  for (const own of groupsOfSeries) {
    const scaled = (factor: number): Story => ({
      ...story,
      series: story.series.map((s) => (own(s) ? mapPoints(s, (v) => rounded(v * factor)) : s)),
    });
    for (const at of edges(scaled, burning, scales)) {
      for (const off of [0.9, 1.1, 0.97, 1.03]) yield scaled(at * off);
    }
    if (!each) continue;
    const horizonS = (stepsOf(story) * story.evaluationIntervalMs) / 1000;
    const shifted = (by: number): Story => ({
      ...story,
      series: story.series.map((s) => (own(s) ? mapPoints(s, (v) => rounded(v + by)) : s)),
    });
    const shifts = [-64, -16, -4, -1, 0, 1, 4, 16, 64].map((n) => n * horizonS);
    for (const at of edges(shifted, burning, shifts)) {
      for (const off of [-0.1, 0.1, -0.02, 0.02]) yield shifted(at * (1 + off));
    }
  }
}

const scales = [1 / 256, 1 / 32, 1 / 8, 1 / 2, 1, 2, 8, 32, 256];
const halvings = 7;

/** Values between two neighbours of `xs` at which the number of firing evaluations changes. */
function edges(at: (x: number) => Story, burning: Burning, xs: readonly number[]): number[] {
  const counts = xs.map((x) => burning(at(x)));
  const found: number[] = [];
  for (let i = 1; i < xs.length; i++) {
    if (counts[i] === counts[i - 1]) continue;
    let [low, high] = [xs[i - 1] as number, xs[i] as number];
    const below = counts[i - 1] as number;
    for (let n = 0; n < halvings; n++) {
      const middle = low > 0 ? Math.sqrt(low * high) : (low + high) / 2;
      if (burning(at(middle)) === below) low = middle;
      else high = middle;
    }
    found.push(high);
  }
  return found.slice(0, 3);
}

/** Cuts the story short: afterwards the series stay constant or are no longer scraped. */
function* pulses(story: Story): Generator<Story> {
  const length = Math.max(0, ...story.series.map((s) => s.points.length));
  for (const share of [0.25, 0.4, 0.55, 0.7, 0.85]) {
    const cut = Math.floor(length * share);
    for (const held of [true, false]) {
      yield {
        ...story,
        series: story.series.map((s) => ({
          ...s,
          points: s.points.map((p, i) => (i < cut ? p : held ? s.points[cut] : undefined)),
        })),
      };
    }
  }
}

const randomStories = 60;

/** Combines several random changes. */
function* atRandom(stories: readonly Story[], groups: readonly ReadGroup[]): Generator<Story> {
  const chance: Random = seededRandom(1);
  const between = (low: number, high: number): number => low + (high - low) * chance.next();
  const fixed = matchedLabels(groups);
  for (let n = 0; n < randomStories && stories.length > 0; n++) {
    const story = stories[n % stories.length] as Story;
    const series = story.series.flatMap((s): UnitSeries[] => {
      const factor = chance.next() < 0.5 ? 1 : 10 ** between(-1.5, 1.5);
      const from = chance.next() < 0.3 ? Math.floor(between(0, s.points.length)) : -1;
      const to = from + Math.floor(between(1, 10));
      const changed = mapPoints(s, (v, i) =>
        i >= from && i < to && from >= 0 ? undefined : rounded(v * factor),
      );
      const free = s.labels.names.filter((l) => l !== metricNameLabel && !fixed.has(l));
      const label = free[Math.floor(between(0, free.length))];
      if (label === undefined || chance.next() < 0.5) return [changed];
      const other = mapPoints(
        { ...s, labels: s.labels.with(label, `${s.labels.get(label)}-2`) },
        (v) => rounded(v * 10 ** between(-1, 1)),
      );
      return [changed, other];
    });
    const unique = [...new Map(series.map((s) => [s.labels.key, s])).values()];
    yield { ...story, series: unique };
  }
}

/** Stories for rules without tests: each selector gets a series that it selects. */
export function inventedStories(groups: readonly ReadGroup[], closedRanges: boolean): Story[] {
  const records = new Set(
    groups.flatMap((g) =>
      g.rules.flatMap((r) => (r.rule.kind === 'record' ? [r.rule.record] : [])),
    ),
  );
  const selectors = groups
    .flatMap((g) => g.rules.flatMap((r) => selectorsOf(r.rule.expr)))
    .filter((m) => !records.has(m.find((x) => x.name === metricNameLabel)?.value ?? ''));
  const shapes: ((i: number) => number)[] = [
    (i) => i * 60,
    () => 0,
    () => 1,
    (i) => (i < 60 ? 0 : i < 120 ? (i - 60) * 60 : 3600),
    (i) => (i < 60 ? 1 : 0),
  ];
  const stories: Story[] = [];
  for (const counter of shapes) {
    for (const gauge of shapes) {
      const series = new Map<string, UnitSeries>();
      for (const matchers of selectors) {
        const entries = matchers.map((m): [string, string] => [m.name, inside(m.op, m.value)]);
        const labels = Labels.fromEntries([...entries, ['instance', 'a:80']]);
        const shape = /_(total|count|sum|bucket)$/.test(labels.metricName) ? counter : gauge;
        series.set(labels.key, { labels, points: Array.from({ length: 240 }, (_, i) => shape(i)) });
      }
      stories.push({
        startMs: 0,
        intervalMs: 60_000,
        evaluationIntervalMs: 60_000,
        externalLabels: {},
        externalUrl: '',
        series: [...series.values()],
        closedRanges,
        fromStep: 0,
        untilStep: 240,
      });
    }
  }
  return stories;
}

/** A value that the matcher accepts, or the best guess. */
function inside(op: string, value: string): string {
  if (op === '=') return value;
  if (op === '=~') {
    const first = value.replace(/^\^|\$$/g, '').split('|')[0] ?? '';
    return first
      .replace(/\.[*+]/g, 'x')
      .replace(/\[[^\]]*\][+*]?/g, '5')
      .replace(/[()?\\^$]/g, '');
  }
  return 'a';
}
