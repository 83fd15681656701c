/** The peer's certificate is read without taking it from OpenSSL: what is taken is never freed. */
import { readFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { connect, createServer, type TLSSocket } from 'node:tls';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { peerX509 } from '../../../mesh/proxy/tls/peer-certificate.js';
import { verifiedPeer } from '../../../mesh/proxy/tls/peer.js';
import { type Pki, pki } from './rig.js';

let keys: Pki;
beforeAll(async () => {
  keys = await pki();
});
afterAll(() => keys.remove());

test('reading the certificate of a peer leaves its issuer where it is', async () => {
  const { certificateFile = '', keyFile = '', trustAnchorsFile } = await keys.issue('cart');
  const [cert, key, ca] = [certificateFile, keyFile, trustAnchorsFile].map((f) => readFileSync(f));
  const both = { cert, key, ca, rejectUnauthorized: false };
  const server = createServer({ ...both, requestCert: true });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const accepted = async (): Promise<[TLSSocket, TLSSocket]> => {
    const socket = new Promise<TLSSocket>((resolve) => server.once('secureConnection', resolve));
    const client = connect({ ...both, port, host: '127.0.0.1' });
    return [await socket, client];
  };
  // Node 24.21 takes the issuer of a process's first connection.
  const first = await accepted();
  verifiedPeer(first[0], Date.now());
  for (const socket of first) socket.destroy();
  const [socket, client] = await accepted();
  const issuer = (): string | undefined =>
    (socket.getPeerCertificate(true).issuerCertificate as { serialNumber: string } | undefined)
      ?.serialNumber;
  const before = issuer();
  expect(before).toMatch(/^[0-9A-F]+$/);
  const identity = keys.identityOf('cart');
  expect(verifiedPeer(socket, Date.now())).toMatchObject({ identity });
  expect(peerX509(socket)?.subjectAltName).toContain(identity);
  expect(issuer()).toBe(before);
  client.destroy();
  socket.destroy();
  expect(peerX509(socket)).toBeUndefined();
  expect(verifiedPeer(socket, Date.now())).toBe('no-client-certificate');
  server.close();
});
