/** Computes the time when an alert of a scenario must fire, from the measured disturbance. */
import { crossingMs, type ErrorStep, type Slo, theoryOf } from '../../slo/index.js';
import type { AlertingRule } from '../../slo/rules/model.js';
import type { TheoryRecord } from '../../runbooks/record.js';

export interface TheoryContext {
  timeScale: number;
  stepMs: number;
  scrapeIntervalMs: number;
  /** The interval of the rule's group. */
  evaluationIntervalMs: number;
}

/** All times count from the onset. */
interface Band {
  exactMs: number;
  earliestMs: number;
  latestMs: number;
}

/** `onsetAfterMs` counts from the confirmation, and may be negative. */
export function theoryRecord(
  band: Band,
  onsetAfterMs: number,
  firedAfterMs: number | undefined,
  evaluationIntervalMs: number,
  basis: string,
): TheoryRecord {
  const exactMs = band.exactMs + onsetAfterMs;
  const earliestMs = band.earliestMs + onsetAfterMs;
  const latestMs = band.latestMs + onsetAfterMs;
  return {
    exactMs,
    earliestMs,
    latestMs,
    evaluationIntervalMs,
    within:
      firedAfterMs !== undefined &&
      firedAfterMs >= earliestMs - evaluationIntervalMs &&
      firedAfterMs <= latestMs + evaluationIntervalMs,
    basis,
  };
}

const percent = (ratio: number): string => `${Number((100 * ratio).toPrecision(3))}%`;

/** The range of an SLO's multi-window rule; undefined if the step never fires it. */
export function sloBand(
  slo: Slo,
  severity: 'page' | 'ticket',
  step: ErrorStep,
  context: TheoryContext,
): { band: Band; basis: string } | undefined {
  const { timeScale, stepMs, scrapeIntervalMs } = context;
  const theory = theoryOf(slo, severity, { ...step, scrapeIntervalMs }, { timeScale, stepMs });
  if (!theory.detection) return undefined;
  const basis =
    `errors of ${slo.id} step from ${percent(step.baseline)} to ${percent(step.errorRatio)} ` +
    `where ${percent(1 - slo.objective / 100)} are allowed`;
  return { band: theory.detection, basis };
}

/**
 * The range of a condition that holds from the onset, is seen by the next scrape and evaluation, and is then pending
 * for `for`.
 */
export function forBand(
  rule: AlertingRule | undefined,
  context: TheoryContext,
): { band: Band; basis: string } {
  const forMs = rule?.forMs ?? 0;
  const { scrapeIntervalMs, evaluationIntervalMs } = context;
  return {
    band: {
      exactMs: forMs,
      earliestMs: forMs,
      latestMs: forMs + scrapeIntervalMs + evaluationIntervalMs * (forMs > 0 ? 2 : 1),
    },
    basis: `the condition holds from the onset on, then for ${forMs} ms`,
  };
}

/** The range of a ratio of rates that must exceed `bound` in several windows; windows are real, as in the rule. */
export function ratioBand(
  bound: number,
  windowsMs: readonly number[],
  step: { baseline: number; value: number },
  /** Time for which the alert is pending before it fires. */
  forMs: number,
  context: TheoryContext,
): { band: Band; basis: string } | undefined {
  const error = { baseline: step.baseline, errorRatio: step.value };
  const crossing = Math.max(...windowsMs.map((w) => crossingMs(w, bound, error)));
  if (!Number.isFinite(crossing)) return undefined;
  const exactMs = crossing + forMs;
  const { scrapeIntervalMs, evaluationIntervalMs } = context;
  // A rate needs two new samples, and extrapolates by up to a scrape on either side.
  return {
    band: {
      exactMs,
      earliestMs: forMs + Math.max(0, crossing - scrapeIntervalMs),
      latestMs: exactMs + 3 * scrapeIntervalMs + evaluationIntervalMs * (forMs > 0 ? 2 : 1),
    },
    basis: `the ratio steps to ${percent(step.value)}, the bound is ${percent(bound)}`,
  };
}
