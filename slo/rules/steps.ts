/** Stage one: the events of each step, bad and total, and what longer windows are summed from. */
import { formatDurationMs } from '../../base/duration.js';
import type { Sli } from '../spec/model.js';
import { fillWindow } from '../spec/query.js';
import { classicHistogram, evidenceOf, stepOf, sumBy } from './increments.js';
import type { RecordingRule } from './model.js';
import { badIncrease, totalIncrease } from './names.js';
import { coarseStepMs, type Plan, sampleRange, scaled, stepsRange, sumOver } from './plan.js';

export const record = (plan: Plan, name: string, expr: string): RecordingRule => ({
  kind: 'record',
  record: name,
  expr,
  labels: plan.labels,
});

/** `total` may refer to the recorded bad and the other way round; whichever needs nothing comes first. */
interface StepRules {
  total: string;
  bad: string;
  first: 'total' | 'bad';
}

/** The recorded events of this very step, with the rule's own labels taken off again. */
function recorded(plan: Plan, name: string): string {
  return sumBy(plan.slo.groupBy, `${name}${plan.selector}`);
}

const totalStep = (plan: Plan): string => recorded(plan, totalIncrease(plan.stepMs));
const badStep = (plan: Plan): string => recorded(plan, badIncrease(plan.stepMs));

function exprsOf(plan: Plan, sli: Sli): StepRules {
  const by = plan.slo.groupBy;
  const stepMs = scaled(plan, plan.stepMs);
  const step = (query: string, evidence: string | undefined): string =>
    stepOf(query, { stepMs, timeScale: plan.scale, by, evidence }).expr;
  // A failure that never happened has no series: that is no bad events, as long as there are events at all.
  const orZero = (expr: string): string => `(${expr}) or 0 * ${totalStep(plan)}`;

  switch (sli.kind) {
    case 'events': {
      const evidence = evidenceOf(sli.total);
      const total = bounded(plan, step(sli.total, evidence));
      if (sli.bad !== undefined) {
        return { total, bad: ofGroups(plan, orZero(step(sli.bad, evidence))), first: 'total' };
      }
      const good = orZero(step(sli.good ?? sli.total, evidence));
      return { total, bad: `${totalStep(plan)} - (${good})`, first: 'total' };
    }
    case 'latency': {
      if (sli.native) return nativeLatency(plan, sli);
      const parts = classicHistogram(sli.histogram, sli.matchers, sli.threshold);
      return exprsOf(plan, { kind: 'events', total: parts.total, good: parts.good });
    }
    case 'ratio': {
      // A ratio of nothing to nothing is NaN, which would poison every sum: the comparison drops it.
      const ratio = `(${fillWindow(sli.error, sampleRange(plan))}) >= 0`;
      if (sli.weight === undefined) {
        return { bad: ratio, total: `0 * ${badStep(plan)} + 1`, first: 'bad' };
      }
      const weight = step(sli.weight, evidenceOf(sli.weight));
      return { total: weight, bad: `${totalStep(plan)} * (${ratio})`, first: 'total' };
    }
    case 'probe': {
      const range = stepsRange(plan, plan.stepMs);
      const total = sumBy(by, `count_over_time(${sli.selector}${range})`);
      const good = sumBy(by, `sum_over_time(${sli.selector}${range})`);
      return { total, bad: `${totalStep(plan)} - ${good}`, first: 'total' };
    }
    case 'threshold': {
      const group = by.length > 0 ? ` by (${by.join(', ')})` : '';
      const value = `(${fillWindow(sli.value, sampleRange(plan))})`;
      return {
        total: `count${group} (${value} > -Inf)`,
        bad: orZero(`count${group} (${value} ${sli.bad})`),
        first: 'total',
      };
    }
    case 'slices':
      return exprsOf(plan, sli.of);
    case 'composite': {
      const sum = (name: string): string =>
        sli.parts
          .map((p) => `${p.weight === 1 ? '' : `${p.weight} * `}sum(${name}{slo="${p.slo}"})`)
          .join(' + ');
      const total = sum(totalIncrease(plan.stepMs));
      return { total, bad: sum(badIncrease(plan.stepMs)), first: 'total' };
    }
  }
}

/** Native histograms interpolate within a bucket; they cannot be subtracted series by series, so they are sampled. */
function nativeLatency(plan: Plan, sli: Extract<Sli, { kind: 'latency' }>): StepRules {
  const braces = sli.matchers === '' ? '' : `{${sli.matchers}}`;
  const rate = sumBy(plan.slo.groupBy, `rate(${sli.histogram}${braces}[${sampleRange(plan)}])`);
  const seconds = scaled(plan, plan.stepMs) / 1000;
  return {
    total: `histogram_count(${rate}) * ${seconds}`,
    bad: `(1 - histogram_fraction(0, ${sli.threshold}, ${rate})) * ${totalStep(plan)} >= 0`,
    first: 'total',
  };
}

/** At most so many groups, the busiest: a label that turns out unbounded must not take Prometheus down. */
const bounded = (plan: Plan, total: string): string =>
  plan.slo.groupBy.length > 0 ? `topk(${plan.slo.maxGroups}, ${total})` : total;

const ofGroups = (plan: Plan, bad: string): string =>
  plan.slo.groupBy.length > 0 ? `(${bad}) and ${totalStep(plan)}` : bad;

/** The step series. They run at the base interval, before everything that reads them. */
export function stepRules(plan: Plan): RecordingRule[] {
  const { total, bad, first } = exprsOf(plan, plan.slo.sli);
  const rules = [
    record(plan, totalIncrease(plan.stepMs), total),
    record(plan, badIncrease(plan.stepMs), bad),
  ];
  return first === 'total' ? rules : rules.toReversed();
}

/** Slices of time, judged once each: their group runs at the interval of a slice. */
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

/** Coarse steps, the sums of base steps; slices are coarse enough already. */
export function coarseRules(plan: Plan): RecordingRule[] {
  if (plan.slo.sli.kind === 'slices') return [];
  return [
    record(plan, plan.coarse.total, sumOver(plan, plan.fine.total, coarseStepMs)),
    record(plan, plan.coarse.bad, sumOver(plan, plan.fine.bad, coarseStepMs)),
  ];
}

/** The scaled step as text, for descriptions. */
export const stepText = (plan: Plan): string => formatDurationMs(scaled(plan, plan.stepMs));
