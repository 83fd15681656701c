/** A service level objective as a value, which every format is read into and rules are compiled from. */
import type { Place } from '../../base/errors.js';

export interface Slo {
  /** Unique id `service-name`, and the `slo` label of every series and alert. */
  id: string;
  service: string;
  name: string;
  description?: string;
  owner?: string;
  /** Per cent, above 0 and below 100. */
  objective: number;
  period: Period;
  sli: Sli;
  /** One SLO for each value of these labels; empty for a single SLO. */
  groupBy: string[];
  /** Maximum number of groups; the rules keep the busiest and drop the others. */
  maxGroups: number;
  /** Labels added to every alert and to the information series, such as region and team. */
  labels: Record<string, string>;
  alerting: Alerting;
  /** Place in its file, for errors that are found later. */
  place?: Place;
}

export interface Period {
  /** Whole days, 1 to 366. */
  days: number;
  /** A calendar month for the budget; its alerts use the windows of 30 days. */
  calendar?: 'month';
}

/**
 * The kinds of indicators. Their PromQL may contain `{{.window}}` as a range; a bare counter selector means the sum of
 * its increase. Every kind gives bad and total events for each base step, from which all windows are summed.
 */
export type Sli =
  | { kind: 'events'; total: string; bad?: string; good?: string }
  /** A ratio of errors without counts: windows can only average it, weighted by `weight` if given. */
  | { kind: 'ratio'; error: string; weight?: string }
  /** Requests slower than the threshold are bad; `threshold` is in the histogram's own unit. */
  | {
      kind: 'latency';
      histogram: string;
      matchers: string;
      threshold: number;
      /** The histogram's own unit. */
      unit: 's' | 'ms';
      native: boolean;
    }
  /**
   * A slice of time is bad if its error ratio exceeds the part that `target` per cent leaves (or counts by its ratio).
   */
  | {
      kind: 'slices';
      of: Extract<Sli, { kind: 'events' | 'latency' | 'ratio' }>;
      lengthMs: number;
      target: number;
      weigh: 'whole' | 'ratio';
    }
  /** A gauge of 1 for success and 0 for failure, such as `probe_success`; each sample is an event. */
  | { kind: 'probe'; selector: string }
  /** Each sample of the expression is an event, which is bad if the comparison holds. */
  | { kind: 'threshold'; value: string; bad: string }
  /**
   * Other SLOs of the same run. `sum`: their bad and total events, added by weight. The others judge the events of the
   * first part: `chain` by all parts (an event fails if any part fails), `fallback` by the last that is left (an event
   * fails if every part fails). In a chain, a weight is the share of the events that need the part.
   */
  | {
      kind: 'composite';
      by: 'sum' | 'chain' | 'fallback';
      parts: CompositePart[];
      /** Steps by which its events are later than those of an SLO that reads counters. */
      lagSteps: number;
    };

export interface CompositePart {
  /** The id of another SLO. */
  slo: string;
  weight: number;
  place?: Place;
}

export interface Alerting {
  /** The alert's name, which both severities share. */
  name: string;
  page: AlertSettings | false;
  ticket: AlertSettings | false;
  /**
   * A burn rate above this over an hour pages (requirement A2), beside the table's own pages; false for the table
   * alone. Absent: 3, or false with a user's own table.
   */
  pageAbove?: number | false;
  /** Windows that replace the period's table and `pageAbove`. */
  windows?: BurnWindow[];
  labels: Record<string, string>;
  annotations: Record<string, string>;
  /** Minimum of bad events in the long window for a page or a ticket. 0: no guard. */
  minBadEvents: number;
  /** Minimum of events in the long window for a page or a ticket. 0: no guard. */
  minEvents: number;
  /** Pages a year that chance may cause while half the budget is spent; absent: no guard against chance. */
  falsePagesPerYear?: number;
  /** Measure burn rates against the period's mean traffic, so that quiet hours count by their traffic. */
  trafficWeighted: boolean;
  /** Missing data for this long files a ticket or pages; false for no such alert. */
  noData: { afterMs: number; severity: 'page' | 'ticket' } | false;
  /** Alerts on shares of the period's budget that are spent, in per cent; absent: none. */
  budgetSpent?: BudgetSpent[];
}

export interface BudgetSpent {
  /** Above 0, at most 1000. */
  percent: number;
  severity: 'page' | 'ticket';
}

export interface BurnWindow {
  severity: 'page' | 'ticket';
  longMs: number;
  shortMs: number;
  /** Burn rate above which the window fires. */
  factor: number;
}

/** The unit of a histogram by its name. */
export const unitOf = (histogram: string): 's' | 'ms' =>
  /_(ms|milliseconds)$/.test(histogram) ? 'ms' : 's';

/** The short window of a long one, if none is given: a twelfth, in whole minutes. */
export const shortOf = (longMs: number): number => {
  const grainMs = longMs > 21_600_000 * 12 ? 240_000 : 60_000;
  return Math.ceil(longMs / 12 / grainMs) * grainMs;
};

export interface AlertSettings {
  forMs: number;
  keepFiringForMs: number;
  labels: Record<string, string>;
  annotations: Record<string, string>;
}

/** The share of events that may be bad: exactly 0.001 for 99.9, without rounding errors. */
export function budgetRatio(objective: number): number {
  return Number(((100 - objective) / 100).toPrecision(12));
}

export function objectiveRatio(objective: number): number {
  return Number((objective / 100).toPrecision(15));
}

const camel = (text: string): string =>
  text
    .split(/[^A-Za-z0-9]+/)
    .filter((word) => word !== '')
    .map((word) => (word[0] as string).toUpperCase() + word.slice(1))
    .join('');

/** `CheckoutAvailability` for the SLO `availability` of `checkout`. */
export function defaultAlertName(service: string, name: string): string {
  return camel(name).startsWith(camel(service)) ? camel(name) : camel(service) + camel(name);
}

export const plainAlertSettings: AlertSettings = {
  forMs: 0,
  keepFiringForMs: 0,
  labels: {},
  annotations: {},
};

/** The alerting of an SLO whose format does not define any. */
export const standardAlerting = (name: string): Alerting => ({
  name,
  page: plainAlertSettings,
  ticket: plainAlertSettings,
  labels: {},
  annotations: {},
  minBadEvents: 0,
  minEvents: 0,
  trafficWeighted: false,
  noData: { afterMs: 600_000, severity: 'ticket' },
});
