/** Every kind of fault on the real shop: set, renewed, shown with its effect, rolled back, and lapsed. */
import { type Child, startNode } from '../../base/child.js';
import { program } from '../../base/paths.js';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { sleep } from '../../base/clock.js';
import {
  faultKind,
  type FaultKindName,
  faultKindNames,
  targetProblem,
} from '../../chaos/faults/kinds.js';
import { limitsImpossibleHere } from '../../chaos/faults/process-fault.js';
import { askJson } from '../../chaos/system/ask.js';
import { SupervisedSystem } from '../../chaos/system/supervised.js';

interface Lease {
  id: string;
  effect: number;
  ttlMs: number;
}

const settings: Partial<Record<FaultKindName, Record<string, unknown>>> = {
  'identity-skew': { skewMs: 1000 },
  'identity-lifetime': { lifetimeMs: 3_600_000 },
  delay: { side: 'inbound', delayMs: 20 },
  abort: { side: 'inbound', abortStatus: 503 },
  throttle: { side: 'inbound', bytesPerSecond: 1000 },
  'slow-service': { latencyMs: 20 },
  'failing-service': { failureRatio: 1 },
  ballast: { ballastBytes: 1024 },
  latency: { latencyMs: 20 },
  bandwidth: { bytesPerSecond: 1000 },
  loss: { lossRatio: 1 },
  cpu: { cores: 0.5 },
  memory: { moreBytes: 1_000_000_000 },
  version: { version: '99.0.0' },
  leak: { megabytesPerSecond: 10, heapMegabytes: 256 },
  authority: { part: 'issuer', lifetimeMs: 300_000 },
  registry: { retries: 'none' },
};

const targets = {
  controller: 'controller',
  service: 'cart',
  process: 'cart',
  call: 'web/cart',
  pair: 'web|cart',
  registry: 'registry',
  leaking: 'cart-proxy',
};

/**
 * Faults whose effect a request to cart shows. A limit of bytes a second slows only messages of several pieces, and
 * cart's are small: policies.test.ts, http2-relay.test.ts.
 */
const struckByRequests: FaultKindName[] = [
  'delay',
  'abort',
  'reset',
  'blackhole',
  'latency',
  'refuse',
  'cut',
  'silence',
  'loss',
  'split',
  'slow-service',
  'failing-service',
];

describe('on the shop', () => {
  let child: Child;
  let system: SupervisedSystem;

  beforeAll(async () => {
    child = startNode('shop', program('examples/retail/main'), []);
    const { admin } = await child.ready;
    system = await SupervisedSystem.at(`http://127.0.0.1:${String(admin)}`);
    while (!system.description.ready) {
      await sleep(50);
      await system.refresh();
    }
  });

  afterAll(() => child.stop());

  const addToCart = async (): Promise<number> => {
    const response = await fetch(`${system.description.url}/cart`, {
      method: 'POST',
      headers: { host: 'web.retail' },
      signal: AbortSignal.timeout(2000),
    }).catch(() => undefined);
    return response?.status ?? 0;
  };

  // Faults that other tests cover: Prometheus faults have no lease here; commands are for running systems
  // (attach.test.ts), and some kinds are for clusters. Relays, disks and resolvers belong to systems of
  // other programs (relay.test.ts, resources.test.ts, network.test.ts).
  const elsewhere = [
    'prometheus',
    'command',
    'relay',
    'disk',
    'resolver',
    'scaled',
    'pods',
    'limited',
    'throttled',
    'secret',
  ];
  const impossible = limitsImpossibleHere().map(([kind]) => kind as string);
  const kinds = faultKindNames.filter(
    (kind) => !elsewhere.includes(faultKind(kind).targets) && !impossible.includes(kind),
  );

  test.each(kinds)('%s is a lease with an effect, and ends without a trace', async (name) => {
    const kind = faultKind(name);
    const target = targets[kind.targets as keyof typeof targets];
    expect(targetProblem(system, name, target)).toBeUndefined();
    const checked = kind.settings.parse(settings[name] ?? {});
    const [point] = kind.points(system, target, checked);
    const put = (ttlMs: number): Promise<Lease> =>
      askJson<Lease>(`${point!.url}/faults`, {
        method: 'POST',
        body: { ...point!.body, id: 'f', ttlMs },
        timeoutMs: 20_000,
      });
    const shown = async (): Promise<Lease | undefined> =>
      (await askJson<Lease[]>(`${point!.url}/faults`)).find((l) => l.id === 'f');

    expect(await put(60_000)).toMatchObject({ id: 'f' });
    if (struckByRequests.includes(name)) {
      expect((await shown())?.effect).toBe(0);
      await addToCart();
      expect((await shown())?.effect).toBeGreaterThan(0);
    }
    // A renewed lease keeps its effect so far.
    const before = (await shown())!;
    await put(60_000);
    expect((await shown())?.effect).toBeGreaterThanOrEqual(before.effect);
    expect(
      await askJson(`${point!.url}/faults/f`, { method: 'DELETE', timeoutMs: 20_000 }),
    ).toEqual({ removed: true });
    expect(await shown()).toBeUndefined();

    await put(300);
    const end = performance.now() + 15_000;
    while ((await shown()) !== undefined && performance.now() < end) await sleep(50);
    expect(await shown()).toBeUndefined();
    while ((await addToCart()) !== 200 && performance.now() < end) await sleep(50);
    expect(await addToCart()).toBe(200);
  });

  test('a lease without an end, or of an unknown kind, is refused where it is put', async () => {
    for (const { url } of system.injectionPoints()) {
      const bad = askJson(`${url}/faults`, { method: 'POST', body: { kind: 'nonsense', id: 'x' } });
      await expect(bad).rejects.toThrow(/answered 400/);
    }
  });

  test('an unknown target is told with those that there are', () => {
    expect(targetProblem(system, 'kill', 'nobody')).toMatchObject({
      message: "kill has no target 'nobody' in retail",
      expected: expect.stringContaining('cart-proxy') as string,
    });
  });
});
