/** Explains an SLO: the allowed errors, the detection time of each burn rate, and the cost of its rules. */
import { formatDurationMs } from '../../base/duration.js';
import { budgetRatio, type Sli, type Slo } from '../spec/model.js';
import { selectorOf } from '../spec/query.js';
import { groupsOfSli } from '../spec/query-groups.js';
import { compileSlo } from './compile.js';
import {
  coarseStepMs,
  type CompileOptions,
  isFine,
  type Plan,
  planOf,
  ratioWindows,
  scaled,
} from './plan.js';
import { falsePagesAt, outagePagedAfterMs } from './false-pages.js';
import { countsEvents, isExactQuery } from './increments.js';
import { reachNote, reachOf } from './reach.js';
import { theoryOf } from './theory.js';

const percent = (share: number): string => `${Number((share * 100).toPrecision(6))}%`;

/** A rounded duration: `52s`, `4m19s`, `1h12m`. */
export function roughly(ms: number): string {
  const grain = ms >= 3_600_000 ? 60_000 : ms >= 1000 ? 1000 : 1;
  return formatDurationMs(Math.round(ms / grain) * grain);
}

export interface Explanation {
  id: string;
  promise: string;
  budgetMinutes: number;
  measures: string;
  /** Of a composite: the arithmetic of its parts' objectives. */
  reach?: string;
  exact: boolean;
  /** Detection times of each severity by error ratio. */
  detection: { errorRatio: number; page: string; ticket: string }[];
  alerts: string[];
  /** By traffic: false pages a year, and how long a total outage lasts before it pages. */
  traffic: { eventsPerHour: number; falsePagesPerYear: number; outagePaged: string }[];
  rules: number;
  samplesPerEvaluation: number;
  warnings: string[];
}

/** Traffic shown if none was measured: a quiet service, a small one, and 10 events a second. */
const exampleTraffic = [20, 1000, 36_000];

/**
 * `eventsPerHour` is the measured traffic; absent: examples are shown. `all` are the SLOs that a composite may refer
 * to.
 */
export function explain(
  slo: Slo,
  options: CompileOptions = {},
  eventsPerHour?: number,
  all: readonly Slo[] = [],
): Explanation {
  const plan = planOf(slo, options);
  const budget = budgetRatio(slo.objective);
  const groups = compileSlo(slo, options);
  const byId = new Map(all.map((s) => [s.id, s]));
  const reach = reachOf(slo, byId);
  const warnings = warningsOf(slo, options, byId);
  const after = (severity: 'page' | 'ticket', errorRatio: number): string => {
    const { detection } = theoryOf(slo, severity, { baseline: 0, errorRatio }, options);
    return detection ? `after ${roughly(detection.exactMs)}` : 'never';
  };
  const levels = [1, ...[20, 5, 2].map((n) => n * budget).filter((r) => r < 0.999)];
  const period = slo.period.calendar ?? `${slo.period.days} days`;
  const traffic = (eventsPerHour === undefined ? exampleTraffic : [eventsPerHour]).map((rate) => {
    const outage = outagePagedAfterMs(slo, rate, options);
    return {
      eventsPerHour: rate,
      falsePagesPerYear: falsePagesAt(slo, rate, options),
      outagePaged: outage === undefined ? 'never' : `after ${roughly(outage)}`,
    };
  });
  const byChance = traffic.find((t) => t.falsePagesPerYear > (slo.alerting.falsePagesPerYear ?? 1));
  if (byChance && hasTraffic(slo.sli)) {
    const { falsePagesPerYear: bound } = slo.alerting;
    const advice =
      bound === undefined ? '1 prevents most of them' : `${bound} does not prevent them all`;
    warnings.push(
      `at ${Math.round(byChance.eventsPerHour)} events an hour, chance causes ` +
        `${pagesText(byChance.falsePagesPerYear)} pages a year while half of the budget is spent; ` +
        `alerting.falsePagesPerYear: ${advice}`,
    );
  }
  return {
    id: slo.id,
    promise: `${slo.objective}% of ${unitOf(slo.sli)} are good over ${period}`,
    budgetMinutes: budget * slo.period.days * 1440,
    measures: measureOf(slo.sli),
    ...(reach ? { reach: reach.text } : {}),
    exact: isExact(slo.sli),
    detection: levels.map((errorRatio) => ({
      errorRatio,
      page: after('page', errorRatio),
      ticket: after('ticket', errorRatio),
    })),
    alerts: alertTexts(slo, plan, period),
    traffic: hasTraffic(slo.sli) ? traffic : [],
    rules: groups.reduce((sum, g) => sum + g.rules.length, 0),
    samplesPerEvaluation: samplesOf(slo, options),
    warnings,
  };
}

function warningsOf(slo: Slo, options: CompileOptions, all: ReadonlyMap<string, Slo>): string[] {
  const note = reachNote(slo, all);
  const warnings = note === undefined ? [] : [note];
  if (!isExact(slo.sli)) {
    warnings.push(
      'the query is not a sum of counters: it is sampled, so windows are close but not exact',
    );
    if (!countsEvents(slo.sli)) {
      warnings.push('only its ratio is known: numbers of events in steps and budgets are samples');
    }
  }
  const apart = groupsOfSli(slo.sli).filter((label) => !slo.groupBy.includes(label));
  if (apart.length > 0) {
    warnings.push(
      `its queries are by ${apart.join(', ')}, and groupBy is not: the groups count together`,
    );
  }
  if (slo.sli.kind === 'ratio' && slo.sli.weight === undefined) {
    warnings.push(
      'a ratio without weight is averaged: an hour of 10 requests counts like one of 10,000',
    );
  }
  if (slo.owner === undefined && slo.labels.owner === undefined) warnings.push('nobody owns it');
  if (
    !('runbook_url' in slo.alerting.annotations) &&
    (options.runbookUrl ?? options.runbookBase) === undefined
  ) {
    warnings.push('its alerts have no runbook');
  }
  return warnings;
}

/** One line for each alert; `period` is the SLO's period as text. */
function alertTexts(slo: Slo, plan: Plan, period: string): string[] {
  const budget = budgetRatio(slo.objective);
  const spent = (slo.alerting.budgetSpent ?? []).map(
    (b) => `${b.severity}: ${b.percent}% of the budget of ${period} spent, however slowly`,
  );
  const burning = plan.windows.map((w) => {
    const on = slo.alerting[w.severity] === false ? ' (switched off)' : '';
    const [long, short] = [scaled(plan, w.longMs), scaled(plan, w.shortMs)].map(formatDurationMs);
    return (
      `${w.severity}${on}: burn rate > ${w.factor} over ${long} and ${short} (error ratio > ` +
      `${percent(w.factor * budget)}; ${w.budgetPercent.toPrecision(3)}% of the budget spent by then)`
    );
  });
  return [...spent, ...burning];
}

/** Samples that the windows read in each base interval, without those of raw series (about 45 for each). */
function samplesOf(slo: Slo, options: CompileOptions): number {
  const plan = planOf(slo, options);
  const perBase = coarseStepMs / plan.stepMs;
  let samples = 0;
  for (const window of ratioWindows(plan)) {
    if (isFine(window)) samples += (2 * window) / plan.stepMs;
    else samples += (2 * window) / coarseStepMs / perBase;
  }
  return Math.round(samples);
}

const hasTraffic = (sli: Sli): boolean =>
  ['events', 'latency', 'composite'].includes(sli.kind) && countsEvents(sli);

const pagesText = (pages: number): string =>
  pages >= 10 ? String(Math.round(pages)) : pages >= 0.005 ? pages.toFixed(2) : '0';

function isExact(sli: Sli): boolean {
  switch (sli.kind) {
    case 'events':
      return [sli.total, sli.bad ?? sli.good ?? ''].every(isExactQuery);
    case 'latency':
      return true;
    case 'slices':
      return isExact(sli.of);
    case 'ratio':
      return false;
    default:
      return true;
  }
}

function unitOf(sli: Sli): string {
  switch (sli.kind) {
    case 'slices':
      return `slices of ${formatDurationMs(sli.lengthMs)}`;
    case 'probe':
      return 'probes';
    case 'threshold':
      return 'moments';
    case 'ratio':
      return sli.weight === undefined ? 'time' : 'events';
    default:
      return 'events';
  }
}

/** The measurement of an SLI as text. */
export function measureOf(sli: Sli): string {
  switch (sli.kind) {
    case 'events':
      return sli.bad === undefined
        ? `good events: ${sli.good}; all events: ${sli.total}`
        : `bad events: ${sli.bad}; all events: ${sli.total}`;
    case 'latency':
      return (
        `bad events take longer than ${sli.threshold} ${sli.unit} in ` +
        selectorOf(sli.histogram, sli.matchers)
      );
    case 'ratio':
      return `error ratio: ${sli.error}`;
    case 'slices':
      return `a slice is bad if less than ${sli.target}% is good; ${measureOf(sli.of)}`;
    case 'probe':
      return `each sample of ${sli.selector} is a probe, good if it is 1`;
    case 'threshold':
      return `a moment is bad if ${sli.value} ${sli.bad}`;
    case 'composite':
      return compositeMeasure(sli);
  }
}

function compositeMeasure({ by, parts }: Extract<Sli, { kind: 'composite' }>): string {
  if (by === 'sum') {
    return `the events of ${parts.map((p) => `${p.slo} (weight ${p.weight})`).join(', ')}`;
  }
  const ids = parts.map((p) => {
    const share = p.weight === 1 ? '' : ` (needed by ${percent(p.weight)})`;
    return p.slo + share;
  });
  const which = by === 'chain' ? 'any' : 'all';
  return `an event of ${parts[0]?.slo} fails if it fails in ${which} of ${ids.join(', ')}`;
}

export function explanationText(e: Explanation): string {
  const minutes = e.budgetMinutes;
  const time = minutes >= 120 ? `${(minutes / 60).toFixed(1)} h` : `${minutes.toFixed(1)} min`;
  const lines = [
    `${e.id}: ${e.promise}`,
    `  ${e.measures}`,
    ...(e.reach === undefined ? [] : [`  if each part just meets its objective: ${e.reach}`]),
    `  the budget is ${time} of complete failure a period`,
    ...e.alerts.map((a) => `  ${a}`),
    '  detection time of a constant error ratio:',
    ...e.detection.map(
      (d) => `    ${percent(d.errorRatio).padEnd(8)} paged ${d.page}, ticket ${d.ticket}`,
    ),
    ...(e.traffic.length > 0 ? ['  false pages a year, while half of the budget is spent:'] : []),
    ...e.traffic.map(
      (t) =>
        `    ${pagesText(t.falsePagesPerYear).padEnd(8)} with ${t.eventsPerHour} events an hour, ` +
        `and a total outage pages ${t.outagePaged}`,
    ),
    `  ${e.rules} rules; their windows read ${e.samplesPerEvaluation} samples in each evaluation,`,
    '  and only the last step of the raw series',
    ...e.warnings.map((w) => `  note: ${w}`),
  ];
  return `${lines.join('\n')}\n`;
}
