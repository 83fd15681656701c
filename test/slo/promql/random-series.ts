/** Random series with gaps, resets, NaN and infinities, for our engine and for a real Prometheus. */
import type { Random } from '../../../base/random.js';
import { MemoryStore } from '../../../slo/promql/index.js';

export const firstMs = 1_700_000_000_000 - (1_700_000_000_000 % 60_000);
export const lastMs = firstMs + 3_600_000;

export interface RandomSample {
  labels: Record<string, string>;
  timeMs: number;
  value: number;
}

const chance = (random: Random, share: number): boolean => random.next() < share;
const integer = (random: Random, from: number, to: number): number =>
  from + random.below(to - from + 1);

/** No sample is on a whole second, so that ranges open or closed on the left hold the same samples. */
function times(random: Random, intervalMs: number): number[] {
  const found: number[] = [];
  let gapUntil = 0;
  for (let at = firstMs; at < lastMs; at += intervalMs) {
    if (at >= gapUntil && chance(random, 0.02)) gapUntil = at + integer(random, 30_000, 600_000);
    if (at >= gapUntil) found.push(at + integer(random, 100, 900));
  }
  return found;
}

export function randomSamples(random: Random): RandomSample[] {
  const samples: RandomSample[] = [];
  for (const job of ['a', 'b', 'c']) {
    for (const pod of ['p1', 'p2']) {
      if (job === 'c' && pod === 'p2') continue;
      // Whole and half numbers add up without rounding; counters stay far from zero.
      for (const timeMs of times(random, 15_000)) {
        const special = chance(random, 0.01)
          ? [NaN, Infinity, -Infinity, 0][random.below(4)]
          : undefined;
        const value = special ?? integer(random, -40, 40) / 2;
        samples.push({ labels: { __name__: 'level', job, pod }, timeMs, value });
      }
      let count = integer(random, 1_000_000, 2_000_000);
      for (const timeMs of times(random, 30_000)) {
        if (chance(random, 0.02)) count = Math.floor(count * 0.6);
        count += integer(random, 0, 50);
        samples.push({ labels: { __name__: 'hits_total', job, pod }, timeMs, value: count });
      }
    }
    samples.push(...buckets(random, job));
  }
  return samples.sort((a, b) => a.timeMs - b.timeMs);
}

function buckets(random: Random, job: string): RandomSample[] {
  const bounds = ['0.1', '0.5', '1', '+Inf'];
  const counts = bounds.map((_, i) => 1_000_000 + i * 1000);
  return times(random, 15_000).flatMap((timeMs) => {
    let added = 0;
    return bounds.map((le, i) => {
      added += integer(random, 0, 9);
      counts[i] = (counts[i] as number) + added;
      return { labels: { __name__: 'time_bucket', job, le }, timeMs, value: counts[i] as number };
    });
  });
}

export function storeOf(samples: readonly RandomSample[]): MemoryStore {
  const store = new MemoryStore();
  for (const { labels, timeMs, value } of samples) store.append(labels, timeMs, value);
  return store;
}
