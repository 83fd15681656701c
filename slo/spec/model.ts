/** A service level objective as a value: what every format is read into and what the rules are compiled from. */
import type { Place } from '../../base/errors.js';

export interface Slo {
  /** `service-name`: unique, and the `slo` label of every series and alert. */
  id: string;
  service: string;
  name: string;
  description?: string;
  owner?: string;
  /** Per cent, above 0 and below 100. */
  objective: number;
  period: Period;
  sli: Sli;
  /** One SLO for each value of these labels; empty for one SLO. */
  groupBy: string[];
  /** Series beyond this number of groups are dropped by the rules, busiest kept. */
  maxGroups: number;
  /** Added to every alert and to the information series, such as region and team. */
  labels: Record<string, string>;
  alerting: Alerting;
  /** Where it was written, for errors that are found later. */
  place?: Place;
}

export interface Period {
  /** Whole, 1 to 366. */
  days: number;
  /** A calendar month for the budget; its alerts use the windows of 30 days. */
  calendar?: 'month';
}

/**
 * PromQL here may hold `{{.window}}` where the range stands; a bare counter selector means the sum of its increase.
 * Every kind yields bad and total events at the base resolution, from which every window is summed.
 */
export type Sli =
  | { kind: 'events'; total: string; bad?: string; good?: string }
  /** A ratio of errors with no count of events: windows can only average it, weighted by `weight` where given. */
  | { kind: 'ratio'; error: string; weight?: string }
  /** Requests slower than the threshold are bad; `threshold` in the histogram's own unit. */
  | { kind: 'latency'; histogram: string; matchers: string; threshold: number; native: boolean }
  /** A slice of time is bad where its error ratio exceeds what `target` per cent allows (or counts by its ratio). */
  | {
      kind: 'slices';
      of: Extract<Sli, { kind: 'events' | 'latency' | 'ratio' }>;
      lengthMs: number;
      target: number;
      weigh: 'whole' | 'ratio';
    }
  /** A gauge of 1 for success and 0 for failure, such as `probe_success`: each sample is an event. */
  | { kind: 'probe'; selector: string }
  /** Each sample of the expression is an event, bad where the comparison holds. */
  | { kind: 'threshold'; value: string; bad: string }
  /** Other SLOs of the same run, their bad and total events added up by weight. */
  | { kind: 'composite'; parts: { slo: string; weight: number }[] };

export interface Alerting {
  /** The alert's name; the severities share it and differ by label. */
  name: string;
  page: AlertSettings | false;
  ticket: AlertSettings | false;
  /**
   * Burn above this over an hour pages (requirement A2), beside the table's own pages; false for the table alone.
   * Absent: 3, and false with a table of the user's own.
   */
  pageAbove?: number | false;
  /** Instead of the period's table (and of `pageAbove`). */
  windows?: BurnWindow[];
  labels: Record<string, string>;
  annotations: Record<string, string>;
  /** Fewer bad events than this in the long window neither page nor file a ticket. 0: no guard. */
  minBadEvents: number;
  /** Fewer events than this in the long window neither page nor file a ticket. 0: no guard. */
  minEvents: number;
  /** Pages a year that chance may cause while half the budget is spent; absent: no guard against chance. */
  falsePagesPerYear?: number;
  /** Measure the burn against the period's mean traffic, so that quiet nights weigh what they carry. */
  trafficWeighted: boolean;
  /** No data for this long files a ticket (or pages); false for no such alert. */
  noData: { afterMs: number; severity: 'page' | 'ticket' } | false;
  /** An alert where this share of the period's budget is spent, in per cent; absent: none. */
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
  /** How many times faster than allowed the budget burns where this fires. */
  factor: number;
}

export interface AlertSettings {
  forMs: number;
  keepFiringForMs: number;
  labels: Record<string, string>;
  annotations: Record<string, string>;
}

/** The share of events that may be bad: 0.001 for 99.9, without binary dust. */
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

/** What an SLO gets whose format says nothing of alerts. */
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
