/** When a policy fires over a history of counters: of our rules by the backtest, of others by their windows. */
import { budgetRatio, planOf } from '../../../slo/index.js';
import { History } from '../backtest/evaluate.js';
import { type Counters, stepsOf } from '../backtest/events.js';
import { type Interval, intervalsOf } from '../backtest/firings.js';
import { type Arm, periodMs, type Policy } from './policies.js';

export interface Fired {
  page: Interval[];
  ticket: Interval[];
}

/** `bothEnds`: a range holds both its ends, as in Prometheus before version 3. */
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

/** Counters as they were scraped, with what a range needs to find its ends. */
export class Raw {
  readonly counters: Counters;
  readonly bothEnds: boolean;
  /** The place of the last scrape up to each step, and of the first from it on; -1 and the end where there is none. */
  readonly last: Int32Array;
  readonly next: Int32Array;
  /** Scrapes before each step. */
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

  /** Scrapes from one place to another, both of which are scrapes. */
  scrapesIn(first: number, last: number): number {
    return (this.#scrapes[last + 1] as number) - (this.#scrapes[first] as number);
  }

  /** Of a range of `windowMs` that ends at step `i`: the place of its first scrape; the last one's is `last[i]`. */
  first(i: number, windowMs: number): number {
    const steps = windowMs / this.counters.stepMs;
    const from = this.bothEnds ? Math.ceil(i - steps) : Math.floor(i - steps) + 1;
    return this.next[Math.max(0, from)] as number;
  }
}

/** As `increase` has it: events between the first and the last scrape, and as many more as the ends leave out. */
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
 * At each step whether both error ratios are above the arm's bound. Rates of bad and total are extrapolated alike,
 * since
 * they were scraped together, so that a ratio of rates is a ratio of differences.
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

/** How many times the long window's traffic the period carried, times the share that may be spent. */
const dynamicFactor = (arm: Arm, raw: Raw, i: number): number =>
  ((arm.spent as number) * increaseOf(raw, i, periodMs)) / increaseOf(raw, i, arm.longMs);

/** Alerts of one severity are one page: it begins with the first of them and ends with the last. */
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
