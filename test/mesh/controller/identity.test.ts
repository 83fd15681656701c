/** C2: certificates are issued only with a proof, and rotation of each part of the chain loses no proxy. */
import { X509Certificate } from 'node:crypto';
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { program } from '../../../base/paths.js';
import { requestCertificate } from '../../../mesh/controller/client/certify.js';
import { controllerIdentity } from '../../../mesh/controller/own-certificate.js';
import { generateWorkloadKey, splitPem } from '../../../mesh/identity/csr.js';
import { identityName, readTrustDomain } from '../../../mesh/identity/names.js';
import {
  addTrustAnchor,
  dropOldAnchors,
  ensurePki,
  pkiFiles,
  readAnchors,
  rotateIssuer,
} from '../../../mesh/identity/pki-files.js';
import { folderKeeper, rollAnchor } from '../../../mesh/identity/roll-over.js';
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
const of = (serviceAccount: string): string =>
  identityName({ serviceAccount, namespace: 'retail', trustDomain });

const anchorsIn = (path: string): string[] =>
  splitPem(readFileSync(join(path, 'pki', 'trust-anchor.crt'), 'utf8'));

function ask(
  path: string,
  address: string,
  identity: string,
  token: string,
  { name = controllerIdentity(trustDomain), anchors = anchorsIn(path) } = {},
) {
  const key = generateWorkloadKey();
  const credentials = { anchors };
  return requestCertificate({
    address,
    controllerIdentity: name,
    identity,
    key,
    token,
    credentials,
  });
}

test('C2: a token goes to the controller alone: its name and its authority are checked before', async () => {
  const path = folder();
  const { controller, address } = await controllerIn(path, { registry });
  const others = folder();
  await controllerIn(others, { registry });
  const token = readFileSync(tokenFor(path, 'cart'), 'utf8');
  const own = controllerIdentity(trustDomain);
  for (const name of [of('cart'), own.slice(1), `*.${trustDomain}`, own.replace(/^[^.]+/, '*')]) {
    await expect(ask(path, address, of('cart'), token, { name })).rejects.toThrow(
      `its certificate is not for ${name}`,
    );
  }
  const anchors = anchorsIn(others);
  await expect(ask(path, address, of('cart'), token, { anchors })).rejects.toThrow(
    /unable to get local issuer certificate/,
  );
  expect(controller.authority.refused.size).toBe(0);
  await expect(ask(path, address, of('cart'), token)).resolves.toBeDefined();
});

test('C2: a token is good once, for its own identity, and no request without one is answered', async () => {
  const path = folder();
  const { controller, address } = await controllerIn(path, { registry });
  const token = readFileSync(tokenFor(path, 'cart'), 'utf8');
  await expect(ask(path, address, of('payment'), token)).rejects.toThrow(/is of cart\.retail/);
  // A mistyped name does not use up the token: it is still valid for its own name, once.
  await expect(ask(path, address, of('cart'), token)).resolves.toBeDefined();
  await expect(ask(path, address, of('cart'), token)).rejects.toThrow(/used before/);
  await expect(ask(path, address, of('cart'), '')).rejects.toThrow(/neither a token nor/);
  await expect(ask(path, address, of('cart'), 'fdj_made-up')).rejects.toThrow(/token is unknown/);
  await expect(ask(path, address, 'cart.retail.other.domain', 'x')).rejects.toThrow(/not a name/);
  expect([...controller.authority.refused].sort()).toEqual([
    ['bad-token', 2],
    ['replayed-token', 1],
    ['wrong-identity', 2],
  ]);
  const events = readFileSync(join(path, 'events.jsonl'), 'utf8');
  expect(events).toMatch(/"reason":"replayed-token"/);
  expect(events).not.toContain(token);
  expect(readFileSync(pkiFiles(join(path, 'pki')).keyFile, 'utf8')).toMatch(/PRIVATE KEY/);
});

test('C2: certificates are renewed long before their end, by the certificate itself', async () => {
  const path = folder();
  const { controller, address } = await controllerIn(path, { registry, lifetime: '3s' });
  tokenFor(path, 'cart');
  const { client, identities } = clientIn(path, 'cart', [address]);
  await client.start(10_000);
  await eventually(() => client.stats.renewals >= 2);
  expect(controller.authority.issued.join).toBe(1);
  const leaves = [...new Set(identities.map((i) => splitPem(i.chain)[0] as string))];
  for (let i = 1; i < leaves.length; i++) {
    const before = new X509Certificate(leaves[i - 1] as string);
    const after = new X509Certificate(leaves[i] as string);
    expect(Date.parse(after.validFrom)).toBeLessThan(Date.parse(before.validTo));
  }
});

test('F3: a frozen issuer lets certificates run out, and the same proxy joins again when it thaws', async () => {
  const path = folder();
  const { controller, address } = await controllerIn(path, { registry, lifetime: '2s' });
  tokenFor(path, 'cart', 2);
  const { client } = clientIn(path, 'cart', [address]);
  await client.start(10_000);
  const lease = controller.faults.put({ kind: 'identity-freeze', ttlMs: 60_000 });
  await eventually(() => client.stats.renewalFailures >= 1);
  expect((controller.faults.effects.get('identity-freeze') ?? 0) > 0).toBe(true);
  await eventually(() => (client.identity?.notAfterMs ?? 0) < Date.now());
  const renewed = client.stats.renewals;
  controller.faults.remove(lease.id);
  await eventually(() => client.stats.renewals > renewed);
  expect(client.identity?.notAfterMs).toBeGreaterThan(Date.now());
});

test('F3: under an issuer that ends soon, a proxy asks again and again, but not at once', async () => {
  const path = folder();
  await ensurePki(join(path, 'pki'), { trustDomain, issuerLifetimeMs: 4000 });
  const { controller, address } = await controllerIn(path, { registry, lifetime: '20s' });
  tokenFor(path, 'cart');
  const { client } = clientIn(path, 'cart', [address]);
  await client.start(10_000);
  await eventually(() => (client.identity?.notAfterMs ?? Infinity) < Date.now());
  const { join: joined = 0, renewal = 0 } = controller.authority.issued;
  // Half a second at least lies between two.
  expect(joined + renewal).toBeLessThanOrEqual(9);
});

test('C2: a new issuer and a new trust anchor reach everybody, hot, each step awaited', async () => {
  const path = folder();
  const { controller, address } = await controllerIn(path, { registry, lifetime: '20s' });
  for (const name of ['cart', 'pay']) tokenFor(path, name);
  const clients = ['cart', 'pay'].map((name) => clientIn(path, name, [address]));
  for (const { client } of clients) await client.start(10_000);
  const before = clients.map(({ client }) => client.identity?.issuer);
  const steps: string[] = [];
  await rollAnchor({
    keeper: folderKeeper(join(path, 'pki'), trustDomain),
    admins: [`http://127.0.0.1:${controller.adminPort}`],
    timeoutMs: 20_000,
    say: (line) => steps.push(line),
  });
  expect(steps.map((s) => s.slice(0, 2))).toEqual(['1.', '2.', '3.']);
  await eventually(() => clients.every(({ client }) => client.identity?.anchors.length === 1));
  clients.forEach(({ client }, i) => expect(client.identity?.issuer).not.toBe(before[i]));
  const kinds = controller.events.recent.map((e) => e.event);
  expect(kinds.filter((k) => k === 'issuer-rotated')).toHaveLength(1);
  expect(kinds.filter((k) => k === 'bundle-changed').length).toBeGreaterThanOrEqual(2);
});

test('C2: a proxy that is away is waited for: the old anchor is all that it trusts', async () => {
  const path = folder();
  const { controller, address } = await controllerIn(path, { registry });
  for (const name of ['cart', 'pay']) tokenFor(path, name);
  const [cart, pay] = ['cart', 'pay'].map((name) => clientIn(path, name, [address]).client);
  await cart?.start(10_000);
  await pay?.start(10_000);
  const steps: string[] = [];
  const keeper = folderKeeper(join(path, 'pki'), trustDomain);
  const roll = rollAnchor({
    keeper: {
      ...keeper,
      add: async () => {
        await pay?.stop();
        await eventually(() => controller.sessions.size === 1);
        return keeper.add();
      },
    },
    admins: [`http://127.0.0.1:${controller.adminPort}`],
    timeoutMs: 2000,
    say: (line) => steps.push(line.slice(0, 2)),
  });
  await expect(roll).rejects.toThrow(
    'not everybody trusts the new anchor: pay.retail (0 of 1 proxies are there)',
  );
  expect(steps).toEqual(['1.']);
  await eventually(() => cart?.identity?.anchors.length === 2);
});

test('the last step of a roll-over keeps the anchors of other trust domains', async () => {
  const [own, partner] = [join(folder(), 'own'), join(folder(), 'partner')];
  await ensurePki(own, { trustDomain });
  await ensurePki(partner, { trustDomain: 'partner.local' });
  const [bundle, theirs] = [own, partner].map((path) => pkiFiles(path).trustAnchorsFile) as [
    string,
    string,
  ];
  writeFileSync(bundle, readFileSync(bundle, 'utf8') + readFileSync(theirs, 'utf8'));
  await addTrustAnchor(own, { trustDomain });
  await rotateIssuer(own, { trustDomain });
  expect(dropOldAnchors(own)).toHaveLength(1);
  expect(readAnchors(pkiFiles(own)).map((a) => a.subject.split(' ')[0])).toEqual([
    `CN=root.${trustDomain}`,
    'CN=root.partner.local',
  ]);
});

test('bad input: keys that do not fit or can be read by all change nothing, and the old issuer signs on', async () => {
  const path = folder();
  const { controller, address, logs } = await controllerIn(path, { registry });
  const files = pkiFiles(join(path, 'pki'));
  const good = readFileSync(files.certificateFile, 'utf8');
  const issuer = controller.authority.issuing.chain[0]?.serialNumber;
  writeFileSync(files.certificateFile, good.slice(0, 200));
  await eventually(() => logs.some((line) => line.includes('the issuer in use stays')));
  expect(controller.authority.issuing.chain[0]?.serialNumber).toBe(issuer);
  tokenFor(path, 'cart');
  const { client } = clientIn(path, 'cart', [address]);
  await client.start(10_000);
  expect(client.identity).toBeDefined();
  writeFileSync(files.certificateFile, good);
  await rotateIssuer(join(path, 'pki'), { trustDomain });
  await eventually(() => controller.authority.issuing.chain[0]?.serialNumber !== issuer);
  await addTrustAnchor(join(path, 'pki'), { trustDomain });
  expect(dropOldAnchors(join(path, 'pki'))).toHaveLength(1);
});

test('C7, D14: proxies fail over, and one that starts while no replica is there serves by its cache', async () => {
  const path = folder();
  const first = await controllerIn(path, { registry, replica: 'a' });
  const second = await controllerIn(path, { replica: 'b' });
  tokenFor(path, 'cart');
  const cacheFolder = join(path, 'cache');
  const addresses = [first.address, second.address];
  const proxy = clientIn(path, 'cart', addresses, { cacheFolder });
  await proxy.client.start(10_000);
  const other = proxy.client.stats.address === first.address ? second : first;
  await (other === first ? second : first).controller.stop();
  await eventually(
    () => proxy.client.stats.connected && proxy.client.stats.address === other.address,
  );
  proxy.client.stop();
  await other.controller.stop();
  // An hour later, in a new process: the state is as old as the cache.
  const hourAgo = Date.now() / 1000 - 3600;
  utimesSync(join(cacheFolder, 'stream-state.json'), hourAgo, hourAgo);
  const again = clientIn(path, 'cart', addresses, { cacheFolder });
  await again.client.start(10_000);
  expect(again.states.at(-1)?.destinations.map((d) => d.name)).toEqual(['cart.retail']);
  expect(again.identities).toHaveLength(1);
  expect(again.client.stats.connected).toBe(false);
  expect(again.client.staleSeconds()).toBeGreaterThan(3590);
});

test('bad input: a trust domain that no certificate could bear is refused before a key is made', () => {
  for (const bad of [
    'a_b',
    'Retail.local',
    '.retail',
    'retail.',
    'a..b',
    'a b',
    '',
    '-a',
    'ä.local',
    `${'a'.repeat(64)}.local`,
    `${'a.'.repeat(75)}local`,
    'spiffe://a',
  ])
    expect(() => readTrustDomain(bad), bad).toThrow(/--trust-domain .*; expected a domain name/);
  for (const good of ['a', 'cluster.local', '1.2', 'x-y.example.org', 'a.'.repeat(74) + 'ab'])
    expect(readTrustDomain(good)).toBe(good);
  const path = join(folder(), 'pki');
  const end = spawnSync(
    process.execPath,
    [program('cli'), 'identity', 'init', '--folder', path, '--trust-domain', 'a_b'],
    { encoding: 'utf8' },
  );
  expect([end.status, end.stderr, existsSync(path)]).toEqual([
    2,
    expect.stringContaining('--trust-domain "a_b"'),
    false,
  ]);
});
