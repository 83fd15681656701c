/**
 * A game day whose team does not know the faults: a seed determines the scenarios' order, and the terminal names each
 * scenario only when it is over. The facilitator sees all events in `firedrill console`.
 */
import { randomInt } from 'node:crypto';
import { UserError } from '../../base/errors.js';
import { seededRandom } from '../../base/random.js';
import type { GameDayView } from './gameday.js';

const seedEnd = 2 ** 32;

/**
 * The value of `--surprise`: a seed, or true for a new one. Throws a UserError if it is no whole number from 0 to below
 * 2^32.
 */
export function seedOf(given: string | true): number {
  if (given === true) return randomInt(1, 1_000_000);
  const seed = Number(given);
  if (/^\d+$/.test(given) && seed < seedEnd) return seed;
  throw new UserError({ message: `bad seed '${given}'`, expected: `0 to ${seedEnd - 1}` });
}

/** Each order is equally likely; the same seed gives the same one. */
export function surpriseOrder<T>(items: readonly T[], seed: number): T[] {
  const random = seededRandom(seed);
  const order = [...items];
  for (let last = order.length - 1; last > 0; last--) {
    const other = random.below(last + 1);
    [order[last], order[other]] = [order[other] as T, order[last] as T];
  }
  return order;
}

/** The team's view: it hides the title and the phase of a running scenario, and shows only its place in the day. */
export function veiled<View extends GameDayView>(view: View, titles: readonly string[]): View {
  return {
    ...view,
    progress(text: string) {
      const at = titles.findIndex((title) => text.startsWith(`${title}: `));
      view.progress(at < 0 ? text : `drill ${at + 1} of ${titles.length} is under way`);
    },
  };
}
