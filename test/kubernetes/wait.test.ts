/** `--wait 60s` waits for a minute, however slowly the API server answers. */
import { expect, test } from 'vitest';
import { SimulatedClock } from '../../base/clock.js';
import { waitFor } from '../../mesh/kubernetes/install/apply.js';

test('calls without an answer count as waiting', async () => {
  const clock = new SimulatedClock();
  let calls = 0;
  const waits = waitFor(
    60_000,
    () => {
      calls++;
      clock.advance(30_000);
      return Promise.reject(new Error('no answer for 30000 ms'));
    },
    clock,
  );
  await expect(waits).rejects.toThrow('after 60s: no answer for 30000 ms');
  expect(calls).toBe(2);
});
