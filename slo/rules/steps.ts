/** Stage one: bad and total events of each step, from which windows are summed. */
import { formatDurationMs } from '../../base/duration.js';
import type { Sli } from '../spec/model.js';
import { catchUp } from './catch-up.js';
import { compositeSteps } from './composite-steps.js';
import { fillWindow, metricsOf, selectorOf } from '../spec/query.js';
import {
  classicHistogram,
  averaged,
  countedLast,
  Counters,
  heldNow,
  inOneUnit,
  seenExpr,
  seriesIncrements,
  type StepOptions,
  stepOf,
  sumBy,
} from './increments.js';
import type { RecordingRule } from './model.js';
import { badDifference, badIncrease, counterSeen, sloLabel, totalIncrease } from './names.js';
import {
  coarseStepMs,
  type Plan,
  probeDelayMs,
  sampleRange,
  scaled,
  stepsRange,
  sumOver,
} from './plan.js';

export const record = (plan: Plan, name: string, expr: string): RecordingRule => ({
  kind: 'record',
  record: name,
  expr,
  labels: plan.labels,
});

/**
 * `total` may refer to the recorded bad events, or `bad` to the recorded total; `first` is the one without a
 * reference.
 */
interface StepRules {
  counters: Counters;
  total: string;
  /** Recorded before `bad`, which is then its positive part. */
  difference?: string;
  bad: string;
  first: 'total' | 'bad';
}

/** The recorded events of this very step, without the labels that the rule added. */
function recorded(plan: Plan, name: string): string {
  return sumBy(plan.slo.groupBy, `${name}${plan.selector}`);
}

const totalStep = (plan: Plan): string => recorded(plan, totalIncrease(plan.stepMs));
const badStep = (plan: Plan): string => recorded(plan, badIncrease(plan.stepMs));

const optionsOf = (plan: Plan, from: StepOptions['from']): StepOptions => ({
  slo: `${sloLabel}="${plan.slo.id}"`,
  stepMs: scaled(plan, plan.stepMs),
  timeScale: plan.scale,
  by: plan.slo.groupBy,
  steps: totalIncrease(plan.stepMs) + plan.selector,
  from,
});

/** For the rule of bad events, which counts since its own last sample: it may lack one that the total has. */
const ofBad = (plan: Plan, options: StepOptions): StepOptions => ({
  ...options,
  steps: badIncrease(plan.stepMs) + plan.selector,
});

// A failure that never happened has no series, which means 0 bad events as long as there are any events.
const orZero = (plan: Plan, expr: string): string => `(${expr}) or 0 * ${totalStep(plan)}`;

function exprsOf(plan: Plan, sli: Sli, options: StepOptions): StepRules {
  const counters = new Counters();
  switch (sli.kind) {
    case 'events':
      return eventSteps(plan, sli, options);
    case 'latency': {
      if (sli.native) return nativeLatency(plan, sli, options);
      const parts = classicHistogram(sli.histogram, sli.matchers, sli.threshold);
      return eventSteps(plan, { total: parts.total, good: parts.good }, options);
    }
    case 'ratio': {
      const ratio = averaged(sli, options.by, sampleRange(plan));
      if (sli.weight === undefined) {
        return { counters, bad: ratio, total: `0 * ${badStep(plan)} + 1`, first: 'bad' };
      }
      const weight = stepOf(sli.weight, 'weight', counters, options);
      return { counters, total: weight, bad: `${totalStep(plan)} * (${ratio})`, first: 'total' };
    }
    case 'probe':
      return probeSteps(plan, sli.selector, options);
    case 'threshold': {
      const group = plan.slo.groupBy.length > 0 ? ` by (${plan.slo.groupBy.join(', ')})` : '';
      const value = `(${fillWindow(sli.value, sampleRange(plan))})`;
      const total = counters.add('total', () => `count${group} (${value} > -Inf)`);
      const bad = counters.add('bad', () => `count${group} (${value} ${sli.bad})`);
      const sum = (counter: typeof total): string => sumBy(options.by, heldNow(counter, options));
      return { counters, total: sum(total), bad: orZero(plan, sum(bad)), first: 'total' };
    }
    case 'slices':
      return exprsOf(plan, sli.of, options);
    case 'composite':
      return { counters, ...compositeSteps(plan, sli, options.from), first: 'total' };
  }
}

function eventSteps(
  plan: Plan,
  sli: { total: string; bad?: string; good?: string },
  options: StepOptions,
): StepRules {
  const counters = new Counters();
  const both = inOneUnit([sli.total, sli.bad ?? sli.good ?? sli.total]);
  const [all = '', some = ''] = both.queries;
  const stepsOf = (query: string, role: string, by: StepOptions): string =>
    stepOf(query, role, counters, by, both.unit);
  const total = bounded(plan, stepsOf(all, 'total', options));
  const own = ofBad(plan, options);
  if (sli.bad !== undefined) {
    const bad = stepsOf(some, 'bad', own);
    return { counters, total, bad: ofGroups(plan, orZero(plan, bad)), first: 'total' };
  }
  const good = stepsOf(some, 'good', own);
  const again = both.unit === 'counted' ? stepsOf(all, 'total', own) : undefined;
  const difference = `${allSteps(plan, own, again)} - (${orZero(plan, good)})`;
  if (options.from === 'history' || ofOneExposition(sli.total, sli.good ?? sli.total)) {
    const bad = ofGroups(plan, `clamp_min(${difference}, 0)`);
    return { counters, total, bad, first: 'total' };
  }
  // With separate scrapes, good events may be seen before the total; a negative difference is carried to later steps.
  const before = countedLast(badDifference + plan.selector, own);
  const owed = `clamp_max(${sumBy(options.by, before)}, 0) or 0 * ${totalStep(plan)}`;
  return {
    counters,
    total,
    difference: ofGroups(plan, `${difference} + (${owed})`),
    bad: `clamp_min(${recorded(plan, badDifference)}, 0)`,
    first: 'total',
  };
}

/**
 * The total from which good events are subtracted: `counted` since the last bad events, or the recorded step if nothing
 * is counted, and over history, where every evaluation has both.
 */
const allSteps = (plan: Plan, own: StepOptions, counted: string | undefined): string =>
  own.from === 'history' || counted === undefined ? totalStep(plan) : `(${counted})`;

/** Whether both are parts of one metric (or histogram), which a single scrape delivers. */
function ofOneExposition(total: string, good: string): boolean {
  const family = (query: string): string =>
    metricsOf(query)
      .map((name) => name.replace(/_(bucket|count|sum)$/, ''))
      .join();
  return family(total) === family(good);
}

/**
 * Each sample is a probe. A sample that is missed cannot be counted later, so both ends of the range lie back by the
 * longest time that a scrape may take; failing probes are the slow ones.
 */
function probeSteps(plan: Plan, selector: string, options: StepOptions): StepRules {
  const counters = new Counters();
  const delay = formatDurationMs(scaled(plan, probeDelayMs));
  const samples = `${selector}${stepsRange(plan, plan.stepMs)} offset ${delay}`;
  const total = counters.add('total', () => sumBy(options.by, `count_over_time(${samples})`));
  const good = counters.add('good', () => sumBy(options.by, `sum_over_time(${samples})`));
  const [all, up] = [total, good].map((c) => sumBy(options.by, heldNow(c, options)));
  return {
    counters,
    total: all as string,
    bad: `clamp_min(${totalStep(plan)} - ${up}, 0)`,
    first: 'total',
  };
}

/** A native histogram holds its count, and by interpolation within a bucket the count up to any bound. */
function nativeLatency(
  plan: Plan,
  sli: Extract<Sli, { kind: 'latency' }>,
  options: StepOptions,
): StepRules {
  const counters = new Counters();
  const selector = selectorOf(sli.histogram, sli.matchers);
  const count = (offset: string): string => `histogram_count(${selector}${offset})`;
  const total = counters.add('total', count);
  // The fraction of an empty histogram is NaN, which the comparison drops.
  const good = counters.add(
    'good',
    (offset) =>
      `(histogram_fraction(0, ${sli.threshold}, ${selector}${offset}) * ${count(offset)} >= 0 or ${count(offset)})`,
  );
  const step = (counter: typeof total, by: StepOptions): string =>
    sumBy(options.by, seriesIncrements(counter, total, by));
  const own = ofBad(plan, options);
  const all = allSteps(plan, own, step(total, own));
  return {
    counters,
    total: bounded(plan, step(total, options)),
    bad: ofGroups(plan, `clamp_min(${all} - (${orZero(plan, step(good, own))}), 0)`),
    first: 'total',
  };
}

/** Keeps only the busiest groups, so that a label without bounds cannot overload Prometheus. */
const bounded = (plan: Plan, total: string): string =>
  plan.slo.groupBy.length > 0 ? `topk(${plan.slo.maxGroups}, ${total})` : total;

const ofGroups = (plan: Plan, bad: string): string =>
  plan.slo.groupBy.length > 0 ? `(${bad}) and ${totalStep(plan)}` : bad;

/**
 * Rules that record the counters and the step series from them. They run at the base interval, before all rules that
 * read them. With `history` the counters are not recorded, because all samples exist already.
 */
export function stepRules(plan: Plan, from: StepOptions['from'] = 'recorded'): RecordingRule[] {
  const steps = exprsOf(plan, plan.slo.sli, optionsOf(plan, from));
  const total = record(plan, totalIncrease(plan.stepMs), steps.total);
  const bad = record(plan, badIncrease(plan.stepMs), steps.bad);
  const rules = steps.first === 'total' ? [total, bad] : [bad, total];
  if (steps.difference !== undefined) {
    rules.splice(1, 0, record(plan, badDifference, steps.difference));
  }
  if (from === 'history' || steps.counters.all.length === 0) return rules;
  // Without the label of the service, because the counters may have one of their own that distinguishes them.
  const labels = { [sloLabel]: plan.slo.id };
  return [
    { kind: 'record', record: counterSeen, expr: seenExpr(steps.counters.all), labels },
    ...rules,
  ];
}

/** Rules that judge slices of time; their group is evaluated once for each slice. */
export function sliceRules(plan: Plan): RecordingRule[] {
  const { sli } = plan.slo;
  if (sli.kind !== 'slices') return [];
  const total = sumOver(plan, totalIncrease(plan.stepMs), sli.lengthMs);
  const bad = sumOver(plan, badIncrease(plan.stepMs), sli.lengthMs);
  const allowed = Number(((100 - sli.target) / 100).toPrecision(12));
  const ratio = `${bad} / (${total} > 0)`;
  return [
    record(plan, plan.fine.total, `0 * (${total} > 0) + 1`),
    record(plan, plan.fine.bad, sli.weigh === 'ratio' ? ratio : `(${ratio}) > bool ${allowed}`),
  ];
}

/**
 * Coarse steps, the sums of base steps; slices are coarse enough already. A coarse step ends a base step ago, because
 * the latest one may be in the middle of its evaluation.
 */
export function coarseRules(plan: Plan, from: StepOptions['from'] = 'recorded'): RecordingRule[] {
  if (plan.slo.sli.kind === 'slices') return [];
  const sum = (fine: string, coarse: string): string => {
    const back = from === 'history' ? '' : ` offset ${stepText(plan)}`;
    const over = (steps: number): string => sumOver(plan, fine, steps * coarseStepMs, back);
    if (from === 'history') return over(1);
    return catchUp(plan, { own: coarse, everyMs: coarseStepMs, edgeMs: plan.stepMs, over });
  };
  return [
    record(plan, plan.coarse.total, sum(plan.fine.total, plan.coarse.total)),
    record(plan, plan.coarse.bad, sum(plan.fine.bad, plan.coarse.bad)),
  ];
}

/** The scaled step as text, for descriptions. */
const stepText = (plan: Plan): string => formatDurationMs(scaled(plan, plan.stepMs));
