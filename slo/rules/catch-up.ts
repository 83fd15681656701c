/** Sums of steps that also hold those of evaluations that Prometheus left out. */
import { formatDurationMs } from '../../base/duration.js';
import { type Plan, scaled } from './plan.js';

/** A sum that is recorded every `everyMs`, and the sums of steps it is made of. */
export interface CaughtUp {
  /** The name of the recorded series. */
  own: string;
  everyMs: number;
  /** Less than `everyMs`: the last sample of its own is at the very edge of a range. */
  edgeMs: number;
  /** Labels that the sum has, if they are not those of the series. */
  by?: readonly string[];
  /** The sum over so many times `everyMs`. */
  over: (times: number) => string;
}

/**
 * A Prometheus that was down leaves out evaluations, so a sum also covers the one, two or three before it that have no
 * sample of their own.
 */
export function catchUp(plan: Plan, { own, everyMs, edgeMs, by, over }: CaughtUp): string {
  const unless = by === undefined ? 'unless' : `unless on (${by.join(', ')})`;
  const arms = [3, 2, 1].map((missed) => {
    const range = formatDurationMs(scaled(plan, missed * everyMs + edgeMs));
    return `${over(missed + 1)} ${unless} count_over_time(${own}${plan.selector}[${range}])\nor\n`;
  });
  return arms.join('') + over(1);
}
