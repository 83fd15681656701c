/** When a policy fires over counters: the backtest computes it for our rules, windows over raw counters for others. */
import { budgetRatio, planOf } from '../../../slo/index.js';
import { History } from '../backtest/evaluate.js';
import { type Counters, stepsOf } from '../backtest/events.js';
import { type Interval, intervalsOf } from '../backtest/firings.js';
import { type Arm, periodMs, type Policy } from './policies.js';

export interface Fired {
  page: Interval[];
  ticket: Interval[];
}

/** `told.bothEnds`: a range includes both its ends, as in Prometheus before version 3. */
export function play(policy: Policy, objective: number, told: Raw): Fired {
  if (policy.made.of === 'slo') return playOwn(policy.made.slo(objective), told);
  const { arms } = policy.made;
  const fired = (severity: Arm['severity']): Interval[] =>
    union(
      arms
        .filter((a) => a.severity === severity)
        .flatMap((a) => {
          const { startMs, stepMs } = told.counters;
          return intervalsOf(holdsOf(a, objective, told), startMs, stepMs, a.forMs, 0);
        }),
    );
  return { page: fired('page'), ticket: fired('ticket') };
}

function playOwn(slo: Parameters<typeof planOf>[0], { counters, bothEnds }: Raw): Fired {
  const plan = planOf(slo, { stepMs: counters.stepMs });
  const firings = new History(plan, stepsOf(counters, bothEnds)).firings();
  const of = (severity: Arm['severity']): Interval[] =>
    firings.filter((f) => f.severity === severity && f.cause === 'burn');
  return { page: of('page'), ticket: of('ticket') };
}

/** Scraped counters, with the positions of scrapes that range functions need. */
export class Raw {
  readonly counters: Counters;
  readonly bothEnds: boolean;
  /**
   * Position of the last scrape at or before each step, and of the first scrape at or after it; -1 and the length
   * where there is none.
   */
  readonly last: Int32Array;
  readonly next: Int32Array;
  /** Number of scrapes before each step. */
  readonly #scrapes: Int32Array;

  constructor(counters: Counters, bothEnds = false) {
    this.counters = counters;
    this.bothEnds = bothEnds;
    const n = counters.total.length;
    this.last = new Int32Array(n).fill(-1);
    this.next = new Int32Array(n + 1).fill(n);
    this.#scrapes = new Int32Array(n + 1);
    for (let i = 0; i < n; i++) {
      const there = !Number.isNaN(counters.total[i] as number);
      this.#scrapes[i + 1] = (this.#scrapes[i] as number) + (there ? 1 : 0);
      this.last[i] = there ? i : i === 0 ? -1 : (this.last[i - 1] as number);
    }
    for (let i = n - 1; i >= 0; i--) {
      this.next[i] = Number.isNaN(counters.total[i] as number) ? (this.next[i + 1] as number) : i;
    }
  }

  /** Number of scrapes from `first` to `last`, which are both positions of scrapes. */
  scrapesIn(first: number, last: number): number {
    return (this.#scrapes[last + 1] as number) - (this.#scrapes[first] as number);
  }

  /** Position of the first scrape in a range of `windowMs` that ends at step `i`; the last scrape is at `last[i]`. */
  first(i: number, windowMs: number): number {
    const steps = windowMs / this.counters.stepMs;
    const from = this.bothEnds ? Math.ceil(i - steps) : Math.floor(i - steps) + 1;
    return this.next[Math.max(0, from)] as number;
  }
}

/** Prometheus's `increase`: the events between the first and the last scrape, extrapolated to the range's ends. */
export function increaseOf(raw: Raw, i: number, windowMs: number): number {
  const { total, stepMs } = raw.counters;
  const first = raw.first(i, windowMs);
  const last = raw.last[i] as number;
  if (last <= first) return NaN;
  const sampledMs = (last - first) * stepMs;
  const everyMs = sampledMs / (raw.scrapesIn(first, last) - 1);
  const reach = (ms: number): number => (ms >= everyMs * 1.1 ? everyMs / 2 : ms);
  const ends = reach(windowMs - (i - first) * stepMs) + reach((i - last) * stepMs);
  const events = (total[last] as number) - (total[first] as number);
  return (events * (sampledMs + ends)) / sampledMs;
}

/**
 * Whether both error ratios exceed the arm's bound, at each step. Bad and total are scraped together, so both rates
 * are extrapolated alike, and their ratio equals the ratio of the plain differences.
 */
function holdsOf(arm: Arm, objective: number, raw: Raw): Uint8Array {
  const { bad, total } = raw.counters;
  const budget = budgetRatio(objective);
  const holds = new Uint8Array(total.length);
  for (let i = 0; i < holds.length; i++) {
    const last = raw.last[i] as number;
    const long = raw.first(i, arm.longMs);
    const short = raw.first(i, arm.shortMs);
    if (last <= long || last <= short) continue;
    const events = (total[last] as number) - (total[long] as number);
    const failed = (bad[last] as number) - (bad[long] as number);
    const bound = budget * (arm.factor ?? dynamicFactor(arm, raw, i));
    if (!(failed > bound * events)) continue;
    const shortEvents = (total[last] as number) - (total[short] as number);
    const shortFailed = (bad[last] as number) - (bad[short] as number);
    if (shortFailed > bound * shortEvents) holds[i] = 1;
  }
  return holds;
}

/** The arm's share of the budget, times the period's traffic divided by the long window's traffic. */
const dynamicFactor = (arm: Arm, raw: Raw, i: number): number =>
  ((arm.spent as number) * increaseOf(raw, i, periodMs)) / increaseOf(raw, i, arm.longMs);

/** Merges overlapping alerts of one severity into one page, from the first start to the last end. */
export function union(intervals: readonly Interval[]): Interval[] {
  const merged: Interval[] = [];
  for (const one of [...intervals].sort((a, b) => a.firedMs - b.firedMs)) {
    const before = merged.at(-1);
    if (!before || (before.resolvedMs ?? Infinity) < one.firedMs) {
      merged.push({ ...one });
    } else if (one.resolvedMs === undefined) {
      delete before.resolvedMs;
    } else if (before.resolvedMs !== undefined) {
      before.resolvedMs = Math.max(before.resolvedMs, one.resolvedMs);
    }
  }
  return merged;
}
