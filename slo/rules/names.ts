/** Every metric and label name that SLO rules emit; rules, dashboards and budgets import them from here. */
import { formatDurationMs } from '../../base/duration.js';

/** Labels of every recorded series: the SLO (`checkout-availability`), and its service. */
export const sloLabel = 'slo';
export const serviceLabel = 'service';
export const ownerLabel = 'owner';
export const severityLabel = 'severity';
/** `page` or `ticket`, on alerts whose severity label the user has renamed. */
export const sloSeverityLabel = 'slo_severity';
/** Spent share of the period's budget, such as `75%`, on the alert about it. */
export const budgetSpentLabel = 'budget_spent';
/** On alerts compiled with a time scale other than 1, such as `1/120`. */
export const timeScaleLabel = 'time_scale';

const window = (ms: number): string => formatDurationMs(ms);

/** Sums of events in one step; the name contains the unscaled step. */
export const badIncrease = (ms: number): string => `slo:events_bad:increase${window(ms)}`;
export const totalPrefix = 'slo:events_total:increase';
export const totalIncrease = (ms: number): string => totalPrefix + window(ms);
/** The value of each counter of an SLO at the last evaluation, by series; a label names the counter. */
export const counterSeen = 'slo:counter:last';
export const counterLabel = 'slo_counter';
/** The metric of each series, if a counter's selector chooses several by a regular expression. */
export const metricLabel = 'slo_metric';
/** Bad events as total minus good, for counters that are scraped apart; below 0 if the good ones were seen first. */
export const badDifference = 'slo:events_bad:difference';
/** Events of a whole window, for the guard against pages by chance. */
export const eventSum = (side: 'bad' | 'total', ms: number): string =>
  `slo:events_${side}:sum${window(ms)}`;
/** Slices of time (1 for each), and the bad ones among them. */
export const badSlices = (ms: number): string => `slo:slices_bad:count${window(ms)}`;
export const totalSlices = (ms: number): string => `slo:slices_total:count${window(ms)}`;
/** Mean number of events in a coarse step over the period: the denominator of traffic-weighted burn rates. */
export const meanTotal = (ms: number): string => `slo:events_total:mean${window(ms)}`;

/**
 * The ratio of sums over a window. The names below are those of Sloth's rules, so that existing readers keep working.
 */
export const errorRatio = (ms: number): string => `slo:sli_error:ratio_rate${window(ms)}`;
export const weightedRatio = (ms: number): string =>
  `slo:sli_error_weighted:ratio_rate${window(ms)}`;
export const objectiveRatioMetric = 'slo:objective:ratio';
export const errorBudgetMetric = 'slo:error_budget:ratio';
export const periodDaysMetric = 'slo:time_period:days';
export const currentBurnMetric = 'slo:current_burn_rate:ratio';
export const periodBurnMetric = 'slo:period_burn_rate:ratio';
export const budgetRemainingMetric = 'slo:period_error_budget_remaining:ratio';
export const infoMetric = 'firedrill_slo_info';
/** Since the start of the calendar month, in UTC. */
export const monthMetric = 'slo:calendar:month';
export const monthRatioMetric = 'slo:sli_error:ratio_month';

/** Reserved labels: a user's label with one of these names would change which series belong together. */
export const reservedLabels: readonly string[] = [
  sloLabel,
  serviceLabel,
  severityLabel,
  timeScaleLabel,
  'alertname',
  '__name__',
];
