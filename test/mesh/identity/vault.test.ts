/** C2: issuers whose keys stay in Vault, against a stand-in with Vault's paths and real keys. */
import { writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { beforeEach, expect, test } from 'vitest';
import { realClock, SimulatedClock } from '../../../base/clock.js';
import { controllerConfig } from '../../../mesh/controller/config.js';
import { startController } from '../../../mesh/controller/controller.js';
import { createCsr, generateWorkloadKey } from '../../../mesh/identity/csr.js';
import { isSignedBy, type Issuing } from '../../../mesh/identity/issuing.js';
import { identityName } from '../../../mesh/identity/names.js';
import { createVaultStore } from '../../../mesh/identity/vault.js';
import { VaultApi } from '../../../mesh/identity/vault-api.js';
import { PublishedIssuerStore } from '../../../mesh/kubernetes/published-issuer.js';
import { dnsNames } from '../../../mesh/identity/x509.js';
import {
  atEnd,
  clientIn,
  eventually,
  folder,
  tokenFor,
  trustDomain,
} from '../controller/bench-mesh.js';
import { makeCa, VaultStandIn } from './vault-server.js';

let vault: VaultStandIn;
let path: string;
beforeEach(async () => {
  vault = await VaultStandIn.start();
  atEnd(() => vault.stop());
  path = folder();
  writeFileSync(join(path, 'vault.token'), `${vault.token}\n`);
});

const pki = () =>
  ({
    kind: 'vault-pki',
    address: vault.address,
    mount: 'pki',
    role: 'mesh',
    tokenFile: join(path, 'vault.token'),
  }) as const;

const transit = () =>
  ({
    kind: 'vault-transit',
    address: vault.address,
    mount: 'transit',
    key: 'mesh',
    tokenFile: join(path, 'vault.token'),
    trustAnchorsFile: join(path, 'anchors.crt'),
    certificateFile: join(path, 'issuer.crt'),
  }) as const;

const name = { serviceAccount: 'cart', namespace: 'retail', trustDomain };

function leaf(issuing: Issuing) {
  const key = generateWorkloadKey();
  return issuing.issue({
    csr: createCsr(key, identityName(name)),
    publicKeyDer: key.publicKey.export({ type: 'spki', format: 'der' }),
    name,
    notBeforeMs: Date.now() - 10_000,
    notAfterMs: Date.now() + 3_600_000,
  });
}

test('C2: Vault builds the certificate, and a role that changes the name is not believed', async () => {
  const store = createVaultStore(pki(), new SimulatedClock(Date.now()));
  const issuing = await store.start(
    () => undefined,
    () => undefined,
  );
  expect(issuing.anchors.map((a) => a.fingerprint256)).toEqual([
    vault.root.certificate.fingerprint256,
  ]);
  const made = await leaf(issuing);
  expect(dnsNames(made)).toEqual([identityName(name)]);
  expect(isSignedBy(made, vault.issuer.certificate)).toBe(true);
  vault.overrideName = 'payment.retail.serviceaccount.identity.test.local';
  await expect(leaf(issuing)).rejects.toThrow(/without the name cart\.retail/);
  vault.overrideName = identityName(name);
  vault.addedName = 'payment.retail.serviceaccount.identity.test.local';
  await expect(leaf(issuing)).rejects.toThrow(/for more than the name cart\.retail/);
  await store.stop();
});

test('C2: a transit key signs, a new version with its certificate is taken over', async () => {
  const first = await vault.addVersion();
  writeFileSync(join(path, 'anchors.crt'), vault.root.certificate.toString());
  writeFileSync(join(path, 'issuer.crt'), first.toString());
  const clock = new SimulatedClock(Date.now());
  const changes: Issuing[] = [];
  const problems: string[] = [];
  const store = createVaultStore(transit(), clock, { pollMs: 1000 });
  const issuing = await store.start(
    (next) => changes.push(next),
    (message) => problems.push(message),
  );
  expect(isSignedBy(await leaf(issuing), first)).toBe(true);
  const second = await vault.addVersion();
  writeFileSync(join(path, 'issuer.crt'), second.toString());
  clock.advance(1000);
  await eventually(() => changes.length === 1);
  expect(isSignedBy(await leaf(changes[0] as Issuing), second)).toBe(true);
  // A certificate that belongs to no version of the key changes nothing.
  writeFileSync(
    join(path, 'issuer.crt'),
    (await makeCa('stranger', vault.root)).certificate.toString(),
  );
  clock.advance(1000);
  await eventually(() => problems.some((p) => p.includes('no version of transit/keys/mesh')));
  expect(changes).toHaveLength(1);
  await store.stop();
});

test('bad input: a sealed Vault, a wrong token, plain http beyond loopback: said, and no token shown', async () => {
  const start = (config = pki()): Promise<Issuing> =>
    createVaultStore(config, new SimulatedClock(Date.now())).start(
      () => undefined,
      () => undefined,
    );
  vault.sealed = true;
  await expect(start()).rejects.toThrow(/Vault is sealed/);
  vault.sealed = false;
  const issuing = await start();
  writeFileSync(join(path, 'vault.token'), 's.wrong');
  const refused = await leaf(issuing).catch((error: Error) => error.message);
  expect(refused).toMatch(/pki\/sign\/mesh: 403 permission denied/);
  expect(refused).not.toMatch(/s\.wrong/);
  expect(() =>
    createVaultStore({ ...pki(), address: 'http://vault.example:8200' }, new SimulatedClock()),
  ).toThrow(/https is needed/);
});

const login = () => {
  const { tokenFile: _file, ...rest } = pki();
  const jwtFile = join(path, 'jwt');
  writeFileSync(jwtFile, 'jwt.right\n');
  return { ...rest, login: { mount: 'kubernetes', role: 'mesh', jwtFile } };
};
const logins = (): number => vault.calls.filter((c) => c === 'POST auth/kubernetes/login').length;
const startStore = (config: ReturnType<typeof login>, clock: SimulatedClock): Promise<Issuing> =>
  createVaultStore(config, clock).start(
    () => undefined,
    () => undefined,
  );

test('a Vault that answers a byte at a time, without end, is given up', async () => {
  let bytes = 0;
  const slow = createServer((socket) => {
    socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n');
    const timer = setInterval(() => bytes++ >= 0 && socket.write('1\r\nx\r\n'), 5);
    socket.on('error', () => undefined).on('close', () => clearInterval(timer));
  });
  await new Promise<void>((resolve) => slow.listen(0, '127.0.0.1', resolve));
  const address = `http://127.0.0.1:${(slow.address() as AddressInfo).port}`;
  const tokenFile = join(path, 'vault.token');
  const asked = new VaultApi({ address, tokenFile }, realClock, 300).text('pki/ca_chain');
  await expect(asked).rejects.toThrow('no answer in 300 ms');
  expect(bytes).toBeGreaterThan(3);
  await new Promise((resolve) => slow.close(resolve));
});

test('C2: a pod logs in with its service account, again at 2/3 of the life and when revoked', async () => {
  const clock = new SimulatedClock(Date.now());
  const issuing = await startStore(login(), clock);
  await leaf(issuing);
  await leaf(issuing);
  expect(logins()).toBe(1);
  clock.advance(2_399_000);
  await leaf(issuing);
  expect(logins()).toBe(1);
  clock.advance(2000);
  await leaf(issuing);
  expect(logins()).toBe(2);
  vault.token = 's.other';
  await leaf(issuing);
  expect(logins()).toBe(3);
});

test('bad input: a login that Vault refuses is told without the token, and not repeated for ever', async () => {
  const config = login();
  const role = { ...config, login: { ...config.login, role: 'none' } };
  await expect(startStore(role, new SimulatedClock())).rejects.toThrow(
    /auth\/kubernetes\/login: 400 invalid role name "none"/,
  );
  writeFileSync(config.login.jwtFile, 'jwt.wrong');
  const before = logins();
  const refused = await startStore(config, new SimulatedClock()).catch((e: Error) => e.message);
  expect(refused).toMatch(/403 permission denied/);
  expect(refused).not.toMatch(/jwt\.wrong/);
  expect(logins() - before).toBe(1);
  const absent = { ...config, login: { ...config.login, jwtFile: join(path, 'none') } };
  await expect(startStore(absent, new SimulatedClock())).rejects.toThrow(/ENOENT/);
});

test.each([
  [{ tokenFile: undefined }, /either tokenFile or login/],
  [{ login: { role: 'mesh' } }, /either tokenFile or login/],
])('bad input: %j beside Vault', (change, message) => {
  const issuer = { ...pki(), ...change } as ReturnType<typeof pki>;
  expect(() => controllerConfig({ trustDomain, identity: { issuer } })).toThrow(message);
});

test("an installation's values choose between its own issuer and Vault", () => {
  const own = { kind: 'files' as const, folder: 'pki' };
  const connection = { address: 'https://vault:8200', mount: 'pki', role: 'mesh' };
  const kindWith = (vault: object): string =>
    controllerConfig({ trustDomain, identity: { issuer: own, vault: vault as never } }).identity
      .issuer.kind;
  expect(kindWith({ enabled: false, address: '' })).toBe('files');
  expect(kindWith({ enabled: true, ...connection, login: { role: 'mesh' } })).toBe('vault-pki');
  expect(() => kindWith({ enabled: true, ...connection, address: '' })).toThrow();
});

test('the anchors of any issuer are published at its start and at each change', async () => {
  const clock = new SimulatedClock(Date.now());
  const written: unknown[] = [];
  let fails = false;
  const api = {
    patch: (_kind: unknown, namespace: unknown, name: unknown, body: unknown) => {
      if (fails) return Promise.reject(new Error('the API server is away'));
      written.push([namespace, name, (body as { data: { 'ca.crt': string } }).data['ca.crt']]);
      return Promise.resolve({});
    },
  };
  const store = createVaultStore(pki(), clock, { pollMs: 1000 });
  const at = { namespace: 'firedrill', configMap: 'anchors' };
  const published = new PublishedIssuerStore(store, api as never, at);
  const problems: string[] = [];
  const changes: Issuing[] = [];
  await published.start(
    (issuing) => changes.push(issuing),
    (message) => problems.push(message),
  );
  const root = vault.root.certificate.toString();
  expect(written).toEqual([['firedrill', 'anchors', root]]);
  vault.issuer = await makeCa('vault issuer 2', vault.root);
  fails = true;
  clock.advance(1000);
  await eventually(() => problems.length > 0);
  expect(problems).toEqual(['the API server is away']);
  expect(changes).toHaveLength(1);
  fails = false;
  await published.stop();
});

test('C2: a controller with its issuer in Vault: proxies join, and a sealed Vault is a reason', async () => {
  const controller = await startController(
    controllerConfig({
      trustDomain,
      identity: { issuer: pki(), joinTokens: { folder: join(path, 'tokens') } },
    }),
  );
  atEnd(() => controller.stop());
  tokenFor(path, 'cart');
  const anchors = () => [vault.root.certificate.toString()];
  const address = `127.0.0.1:${controller.grpcPort}`;
  const joined = clientIn(path, 'cart', [address], { anchors });
  await joined.client.start(10_000);
  expect(joined.identities.length).toBeGreaterThan(0);
  vault.sealed = true;
  tokenFor(path, 'pay');
  const late = clientIn(path, 'pay', [address], { anchors });
  void late.client.start(10_000);
  await eventually(() => (controller.authority.refused.get('issuer-unavailable') ?? 0) > 0);
  expect(controller.events.recent.some((e) => e.message?.includes('sealed'))).toBe(true);
  // Its token is still valid for its key: it joins when Vault is back.
  vault.sealed = false;
  await eventually(() => late.identities.length > 0);
});

test("C2: a renewal of the controller's own certificate that Vault refused is tried again", async () => {
  const clock = new SimulatedClock(Date.now());
  const logs: string[] = [];
  const controller = await startController(
    controllerConfig({ trustDomain, identity: { issuer: pki() } }),
    { clock, log: (line) => logs.push(line) },
  );
  atEnd(() => controller.stop());
  const signed = (): number => vault.calls.filter((call) => call === 'POST pki/sign/mesh').length;
  expect(signed()).toBe(1);
  vault.sealed = true;
  // The certificate is valid for a day.
  clock.advance(16 * 3_600_000);
  await eventually(() => logs.some((line) => line.includes("the controller's own certificate")));
  expect(signed()).toBe(2);
  vault.sealed = false;
  clock.advance(30_000);
  await eventually(() => signed() === 3);
});
