/** The shop's own faults: no undo takes another lease's fault with it, and none that fails is told as done. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { SimulatedClock } from '../../base/clock.js';
import { packageVersion } from '../../base/paths.js';
import { type AuthorityPart, ShortLived } from '../../examples/retail/pki-drill.js';
import { ShopFaults } from '../../examples/retail/shop-faults.js';
import type { Shop } from '../../examples/retail/shop.js';
import { trustDomain } from '../../examples/retail/topology.js';
import { ensurePki, pkiFiles, readAnchors } from '../../mesh/identity/pki-files.js';
import { notAfterMs } from '../../mesh/identity/x509.js';

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

async function authority() {
  const folder = mkdtempSync(join(tmpdir(), 'firedrill-shop-faults-'));
  folders.push(folder);
  await ensurePki(folder, { trustDomain });
  const clock = new SimulatedClock(Date.now());
  const files = (): string =>
    readdirSync(folder)
      .sort()
      .map((name) => readFileSync(join(folder, name), 'utf8'))
      .join();
  const ends = (): number[] => readAnchors(pkiFiles(folder)).map((a) => notAfterMs(a));
  return { own: new ShortLived(folder, clock, 1000), clock, files, ends };
}

const parts: AuthorityPart[] = ['issuer', 'anchor', 'chain'];
const pairs = parts.flatMap((one) => parts.map((other) => [one, other] as const));

test.each(pairs)('%s and then %s, ended in either order: all is as before', async (one, other) => {
  for (const order of [
    ['a', 'b'],
    ['b', 'a'],
  ] as const) {
    const { own, files } = await authority();
    const before = files();
    await own.begin('a', { part: one, lifetimeMs: 3_600_000 });
    const first = files();
    await own.begin('b', { part: other, lifetimeMs: 7_200_000 });
    expect([first === before, files() === first]).toEqual([false, false]);
    await own.end(order[0]);
    expect(files()).not.toBe(before);
    await own.end(order[1]);
    expect(files()).toBe(before);
  }
});

test('a chain becomes the only one once it was rolled out, and is told as run out only when it has', async () => {
  const { own, clock, ends, files } = await authority();
  const before = files();
  await own.begin('a', { part: 'chain', lifetimeMs: 20_000 });
  expect(ends()).toHaveLength(2);
  clock.advance(1000);
  expect(ends()).toHaveLength(1);
  expect(await own.end('a')).toBe(false);
  await own.begin('b', { part: 'chain', lifetimeMs: 20_000 });
  clock.advance(20_000);
  expect(await own.end('b')).toBe(true);
  expect(files()).toBe(before);
});

test('an undo that fails is no undo, and a version that is the same is no fault', async () => {
  let works = false;
  const restarted: (string | undefined)[] = [];
  const shop = {
    path: () => tmpdir(),
    certificateLifetimeMs: 1000,
    processes: { names: ['cart'] },
    restartAs: (_: string, version: string | undefined) => {
      restarted.push(version);
      if (version === undefined && !works) throw new Error('the port is taken');
      return Promise.resolve();
    },
  } as unknown as Shop;
  const faults = new ShopFaults(shop, new SimulatedClock());
  const lease = { id: 'a', kind: 'version', target: 'cart', ttlMs: 6000 };
  expect(await faults.put({ ...lease, version: '99.0.0' })).toMatchObject({ effect: 1 });
  await expect(faults.remove('a')).rejects.toThrow('the port is taken');
  expect(faults.list()).toHaveLength(1);
  works = true;
  expect(await faults.remove('a')).toBe(true);
  expect([restarted, faults.list()]).toEqual([['99.0.0', undefined, undefined], []]);
  const same = await faults.put({ ...lease, version: packageVersion() });
  expect(same).toMatchObject({ effect: 0 });
  await expect(faults.put({ ...lease, version: '9' })).rejects.toThrow('bad version: expected');
  const retriesOf = { id: 'r', ttlMs: 6000, kind: 'registry', set: { retriesOf: 'cart' } };
  await expect(faults.put(retriesOf)).rejects.toThrow('retriesOf');
  faults.close();
});
