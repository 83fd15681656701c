/**
 * Computes when an SLO's generated alerts fire over a history of events, from running sums instead of by evaluating
 * the rules. It models each evaluation: which samples a window holds, when a value was recorded, and which recorded
 * values an alert could already see.
 */
import { guardHolds } from '../../../slo/rules/false-pages.js';
import { parseDurationMs } from '../../../base/duration.js';
import { coarseStepMs, isFine, type Plan, scaled } from '../../../slo/rules/plan.js';
import type { AlertWindow } from '../../../slo/rules/windows.js';
import { Running, type StepEvents } from './events.js';
import { type Interval, intervalsOf } from './firings.js';

export interface Firing extends Interval {
  alert: string;
  severity: 'page' | 'ticket';
  /** `burn`: the budget burns too fast; `noData`: the metrics are absent. */
  cause: 'burn' | 'noData';
}

export interface Schedule {
  /** Milliseconds between evaluations of the groups with long windows; default: as generated, four minutes. */
  coarseMs?: number;
}

/** Prometheus uses a recorded value for five minutes. */
const seenForMs = parseDurationMs('5m') as number;

/** Running sums of bad and total events, with the time between their samples. */
interface Base {
  bad: Running;
  total: Running;
  everyMs: number;
}

/** Computes the values that each window has at each evaluation of a group. */
export class History {
  readonly plan: Plan;
  readonly startMs: number;
  /** Milliseconds between evaluations of the group that pages (fine) and of the group that files tickets (coarse). */
  readonly fineMs: number;
  readonly coarseMs: number;
  readonly fineCount: number;
  readonly coarseCount: number;
  readonly #fine: Base;
  readonly #coarse: Base;
  readonly #coarseStep: boolean;
  readonly #noData: Uint8Array;
  readonly #ratios = new Map<string, Float64Array>();
  #mean: Float64Array | undefined;

  constructor(plan: Plan, events: StepEvents, schedule: Schedule = {}) {
    this.plan = plan;
    this.startMs = events.startMs;
    this.fineMs = events.stepMs;
    const wanted = schedule.coarseMs ?? scaled(plan, coarseStepMs);
    this.coarseMs = Math.max(1, Math.round(wanted / this.fineMs)) * this.fineMs;
    this.fineCount = events.total.length;
    this.coarseCount = Math.ceil((this.fineCount * this.fineMs) / this.coarseMs);
    const steps = { bad: new Running(events.bad), total: new Running(events.total) };
    const { sli } = plan.slo;
    this.#noData = new Uint8Array(this.fineCount);
    for (let i = 0; i < this.fineCount; i++) {
      if (Number.isNaN(events.total[i])) this.#noData[i] = 1;
    }
    if (sli.kind === 'slices') {
      this.#fine = slicesOf(sli, { ...steps, everyMs: this.fineMs }, this.fineCount, plan);
      this.#coarse = this.#fine;
      this.#coarseStep = false;
    } else {
      this.#fine = { ...steps, everyMs: this.fineMs };
      this.#coarse = this.#coarseOf(steps.bad, steps.total);
      this.#coarseStep = true;
    }
  }

  /** The firings of both severities and of missing data, by time. */
  firings(): Firing[] {
    const { slo, windows } = this.plan;
    const firings: Firing[] = [];
    for (const severity of ['page', 'ticket'] as const) {
      const settings = slo.alerting[severity];
      if (settings === false) continue;
      const own = windows.filter((w) => w.severity === severity);
      if (own.length === 0) continue;
      const holds = this.anyHolds(own, severity);
      const intervals = this.intervals(holds, severity, settings.forMs, settings.keepFiringForMs);
      for (const interval of intervals) {
        firings.push({ alert: slo.alerting.name, severity, cause: 'burn', ...interval });
      }
    }
    const { noData } = slo.alerting;
    if (noData !== false) {
      const forMs = scaled(this.plan, noData.afterMs);
      const alert = `${slo.alerting.name}NoData`;
      for (const interval of intervalsOf(this.#noData, this.startMs, this.fineMs, forMs, 0)) {
        firings.push({ alert, severity: noData.severity, cause: 'noData', ...interval });
      }
    }
    return firings.sort((a, b) => a.firedMs - b.firedMs);
  }

  intervals(
    holds: Uint8Array,
    severity: 'page' | 'ticket',
    forMs: number,
    keepMs: number,
  ): Interval[] {
    const everyMs = severity === 'page' ? this.fineMs : this.coarseMs;
    const real = (ms: number): number => (ms === 0 ? 0 : scaled(this.plan, ms));
    return intervalsOf(holds, this.startMs, everyMs, real(forMs), real(keepMs));
  }

  anyHolds(windows: readonly AlertWindow[], severity: 'page' | 'ticket'): Uint8Array {
    const any = new Uint8Array(severity === 'page' ? this.fineCount : this.coarseCount);
    for (const window of windows) {
      const holds = this.holds(window, severity);
      for (let i = 0; i < any.length; i++) any[i] = (any[i] as number) | (holds[i] as number);
    }
    return any;
  }

  /** Whether both ratios of a window exceed its bound, at each evaluation of the severity's group. */
  holds(window: AlertWindow, severity: 'page' | 'ticket'): Uint8Array {
    const bound = window.factor * this.plan.budget;
    const long = this.ratio(window.longMs, severity);
    const short = this.ratio(window.shortMs, severity);
    const holds = new Uint8Array(long.length);
    for (let i = 0; i < holds.length; i++) {
      if ((long[i] as number) > bound && (short[i] as number) > bound) holds[i] = 1;
    }
    this.#guard(holds, window, severity);
    return holds;
  }

  /** The error ratio of a window at each evaluation of the severity's group; NaN where there is none. */
  ratio(windowMs: number, severity: 'page' | 'ticket'): Float64Array {
    const key = `${severity} ${windowMs}`;
    let seen = this.#ratios.get(key);
    if (!seen) {
      const fine = isFine(windowMs);
      const recorded = this.#recorded(windowMs, fine);
      seen = this.#seen(recorded, fine, severity);
      this.#ratios.set(key, seen);
    }
    return seen;
  }

  /** The error ratios that the rule records, at each evaluation of its own group. */
  #recorded(windowMs: number, fine: boolean): Float64Array {
    const base = fine ? this.#fine : this.#coarse;
    const weighted = this.plan.slo.alerting.trafficWeighted;
    const count = fine ? this.fineCount : this.coarseCount;
    const everyMs = fine ? this.fineMs : this.coarseMs;
    const recorded = new Float64Array(count);
    const length = placesIn(scaled(this.plan, windowMs), base.everyMs);
    const meanSteps = windowMs / coarseStepMs;
    const mean = weighted ? this.#meanTotal() : undefined;
    const lead = this.#lead(base, everyMs);
    for (let i = 0; i < count; i++) {
      const end = lead(i);
      if (end < 0) {
        recorded[i] = NaN;
        continue;
      }
      const bad = base.bad.over(end, length);
      let total: number;
      if (!mean) total = base.total.over(end, length);
      else total = (fine ? this.#coarseSeenAt(mean, i) : (mean[i] as number)) * meanSteps;
      recorded[i] = bad / total;
    }
    return recorded;
  }

  /**
   * Returns the last sample of `base` that an evaluation can read: the sample of the same moment or of a group that
   * ran before. The rules of slices run after the fine group, so the fine group sees only earlier slices.
   */
  #lead(base: Base, everyMs: number): (i: number) => number {
    const later = !this.#coarseStep && everyMs === this.fineMs;
    if (later) return (i) => Math.ceil((i * everyMs) / base.everyMs) - 1;
    return base.everyMs === everyMs ? (i) => i : (i) => Math.floor((i * everyMs) / base.everyMs);
  }

  /**
   * The latest value of the coarse group that the fine group sees: the fine group runs first, so the value is from an
   * earlier moment.
   */
  #coarseSeenAt(recorded: Float64Array, fineIndex: number): number {
    const atMs = fineIndex * this.fineMs;
    const k = Math.ceil(atMs / this.coarseMs) - 1;
    return k < 0 || atMs - k * this.coarseMs >= seenForMs ? NaN : (recorded[k] as number);
  }

  #seen(recorded: Float64Array, fine: boolean, severity: 'page' | 'ticket'): Float64Array {
    if (severity === 'page') {
      if (fine) return recorded;
      const seen = new Float64Array(this.fineCount);
      for (let i = 0; i < seen.length; i++) seen[i] = this.#coarseSeenAt(recorded, i);
      return seen;
    }
    if (!fine) return recorded;
    const every = this.coarseMs / this.fineMs;
    const seen = new Float64Array(this.coarseCount);
    for (let k = 0; k < seen.length; k++) seen[k] = recorded[k * every] as number;
    return seen;
  }

  #guard(holds: Uint8Array, window: AlertWindow, severity: 'page' | 'ticket'): void {
    const { minBadEvents, minEvents, falsePagesPerYear } = this.plan.slo.alerting;
    const byChance = severity === 'page' && falsePagesPerYear !== undefined;
    if (minBadEvents <= 0 && minEvents <= 0 && !byChance) return;
    const fine = isFine(window.longMs);
    const base = fine ? this.#fine : this.#coarse;
    const everyMs = severity === 'page' ? this.fineMs : this.coarseMs;
    const length = placesIn(scaled(this.plan, window.longMs), base.everyMs);
    const before = severity === 'page' && (!fine || !this.#coarseStep);
    for (let i = 0; i < holds.length; i++) {
      if (holds[i] === 0) continue;
      const place = (i * everyMs) / base.everyMs;
      const end = before ? Math.ceil(place) - 1 : Math.floor(place);
      const [bad, total] = [base.bad.over(end, length), base.total.over(end, length)];
      const enough =
        (!byChance || guardHolds(this.plan, window, bad, total)) &&
        (minBadEvents <= 0 || bad >= minBadEvents) &&
        (minEvents <= 0 || total >= minEvents);
      if (!enough) holds[i] = 0;
    }
  }

  #coarseOf(bad: Running, total: Running): Base {
    const length = placesIn(scaled(this.plan, coarseStepMs), this.fineMs);
    const every = this.coarseMs / this.fineMs;
    // A coarse step ends a base step before its evaluation.
    const back = Math.ceil(scaled(this.plan, this.plan.stepMs) / this.fineMs);
    const sums = (of: Running): Running => {
      const values = new Float64Array(this.coarseCount);
      for (let k = 0; k < values.length; k++) values[k] = of.over(k * every - back, length);
      return new Running(values);
    };
    return { bad: sums(bad), total: sums(total), everyMs: this.coarseMs };
  }

  /** Mean number of events in a coarse step over the period, at each coarse evaluation. */
  #meanTotal(): Float64Array {
    if (this.#mean) return this.#mean;
    const { total, everyMs } = this.#coarse;
    const length = placesIn(scaled(this.plan, this.plan.periodMs), everyMs);
    const mean = new Float64Array(this.coarseCount);
    for (let k = 0; k < mean.length; k++) {
      const end = Math.floor((k * this.coarseMs) / everyMs);
      const from = Math.max(0, end + 1 - length);
      const count = (total.counts[end + 1] as number) - (total.counts[from] as number);
      mean[k] = total.over(end, length) / count;
    }
    this.#mean = mean;
    return mean;
  }
}

/**
 * Number of samples in a range that ends just before `windowMs` is over; samples are `everyMs` apart, and one is at
 * the end.
 */
const placesIn = (windowMs: number, everyMs: number): number =>
  Math.max(1, Math.ceil((windowMs - 1) / everyMs));

/** One sample for each slice: 1 in total, and bad if the slice's error ratio exceeds its limit. */
function slicesOf(
  sli: Extract<Plan['slo']['sli'], { kind: 'slices' }>,
  steps: Base,
  count: number,
  plan: Plan,
): Base {
  const everyMs = scaled(plan, sli.lengthMs);
  const every = Math.max(1, Math.round(everyMs / steps.everyMs));
  const length = placesIn(everyMs, steps.everyMs);
  const allowed = Number(((100 - sli.target) / 100).toPrecision(12));
  const n = Math.ceil(count / every);
  const bad = new Float64Array(n).fill(NaN);
  const total = new Float64Array(n).fill(NaN);
  for (let k = 0; k < n; k++) {
    const events = steps.total.over(k * every, length);
    if (!(events > 0)) continue;
    total[k] = 1;
    const ratio = steps.bad.over(k * every, length) / events;
    if (!Number.isNaN(ratio)) bad[k] = sli.weigh === 'ratio' ? ratio : ratio > allowed ? 1 : 0;
  }
  return { bad: new Running(bad), total: new Running(total), everyMs: every * steps.everyMs };
}
