/** A client without a certificate, or with a worthless one, gains nothing at the control port. */
import { cpSync, readFileSync } from 'node:fs';
import http2 from 'node:http2';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { frameMessage, MessageSplitter } from '../../../mesh/controller/api/framing.js';
import {
  certifyPath,
  encodeProxyMessage,
  streamPath,
} from '../../../mesh/controller/api/messages.js';
import { requestCertificate } from '../../../mesh/controller/client/certify.js';
import { controllerIdentity } from '../../../mesh/controller/controller.js';
import { generateWorkloadKey, splitPem } from '../../../mesh/identity/csr.js';
import { issueToFiles } from '../../../mesh/identity/issue.js';
import { identityName } from '../../../mesh/identity/names.js';
import { addTrustAnchor, dropOldAnchors, rotateIssuer } from '../../../mesh/identity/pki-files.js';
import { atEnd, controllerIn, eventually, folder, registryOf, trustDomain } from './bench-mesh.js';

const registry = registryOf({ cart: ['10.0.0.1:1'] });
const cart = identityName({ serviceAccount: 'cart', namespace: 'retail', trustDomain });

function stranger(address: string, credentials: { cert?: string; key?: string } = {}) {
  const session = http2.connect(`https://${address}`, {
    rejectUnauthorized: false,
    ...credentials,
  });
  session.on('error', () => undefined);
  atEnd(() => session.destroy());
  return session;
}

/** Opens a call; resolves to its end, and to the number of `chunks` that could be sent before. */
function flood(
  session: http2.ClientHttp2Session,
  path: string,
  chunks: { first: Buffer; more: Buffer; count: number },
): Promise<{ status: string; sent: number }> {
  const stream = session.request({
    ':method': 'POST',
    ':path': path,
    'content-type': 'application/grpc',
  });
  let status = '';
  let sent = 0;
  stream.on('response', (headers) => {
    status = String(headers['grpc-status'] ?? '');
  });
  stream.on('trailers', (trailers) => {
    status = String(trailers['grpc-status'] ?? '');
  });
  stream.on('error', () => undefined);
  stream.resume();
  return new Promise((resolve) => {
    stream.on('close', () => resolve({ status, sent }));
    const more = (): void => {
      while (!stream.destroyed && sent < chunks.count) {
        sent++;
        if (!stream.write(chunks.more)) return void stream.once('drain', more);
      }
    };
    stream.write(chunks.first, more);
  });
}

test.each([
  ['a certificate request that is "compressed"', certifyPath, Buffer.from([1, 1, 1, 1, 1]), '3'],
  ['a length beyond the limit', certifyPath, Buffer.from([0, 0x7f, 0xff, 0xff, 0xff]), '3'],
  [
    'a second message',
    certifyPath,
    Buffer.concat([frameMessage(Buffer.alloc(9)), frameMessage(Buffer.alloc(9))]),
    '3',
  ],
  ['a stream without a certificate', streamPath, Buffer.from([0, 0, 1, 0, 0]), '16'],
  ['an unknown method', '/firedrill.Nothing/Here', Buffer.alloc(5), '12'],
])('nothing is kept after a refusal: %s', async (_, path, first, expected) => {
  const { address } = await controllerIn(folder(), { registry });
  // 64 MB in all, if the server read them.
  const more = Buffer.alloc(64 * 1024, 1);
  const { status, sent } = await flood(stranger(address), path, { first, more, count: 1000 });
  expect(status).toBe(expected);
  expect(sent).toBeLessThan(20);
});

test('a splitter that has refused keeps nothing and goes on refusing', () => {
  const splitter = new MessageSplitter(100);
  expect(() => splitter.push(Buffer.from([1, 0, 0, 0, 0]))).toThrow(/compressed/);
  expect(() => splitter.push(Buffer.alloc(1000))).toThrow(/compressed/);
  expect(splitter.pendingBytes).toBe(0);
});

test('a leaf of an issuer whose anchor was dropped buys nothing, and its streams end', async () => {
  const path = folder();
  const { controller, address } = await controllerIn(path, { registry });
  // Stolen: the issuer's key before the rotation.
  cpSync(join(path, 'pki'), join(path, 'stolen'), { recursive: true });
  const forge = async (out: string): Promise<{ cert: string; key: string }> => {
    await issueToFiles({
      folder: join(path, 'stolen'),
      identity: cart,
      out: join(path, out),
      lifetimeMs: 3_600_000,
    });
    const read = (end: string): string => readFileSync(join(path, `${out}.${end}`), 'utf8');
    return { cert: read('crt'), key: read('key') };
  };
  const early = await forge('early');
  // Connected while the anchor was still trusted.
  const held = stranger(address, early);
  const hello = {
    protocol: 1,
    workload: 'cart',
    namespace: 'retail',
    labels: {},
    subscribe: [],
    known: [],
    proxyVersion: 'x',
    timeMs: 0,
  };
  const call = (): { status: Promise<unknown>; stream: http2.ClientHttp2Stream } => {
    const stream = held.request({
      ':method': 'POST',
      ':path': streamPath,
      'content-type': 'application/grpc',
    });
    stream.on('error', () => undefined);
    const status = new Promise((resolve) => {
      for (const event of ['response', 'trailers']) {
        stream.on(event, (headers: http2.IncomingHttpHeaders) => {
          if (headers['grpc-status'] !== undefined) resolve(headers['grpc-status']);
        });
      }
    });
    stream.resume();
    stream.write(frameMessage(encodeProxyMessage({ kind: 'hello', hello })));
    return { status, stream };
  };
  const before = call();
  await eventually(() => controller.sessions.size === 1);
  const pki = join(path, 'pki');
  const anchors = (): number => controller.authority.issuing.anchors.length;
  const issuer = controller.authority.issuing.chain[0]?.serialNumber;
  await addTrustAnchor(pki, { trustDomain });
  await eventually(() => anchors() === 2);
  await rotateIssuer(pki, { trustDomain });
  await eventually(() => controller.authority.issuing.chain[0]?.serialNumber !== issuer);
  expect(controller.sessions.size).toBe(1);
  dropOldAnchors(pki);
  expect(await before.status).toBe('16');
  const forged = await forge('late');
  const renewal = requestCertificate({
    address,
    controllerIdentity: controllerIdentity(trustDomain),
    identity: cart,
    key: generateWorkloadKey(),
    token: '',
    credentials: {
      anchors: splitPem(readFileSync(join(pki, 'trust-anchor.crt'), 'utf8')),
      chain: forged.cert,
      key: forged.key,
    },
  });
  await expect(renewal).rejects.toThrow(/of no issuer of this authority/);
  // The connection was verified with the old bundle, and is now verified again.
  expect(await call().status).toBe('16');
  expect(controller.authority.issued.renewal).toBe(0);
});
