/**
 * Counters as exact increments of one step. `rate` and `increase` over adjacent ranges lose what happened between
 * them and guess it back by extrapolation; the difference of a counter's last values does neither, so that steps add
 * up to any window exactly: what one step's difference ends with, the next one starts from.
 */
import { formatDurationMs } from '../../base/duration.js';
import {
  fillWindow,
  isBareSelector,
  isSummedBy,
  linearCounterCalls,
  replaceCalls,
  splitSelector,
} from '../spec/query.js';

/** How far back a counter's last value is looked for: bridges failed scrapes, and ends with Prometheus's own. */
export const lookbackMs = 5 * 60_000;

/** The range over which a query that is not linear in its counters is sampled. */
export const sampleRangeMs = 2 * 60_000;

export interface StepOptions {
  /** Length of a step, after the time scale. */
  stepMs: number;
  /** 1, or the declared scale of the windows. */
  timeScale: number;
  /** Labels kept, for SLOs by group. */
  by: readonly string[];
  /**
   * A selector that always has series where the target was scraped. A series that was not there a step ago counts
   * from zero if its target was, since the target had it at zero; otherwise its past is unknown and does not count.
   */
  evidence?: string | undefined;
}

/**
 * The increments of each series in the last step, as a vector expression. The first arm is the plain case. A counter
 * that went back (its process began anew) or that is new on a known target comes through the second, whole.
 */
export function seriesIncrements(selector: string, options: StepOptions): string {
  const back = formatDurationMs(lookbackMs * options.timeScale);
  const step = formatDurationMs(options.stepMs);
  const last = `last_over_time(${selector}[${back}])`;
  const before = `last_over_time(${selector}[${back}] offset ${step})`;
  const evidence = options.evidence ?? selector;
  const since = `${selector}\n  and on (job, instance)\n  ${evidence} offset ${step}`;
  return `(\n  ${last}\n  - ${before}\n  >= 0\n  or\n  ${since}\n)`;
}

export interface Step {
  /** Events of one step. */
  expr: string;
  /** False where the query could only be sampled. */
  exact: boolean;
}

/** Sum over the series, by the group's labels. */
export const sumBy = (by: readonly string[], vector: string): string =>
  (by.length > 0 ? `sum by (${by.join(', ')}) ` : 'sum') +
  (/^\([^()]*(\([^()]*\)[^()]*)*\)$/.test(vector) ? vector : `(${vector})`);

/** The events of one step from a spec's query: a bare counter, or a template with `{{.window}}`. */
export function stepOf(template: string, options: StepOptions): Step {
  if (isBareSelector(template)) {
    const vector = seriesIncrements(template.trim(), options);
    return { expr: sumBy(options.by, vector), exact: true };
  }
  const calls = linearCounterCalls(template);
  if (calls) {
    const expr = replaceCalls(template, calls, (c) => seriesIncrements(c.selector, options));
    return { expr: isSummedBy(template, options.by) ? expr : sumBy(options.by, expr), exact: true };
  }
  // A rate by the second stays one: bad and total are scaled alike, and only their ratio is used.
  return {
    expr: fillWindow(template, formatDurationMs(sampleRangeMs * options.timeScale)),
    exact: false,
  };
}

/** The first counter selector of a query, as evidence that its target was scraped. */
export function evidenceOf(template: string): string | undefined {
  if (isBareSelector(template)) return template.trim();
  return linearCounterCalls(template)?.[0]?.selector;
}

/**
 * `le="0.3"` as classic histograms write it: Prometheus 3 writes whole numbers as `1.0`, earlier ones as `1`; the
 * two spellings are matched as a set, which is looked up as fast as an equality.
 */
export function leMatcher(bound: number): string {
  const plain = String(bound);
  return Number.isInteger(bound) ? `le=~"${plain}|${plain}\\\\.0"` : `le="${plain}"`;
}

/** Selectors of a classic histogram: all observations, and those at or below the bound. */
export function classicHistogram(
  histogram: string,
  matchers: string,
  bound: number,
): { total: string; good: string } {
  const base = histogram.replace(/_bucket$/, '');
  const braces = (list: string): string => (list === '' ? '' : `{${list}}`);
  const comma = matchers === '' ? '' : `${matchers},`;
  return {
    total: `${base}_count${braces(matchers)}`,
    good: `${base}_bucket{${comma}${leMatcher(bound)}}`,
  };
}

/** The histogram's metric without its suffix, and its matchers; undefined where it is no selector. */
export function splitHistogram(selector: string): { metric: string; matchers: string } | undefined {
  const parts = splitSelector(selector);
  if (!parts) return undefined;
  return { metric: parts.metric.replace(/_(bucket|count)$/, ''), matchers: parts.matchers };
}
