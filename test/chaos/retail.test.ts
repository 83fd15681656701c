/**
 * W1: retries and timeouts reduce transient checkout failures by 40% or more, and nobody pays twice. On the real shop.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Child, startNode } from '../../base/child.js';
import { sleep } from '../../base/clock.js';
import { program } from '../../base/paths.js';
import { askJson } from '../../chaos/system/ask.js';
import { SupervisedSystem } from '../../chaos/system/supervised.js';
import { type Load, startLoad } from '../../chaos/load/load.js';

describe('W1', () => {
  let child: Child;
  let system: SupervisedSystem;
  let load: Load;

  beforeAll(async () => {
    child = startNode('shop', program('examples/retail/main'), []);
    const { admin } = await child.ready;
    system = await SupervisedSystem.at(`http://127.0.0.1:${String(admin)}`);
    while (!system.description.ready) {
      await sleep(50);
      await system.refresh();
    }
    load = await startLoad('embedded', {
      url: system.description.url,
      host: 'web.retail',
      routes: [
        {
          name: 'checkout',
          method: 'POST',
          path: '/checkout',
          requestsPerSecond: 30,
          headers: { 'idempotency-key': '{{unique}}' },
        },
      ],
      timeoutMs: 5000,
      maxInFlight: 200,
    });
  });

  afterAll(async () => {
    await load.stop();
    await child.stop();
  });

  const put = (url: string, body: object): Promise<unknown> =>
    askJson(`${url}/faults`, { method: 'POST', body: { ttlMs: 60_000, ...body } });
  const remove = (url: string, id: string): Promise<unknown> =>
    askJson(`${url}/faults/${id}`, { method: 'DELETE' });

  /**
   * The share of payment's intentional failures that a shopper sees, over 450 checkouts. One charge in 32 fails: about
   * one per second, and the budget (a tenth of 30 per second, not saved up) allows two.
   */
  async function seen(): Promise<number> {
    const [payment] = system.workloads('payment');
    const url = system.appAdmin(payment!)!;
    await put(url, { id: 'transient', failureRatio: 1 / 32 });
    const from = load.points.count;
    while (load.points.count < from + 450) await sleep(50);
    const faults = await askJson<{ id: string; effect: number }[]>(`${url}/faults`);
    await remove(url, 'transient');
    const failed = load.points
      .all()
      .slice(from)
      .filter((p) => !p.ok).length;
    const { effect } = faults.find((f) => f.id === 'transient')!;
    expect(effect).toBeGreaterThan(3);
    return failed / effect;
  }

  test('the same transient failures, without retries and with them', async () => {
    await put(system.admin, { id: 'no-retries', kind: 'registry', set: { retries: 'none' } });
    await sleep(1000);
    const without = await seen();
    await remove(system.admin, 'no-retries');
    await sleep(1000);
    const withRetries = await seen();
    expect(without).toBeGreaterThan(0.8);
    expect(withRetries).toBeLessThanOrEqual(0.6 * without);

    // Charges whose answer comes after the caller has given up: the retry finds them completed.
    const [payment] = system.workloads('payment');
    const before = await system.counters('payment');
    await put(system.appAdmin(payment!)!, { id: 'late', latencyMs: 550 });
    const repeats = async (): Promise<number> => {
      const { repeatsAnswered } = await system.counters('payment');
      return repeatsAnswered! - before.repeatsAnswered!;
    };
    const end = performance.now() + 40_000;
    while ((await repeats()) === 0 && performance.now() < end) await sleep(100);
    await remove(system.appAdmin(payment!)!, 'late');
    expect(await repeats()).toBeGreaterThan(0);
    expect((await system.counters('payment')).doubleCharges).toBe(0);
  }, 150_000);
});
