/** Records which classic buckets had decreasing counts that were raised, and when, over all samples of a query. */
import type { Tally } from '../engine/annotations.js';
import { goFloat } from '../engine/go-format.js';
import type { Corrections } from './classic-buckets.js';

export class ForcedMonotonicity implements Tally {
  #lowest: number;
  #highest: number;
  #largest: number;
  #firstMs: number;
  #lastMs: number;
  #count = 1;

  constructor(corrections: Corrections, timeMs: number) {
    this.#lowest = corrections.lowest;
    this.#highest = corrections.highest;
    this.#largest = corrections.largest;
    this.#firstMs = timeMs;
    this.#lastMs = timeMs;
  }

  merge(other: ForcedMonotonicity): void {
    this.#lowest = Math.min(this.#lowest, other.#lowest);
    this.#highest = Math.max(this.#highest, other.#highest);
    this.#largest = Math.max(this.#largest, other.#largest);
    this.#firstMs = Math.min(this.#firstMs, other.#firstMs);
    this.#lastMs = Math.max(this.#lastMs, other.#lastMs);
    this.#count += other.#count;
  }

  text(): string {
    const time = (ms: number): string => new Date(ms).toISOString().replace(/\.\d+Z$/, 'Z');
    const largest = goFloat(Number(this.#largest.toPrecision(2)));
    return (
      `, from buckets ${goFloat(this.#lowest)} to ${goFloat(this.#highest)}, ` +
      `with a max diff of ${largest}, over ${this.#count} samples ` +
      `from ${time(this.#firstMs)} to ${time(this.#lastMs)}`
    );
  }
}
