/** Waits for a condition by polling, with a time limit, instead of a sleep of guessed length. */
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
