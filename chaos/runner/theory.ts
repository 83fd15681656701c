/** When an alert of a scenario must fire by arithmetic, given what was measured of the disturbance. */
import { crossingMs, type ErrorStep, type Slo, theoryOf } from '../../slo/index.js';
import type { AlertingRule } from '../../slo/rules/model.js';
import type { TheoryRecord } from '../../runbooks/record.js';

export interface TheoryContext {
  timeScale: number;
  stepMs: number;
  scrapeIntervalMs: number;
  /** Of the rule's group. */
  evaluationIntervalMs: number;
}

/** All counted from the onset. */
interface Band {
  exactMs: number;
  earliestMs: number;
  latestMs: number;
}

/** `onsetAfterMs` is from the confirmation, and may lie before it. */
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

/** The multi-window rule of an SLO; undefined where the step never fires it. */
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

/** A condition that holds from the onset on, seen by the next scrape and evaluation, then pending for `for`. */
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

/** A rate's share over several windows that must all pass `bound`; windows are real, as the rule has them. */
export function ratioBand(
  bound: number,
  windowsMs: readonly number[],
  step: { baseline: number; value: number },
  /** Pending this long before it fires. */
  forMs: number,
  context: TheoryContext,
): { band: Band; basis: string } | undefined {
  const error = { baseline: step.baseline, errorRatio: step.value };
  const crossing = Math.max(...windowsMs.map((w) => crossingMs(w, bound, error)));
  if (!Number.isFinite(crossing)) return undefined;
  const exactMs = crossing + forMs;
  const { scrapeIntervalMs, evaluationIntervalMs } = context;
  // A rate needs two samples of the new, and extrapolates over up to a scrape on either side.
  return {
    band: {
      exactMs,
      earliestMs: forMs + Math.max(0, crossing - scrapeIntervalMs),
      latestMs: exactMs + 3 * scrapeIntervalMs + evaluationIntervalMs * (forMs > 0 ? 2 : 1),
    },
    basis: `the ratio steps to ${percent(step.value)}, the bound is ${percent(bound)}`,
  };
}
