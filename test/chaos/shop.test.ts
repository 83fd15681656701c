/** The shop as a whole: a taken port is named and replaced by another, and leases roll everything back. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { SimulatedClock, sleep } from '../../base/clock.js';
import { Shop } from '../../examples/retail/shop.js';
import { ShopFaults } from '../../examples/retail/shop-faults.js';

const endings: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of endings.splice(0).toReversed()) await end();
});

async function planned(): Promise<{ shop: Shop; said: string[]; folder: string }> {
  const folder = mkdtempSync(join(tmpdir(), 'firedrill-shop-test-'));
  endings.push(() => rmSync(folder, { recursive: true, force: true }));
  const said: string[] = [];
  const say = (line: string): void => void said.push(line);
  const shop = await Shop.plan({ folder, certificateLifetimeMs: 3_600_000, say });
  endings.push(() => shop.close());
  return { shop, said, folder };
}

test.each(['app', 'inbound'] as const)(
  'a busy %s port is named, and another one chosen',
  async (which) => {
    const { shop, said } = await planned();
    const port = shop.ports.workloads.cart![which];
    const squatter = createServer();
    await new Promise<void>((resolve) => squatter.listen(port, '127.0.0.1', resolve));
    endings.push(() => squatter.close());
    await shop.start();
    expect(said.find((line) => line.includes('other ports are chosen'))).toContain(`:${port}`);
    expect(shop.ports.workloads.cart![which]).not.toBe(port);
    const web = `http://127.0.0.1:${shop.ports.workloads.web!.inbound}/`;
    expect((await fetch(web, { headers: { host: 'web.retail' } })).status).toBe(200);
  },
  120_000,
);

test('X3: leases of the supervisor lapse: the registry is as it was, the process is back', async () => {
  const { shop, folder } = await planned();
  await shop.start();
  const clock = new SimulatedClock();
  const faults = new ShopFaults(shop, clock);
  const registry = (): string => readFileSync(join(folder, 'config', 'registry.yaml'), 'utf8');
  const before = registry();
  const pid = shop.processes.pidOf('cart');
  await faults.put({ id: 'a', kind: 'registry', set: { retries: 'storm' }, ttlMs: 1000 });
  await faults.put({ id: 'b', kind: 'registry', set: { lockedOut: { cart: true } }, ttlMs: 2000 });
  await faults.put({ id: 'c', kind: 'kill', target: 'cart', ttlMs: 1000 });
  expect(shop.processes.pidOf('cart')).toBeUndefined();
  expect(registry()).toContain('unlimited');
  clock.advance(1500);
  // Of two faults that change the registry, the other one stays.
  await expect.poll(registry).not.toContain('unlimited');
  expect(registry()).not.toBe(before);
  clock.advance(1000);
  await expect.poll(registry).toBe(before);
  const end = performance.now() + 20_000;
  while (faults.list().length > 0 && performance.now() < end) await sleep(20);
  expect(faults.list()).toEqual([]);
  expect(shop.processes.pidOf('cart')).not.toBe(pid);
  expect(shop.processes.pidOf('cart')).toBeDefined();
}, 120_000);
