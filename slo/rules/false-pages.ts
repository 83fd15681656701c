/**
 * Pages of a service that is well, by chance alone. Where few events happen, one failure is a large share of an
 * hour: at 20 requests an hour and 99.9% each single one passes every factor. A guard asks for as many bad events as a
 * healthy service has only so often a year; at much traffic it holds long before the burn's own condition does.
 *
 * Bad events of a healthy service are taken to be Poisson. The count in a window that slides over them rises from k to
 * k + 1 at the rate of bad events times P(count = k), so that is how often a threshold of k + 1 is passed.
 */
import { budgetRatio, type Slo } from '../spec/model.js';
import { eventSum } from './names.js';
import { type CompileOptions, type Plan, planOf, scaled } from './plan.js';
import type { AlertWindow } from './windows.js';

/** What a healthy service spends of its budget. */
export const healthyShare = 0.5;

const hoursOfYear = 8760;
const hourMs = 3_600_000;

const round = (x: number): number => Number(x.toPrecision(6));

/** Of the stated pages the shortest window's: it is the one that tells an outage soon. The others share the rest. */
const shortestShare = 0.95;

/**
 * The traffic is a count as well. Taken as it was counted, chance in it would ask for one more failure half of the time
 * where the bound is near; so a little more than one standard deviation less is taken. At much traffic it is nothing.
 */
const deviations = 1.1;

const trafficOf = (total: number): number => Math.max(0, total - deviations * Math.sqrt(total));

/** How unlikely a count must be: the logarithm of the windows in a year over the pages that one window may take. */
function bar(plan: Plan, window: AlertWindow, falsePages: number): number {
  const pages = plan.windows.filter((w) => w.severity === 'page');
  const shortest = window.longMs === Math.min(...pages.map((w) => w.longMs));
  const share =
    pages.length === 1 ? 1 : shortest ? shortestShare : (1 - shortestShare) / (pages.length - 1);
  const hours = scaled(plan, window.longMs) / hourMs;
  return round(Math.log(hoursOfYear / hours / (falsePages * share)));
}

/** Windows whose sums of events are recorded for the guard, shortest first; none where no rate is stated. */
export function guardedWindows(plan: Plan): number[] {
  if (plan.slo.alerting.falsePagesPerYear === undefined) return [];
  const pages = plan.windows.filter((w) => w.severity === 'page');
  return [...new Set(pages.map((w) => w.longMs))].sort((a, b) => a - b);
}

/** Lines of a page's condition; none where no rate is stated. Gosper's formula stands for the factorial. */
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

/** What the guard's lines compute: above the bar the count is no chance. */
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

/** Whether a page's guard holds for so many bad events of so many; true where no rate is stated. */
export function guardHolds(plan: Plan, window: AlertWindow, bad: number, total: number): boolean {
  const { falsePagesPerYear } = plan.slo.alerting;
  if (falsePagesPerYear === undefined) return true;
  const expected = trafficOf(total) * plan.budget * healthyShare;
  return holds(bad, expected, bar(plan, window, falsePagesPerYear));
}

/** The least bad events of a long window's `total` at which it can page; never more than all of them plus one. */
function leastBad(plan: Plan, window: AlertWindow, total: number): number {
  const { minBadEvents } = plan.slo.alerting;
  const burn = Math.floor(window.factor * plan.budget * total) + 1;
  let least = Math.max(burn, minBadEvents, 1);
  while (least <= total + 1 && !guardHolds(plan, window, least, total)) least++;
  return least;
}

/** Poisson probabilities up to `most`, by their ratio one to the next. */
function poisson(mean: number, most: number): number[] {
  const all = [Math.exp(-mean)];
  for (let k = 1; k <= most; k++) all.push(((all[k - 1] as number) * mean) / k);
  return all;
}

/** Above so many expected bad events chance does not page: the sums would be zeros, made at length. */
const meanMax = 400;

/** Where the count of a window's events lies, and how likely: chance in it moves the guard's threshold. */
function totalsOf(mean: number): { total: number; weight: number }[] {
  const points = Array.from({ length: 33 }, (_, i) => (i - 16) / 4).map((deviation) => ({
    total: Math.max(1, Math.round(mean + deviation * Math.sqrt(mean))),
    weight: Math.exp(-(deviation ** 2) / 2),
  }));
  const sum = points.reduce((all, p) => all + p.weight, 0);
  return points.map((p) => ({ ...p, weight: p.weight / sum }));
}

/**
 * Pages a year of a service that spends half its budget, at a steady traffic: what its windows add up to. A page begins
 * at a bad event that completes the long window's count while the short one has its own, or the other way round.
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
  // An event that begins two windows' pages begins one page.
  return Math.min(all, hoursOfYear * badPerHour);
}

/** How likely a bad event begins a page that needs so many in the long window and so many in the short one. */
function beginning(long: number, short: number, mean: number, meanShort: number): number {
  const inShort = poisson(meanShort, long + 40);
  const before = poisson(mean - meanShort, long + 40);
  let chance = 0;
  for (let s = 0; s < inShort.length; s++) {
    for (let b = 0; b < before.length; b++) {
      const completesLong = s + b === long - 1 && s >= short - 1;
      const completesShort = s + b >= long && s === short - 1;
      if (completesLong || completesShort) chance += (inShort[s] ?? 0) * (before[b] ?? 0);
    }
  }
  return chance;
}

/** How long a total outage lasts before it pages, in milliseconds; undefined where it never does. */
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
