/** The values that all stages of one SLO's compilation share: series, windows, labels, and the time scale. */
import { formatDurationMs } from '../../base/duration.js';
import { budgetRatio, type Slo } from '../spec/model.js';
import { sampleRangeMs } from './increments.js';
import {
  badIncrease,
  badSlices,
  serviceLabel,
  sloLabel,
  totalIncrease,
  totalSlices,
} from './names.js';
import {
  type AlertWindow,
  budgetPercent,
  standardWindows,
  type WindowTable,
  withPageAbove,
} from './windows.js';

export interface CompileOptions {
  /** Factor for every window, interval, `for` and `keep_firing_for`; at 1/120 an hour becomes 30 s. */
  timeScale?: number;
  /** Length of a step in milliseconds: the rules' evaluation interval. Divides 4 minutes. Default 30 s. */
  stepMs?: number;
  /** Windows that replace the standard table of the SLO's period. */
  windows?: WindowTable;
  /** `https://runbooks.example/{{alert}}`, for alerts without a runbook of their own. */
  runbookUrl?: string;
  /**
   * Alternative to `runbookUrl`, such as `https://runbooks.example`: the address of the pages from `runbook publish`.
   */
  runbookBase?: string;
  /** `https://grafana.example/d/{{slo}}`, for alerts without a dashboard of their own. */
  dashboardUrl?: string;
}

export const defaultStepMs = 30_000;

/**
 * Length of a coarse step, from which long windows are summed. It divides every window of two hours or more, and is
 * below the five minutes after which Prometheus considers a series gone, so that its value can be read at any moment.
 */
export const coarseStepMs = 240_000;

/** Windows up to this are summed from base steps, so that pages see the latest data; longer ones from coarse steps. */
const fineWindowMaxMs = 6 * 3_600_000;

/** A probe is counted this long after its sample's time, which is when the probe began. No probe may take longer. */
export const probeDelayMs = 30_000;

/** Requirement A2: a burn rate above 3 over an hour pages. */
export const pageAboveByDefault = 3;

export interface Series {
  bad: string;
  total: string;
}

export interface Plan {
  slo: Slo;
  /** Unscaled milliseconds; `scaled` converts them. */
  stepMs: number;
  scale: number;
  /** `1/120`; undefined at scale 1. */
  scaleText: string | undefined;
  windows: AlertWindow[];
  periodMs: number;
  budget: number;
  /** Names of the series that windows are summed from. */
  fine: Series;
  coarse: Series;
  /** Labels of each recorded series; of groups by service, without the SLO's own service. */
  labels: Record<string, string>;
  /** Selector of the SLO's series: `{slo="checkout-availability"}`. */
  selector: string;
  options: CompileOptions;
}

export function planOf(slo: Slo, options: CompileOptions = {}): Plan {
  const scale = options.timeScale ?? 1;
  const stepMs = options.stepMs ?? defaultStepMs;
  const periodMs = slo.period.days * 86_400_000;
  const table = options.windows ?? standardWindows(slo.period.days);
  const increments = { bad: badIncrease(stepMs), total: totalIncrease(stepMs) };
  const slices =
    slo.sli.kind === 'slices'
      ? { bad: badSlices(slo.sli.lengthMs), total: totalSlices(slo.sli.lengthMs) }
      : undefined;
  return {
    slo,
    stepMs,
    scale,
    scaleText: scale === 1 ? undefined : scaleText(scale),
    windows:
      slo.alerting.windows?.map((w) => ({ ...w, budgetPercent: budgetPercent(w, periodMs) })) ??
      withPageAbove(
        table,
        slo.alerting.pageAbove ?? (options.windows ? false : pageAboveByDefault),
      ),
    periodMs,
    budget: budgetRatio(slo.objective),
    fine: slices ?? increments,
    coarse: slices ?? { bad: badIncrease(coarseStepMs), total: totalIncrease(coarseStepMs) },
    labels: {
      [sloLabel]: slo.id,
      ...(slo.groupBy.includes(serviceLabel) ? {} : { [serviceLabel]: slo.service }),
    },
    selector: `{${sloLabel}="${slo.id}"}`,
    options,
  };
}

/** The scale as `1/120` if it is such a fraction, else as a decimal. */
export function scaleText(scale: number): string {
  const inverse = Math.round(1 / scale);
  return Math.abs(1 / scale - inverse) < 1e-9 ? `1/${inverse}` : String(scale);
}

/** A scaled duration in milliseconds, at least 1. */
export const scaled = (plan: Plan, nominalMs: number): number =>
  Math.max(1, Math.round(nominalMs * plan.scale));

/**
 * A range that holds exactly the steps of a window. A window W over steps s has W/s of them; a range of W would hold
 * one more if a step is exactly at its left end and that end is inclusive (Prometheus before 3).
 */
export const stepsRange = (plan: Plan, nominalMs: number): string =>
  `[${formatDurationMs(Math.max(1, scaled(plan, nominalMs) - 1))}]`;

/** The sum of a step series over a window; `back`: an offset, ` offset 30s`. */
export const sumOver = (plan: Plan, series: string, nominalMs: number, back = ''): string =>
  `sum_over_time(${series}${plan.selector}${stepsRange(plan, nominalMs)}${back})`;

/** Whether a window is summed from base steps. */
export const isFine = (windowMs: number): boolean => windowMs <= fineWindowMaxMs;

/** Every window that a ratio is recorded for, shortest first. */
export function ratioWindows(plan: Plan): number[] {
  const all = plan.windows.flatMap((w) => [w.shortMs, w.longMs]);
  return [...new Set([300_000, 3_600_000, ...all, plan.periodMs])].sort((a, b) => a - b);
}

/** The range for sampling a query that cannot be subtracted exactly. */
export const sampleRange = (plan: Plan): string => formatDurationMs(scaled(plan, sampleRangeMs));
