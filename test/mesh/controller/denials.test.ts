/** C2, D17: a denied certificate is refused everywhere, and a workload receives only its own information. */
import { X509Certificate } from 'node:crypto';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TLSSocket } from 'node:tls';
import { expect, test } from 'vitest';
import { program } from '../../../base/paths.js';
import { requestCertificate } from '../../../mesh/controller/client/certify.js';
import { controllerIdentity } from '../../../mesh/controller/own-certificate.js';
import type { DiscoverySource } from '../../../mesh/controller/discovery/source.js';
import { generateWorkloadKey, splitPem } from '../../../mesh/identity/csr.js';
import { denialsInForce, parseDenials, withDenial } from '../../../mesh/identity/denials.js';
import { identityName } from '../../../mesh/identity/names.js';
import type { Destination, Route } from '../../../mesh/model.js';
import { verifiedPeer } from '../../../mesh/proxy/tls/peer.js';
import {
  clientIn,
  controllerIn,
  eventually,
  folder,
  registryOf,
  tokenFor,
  trustDomain,
} from './bench-mesh.js';

const registry = registryOf({ cart: ['10.0.0.1:1'] });
const cart = identityName({ serviceAccount: 'cart', namespace: 'retail', trustDomain });

function cli(...args: string[]): string {
  const run = spawnSync(process.execPath, [program('cli'), 'identity', ...args], {
    encoding: 'utf8',
  });
  if (run.status !== 0) throw new Error(run.stderr);
  return run.stdout;
}
const leafOf = (chain = ''): X509Certificate => new X509Certificate(splitPem(chain)[0] ?? '');

/** A proxy's verdict on a peer with the certificate when TLS itself finds no fault. */
const judged = (certificate: X509Certificate): unknown =>
  verifiedPeer(
    {
      isSessionReused: () => false,
      // Which of the two is asked depends on the runtime (tls/peer-certificate.ts).
      getPeerX509Certificate: () => certificate,
      _handle: { getPeerCertificate: () => certificate.toLegacyObject() },
      authorized: true,
    } as unknown as TLSSocket,
    Date.now(),
  );

test.each(['--serial', '--identity'])(
  'C2: denied by %s, it renews nothing and reaches nobody; its owner joins again',
  async (by) => {
    const path = folder();
    const pki = join(path, 'pki');
    const { controller, address } = await controllerIn(path, { registry });
    tokenFor(path, 'cart', 5);
    const { client } = clientIn(path, 'cart', [address]);
    await client.start(10_000);
    const stolen = { ...client.identity };
    const old = leafOf(stolen.chain);
    expect(judged(old)).toMatchObject({ identity: cart });
    cli(
      'deny',
      '--folder',
      pki,
      by,
      by === '--serial' ? old.serialNumber : cart,
      '--reason',
      'lost',
    );
    await eventually(() => client.identity?.chain !== stolen.chain && client.stats.connected);
    const renewed = leafOf(client.identity?.chain);
    await eventually(() => judged(old) === 'denied');
    expect(judged(renewed)).toMatchObject({ identity: cart });
    const thief = requestCertificate({
      address,
      controllerIdentity: controllerIdentity(trustDomain),
      identity: cart,
      key: generateWorkloadKey(),
      token: '',
      credentials: { ...stolen, anchors: stolen.anchors ?? [] },
    });
    await expect(thief).rejects.toThrow(/is denied: join again/);
    expect(controller.authority.refused.get('denied-certificate')).toBe(1);
    expect(cli('denied', '--folder', pki, '--format', 'json')).toContain('"reason": "lost"');
    cli('deny', '--folder', pki, by, by === '--serial' ? old.serialNumber : cart, '--undo');
    await eventually(() => denialsInForce.list.length === 0);
  },
);

test('an invalid denial is refused with its place, and the list is limited', () => {
  for (const bad of ['{', '{}', '[{"serial":"xyz","until":1}]', '[{"identity":"a.b","until":1}]'])
    expect(() => parseDenials(bad, 'denied.json')).toThrow(/denied\.json/);
  const full = Array.from({ length: 1000 }, (_, i) => ({ serial: i.toString(16), until: 9 }));
  expect(() => withDenial(full, { serial: 'FFFF', until: 9 }, 1)).toThrow(/rotate anchor/);
  expect(withDenial(full, { serial: 'FFFF', until: 99 }, 10)).toHaveLength(1);
});

test('D17: a proxy cannot say that it is another workload, nor read the routes of another namespace', async () => {
  const route = (name: string, clientNamespace?: string): Route => ({
    name,
    matches: [],
    split: [{ backend: 'pay', weight: 1 }],
    timeouts: {},
    requestHeaders: { set: [['authorization', `secret-of-${name}`]] },
    ...(clientNamespace ? { clientNamespace } : {}),
  });
  const pay = {
    name: 'pay.retail',
    service: 'pay',
    namespace: 'retail',
    hosts: ['pay.retail'],
    addresses: [],
    protocol: 'detect',
    routes: [route('theirs', 'bank'), route('ours', 'retail'), route('all')],
    backends: [],
  } satisfies Destination;
  const source: DiscoverySource = {
    name: 'test',
    whyNot: (identity, { workload }) =>
      workload === 'pay' && !identity.startsWith('pay.') ? 'it is no pod of pay' : undefined,
    start: (sink) => Promise.resolve(sink.replace({ destinations: [pay], servers: [] })),
    stop: () => Promise.resolve(),
  };
  const path = folder();
  const { address } = await controllerIn(path, { registry, sources: [source] });
  tokenFor(path, 'cart', 2);
  const honest = clientIn(path, 'cart', [address]);
  await honest.client.start(10_000);
  const told = honest.states.at(-1)?.destinations.find((d) => d.name === 'pay.retail');
  expect(told?.routes.map((r) => r.name)).toEqual(['ours', 'all']);
  expect(JSON.stringify(honest.states)).not.toContain('secret-of-theirs');
  const liar = clientIn(path, 'cart', [address], {
    workload: { name: 'pay', namespace: 'retail' },
  });
  void liar.client.start(10_000).catch(() => undefined);
  await eventually(() => liar.client.stats.lastError.includes('it is no pod of pay'));
  expect(liar.states).toEqual([]);
  expect(readFileSync(join(path, 'events.jsonl'), 'utf8')).toContain('"issued"');
});
