/** Mutual TLS between two proxies: admission, counts of failures, and certificates that change during traffic. */
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import { afterAll, beforeAll, beforeEach, afterEach, expect, test } from 'vitest';
import { SimulatedClock } from '../../../base/clock.js';
import { generateWorkloadKey } from '../../../mesh/identity/csr.js';
import { readCertificates, readSigner } from '../../../mesh/identity/issuing.js';
import {
  addTrustAnchor,
  dropOldAnchors,
  pkiFiles,
  rotateIssuer,
} from '../../../mesh/identity/pki-files.js';
import { createCertificate } from '../../../mesh/identity/x509.js';
import type { ProxyConfig } from '../../../mesh/model.js';
import {
  destination,
  httpServer,
  type Pki,
  pki,
  type Running,
  say,
  server,
  startProxy,
  state,
  type TestProxy,
  until,
} from './rig.js';

let keys: Pki;
let strangers: Pki;
let app: Running;
const running: TestProxy[] = [];

beforeAll(async () => {
  [keys, strangers] = await Promise.all([pki(), pki()]);
  app = await httpServer((request, response) => {
    response.end(JSON.stringify(request.headers));
  });
});

afterAll(async () => {
  await app.close();
  keys.remove();
  strangers.remove();
});

beforeEach(() => {
  running.length = 0;
});

afterEach(async () => {
  for (const proxy of running) await proxy.stop();
});

type Identity = NonNullable<ProxyConfig['identity']>;

async function start(parts: Parameters<typeof startProxy>[0]): Promise<TestProxy> {
  const proxy = await startProxy(parts);
  running.push(proxy);
  return proxy;
}

/** The client's proxy and the server's, and a function that sends a request through both. */
async function pair(
  client: Identity | undefined,
  serverIdentity: Identity,
  more: { expects?: string; policy?: Parameters<typeof server>[2] } = {},
): Promise<{ inside: TestProxy; outside: TestProxy; ask(): Promise<string> }> {
  const inside = await start({
    sides: ['inbound'],
    identity: serverIdentity,
    state: state({ servers: [server(1, `127.0.0.1:${app.port}`, more.policy)] }),
  });
  const to = {
    address: `127.0.0.1:${inside.inbound}`,
    identity: more.expects ?? keys.identityOf('cart'),
  };
  const outside = await start({
    ...(client && { identity: client }),
    state: state({ destinations: [destination('cart', [to])] }),
  });
  const ask = (): Promise<string> =>
    say(outside.outbound, 'GET / HTTP/1.1\r\nHost: cart\r\nConnection: close\r\n\r\n');
  return { inside, outside, ask };
}

async function failures(proxy: TestProxy): Promise<string[]> {
  const text = await (await fetch(`http://127.0.0.1:${proxy.admin}/metrics`)).text();
  return text
    .split('\n')
    .filter((line) => line.startsWith('tls_handshake_failures_total') && !line.endsWith(' 0'))
    .map((line) => /reason="([^"]+)"/.exec(line)?.[1] ?? '');
}

test('two proxies of one mesh know each other, and the app is told who calls', async () => {
  const { ask } = await pair(await keys.issue('checkout'), await keys.issue('cart'), {
    policy: {
      defaultPolicy: 'deny',
      authorizations: [
        { name: 'checkout', identities: [keys.identityOf('checkout')], unauthenticated: false },
      ],
    },
  });
  const text = await ask();
  expect(text).toMatch(/^HTTP\/1\.1 200 /);
  expect(text).toContain(`"l5d-client-id":"${keys.identityOf('checkout')}"`);
  // The second connection resumes the first one's session.
  expect(await ask()).toMatch(/^HTTP\/1\.1 200 /);
});

test('a client on no list gets no answer', async () => {
  const { ask } = await pair(await keys.issue('stranger'), await keys.issue('cart'), {
    policy: {
      defaultPolicy: 'deny',
      authorizations: [
        { name: 'checkout', identities: [keys.identityOf('checkout')], unauthenticated: false },
      ],
    },
  });
  expect(await ask()).toMatch(/^HTTP\/1\.1 (403|502|503) /);
});

test("a server's certificate for another name is refused by its client", async () => {
  const { ask, outside } = await pair(await keys.issue('checkout'), await keys.issue('catalog'));
  expect(await ask()).toMatch(/^HTTP\/1\.1 50\d [^]*name-mismatch/);
  expect(await failures(outside)).toContain('name-mismatch');
});

test("a server's certificate from another mesh is refused by its client", async () => {
  const { ask, outside } = await pair(await keys.issue('checkout'), await strangers.issue('cart'));
  expect(await ask()).toMatch(/^HTTP\/1\.1 50\d [^]*unknown-issuer/);
  expect(await failures(outside)).toContain('unknown-issuer');
});

test("a client's certificate from another mesh is refused by the server", async () => {
  const client = await strangers.issue('checkout');
  // The client trusts the server, so the server is the side that refuses.
  const trusting = { ...client, trustAnchorsFile: (await keys.issue('x')).trustAnchorsFile };
  const { ask, inside } = await pair(trusting, await keys.issue('cart'));
  expect(await ask()).toMatch(/^HTTP\/1\.1 50\d /);
  expect(await failures(inside)).toContain('unknown-issuer');
});

test('expired and not yet valid certificates are refused and counted as such', async () => {
  const short = await keys.issue('short', 1);
  const { ask, inside } = await pair(short, await keys.issue('cart'));
  await new Promise((resolve) => setTimeout(resolve, 1100));
  expect(await ask()).toMatch(/^HTTP\/1\.1 50\d /);
  expect(await failures(inside)).toContain('expired');
  const other = await pair(await keys.issue('checkout'), await keys.issue('cart', 1));
  await new Promise((resolve) => setTimeout(resolve, 1100));
  expect(await other.ask()).toMatch(/^HTTP\/1\.1 50\d [^]*expired/);
  expect(await failures(other.outside)).toContain('expired');
});

test('no request goes out on a connection whose certificates have run out', async () => {
  const { ask, inside } = await pair(await keys.issue('brief', 4000), await keys.issue('cart'));
  expect(await ask()).toMatch(/^HTTP\/1\.1 200 /);
  await new Promise((resolve) => setTimeout(resolve, 4200));
  expect(await ask()).toMatch(/^HTTP\/1\.1 50\d /);
  expect(await failures(inside)).toContain('expired');
});

test('a client without a certificate, and one of TLS 1.2, are refused', async () => {
  const { inside } = await pair(await keys.issue('checkout'), await keys.issue('cart'));
  const dial = (options: object): Promise<string> =>
    new Promise((resolve) => {
      const socket = connectTls({
        port: inside.inbound,
        host: '127.0.0.1',
        rejectUnauthorized: false,
        ...options,
      });
      socket.on('secureConnect', () => socket.write('GET / HTTP/1.1\r\nHost: cart\r\n\r\n'));
      socket.on('data', () => resolve('answered'));
      socket.on('error', () => resolve('refused'));
      socket.on('close', () => resolve('refused'));
    });
  expect(await dial({})).toBe('refused');
  expect(await failures(inside)).toContain('no-client-certificate');
  expect(await dial({ maxVersion: 'TLSv1.2' })).toBe('refused');
  expect(await failures(inside)).toContain('protocol');
});

test('plaintext is let in where the policy says so, without an identity', async () => {
  const { inside } = await pair(await keys.issue('checkout'), await keys.issue('cart'));
  const text = await say(
    inside.inbound,
    'GET / HTTP/1.1\r\nHost: cart\r\nl5d-client-id: root\r\nConnection: close\r\n\r\n',
  );
  expect(text).toMatch(/^HTTP\/1\.1 200 /);
  expect(text).not.toContain('l5d-client-id');
});

test('certificates, issuer and anchor are replaced under load without a failed request', async () => {
  const own = await pki();
  const folder = join(own.folder, 'pki');
  const anchorsFile = join(own.folder, 'anchors.crt');
  const useAnchors = (): void => copyFileSync(join(folder, 'trust-anchor.crt'), anchorsFile);
  useAnchors();
  const identity = async (name: string): Promise<Identity> => ({
    ...(await own.issue(name)),
    trustAnchorsFile: anchorsFile,
  });
  const { inside, outside } = await pair(await identity('checkout'), await identity('cart'), {
    expects: own.identityOf('cart'),
  });
  // The same address under two names in turn: each change of endpoints closes pools, so handshakes happen all the time.
  let turns = 0;
  const turn = setInterval(() => {
    const address = `${turns++ % 2 ? 'localhost' : '127.0.0.1'}:${inside.inbound}`;
    const endpoint = { address, identity: own.identityOf('cart') };
    outside.proxy.apply(state({ destinations: [destination('cart', [endpoint])] }), 'file');
  }, 50);
  const load = { stops: false };
  let good = 0;
  const bad: string[] = [];
  const clients = Array.from({ length: 8 }, async () => {
    while (!load.stops) {
      const text = await say(
        outside.outbound,
        'GET / HTTP/1.1\r\nHost: cart\r\nConnection: close\r\n\r\n',
      );
      if (text.startsWith('HTTP/1.1 200 ')) good++;
      else bad.push(text);
    }
  });
  const generation = (p: TestProxy): number => p.proxy.identity.generation;
  const taken = async (change: () => Promise<unknown> | void): Promise<void> => {
    const before = [generation(inside), generation(outside)];
    await change();
    await until(() => [inside, outside].every((p, i) => generation(p) > (before[i] as number)));
    const seen = good;
    await until(() => good > seen + 25 || bad.length > 0);
  };
  const reissue = async (): Promise<void> => {
    await own.issue('checkout');
    await own.issue('cart');
  };
  const options = { trustDomain: 'test.local' };
  try {
    await taken(reissue);
    // The rotation: trust both anchors, sign by the new one, drop the old one.
    await addTrustAnchor(folder, options);
    await taken(useAnchors);
    await rotateIssuer(folder, options);
    await taken(reissue);
    dropOldAnchors(folder);
    await taken(useAnchors);
  } finally {
    load.stops = true;
    clearInterval(turn);
    await Promise.all(clients);
    own.remove();
  }
  expect(bad).toEqual([]);
  expect(good).toBeGreaterThan(90);
  const handshakes = /^tls_handshakes_total\{[^}]*direction="outbound"[^}]*\} (\d+)/m;
  const metrics = await (await fetch(`http://127.0.0.1:${outside.admin}/metrics`)).text();
  expect(Number(handshakes.exec(metrics)?.[1])).toBeGreaterThan(8);
});

/** Files of a certificate that this mesh's own issuer has signed, with these names. */
async function signed(
  name: string,
  names: { dnsNames?: string[]; uris?: string[]; ca?: object },
): Promise<Identity> {
  const pkiFolder = pkiFiles(join(keys.folder, 'pki'));
  const signer = readSigner(readFileSync(pkiFolder.keyFile, 'utf8'), 'issuer');
  const [issuer] = readCertificates(readFileSync(pkiFolder.certificateFile, 'utf8'), 'issuer');
  const key = generateWorkloadKey();
  const leaf = await createCertificate(
    {
      publicKeyDer: key.publicKey.export({ type: 'spki', format: 'der' }),
      commonName: name,
      notBeforeMs: Date.now() - 1000,
      notAfterMs: Date.now() + 3_600_000,
      issuer: issuer!,
      ...names,
    },
    signer,
  );
  const out = join(keys.folder, name);
  writeFileSync(`${out}.crt`, leaf.toString() + readFileSync(pkiFolder.certificateFile, 'utf8'));
  writeFileSync(`${out}.key`, key.privateKey.export({ type: 'pkcs8', format: 'pem' }));
  return {
    name: keys.identityOf(name),
    trustAnchorsFile: pkiFolder.trustAnchorsFile,
    certificateFile: `${out}.crt`,
    keyFile: `${out}.key`,
  };
}

const cartName = 'cart.retail.serviceaccount.identity.test.local';
test.each<[string, string, { dnsNames?: string[]; uris?: string[]; ca?: object }, string?]>([
  ["an authority's certificate", 'refused', { dnsNames: [cartName], ca: {} }, 'authority'],
  ["a web server's name", 'refused', { dnsNames: ['www.test.local'] }],
  ['a wildcard', 'refused', { dnsNames: [`*.${cartName}`] }],
  ['an account without a namespace', 'refused', { dnsNames: [cartName.replace('.retail', '')] }],
  ['no name at all', 'refused', {}],
  ['a name inside a URI', 'refused', { uris: [`a:, DNS:${cartName}, b`] }],
  ['a second name', '200', { dnsNames: ['www.test.local', cartName] }],
])(
  'only a workload has an identity: %s is %s',
  async (_, expected, names, why = 'name-mismatch') => {
    const { inside } = await pair(await keys.issue('checkout'), await keys.issue('cart'), {
      policy: {
        defaultPolicy: 'all-authenticated',
        authorizations: [{ name: 'any', identities: ['*'], unauthenticated: false }],
      },
    });
    const identity = await signed('odd', names);
    const answer = await new Promise<string>((resolve) => {
      const socket = connectTls({
        port: inside.inbound,
        host: '127.0.0.1',
        rejectUnauthorized: false,
        cert: readFileSync(identity.certificateFile ?? ''),
        key: readFileSync(identity.keyFile ?? ''),
        ALPNProtocols: ['http/1.1'],
      });
      socket.on('secureConnect', () => socket.write('GET / HTTP/1.1\r\nHost: cart\r\n\r\n'));
      socket.on('data', (bytes: Buffer) => {
        resolve(bytes.toString().slice(9, 12));
        socket.destroy();
      });
      socket.on('error', () => resolve('refused'));
      socket.on('close', () => resolve('refused'));
    });
    expect(answer).toBe(expected);
    expect(await failures(inside)).toEqual(expected === 'refused' ? [why] : []);
  },
);

test.each<[string, (identity: Identity) => Promise<void>, string]>([
  [
    'trust anchors cut to nothing',
    (identity) => Promise.resolve(writeFileSync(identity.trustAnchorsFile, '')),
    'the trust anchors hold no certificate',
  ],
  [
    "another workload's certificate",
    async (identity) => {
      const other = await keys.issue('other');
      copyFileSync(other.certificateFile ?? '', identity.certificateFile ?? '');
      copyFileSync(other.keyFile ?? '', identity.keyFile ?? '');
    },
    `the certificate is for ${cartName.replace('cart', 'other')}, and not for ${cartName}`,
  ],
  [
    "an authority's certificate",
    async (identity) => {
      const authority = await signed('authority', { dnsNames: [cartName], ca: {} });
      copyFileSync(authority.certificateFile ?? '', identity.certificateFile ?? '');
      copyFileSync(authority.keyFile ?? '', identity.keyFile ?? '');
    },
    "the certificate is an authority's, and no workload's",
  ],
])(
  'files that no peer would accept are refused, at a start and while running: %s',
  async (_, spoil, why) => {
    const own = await keys.issue('cart');
    const identity = { ...own, trustAnchorsFile: join(keys.folder, 'anchors.crt') };
    copyFileSync(own.trustAnchorsFile, identity.trustAnchorsFile);
    const { ask, inside } = await pair(await keys.issue('checkout'), identity);
    await spoil(identity);
    await until(() => inside.logs.includes(`identity: ${why}; the certificate in use stays`));
    expect(await ask()).toMatch(/^HTTP\/1\.1 200 /);
    await expect(start({ identity })).rejects.toThrow(`identity: ${why}`);
  },
);

test('a handshake that ends by its time is counted once', async () => {
  const clock = new SimulatedClock(Date.now());
  const inside = await start({
    sides: ['inbound'],
    clock,
    identity: await keys.issue('cart'),
    state: state({ servers: [server(1, `127.0.0.1:${app.port}`)] }),
  });
  const asked = say(inside.inbound, '\x16\x03\x01', {});
  await until(async () => {
    clock.advance(1000);
    return (await failures(inside)).length > 0;
  });
  expect(await asked).toMatch(/<(end|reset)>$/);
  const text = await (await fetch(`http://127.0.0.1:${inside.admin}/metrics`)).text();
  expect(text.match(/^tls_handshake_failures_total.*/gm)).toEqual([
    'tls_handshake_failures_total{direction="inbound",reason="timeout"} 1',
  ]);
});

test('a session of a dropped trust anchor is not resumed', async () => {
  const own = await pki();
  const folder = join(own.folder, 'pki');
  const server1 = await own.issue('cart');
  const inside = await start({
    sides: ['inbound'],
    identity: server1,
    state: state({ servers: [server(1, `127.0.0.1:${app.port}`)] }),
  });
  const client = await own.issue('checkout');
  const dial = (session?: Buffer): Promise<{ answer: string; ticket?: Buffer }> =>
    new Promise((resolve) => {
      let ticket: Buffer | undefined;
      const socket = connectTls({
        port: inside.inbound,
        host: '127.0.0.1',
        rejectUnauthorized: false,
        cert: readFileSync(client.certificateFile ?? ''),
        key: readFileSync(client.keyFile ?? ''),
        ALPNProtocols: ['http/1.1'],
        ...(session && { session }),
      });
      socket.on('session', (bytes) => (ticket = bytes));
      socket.on('secureConnect', () => socket.write('GET / HTTP/1.1\r\nHost: cart\r\n\r\n'));
      socket.on('data', (bytes: Buffer) => {
        const answer = `${bytes.toString().slice(9, 12)} ${socket.isSessionReused()}`;
        resolve({ answer, ...(ticket && { ticket }) });
        socket.destroy();
      });
      socket.on('error', () => resolve({ answer: 'refused' }));
      socket.on('close', () => resolve({ answer: 'refused' }));
    });
  const first = await dial();
  expect(first.answer).toBe('200 false');
  expect((await dial(first.ticket)).answer).toBe('200 true');
  const options = { trustDomain: 'test.local' };
  await addTrustAnchor(folder, options);
  await rotateIssuer(folder, options);
  dropOldAnchors(folder);
  const before = inside.proxy.identity.generation;
  await own.issue('cart');
  await until(() => inside.proxy.identity.generation > before);
  expect((await dial(first.ticket)).answer).toBe('refused');
  own.remove();
});

test('a broken certificate file changes nothing', async () => {
  const identity = await keys.issue('broken');
  const { outside, inside } = await pair(await keys.issue('checkout'), identity, {
    expects: keys.identityOf('broken'),
  });
  const before = readFileSync(identity.certificateFile ?? '', 'utf8');
  writeFileSync(identity.certificateFile ?? '', before.slice(0, 300));
  await until(() => inside.logs.some((line) => line.includes('the certificate in use stays')));
  expect(
    await say(outside.outbound, 'GET / HTTP/1.1\r\nHost: cart\r\nConnection: close\r\n\r\n'),
  ).toMatch(/^HTTP\/1\.1 200 /);
});

test('the key exchange is post-quantum wherever the runtime has it', async () => {
  const inside = await start({
    sides: ['inbound'],
    identity: await keys.issue('cart'),
    state: state({ servers: [server(1, `127.0.0.1:${app.port}`)] }),
  });
  const socket = connectTls({ port: inside.inbound, host: '127.0.0.1', rejectUnauthorized: false });
  socket.on('error', () => undefined);
  await new Promise((resolve) => socket.once('secureConnect', resolve));
  const { name } = socket.getEphemeralKeyInfo() as { name?: string };
  socket.destroy();
  const [major = 0, minor = 0] = process.versions.openssl.split('.').map(Number);
  expect(name).toBe(major > 3 || (major === 3 && minor >= 5) ? 'X25519MLKEM768' : 'X25519');
});
