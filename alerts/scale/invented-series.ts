/** Invents series on which rules may fire, from the rules' own selectors, labels and thresholds. */
import type { Random } from '../../base/random.js';
import { parse, type VectorSelector, walk } from '../../slo/promql/index.js';
import { matcherOf } from '../../slo/promql/store/matcher.js';
import type { ReadGroup } from '../rules/read.js';
import { isCounterName } from './quantity.js';

export interface InventedSeries {
  labels: Record<string, string>;
  /** At any scale, a counter keeps its slope and a gauge its values. */
  isCounter: boolean;
  /** One value for each step; undefined before the series begins and after it ends. */
  values: (number | undefined)[];
}

interface Wanted {
  selector: VectorSelector;
  thresholds: number[];
}

const seriesMax = 2000;
const variants = ['a', 'b'];
const bounds = ['0.005', '0.1', '0.5', '1', '2.5', '10', '+Inf'];
const counting = new Set(['rate', 'increase', 'irate', 'resets']);

export function inventSeries(
  groups: readonly ReadGroup[],
  steps: number,
  random: Random,
): InventedSeries[] {
  const rules = groups.flatMap((g) => g.rules.map((r) => r.rule));
  const recorded = new Set(rules.flatMap((r) => (r.kind === 'record' ? [r.record] : [])));
  const wanted: Wanted[] = [];
  const counted = new Set<string>();
  const joined = new Set(['instance', 'job']);
  for (const rule of rules) {
    const thresholds: number[] = [];
    const own: Wanted[] = [];
    walk(parse(rule.expr), (node, parents) => {
      if (node.kind === 'number' && Number.isFinite(node.value)) thresholds.push(node.value);
      if (node.kind === 'aggregate' && !node.without) node.grouping.forEach((l) => joined.add(l));
      if (node.kind === 'binary' && node.matching) {
        [...node.matching.labels, ...node.matching.include].forEach((l) => joined.add(l));
      }
      if (node.kind !== 'selector' || recorded.has(node.name ?? '')) return;
      if (node.name === undefined || node.name.startsWith('ALERTS')) return;
      // `pg_stat_activity_count` is a gauge, so only the use of a metric shows that it is a counter.
      const isCounted =
        parents.some((p) => p.kind === 'call' && counting.has(p.name)) ||
        (isCounterName(node.name) && node.offset !== undefined);
      if (isCounted) counted.add(node.name);
      own.push({ selector: node, thresholds });
    });
    wanted.push(...own);
  }
  joined.delete('le');
  const found = new Map<string, InventedSeries>();
  for (const { selector, thresholds } of wanted) {
    const isCounter = counted.has(selector.name ?? '');
    for (const variant of variants) {
      const labels = labelsFor(selector, variant, joined);
      if (!labels) continue;
      const isBucket = labels.__name__?.endsWith('_bucket') && labels.le === undefined;
      const all = isBucket ? bounds.map((le) => ({ ...labels, le })) : [labels];
      let below: readonly (number | undefined)[] = [];
      for (const one of all) {
        const key = JSON.stringify(Object.entries(one).sort());
        if (found.has(key) || found.size >= seriesMax) continue;
        const values = isCounter ? counter(steps, random, below) : gauge(steps, thresholds, random);
        found.set(key, { labels: one, isCounter, values });
        if (isBucket) below = values;
      }
    }
  }
  return [...found.values()];
}

/** Labels that fit the selector's matchers; undefined if no attempt fits. */
function labelsFor(
  selector: VectorSelector,
  variant: string,
  joined: ReadonlySet<string>,
): Record<string, string> | undefined {
  const labels: Record<string, string> = {};
  for (const name of joined) labels[name] = `${name}-${variant}`;
  for (const matcher of selector.matchers) {
    const { name, op, value } = matcher;
    const all = selector.matchers.filter((m) => m.name === name).map(matcherOf);
    const tried = [
      ...(op === '=' ? [value] : []),
      labels[name] ?? `${name}-${variant}`,
      ...(op === '=~' ? wordsOf(value) : []),
      '500',
      '200',
      '404',
      'GET',
      'POST',
      'a',
      'prod',
      '1',
      '10.0',
      '',
    ];
    const fits = tried.find((text) => all.every((m) => m.matches(text)));
    if (fits === undefined) return undefined;
    if (fits === '') delete labels[name];
    else labels[name] = fits;
  }
  return labels;
}

/** Texts that may match a pattern, made by replacing its special characters. */
function wordsOf(pattern: string): string[] {
  const bare = pattern.replaceAll(/[()^$]/g, '').replaceAll('?:', '');
  return bare.split('|').map((word) =>
    word
      .replaceAll(/\[[^\]]*\][*+]?|\\d[*+]?|\.[*+]/g, '5')
      .replaceAll('.', '0')
      .replaceAll('\\', '')
      .replaceAll(/[*+?]/g, ''),
  );
}

/** How long a value stays constant, in steps. */
const episode = (random: Random): number => 20 + random.below(120);

function counter(
  steps: number,
  random: Random,
  below: readonly (number | undefined)[],
): (number | undefined)[] {
  const slopes = [0, 0, 0.013, 0.37, 3.1, 47, 1013, 2_000_003];
  const values: (number | undefined)[] = [];
  let [value, left, slope, gone] = [0, 0, 0, false];
  for (let i = 0; i < steps; i++) {
    if (left-- <= 0) {
      left = episode(random);
      slope = (slopes[random.below(slopes.length)] as number) * (0.5 + random.next());
      gone = below.length === 0 && random.below(12) === 0;
    }
    value += slope;
    const floor = below.length === 0 ? 0 : below[i];
    values.push(gone || floor === undefined ? undefined : value + floor);
  }
  return values;
}

function gauge(
  steps: number,
  thresholds: readonly number[],
  random: Random,
): (number | undefined)[] {
  const pool = [0, 1, ...thresholds.flatMap((t) => [t, t * 1.37, t * 0.61, t + 1.3, t - 1.3])];
  const values: (number | undefined)[] = [];
  let [value, left, slope, gone] = [0, 0, 0, false];
  for (let i = 0; i < steps; i++) {
    if (left-- <= 0) {
      left = episode(random);
      value = pool[random.below(pool.length)] as number;
      slope = random.below(3) === 0 ? (random.next() - 0.5) * Math.abs(value) * 0.01 : 0;
      gone = random.below(10) === 0;
    }
    value += slope;
    values.push(gone ? undefined : value);
  }
  return values;
}
