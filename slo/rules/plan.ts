/** What all stages of one SLO's compilation share: its series, its windows, its labels, and the time scale. */
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
  /** Every window, interval, `for` and `keep_firing_for` is multiplied by it; 1/120 makes an hour 30 s. */
  timeScale?: number;
  /** Length of a step, the base resolution: the rules' evaluation interval. Divides 4 minutes. Default 30 s. */
  stepMs?: number;
  /** Instead of the standard table of the SLO's period. */
  windows?: WindowTable;
  /** `https://runbooks.example/{{alert}}`: for alerts with no runbook of their own. */
  runbookUrl?: string;
  /** `https://runbooks.example`: instead, where `runbook publish` is served; its pages for all SLOs are linked. */
  runbookBase?: string;
  /** `https://grafana.example/d/{{slo}}`: for alerts with no dashboard of their own. */
  dashboardUrl?: string;
}

export const defaultStepMs = 30_000;

/**
 * Length of a coarse step: long windows are summed from these. It divides every window of two hours and more, and is
 * below the five minutes after which Prometheus holds a series to be gone, so that what is recorded at this pace can
 * be read at any moment.
 */
export const coarseStepMs = 240_000;

/** Windows up to this are summed from base steps, so that pages see the last moment; longer ones from coarse steps. */
export const fineWindowMaxMs = 6 * 3_600_000;

/** Probes are counted this long after their sample's time, which is when the probe began: no probe may take longer. */
export const probeDelayMs = 30_000;

/** Requirement A2: a burn of three times the budget's pace over an hour pages. */
export const pageAboveByDefault = 3;

export interface Series {
  bad: string;
  total: string;
}

export interface Plan {
  slo: Slo;
  /** Nominal; `scaled` makes real ones of them. */
  stepMs: number;
  scale: number;
  /** `1/120`, or undefined at 1. */
  scaleText: string | undefined;
  windows: AlertWindow[];
  periodMs: number;
  budget: number;
  /** Names of the series that windows are summed from. */
  fine: Series;
  coarse: Series;
  /** On each recorded series. */
  labels: Record<string, string>;
  /** `{slo="checkout-availability"}`. */
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
    labels: { [sloLabel]: slo.id, [serviceLabel]: slo.service },
    selector: `{${sloLabel}="${slo.id}"}`,
    options,
  };
}

/** `1/120` where that is what it is, else a decimal. */
export function scaleText(scale: number): string {
  const inverse = Math.round(1 / scale);
  return Math.abs(1 / scale - inverse) < 1e-9 ? `1/${inverse}` : String(scale);
}

/** A nominal duration as it is written into a rule; at least a millisecond. */
export const scaled = (plan: Plan, nominalMs: number): number =>
  Math.max(1, Math.round(nominalMs * plan.scale));

/**
 * The range that holds exactly the steps of a window, whatever the phase between who records and who reads: a window
 * of W over steps of s has W/s of them, and a range of W itself would hold one more where the two coincide and the
 * left end is inclusive (Prometheus before 3).
 */
export const stepsRange = (plan: Plan, nominalMs: number): string =>
  `[${formatDurationMs(Math.max(1, scaled(plan, nominalMs) - 1))}]`;

/** The sum of a step series over a window. */
export const sumOver = (plan: Plan, series: string, nominalMs: number): string =>
  `sum_over_time(${series}${plan.selector}${stepsRange(plan, nominalMs)})`;

/** Whether a window is read from base steps. */
export const isFine = (windowMs: number): boolean => windowMs <= fineWindowMaxMs;

/** Every window that a ratio is recorded for, shortest first. */
export function ratioWindows(plan: Plan): number[] {
  const all = plan.windows.flatMap((w) => [w.shortMs, w.longMs]);
  return [...new Set([300_000, 3_600_000, ...all, plan.periodMs])].sort((a, b) => a - b);
}

/** The range over which what cannot be subtracted exactly is sampled. */
export const sampleRange = (plan: Plan): string => formatDurationMs(scaled(plan, sampleRangeMs));
