/**
 * Counters as exact increments of one step. Every evaluation records the value of each counter; a step is the current
 * value minus the last one that a step has counted. So the steps of any span add up to the counter's growth, even with
 * delays: a scrape that was committed late is in the next step, and so are the events of a skipped evaluation, of a
 * Prometheus that was down, or of an evaluation that ended after it recorded the counters. `rate` and `increase` over
 * adjacent ranges lose the growth between the ranges; `x - x offset 30s` loses in every step the samples that were
 * committed after it was evaluated.
 */
import { formatDurationMs } from '../../base/duration.js';
import type { Sli } from '../spec/model.js';
import {
  bothSpellings,
  fillWindow,
  findQueryProblem,
  isBareSelector,
  isSummedBy,
  leMatcher,
  linearCounterCalls,
  replaceCalls,
  selectorOf,
  splitSelector,
} from '../spec/query.js';
import { groupsOf, isGroupedBy } from '../spec/query-groups.js';
import { counterLabel, counterSeen, metricLabel } from './names.js';

/** How long ago a counter's value may have been recorded, to bridge failed scrapes and restarts of Prometheus. */
export const lookbackMs = 15 * 60_000;

/** The range for sampling a query that is not linear in its counters. */
export const sampleRangeMs = 2 * 60_000;

/** A value that only grows while its process lives, series by series. */
export interface Counter {
  /** The value of the label that distinguishes the counters of an SLO. */
  key: string;
  /** The current value as an instant vector; an offset such as ` offset 30s` is added to each selector. */
  at: (offset: string) => string;
  /** The selector, if the counter is a plain series of Prometheus. */
  selector?: string;
}

/** The counters that an SLO reads, each recorded once. */
export class Counters {
  readonly all: Counter[] = [];
  readonly #bySelector = new Map<string, Counter>();

  /** The counter of a bare selector; a new one is named after `role`. */
  select(selector: string, role: string): Counter {
    const text = selector.trim();
    const known = this.#bySelector.get(text);
    if (known) return known;
    const counter = this.add(role, (offset) => text + offset);
    counter.selector = text;
    this.#bySelector.set(text, counter);
    return counter;
  }

  add(role: string, at: Counter['at']): Counter {
    const others = this.all.filter((c) => c.key.replace(/\d+$/, '') === role).length;
    const counter: Counter = { key: others === 0 ? role : `${role}${others + 1}`, at };
    this.all.push(counter);
    return counter;
  }
}

export interface StepOptions {
  /** The SLO as the matcher `slo="..."`. */
  slo: string;
  /** Length of a step in milliseconds, scaled. */
  stepMs: number;
  /** 1, or the scale of the windows. */
  timeScale: number;
  /** Labels to keep, for SLOs with groups. */
  by: readonly string[];
  /** The series of the steps: a counter's value is counted if a step has the same time or a later one. */
  steps: string;
  /** `history`: all samples exist already and nothing is recorded, as in a backtest. */
  from: 'recorded' | 'history';
}

/**
 * The current value of a counter. One rule records all counters of an SLO, so their values are of the same instant.
 */
export function held(counter: Counter, options: StepOptions): string {
  return options.from === 'history' ? counter.at('') : seen(counter, options);
}

/** The current value of something that may shrink: only from this evaluation, never left over from an earlier one. */
export function heldNow(counter: Counter, options: StepOptions): string {
  if (options.from === 'history') return counter.at('');
  return `last_over_time(${seen(counter, options)}[1ms])`;
}

const seen = (counter: Pick<Counter, 'key'>, { slo }: StepOptions): string =>
  `${counterSeen}{${slo},${counterLabel}="${counter.key}"}`;

function heldBefore(counter: Counter, options: StepOptions): string {
  if (options.from === 'recorded') {
    return countedLast(seen(counter, options), options, seen({ key: timeKey }, options));
  }
  const range = scaledText(lookbackMs, options);
  const offset = ` offset ${formatDurationMs(options.stepMs)}`;
  return counter.selector
    ? `last_over_time(${counter.selector}[${range}]${offset})`
    : counter.at(offset);
}

const scaledText = (ms: number, { timeScale }: StepOptions): string =>
  formatDurationMs(Math.max(1, Math.round(ms * timeScale)));

/**
 * The last value of recorded series that a step has counted. A Prometheus that ends in the middle of a group leaves
 * values without a step, which are passed over; `marker` is one series recorded together with them, whose time shows
 * it. The second look at the steps, from four minutes ago, is for the time when the last step is older than Prometheus
 * looks back and the value after it is not.
 */
export function countedLast(recorded: string, options: StepOptions, marker = recorded): string {
  const { steps, stepMs } = options;
  const ago = scaledText(240_000, options);
  const at = `scalar(max(timestamp(${steps}) or timestamp(${steps} offset ${ago})))`;
  const range = `${scaledText(lookbackMs, options)}:${formatDurationMs(stepMs)}`;
  const uncounted = `unless on () timestamp(${marker}) > ${at}`;
  return `last_over_time((${recorded} ${uncounted})[${range}] offset 1ms)`;
}

/**
 * The increments of each series since the previous step, as a vector expression. The first arm is the normal
 * case. The second arm counts the whole value of a counter that was reset. It also does so for a new series if the
 * series had no earlier events: its target was scraped before and had no such series, or its process started only
 * recently. `evidence` is a counter that has series whenever the target was scraped.
 */
export function seriesIncrements(
  counter: Counter,
  evidence: Counter,
  options: StepOptions,
): string {
  const now = held(counter, options);
  const lines = [`${now}`, `- ${heldBefore(counter, options)}`, '>= 0', 'or', now];
  const known = heldBefore(evidence, options);
  const begun = begunSince(evidence, options);
  lines.push('and on (job, instance)', begun === undefined ? known : `(${known} or ${begun})`);
  return `(\n${lines.map((line) => `  ${line}`).join('\n')}\n)`;
}

/**
 * Selects targets whose process started recently enough that no earlier events were missed. Only for a selector with a
 * job; without one, each SLO would read the start time of every process in Prometheus.
 */
function begunSince(evidence: Counter, options: StepOptions): string | undefined {
  const job = /[{,]\s*(job=~?"(?:[^"\\]|\\.)*")/.exec(evidence.at(''))?.[1];
  if (job === undefined) return undefined;
  const seconds = Number(((lookbackMs / 1000) * options.timeScale).toPrecision(6));
  return `process_start_time_seconds{${job}} > time() - ${seconds}`;
}

/** The series that is recorded together with the counters, and shows when that was. */
const timeKey = 'time';

/** A selector of several metrics, each kept apart by a label: recorded, all have the rule's name. */
const named = (selector: string): string =>
  /[{,]\s*__name__\s*[=!]~/.test(selector)
    ? `label_replace(${selector}, "${metricLabel}", "$1", "__name__", "(.+)")`
    : selector;

/** The rule that records all counters of an SLO, so that bad and total events are of the same instant. */
export function seenExpr(counters: readonly Counter[]): string {
  return [...counters, { key: timeKey, at: () => 'vector(time())' }]
    .map((c) => `label_replace(${named(c.at(''))}, "${counterLabel}", "${c.key}", "", "")`)
    .join('\nor\n');
}

/** The sum over all series, by the group's labels. */
export const sumBy = (by: readonly string[], vector: string): string =>
  (by.length > 0 ? `sum by (${by.join(', ')}) ` : 'sum') +
  (/^\([^()]*(\([^()]*\)[^()]*)*\)$/.test(vector) ? vector : `(${vector})`);

/**
 * The ratio of each group, since several series in a group would match no total: their mean, by the weights if these
 * have the same labels.
 */
export function averaged(
  { error, weight }: Omit<Extract<Sli, { kind: 'ratio' }>, 'kind'>,
  by: readonly string[],
  range: string,
): string {
  // 0/0 is NaN, which would spoil every sum; the comparison drops it.
  const ratio = `clamp_max(${fillWindow(error, range)}, 1) >= 0`;
  if (isGroupedBy(error, by)) return ratio;
  const labels = groupsOf(error);
  if (weight !== undefined && labels && isGroupedBy(weight, labels)) {
    const weights = fillWindow(weight, range);
    return `${sumBy(by, `(${weights}) * (${ratio})`)} / ${sumBy(by, weights)}`;
  }
  return `avg${by.length > 0 ? ` by (${by.join(', ')})` : ''} (${ratio})`;
}

/** Whether the query is a sum of counters, so that its steps add up. */
export const isExactQuery = (query: string): boolean =>
  isBareSelector(query) || linearCounterCalls(query) !== undefined;

/**
 * The unit of a query's values: counted in each step, or sampled as events a second, as events of the window, or as
 * anything else, which gives ratios but no number of events.
 */
export type QueryUnit = 'counted' | 'second' | 'window' | 'other';

const perSecond = /\bi?rate\s*\(/;
const perWindow = /\b(increase|(sum|count)_over_time)\s*\(/;

const round = (x: number): number => Number(x.toPrecision(12));

/** The unit that all of the queries have. */
function unitOfQueries(queries: readonly string[]): QueryUnit {
  if (queries.every(isExactQuery)) return 'counted';
  const all = (unit: RegExp, other: RegExp): boolean =>
    queries.every((query) => unit.test(query) && !other.test(query));
  return all(perSecond, perWindow) ? 'second' : all(perWindow, perSecond) ? 'window' : 'other';
}

/**
 * Queries whose ratio counts, in one unit: if one of them can only be sampled, all are, and a bare counter has the
 * function of the others; `increase` beside `rate` is a rate, too.
 */
export function inOneUnit(queries: readonly string[]): { queries: string[]; unit: QueryUnit } {
  if (queries.every(isExactQuery)) return { queries: [...queries], unit: 'counted' };
  const increases = /\bincrease(?=\s*\()/g;
  const by = queries.some((query) => /\brate\s*\(/.test(query)) ? 'rate' : 'increase';
  const sampled = (query: string): string =>
    isBareSelector(query) ? `${by}(${query.trim()}[{{.window}}])` : query.replaceAll(increases, by);
  const all = queries.map(sampled);
  // Beside one that can only be sampled, a sum of counters is sampled as well.
  return { queries: all, unit: unitOfQueries(all) };
}

/**
 * The events of one step from a spec's query: a bare counter, or a template with `{{.window}}`. Its counters are added
 * to `counters` under `role`; the first of all counters is the evidence that a target was scraped. `unit`: that of all
 * queries whose ratio counts.
 */
export function stepOf(
  template: string,
  role: string,
  counters: Counters,
  options: StepOptions,
  unit = unitOfQueries([template]),
): string {
  template = bothSpellings(template);
  const increments = (selector: string): string => {
    const counter = counters.select(selector, role);
    return seriesIncrements(counter, counters.all[0] ?? counter, options);
  };
  const summed = (expr: string): string =>
    isSummedBy(template, options.by) ? expr : sumBy(options.by, expr);
  if (isBareSelector(template)) return sumBy(options.by, increments(template));
  const calls = unit === 'counted' ? linearCounterCalls(template) : undefined;
  if (calls) return summed(replaceCalls(template, calls, (c) => increments(c.selector)));
  const rangeMs = Math.max(1, Math.round(sampleRangeMs * options.timeScale));
  const sampled = summed(fillWindow(template, formatDurationMs(rangeMs)));
  // The events of a step, for budgets and the guards that count; without a known unit only the ratio is meant.
  const { stepMs } = options;
  const ofMs = { counted: stepMs, second: 1000, window: rangeMs, other: stepMs }[unit];
  return ofMs === stepMs ? sampled : `((${sampled}) * ${round(stepMs / ofMs)})`;
}

/** Whether an SLI's events are known by number; others are samples of a value, of which only the ratio is known. */
export function countsEvents(sli: Sli): boolean {
  switch (sli.kind) {
    case 'events':
      return (
        unitOfQueries(inOneUnit([sli.total, sli.bad ?? sli.good ?? sli.total]).queries) !== 'other'
      );
    case 'ratio':
      return sli.weight !== undefined && unitOfQueries([sli.weight]) !== 'other';
    default:
      return true;
  }
}

/** Selectors of a classic histogram: all observations, and those up to the bound. */
export function classicHistogram(
  histogram: string,
  matchers: string,
  bound: number,
): { total: string; good: string } {
  const base = histogram.replace(/_bucket$/, '');
  const comma = matchers === '' ? '' : `${matchers},`;
  return {
    total: selectorOf(`${base}_count`, matchers),
    good: selectorOf(`${base}_bucket`, `${comma}${leMatcher(bound)}`),
  };
}

/** Reads `{"http.server.request.duration", job="a"}`, in which a quoted name comes first. */
function splitQuoted(selector: string): { metric: string; matchers: string } | undefined {
  const match = /^\s*\{\s*"((?:[^"\\])*)"\s*(?:,([^]*))?\}\s*$/.exec(selector);
  if (!match || findQueryProblem(selector)) return undefined;
  return { metric: match[1] as string, matchers: (match[2] ?? '').trim().replace(/,$/, '') };
}

/** A histogram's metric without its suffix, and its matchers; undefined if the text is not a selector. */
export function splitHistogram(selector: string): { metric: string; matchers: string } | undefined {
  const parts = splitSelector(selector) ?? splitQuoted(selector);
  if (!parts) return undefined;
  return { metric: parts.metric.replace(/_(bucket|count|sum)$/, ''), matchers: parts.matchers };
}
