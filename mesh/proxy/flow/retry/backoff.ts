/** How long to wait before a retry. */
import type { Random } from '../../../../base/random.js';
import type { RetryPolicy } from '../../../model.js';

/**
 * Full jitter (jitter 1) spreads retries over the whole of 0 to base * 2^n: of the ways to jitter it needs the least
 * work in total (Brooker 2015, "Exponential Backoff And Jitter"). `retry` counts from 0.
 */
export function backoffMs(
  { baseMs, maxMs, jitter }: RetryPolicy['backoff'],
  retry: number,
  random: Random,
): number {
  const ceilingMs = Math.min(maxMs, baseMs * 2 ** Math.min(retry, 30));
  return ceilingMs * (1 - jitter * random.next());
}
