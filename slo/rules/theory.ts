/**
 * When a multi-window rule must fire and resolve, by arithmetic; a game day prints this beside its measurement. The
 * error ratio changes at time 0 from a baseline to another value under steady traffic. A window W that contains t of
 * the new and W - t of the old has the ratio (old (W - t) + new t) / W, and fires when that exceeds its bound (SRE
 * Workbook, chapter 5, "detection time" and "reset time").
 */
import { budgetRatio, type Sli, type Slo } from '../spec/model.js';
import {
  coarseStepMs,
  type CompileOptions,
  isFine,
  type Plan,
  planOf,
  probeDelayMs,
  scaled,
} from './plan.js';

export interface ErrorStep {
  /** Share of bad events before time 0, 0 to 1. */
  baseline: number;
  /** Share of bad events from time 0 on. */
  errorRatio: number;
  /** Traffic from time 0 divided by the traffic before; 1 if the fault drops no traffic. */
  trafficRatio?: number;
  /** How long the rules had data before time 0, in milliseconds; absent: longer than every window. */
  historyMs?: number;
  /** Duration of the change in milliseconds; absent: it does not end. */
  durationMs?: number;
  /** Scrape interval in scaled milliseconds; default: the step of the rules. */
  scrapeIntervalMs?: number;
}

export interface Bounds {
  /** By arithmetic, as if data and evaluation were continuous. */
  exactMs: number;
  /** The earliest evaluation that may fire, because steps are counted as a whole. */
  earliestMs: number;
  /** The worst case of scrape, evaluation and pending time. */
  latestMs: number;
}

export interface WindowTheory {
  longMs: number;
  shortMs: number;
  factor: number;
  /** Undefined if the change never fires this window. */
  detectMs: number | undefined;
}

export interface Theory {
  /** Undefined if no window of that severity fires before the change ends. */
  detection: Bounds | undefined;
  /** Counted from the end of the change; undefined if nothing fired or the change has no end. */
  reset: Bounds | undefined;
  windows: WindowTheory[];
}

/** When the ratio of one window exceeds `bound`; Infinity if it never does. */
export function crossingMs(windowMs: number, bound: number, step: ErrorStep): number {
  const { baseline, errorRatio, trafficRatio = 1 } = step;
  const history = Math.min(step.historyMs ?? windowMs, windowMs);
  if (errorRatio <= bound) return Infinity;
  if (baseline > bound) return 0;
  const missing = bound - baseline;
  const gained = trafficRatio * (errorRatio - bound);
  // First the window still contains all earlier data, then the earlier data slides out of it.
  const whileFilling = (history * missing) / gained;
  if (whileFilling <= windowMs - history) return whileFilling;
  return (windowMs * missing) / (gained + missing);
}

/**
 * When the ratio of one window falls to `bound` again, from the end of the change; 0 if it never exceeded the bound.
 */
export function resetMs(windowMs: number, bound: number, step: ErrorStep): number {
  const { baseline, errorRatio, trafficRatio = 1, durationMs = Infinity } = step;
  if (baseline > bound) return Infinity;
  const bad = Math.min(durationMs, windowMs);
  const rest = Math.min(step.historyMs ?? Infinity, windowMs - bad);
  if (errorRatio <= bound || bad === 0) return 0;
  // First the remaining data from before the change leaves the window, then the change itself.
  const sliding = windowMs - bad;
  const gained = trafficRatio * bad * (errorRatio - bound);
  const excess = gained - sliding * (bound - baseline);
  // Data that are not there yet dilute the change before it leaves; those that are there may have done so at once.
  if (excess <= 0) return Math.max(0, gained / (bound - baseline) - rest);
  return sliding + excess / (trafficRatio * (errorRatio - bound) + (bound - baseline));
}

/** How much later the events of this SLI are counted than those of a counter. */
function delayOf(sli: Sli, plan: Plan): number {
  if (sli.kind === 'probe') return scaled(plan, probeDelayMs);
  return sli.kind === 'composite' ? sli.lagSteps * scaled(plan, plan.stepMs) : 0;
}

/** Detection and reset of the alert of one severity, in real (scaled) milliseconds. */
export function theoryOf(
  slo: Slo,
  severity: 'page' | 'ticket',
  step: ErrorStep,
  options: CompileOptions = {},
): Theory {
  const plan = planOf(slo, options);
  const budget = budgetRatio(slo.objective);
  const settings = slo.alerting[severity];
  if (settings === false) return { detection: undefined, reset: undefined, windows: [] };
  const windows = plan.windows.filter((w) => w.severity === severity);
  const detail = windows.map((w): WindowTheory => {
    const bound = w.factor * budget;
    const detect = Math.max(
      crossingMs(scaled(plan, w.longMs), bound, step),
      crossingMs(scaled(plan, w.shortMs), bound, step),
    );
    const inTime = detect < (step.durationMs ?? Infinity);
    return {
      longMs: w.longMs,
      shortMs: w.shortMs,
      factor: w.factor,
      detectMs: inTime ? detect : undefined,
    };
  });
  const fired = detail.filter((d) => d.detectMs !== undefined);
  if (fired.length === 0) return { detection: undefined, reset: undefined, windows: detail };

  const evaluationMs = scaled(plan, severity === 'page' ? plan.stepMs : coarseStepMs);
  const stepMs = scaled(plan, plan.stepMs);
  const scrapeMs = step.scrapeIntervalMs ?? stepMs;
  const forMs = settings.forMs === 0 ? 0 : scaled(plan, settings.forMs);
  const keepMs = settings.keepFiringForMs === 0 ? 0 : scaled(plan, settings.keepFiringForMs);
  // Counters are counted as soon as they are seen; probes only after the slowest could have ended.
  const delayMs = delayOf(slo.sli, plan);
  const exact = Math.min(...fired.map((d) => d.detectMs as number)) + delayMs;
  // Long windows are summed from coarse steps; the last may be incomplete, and each ends a base step before it is made.
  const coarse = fired.some((d) => !isFine(d.longMs)) ? scaled(plan, coarseStepMs) + stepMs : 0;
  const slack = scrapeMs + stepMs + coarse + evaluationMs + (forMs > 0 ? evaluationMs : 0);
  const detection = {
    exactMs: exact + forMs,
    earliestMs: Math.max(0, exact - stepMs) + forMs,
    latestMs: exact + forMs + slack,
  };
  if (step.durationMs === undefined) return { detection, reset: undefined, windows: detail };

  const resets = fired.map((d) => {
    const bound = d.factor * budget;
    return Math.min(
      resetMs(scaled(plan, d.longMs), bound, step),
      resetMs(scaled(plan, d.shortMs), bound, step),
    );
  });
  const resetExact = Math.max(...resets) + delayMs + keepMs;
  const reset = {
    exactMs: resetExact,
    earliestMs: Math.max(0, resetExact - stepMs),
    latestMs: resetExact + slack + (keepMs > 0 ? evaluationMs : 0),
  };
  return { detection, reset, windows: detail };
}
