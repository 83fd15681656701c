/** Waits for a condition by asking again, with a bound, instead of sleeping for a guess. */
import { sleep } from '../../base/clock.js';

export async function until(
  condition: () => unknown,
  what = 'the condition',
  withinMs = 25_000,
): Promise<void> {
  for (let waitedMs = 0; ; waitedMs += 25) {
    if (await condition()) return;
    if (waitedMs > withinMs) throw new Error(`${what} did not come true within ${withinMs} ms`);
    await sleep(25);
  }
}
