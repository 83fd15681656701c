/** Issue 5 with a registry file: rotation and loss of the control plane under load, without a failed request. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Stage } from '../../../examples/patterns/stage.js';
import { namespace, type SmallMesh } from '../../../examples/patterns/small-mesh.js';
import { freePorts } from '../../../base/ports.js';
import { getJson } from '../../../mesh/controller/run-command.js';
import { folderKeeper, rollAnchor } from '../../../mesh/identity/roll-over.js';
import { eventually } from './bench-mesh.js';

const limitMs = 180_000;
const folder = mkdtempSync(join(tmpdir(), 'firedrill-load-'));
const stage = new Stage(folder, () => undefined);
let mesh: SmallMesh;
let timer: NodeJS.Timeout | undefined;
const seen = { ok: 0, problems: [] as string[] };

beforeAll(async () => {
  const [webOut, ...cartIn] = (await freePorts(3)) as [number, number, number];
  const cart = await stage.app('cart');
  mesh = await stage.mesh('load.local');
  await mesh.open(
    {
      services: [
        {
          name: 'cart',
          namespace,
          endpoints: cartIn.map((port) => ({ address: `127.0.0.1:${port}` })),
        },
      ],
      servers: cartIn.map((port, i) => ({
        workload: `cart-${i}`,
        namespace,
        name: 'http',
        port,
        target: cart,
        policy: 'all-authenticated',
      })),
    },
    { certificateLifetime: '60s', renewSpread: '3s' },
  );
  await Promise.all([
    mesh.proxy({ name: 'web', outbound: webOut }),
    ...cartIn.map((port, i) =>
      mesh.proxy({ name: `cart-${i}`, serviceAccount: 'cart', inbound: port }),
    ),
  ]);
  const ask = () => stage.ask(`127.0.0.1:${webOut}`, 'cart.demo');
  await stage.expect('a first answer', ask, { status: 200, caller: mesh.identity('web') });
  timer = setInterval(() => {
    void ask().then((reply) => {
      if (reply.status === 200) seen.ok++;
      else seen.problems.push(`${reply.status} ${reply.text.slice(0, 200)}`);
    });
  }, 20);
}, limitMs);

afterAll(async () => {
  clearInterval(timer);
  await stage.close();
  rmSync(folder, { recursive: true, force: true });
}, limitMs);

const more = (count: number): Promise<void> => {
  const from = seen.ok;
  return eventually(() => seen.ok >= from + count, 60_000);
};

const connected = async (): Promise<unknown[]> => {
  const proxies = (await getJson(mesh.controllerAdmin, '/proxies')) as { workload?: string }[];
  return proxies.map((p) => p.workload ?? p).toSorted();
};

test('the trust anchor is rotated under load: no request fails', { timeout: limitMs }, async () => {
  await more(50);
  const steps: string[] = [];
  const inFolder = folderKeeper(join(mesh.folder, 'pki'), mesh.trustDomain);
  let issuers: unknown[] = [];
  await rollAnchor({
    keeper: {
      ...inFolder,
      dropOld: async () => {
        const proxies = (await getJson(mesh.controllerAdmin, '/proxies')) as { issuer: unknown }[];
        issuers = proxies.map((p) => p.issuer);
        return inFolder.dropOld();
      },
    },
    admins: [mesh.controllerAdmin],
    timeoutMs: 90_000,
    say: (line) => steps.push(line),
  });
  expect(steps).toHaveLength(3);
  // Two of the three share an identity: one renewal does not prove both.
  const { issuer } = (await getJson(mesh.controllerAdmin, '/state')) as {
    issuer: { hash: string };
  };
  expect(issuers).toEqual([issuer.hash, issuer.hash, issuer.hash]);
  await more(50);
  expect(seen.problems).toEqual([]);
});

test(
  'the controller is killed and replaced under load: no request fails',
  { timeout: limitMs },
  async () => {
    await mesh.killController();
    await more(100);
    await mesh.startController();
    // If some are missing, the error names the connected ones.
    await eventually(
      async () => expect(await connected()).toEqual(['cart-0', 'cart-1', 'web']),
      60_000,
    );
    await more(50);
    expect(seen.problems).toEqual([]);
  },
);
