/** An issuer with a fast clock: its certificates are refused, and renewal goes on until one is valid. */
import { expect, test } from 'vitest';
import { clientIn, controllerIn, eventually, folder, registryOf, tokenFor } from './bench-mesh.js';

test('X2: a certificate that begins in the future is refused, and the next one is taken', async () => {
  const path = folder();
  const registry = registryOf({ cart: ['10.0.0.1:1'] });
  const { controller, address } = await controllerIn(path, { registry, lifetime: '3s' });
  tokenFor(path, 'cart');
  const { client, identities, logs } = clientIn(path, 'cart', [address]);
  await client.start(10_000);
  const issued = identities.length;
  const lease = { id: 'skew', kind: 'identity-skew', skewMs: 300_000, ttlMs: 60_000 };
  controller.faults.put(lease);
  await eventually(() =>
    logs.some((l) => l.includes("this machine's clock or the issuer's is wrong")),
  );
  expect(identities).toHaveLength(issued);
  expect(client.stats.renewalFailures).toBeGreaterThan(0);
  controller.faults.remove('skew');
  await eventually(() => identities.length > issued);
  expect(identities.at(-1)!.notAfterMs).toBeLessThan(Date.now() + 60_000);
});

test('certificates live as long as a drill says, while its lease lasts', async () => {
  const path = folder();
  const registry = registryOf({ cart: ['10.0.0.1:1'] });
  const { controller, address } = await controllerIn(path, { registry, lifetime: '1h' });
  controller.faults.put({ id: 'l', kind: 'identity-lifetime', lifetimeMs: 90_000, ttlMs: 60_000 });
  tokenFor(path, 'cart');
  const { client, identities } = clientIn(path, 'cart', [address]);
  await client.start(10_000);
  const leftMs = identities[0]!.notAfterMs - Date.now();
  expect(leftMs).toBeGreaterThan(60_000);
  expect(leftMs).toBeLessThan(91_000);
  expect(controller.faults.list()).toMatchObject([{ id: 'l', lifetimeMs: 90_000, effect: 1 }]);
});

test('a lifetime that is the configured one, and a clock that is right, are no effect', async () => {
  const path = folder();
  const registry = registryOf({ cart: ['10.0.0.1:1'] });
  const { controller, address } = await controllerIn(path, { registry, lifetime: '1h' });
  const lease = { lifetimeMs: 3_600_000, ttlMs: 60_000 };
  controller.faults.put({ id: 'l', kind: 'identity-lifetime', ...lease });
  controller.faults.put({ id: 's', kind: 'identity-skew', skewMs: 0, ttlMs: 60_000 });
  tokenFor(path, 'cart');
  const { client } = clientIn(path, 'cart', [address]);
  await client.start(10_000);
  expect(controller.faults.list().map(({ id, effect }) => [id, effect])).toEqual([
    ['l', 0],
    ['s', 0],
  ]);
});
