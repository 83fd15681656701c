/**
 * Pages of a healthy service that only chance causes. With few events, one failure is a large share of an hour: at 20
 * requests an hour and 99.9%, every single failure exceeds every factor. The guard therefore requires a number of bad
 * events that a healthy service reaches only so often a year. With much traffic it always holds before the burn rate's
 * condition does.
 *
 * Bad events of a healthy service are taken to be Poisson-distributed. Their count in a sliding window rises from k to
 * k + 1 at the rate of bad events times P(count = k), which is how often a threshold of k + 1 is reached.
 */
import { budgetRatio, type Slo } from '../spec/model.js';
import { eventSum } from './names.js';
import { type CompileOptions, type Plan, planOf, scaled } from './plan.js';
import type { AlertWindow } from './windows.js';

/** Share of its error budget that a healthy service spends. */
export const healthyShare = 0.5;

const hoursOfYear = 8760;
const hourMs = 3_600_000;

const round = (x: number): number => Number(x.toPrecision(6));

/**
 * The shortest window's share of the allowed pages, because that window detects an outage first. The other windows
 * divide the rest.
 */
const shortestShare = 0.95;

/**
 * Standard deviations to subtract from the counted traffic. The count varies by chance, and near the bound the plain
 * count would require one more failure in half of all cases. With much traffic the difference disappears.
 */
const deviations = 1.1;

const trafficOf = (total: number): number => Math.max(0, total - deviations * Math.sqrt(total));

/**
 * How improbable a count must be: the logarithm of the windows in a year divided by the pages allowed for one window.
 */
function bar(plan: Plan, window: AlertWindow, falsePages: number): number {
  const pages = plan.windows.filter((w) => w.severity === 'page');
  const shortest = window.longMs === Math.min(...pages.map((w) => w.longMs));
  const share =
    pages.length === 1 ? 1 : shortest ? shortestShare : (1 - shortestShare) / (pages.length - 1);
  const hours = scaled(plan, window.longMs) / hourMs;
  return round(Math.log(hoursOfYear / hours / (falsePages * share)));
}

/**
 * Windows whose sums of events are recorded for the guard, shortest first; empty unless `falsePagesPerYear` is set.
 */
export function guardedWindows(plan: Plan): number[] {
  if (plan.slo.alerting.falsePagesPerYear === undefined) return [];
  const pages = plan.windows.filter((w) => w.severity === 'page');
  return [...new Set(pages.map((w) => w.longMs))].sort((a, b) => a - b);
}

/**
 * The guard's lines in a page's condition; empty unless `falsePagesPerYear` is set. Gosper's formula approximates the
 * factorial.
 */
export function guardLines(plan: Plan, window: AlertWindow): string[] {
  const { falsePagesPerYear } = plan.slo.alerting;
  if (falsePagesPerYear === undefined || window.severity !== 'page') return [];
  const series = (side: 'bad' | 'total'): string =>
    `${eventSum(side, window.longMs)}${plan.selector}`;
  const others = `(${series('bad')} - 1)`;
  const traffic = `(${series('total')} - ${deviations} * sqrt(${series('total')}))`;
  const expected = `(${traffic} * ${round(plan.budget * healthyShare)})`;
  return [
    `${others} > ${expected}`,
    `${others} * ln(${others} / ${expected}) - ${others} + ${expected}\n` +
      `    + 0.5 * ln(6.28319 * ${others} + 1.0472) - ln(${expected})\n` +
      `    > ${bar(plan, window, falsePagesPerYear)}`,
  ];
}

/** Computes the same as the guard's lines: true if chance does not explain the count. */
function holds(bad: number, expected: number, least: number): boolean {
  const k = bad - 1;
  if (k < 1 || k <= expected) return false;
  const unlikely =
    k * Math.log(k / expected) -
    k +
    expected +
    0.5 * Math.log(6.28319 * k + 1.0472) -
    Math.log(expected);
  return unlikely > least;
}

/** Whether a page's guard holds for the given bad and total events; true unless `falsePagesPerYear` is set. */
export function guardHolds(plan: Plan, window: AlertWindow, bad: number, total: number): boolean {
  const { falsePagesPerYear } = plan.slo.alerting;
  if (falsePagesPerYear === undefined) return true;
  const expected = trafficOf(total) * plan.budget * healthyShare;
  return holds(bad, expected, bar(plan, window, falsePagesPerYear));
}

/** The smallest number of bad events among `total` that can page; at most `total` + 1. */
function leastBad(plan: Plan, window: AlertWindow, total: number): number {
  const { minBadEvents } = plan.slo.alerting;
  const burn = Math.floor(window.factor * plan.budget * total) + 1;
  let least = Math.max(burn, minBadEvents, 1);
  while (least <= total + 1 && !guardHolds(plan, window, least, total)) least++;
  return least;
}

/** Poisson probabilities from 0 to `most`, each computed from the one before. */
function poisson(mean: number, most: number): number[] {
  const all = [Math.exp(-mean)];
  for (let k = 1; k <= most; k++) all.push(((all[k - 1] as number) * mean) / k);
  return all;
}

/** With more expected bad events than this, chance does not page: all terms of the sums would be about 0. */
const meanMax = 400;

/** Likely counts of a window's events with their weights, because chance in the count moves the guard's threshold. */
function totalsOf(mean: number): { total: number; weight: number }[] {
  const points = Array.from({ length: 33 }, (_, i) => (i - 16) / 4).map((deviation) => ({
    total: Math.max(1, Math.round(mean + deviation * Math.sqrt(mean))),
    weight: Math.exp(-(deviation ** 2) / 2),
  }));
  const sum = points.reduce((all, p) => all + p.weight, 0);
  return points.map((p) => ({ ...p, weight: p.weight / sum }));
}

/**
 * Pages a year of a service that spends half of its budget at steady traffic, summed over the windows. A page begins
 * at a bad event that completes the count of one window while the other window already has its own.
 */
export function falsePagesAt(
  slo: Slo,
  eventsPerHour: number,
  options: CompileOptions = {},
): number {
  const plan = planOf(slo, options);
  if (slo.alerting.page === false) return 0;
  const badPerHour = eventsPerHour * budgetRatio(slo.objective) * healthyShare;
  const pages = plan.windows.filter((w) => w.severity === 'page');
  const all = pages.reduce((sum, window) => {
    const hours = (ms: number): number => scaled(plan, ms) / hourMs;
    const mean = badPerHour * hours(window.longMs);
    if (eventsPerHour * hours(window.longMs) < slo.alerting.minEvents || mean > meanMax) return sum;
    const short =
      Math.floor(window.factor * plan.budget * eventsPerHour * hours(window.shortMs)) + 1;
    const likely = new Map<number, number>();
    for (const { total, weight } of totalsOf(eventsPerHour * hours(window.longMs))) {
      const long = leastBad(plan, window, total);
      likely.set(long, (likely.get(long) ?? 0) + weight);
    }
    const chance = [...likely].reduce(
      (part, [long, weight]) =>
        part + weight * beginning(long, short, mean, badPerHour * hours(window.shortMs)),
      0,
    );
    return sum + hoursOfYear * badPerHour * chance;
  }, 0);
  // An event that begins pages in two windows counts as one page.
  return Math.min(all, hoursOfYear * badPerHour);
}

/**
 * Probability that a bad event begins a page which needs `long` bad events in the long window and `short` in the short
 * one.
 */
function beginning(long: number, short: number, mean: number, meanShort: number): number {
  const inShort = poisson(meanShort, long + 40);
  const before = poisson(mean - meanShort, long + 40);
  let chance = 0;
  // The event completes the long window, and the short one has enough.
  for (let s = Math.max(0, short - 1); s < long; s++) {
    chance += (inShort[s] ?? 0) * (before[long - 1 - s] ?? 0);
  }
  // It completes the short window, and the long one has enough.
  const last = inShort[short - 1] ?? 0;
  for (let b = Math.max(0, long - short + 1); b < before.length; b++)
    chance += last * (before[b] ?? 0);
  return chance;
}

/** Milliseconds of a total outage before it pages; undefined if it never does. */
export function outagePagedAfterMs(
  slo: Slo,
  eventsPerHour: number,
  options: CompileOptions = {},
): number | undefined {
  const plan = planOf(slo, options);
  if (slo.alerting.page === false || eventsPerHour <= 0) return undefined;
  const times = plan.windows
    .filter((w) => w.severity === 'page')
    .flatMap((window) => {
      const longMs = scaled(plan, window.longMs);
      const total = (eventsPerHour * longMs) / hourMs;
      if (total < slo.alerting.minEvents) return [];
      const events = leastBad(plan, window, total);
      const ms = (events / eventsPerHour) * hourMs;
      return ms <= Math.max(longMs, (2 / eventsPerHour) * hourMs) ? [ms] : [];
    });
  return times.length === 0 ? undefined : Math.min(...times);
}
