/**
 * When a multi-window rule must fire and stop, by arithmetic: what a game day prints beside what it measured.
 * The error ratio steps from a baseline to another at time 0 under steady traffic; a window of W that looks back over
 * t of the new and W - t of the old holds the ratio (old (W - t) + new t) / W, and fires where that passes its bound
 * (SRE Workbook, chapter 5, "detection time" and "reset time").
 */
import { budgetRatio, type Slo } from '../spec/model.js';
import { coarseStepMs, type CompileOptions, isFine, planOf, probeDelayMs, scaled } from './plan.js';

export interface ErrorStep {
  /** Share of bad events before, 0 to 1. */
  baseline: number;
  /** Share of bad events from time 0. */
  errorRatio: number;
  /** Traffic from time 0 over the traffic before; 1 where the fault drops none. */
  trafficRatio?: number;
  /** How long the rules had data before time 0; absent: longer than every window. In milliseconds. */
  historyMs?: number;
  /** How long the step lasts; absent: for good. In milliseconds. */
  durationMs?: number;
  /** Interval of scraping, in milliseconds, already scaled; default the step of the rules. */
  scrapeIntervalMs?: number;
}

export interface Bounds {
  /** By arithmetic, as if data and evaluation were continuous. */
  exactMs: number;
  /** An evaluation may come this early: steps are counted whole. */
  earliestMs: number;
  /** The scrape, the evaluation and the pending time all at their worst. */
  latestMs: number;
}

export interface WindowTheory {
  longMs: number;
  shortMs: number;
  factor: number;
  /** Undefined where the step never fires it. */
  detectMs: number | undefined;
}

export interface Theory {
  /** Undefined where no window of that severity fires before the step ends. */
  detection: Bounds | undefined;
  /** Counted from the step's end; undefined where nothing fired or the step has no end. */
  reset: Bounds | undefined;
  windows: WindowTheory[];
}

/** When one window's ratio passes `bound`; Infinity where it never does. */
export function crossingMs(windowMs: number, bound: number, step: ErrorStep): number {
  const { baseline, errorRatio, trafficRatio = 1 } = step;
  const history = Math.min(step.historyMs ?? windowMs, windowMs);
  if (errorRatio <= bound) return Infinity;
  if (baseline > bound) return 0;
  const missing = bound - baseline;
  const gained = trafficRatio * (errorRatio - bound);
  // While the window still holds all that came before, then while the old slides out of it.
  const whileFilling = (history * missing) / gained;
  if (whileFilling <= windowMs - history) return whileFilling;
  return (windowMs * missing) / (gained + missing);
}

/** When one window's ratio falls to `bound` again, counted from the step's end; 0 where it never passed it. */
export function resetMs(windowMs: number, bound: number, step: ErrorStep): number {
  const { baseline, errorRatio, trafficRatio = 1, durationMs = Infinity } = step;
  if (baseline > bound) return Infinity;
  const bad = Math.min(durationMs, windowMs);
  const rest = Math.min(step.historyMs ?? Infinity, windowMs - bad);
  const total = trafficRatio * bad + rest;
  if (total === 0 || (trafficRatio * bad * errorRatio + rest * baseline) / total <= bound) return 0;
  // The old that came before the step leaves first (while any is left), then the step itself.
  const sliding = windowMs - bad;
  const excess = trafficRatio * bad * (errorRatio - bound) - sliding * (bound - baseline);
  if (excess <= 0) {
    return Math.max(0, (trafficRatio * bad * (errorRatio - bound)) / (bound - baseline) - rest);
  }
  return sliding + excess / (trafficRatio * (errorRatio - bound) + (bound - baseline));
}

/** Detection and reset of one severity's alert of an SLO, all in real (scaled) milliseconds. */
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
  // Counters are counted as soon as they are seen; probes stand back until the slowest is over.
  const delayMs = slo.sli.kind === 'probe' ? scaled(plan, probeDelayMs) : 0;
  const exact = Math.min(...fired.map((d) => d.detectMs as number)) + delayMs;
  // Long windows are read from coarse steps, whose last one may not be over.
  const coarse = fired.some((d) => !isFine(d.longMs)) ? scaled(plan, coarseStepMs) : 0;
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
