/** Years of a healthy service under a compiled page rule, one step at a time. */
import { History } from '../alerts/proof/backtest/evaluate.js';
import { type Random, seededRandom } from '../base/random.js';
import { planOf, type Slo } from '../slo/index.js';
import { guardHolds, healthyShare } from '../slo/rules/false-pages.js';
import type { Plan } from '../slo/rules/plan.js';
import type { AlertWindow } from '../slo/rules/windows.js';

const hourMs = 3_600_000;
const yearMs = 365 * 24 * hourMs;

/** Draws Poisson counts of one mean: by Walker's alias table, or rounded from a normal above 2,000. */
export function poissonSource(mean: number, random: Random): () => number {
  if (mean > 2000) return () => Math.max(0, Math.round(mean + Math.sqrt(mean) * normal(random)));
  const from = Math.max(0, Math.floor(mean - 9 * Math.sqrt(mean) - 9));
  const size = Math.ceil(mean + 9 * Math.sqrt(mean) + 20) - from;
  const chances = Array.from({ length: size }, (_, i) => chanceOf(from + i, mean));
  const sum = chances.reduce((a, b) => a + b, 0);
  const scaled = Float64Array.from(chances, (c) => (c / sum) * size);
  const alias = new Int32Array(size);
  const keep = new Float64Array(size).fill(1);
  const small = [...scaled.keys()].filter((i) => (scaled[i] as number) < 1);
  const large = [...scaled.keys()].filter((i) => (scaled[i] as number) >= 1);
  while (small.length > 0 && large.length > 0) {
    const [less, more] = [small.pop() as number, large.at(-1) as number];
    keep[less] = scaled[less] as number;
    alias[less] = more;
    scaled[more]! -= 1 - (scaled[less] as number);
    if ((scaled[more] as number) < 1) small.push(large.pop() as number);
  }
  return () => {
    const place = random.next() * size;
    const i = place | 0;
    return from + (place - i < (keep[i] as number) ? i : (alias[i] as number));
  };
}

function chanceOf(count: number, mean: number): number {
  let log = -mean + count * Math.log(mean);
  for (let k = 2; k <= count; k++) log -= Math.log(k);
  return Math.exp(log);
}

/** A normal deviate by Box and Muller. */
const normal = (random: Random): number =>
  Math.sqrt(-2 * Math.log(1 - random.next())) * Math.cos(2 * Math.PI * random.next());

/** Running sums of at least the last six hours; older events are zero at the start. */
class Ring {
  readonly #bad: Float64Array;
  readonly #total: Float64Array;
  readonly #mask: number;
  #at = 0;

  constructor(steps: number) {
    const size = 2 ** Math.ceil(Math.log2(steps + 1));
    this.#bad = new Float64Array(size);
    this.#total = new Float64Array(size);
    this.#mask = size - 1;
  }

  push(bad: number, total: number): void {
    const before = this.#at;
    this.#at = (before + 1) & this.#mask;
    this.#bad[this.#at] = (this.#bad[before] as number) + bad;
    this.#total[this.#at] = (this.#total[before] as number) + total;
  }

  bad(steps: number): number {
    return (this.#bad[this.#at] as number) - (this.#bad[(this.#at - steps) & this.#mask] as number);
  }

  total(steps: number): number {
    const from = (this.#at - steps) & this.#mask;
    return (this.#total[this.#at] as number) - (this.#total[from] as number);
  }
}

interface Arm {
  window: AlertWindow;
  bound: number;
  /** In steps. */
  long: number;
  short: number;
}

/** The page rule of an SLO over steps given one after another. */
export class Pager {
  readonly #plan: Plan;
  readonly #ring: Ring;
  readonly #arms: Arm[];

  constructor(slo: Slo) {
    const plan = planOf(slo);
    const pages = plan.windows.filter((w) => w.severity === 'page');
    this.#plan = plan;
    this.#ring = new Ring(Math.max(...pages.map((w) => w.longMs)) / plan.stepMs);
    this.#arms = pages.map((window) => ({
      window,
      bound: window.factor * plan.budget,
      long: Math.round(window.longMs / plan.stepMs),
      short: Math.round(window.shortMs / plan.stepMs),
    }));
  }

  /** Whether the page fires after this step. */
  step(bad: number, total: number): boolean {
    const ring = this.#ring;
    ring.push(bad, total);
    let fires = false;
    for (const { window, bound, long, short } of this.#arms) {
      // Most steps of a healthy service end here.
      const failed = ring.bad(long);
      if (failed < 1) continue;
      const events = ring.total(long);
      if (failed <= bound * events || ring.bad(short) <= bound * ring.total(short)) continue;
      fires ||= guardHolds(this.#plan, window, failed, events);
    }
    return fires;
  }
}

interface Source {
  bad: () => number;
  good: () => number;
  stepMs: number;
}

function healthyEvents(slo: Slo, perHour: number, seed: number): Source {
  const { stepMs, budget } = planOf(slo);
  const random = seededRandom(seed);
  const events = (perHour * stepMs) / hourMs;
  const share = budget * healthyShare;
  return {
    bad: poissonSource(events * share, random),
    good: poissonSource(events * (1 - share), random),
    stepMs,
  };
}

/** The number of times that the page of a healthy service fires in `years` years. */
export function pagesByChance(slo: Slo, perHour: number, years: number, seed: number): number {
  const { bad, good, stepMs } = healthyEvents(slo, perHour, seed);
  const pager = new Pager(slo);
  let [begun, firing] = [0, false];
  for (let i = 0; i < (years * yearMs) / stepMs; i++) {
    const badNow = bad();
    const fires = pager.step(badNow, badNow + good());
    if (fires && !firing) begun++;
    firing = fires;
  }
  return begun;
}

/** The pages of the first year by the fast method and by the backtest's evaluator. */
export function pagesOfFirstYear(
  slo: Slo,
  perHour: number,
  seed: number,
): { fast: number; evaluated: number } {
  const { bad, good, stepMs } = healthyEvents(slo, perHour, seed);
  const steps = yearMs / stepMs;
  const events = {
    startMs: 0,
    stepMs,
    bad: Float64Array.from({ length: steps }, () => 0),
    total: new Float64Array(steps),
  };
  for (let i = 0; i < steps; i++) {
    const badNow = bad();
    events.bad[i] = badNow;
    events.total[i] = badNow + good();
  }
  const firings = new History(planOf(slo), events).firings();
  return {
    fast: pagesByChance(slo, perHour, 1, seed),
    evaluated: firings.filter((f) => f.severity === 'page' && f.cause === 'burn').length,
  };
}

/** The exact 95% interval of a Poisson mean, by Wilson and Hilferty's approximation of chi-squared's quantiles. */
export function interval95(count: number): [number, number] {
  const end = (k: number, z: number): number => k * (1 - 1 / (9 * k) + z / (3 * Math.sqrt(k))) ** 3;
  return [count === 0 ? 0 : end(count, -1.96), end(count + 1, 1.96)];
}
