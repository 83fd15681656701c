/** A connection that was taken over holds nothing of its handshake. */
import { readFileSync } from 'node:fs';
import type { AddressInfo, Socket } from 'node:net';
import { connect, createServer, type TLSSocket } from 'node:tls';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { takeOver } from '../../../mesh/proxy/listen/take-over.js';
import { type Pki, pki } from './rig.js';

let keys: Pki;
beforeAll(async () => {
  keys = await pki();
});
afterAll(() => keys.remove());

/** The runtime's own copy; a name that Node no longer has would make the test pass by itself. */
const offerOf = (socket: Socket): unknown =>
  (socket as Socket & { _tlsOptions: { ALPNProtocols?: unknown } })._tlsOptions.ALPNProtocols;

test('the offered protocols, which keep a pool of buffers in memory, go with the handshake', async () => {
  const { certificateFile = '', keyFile = '' } = await keys.issue('cart');
  const server = createServer({
    cert: readFileSync(certificateFile),
    key: readFileSync(keyFile),
    ALPNProtocols: ['h2'],
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const accepted = new Promise<TLSSocket>((resolve) => server.once('secureConnection', resolve));
  const { port } = server.address() as AddressInfo;
  const client = connect({
    port,
    host: '127.0.0.1',
    rejectUnauthorized: false,
    ALPNProtocols: ['h2'],
  });
  const secured = new Promise((resolve) => client.once('secureConnect', resolve));
  const sockets = [await accepted, client];
  await secured;
  for (const socket of sockets) {
    expect(offerOf(socket)).toHaveLength(3);
    const unheard = (): void => undefined;
    const user = { onBytes: unheard, onEnd: unheard, onDrain: unheard, onClose: unheard };
    const wire = takeOver(socket, user);
    expect(offerOf(socket)).toBeUndefined();
    expect(socket.alpnProtocol).toBe('h2');
    wire.destroy();
  }
  server.close();
});
