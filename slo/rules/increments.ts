/**
 * Counters as exact increments of one step. What each counter held is recorded at every evaluation, and a step is what
 * it holds now less what was recorded last. So the steps of any span add up to what the counters grew by, whatever came
 * late: a scrape that was not committed yet is in the next step, and an evaluation that was left out, or a Prometheus
 * that was down, in the first one after. `rate` and `increase` over adjacent ranges lose what happened between them;
 * `x - x offset 30s` loses what was committed after it was asked for, in every step again.
 */
import { formatDurationMs } from '../../base/duration.js';
import {
  bothSpellings,
  fillWindow,
  findQueryProblem,
  isBareSelector,
  isSummedBy,
  linearCounterCalls,
  replaceCalls,
  selectorOf,
  splitSelector,
} from '../spec/query.js';
import { counterLabel, counterSeen } from './names.js';

/** How long ago what a counter held may have been recorded: bridges failed scrapes and restarts of Prometheus. */
export const lookbackMs = 15 * 60_000;

/** The range over which a query that is not linear in its counters is sampled. */
export const sampleRangeMs = 2 * 60_000;

/** Something that only grows while its process lives, series by series. */
export interface Counter {
  /** The value of the label that tells it from the other counters of its SLO. */
  key: string;
  /** What it holds, as an instant vector; ` offset 30s` and the like stand behind each selector. */
  at: (offset: string) => string;
  /** Where it is one series of Prometheus's own, that series. */
  selector?: string;
}

/** The counters that an SLO reads, each recorded once. */
export class Counters {
  readonly all: Counter[] = [];
  readonly #bySelector = new Map<string, Counter>();

  /** The counter of a bare selector; `role` names it if it is new. */
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
  /** The SLO, as the matcher `slo="..."`. */
  slo: string;
  /** Length of a step, after the time scale. */
  stepMs: number;
  /** 1, or the declared scale of the windows. */
  timeScale: number;
  /** Labels kept, for SLOs by group. */
  by: readonly string[];
  /** `history`: all samples are there already and nothing is recorded, as in a backtest. */
  from: 'recorded' | 'history';
}

/** What a counter holds now: of one instant for all counters of an SLO, since one rule recorded them. */
export function held(counter: Counter, options: StepOptions): string {
  return options.from === 'history' ? counter.at('') : seen(counter, options);
}

/** The same for what does not grow: only as of this very evaluation, not what an earlier one left behind. */
export function heldNow(counter: Counter, options: StepOptions): string {
  if (options.from === 'history') return counter.at('');
  return `last_over_time(${seen(counter, options)}[1ms])`;
}

const seen = (counter: Counter, { slo }: StepOptions): string =>
  `${counterSeen}{${slo},${counterLabel}="${counter.key}"}`;

function heldBefore(counter: Counter, options: StepOptions): string {
  const range = formatDurationMs(Math.max(1, Math.round(lookbackMs * options.timeScale)));
  if (options.from === 'history') {
    const offset = ` offset ${formatDurationMs(options.stepMs)}`;
    return counter.selector
      ? `last_over_time(${counter.selector}[${range}]${offset})`
      : counter.at(offset);
  }
  return `last_over_time(${seen(counter, options)}[${range}] offset 1ms)`;
}

/**
 * The increments of each series since the evaluation before, as a vector expression. The first arm is the plain case. A
 * counter that went back (its process began anew) comes through the second, whole; and so does a series that is new,
 * where its past is known to be nothing: its target was there, and had it at zero, or its process began since.
 * `evidence` is a counter that always has series where the target was scraped.
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
 * Targets whose process began so lately that nothing of it can have been counted. Asked only of one job: the start of
 * every process that Prometheus knows would be read by each SLO.
 */
function begunSince(evidence: Counter, options: StepOptions): string | undefined {
  const job = /[{,]\s*(job=~?"(?:[^"\\]|\\.)*")/.exec(evidence.at(''))?.[1];
  if (job === undefined) return undefined;
  const seconds = Number(((lookbackMs / 1000) * options.timeScale).toPrecision(6));
  return `process_start_time_seconds{${job}} > time() - ${seconds}`;
}

/** The one rule that records what all counters of an SLO hold, so that bad and total are of one instant. */
export function seenExpr(counters: readonly Counter[]): string {
  return counters
    .map((c) => `label_replace(${c.at('')}, "${counterLabel}", "${c.key}", "", "")`)
    .join('\nor\n');
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

/**
 * The events of one step from a spec's query: a bare counter, or a template with `{{.window}}`. Its counters are added
 * to `counters` under `role`; the first counter of all is the evidence that a target was scraped.
 */
export function stepOf(
  template: string,
  role: string,
  counters: Counters,
  options: StepOptions,
): Step {
  template = bothSpellings(template);
  const increments = (selector: string): string => {
    const counter = counters.select(selector, role);
    return seriesIncrements(counter, counters.all[0] ?? counter, options);
  };
  if (isBareSelector(template)) {
    return { expr: sumBy(options.by, increments(template)), exact: true };
  }
  const calls = linearCounterCalls(template);
  if (calls) {
    const expr = replaceCalls(template, calls, (c) => increments(c.selector));
    return { expr: isSummedBy(template, options.by) ? expr : sumBy(options.by, expr), exact: true };
  }
  // A rate by the second stays one: bad and total are scaled alike, and only their ratio is used.
  const range = formatDurationMs(Math.max(1, Math.round(sampleRangeMs * options.timeScale)));
  return { expr: fillWindow(template, range), exact: false };
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
  const comma = matchers === '' ? '' : `${matchers},`;
  return {
    total: selectorOf(`${base}_count`, matchers),
    good: selectorOf(`${base}_bucket`, `${comma}${leMatcher(bound)}`),
  };
}

/** `{"http.server.request.duration", job="a"}`: a name that must be quoted, which stands first. */
function splitQuoted(selector: string): { metric: string; matchers: string } | undefined {
  const match = /^\s*\{\s*"((?:[^"\\])*)"\s*(?:,([^]*))?\}\s*$/.exec(selector);
  if (!match || findQueryProblem(selector)) return undefined;
  return { metric: match[1] as string, matchers: (match[2] ?? '').trim().replace(/,$/, '') };
}

/** The histogram's metric without its suffix, and its matchers; undefined where it is no selector. */
export function splitHistogram(selector: string): { metric: string; matchers: string } | undefined {
  const parts = splitSelector(selector) ?? splitQuoted(selector);
  if (!parts) return undefined;
  return { metric: parts.metric.replace(/_(bucket|count)$/, ''), matchers: parts.matchers };
}
