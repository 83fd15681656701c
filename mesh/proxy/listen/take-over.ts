/** Turns sockets into wires, and wires back into sockets. */
import type { Socket } from 'node:net';
import { HandleWire } from './handle-wire.js';
import { handleOf } from './stream-handle.js';
import { StreamWire } from './stream-wire.js';
import type { Wire, WireUser } from './wire.js';

/** Turns a wire back into a socket, for code that wraps it: `first` holds the bytes that were read already. */
export function letGo(wire: Wire, first: Buffer): Socket {
  wire['release']();
  const { socket } = wire;
  socket.removeAllListeners('error');
  socket.removeAllListeners('close');
  socket.on('error', () => undefined);
  socket.unshift(first);
  return socket;
}

/** Takes over an accepted or connected socket that is not being read; reading begins with resume(). */
export function takeOver(socket: Socket, user: WireUser): Wire {
  const handle = handleOf(socket);
  const wire = handle ? new HandleWire(socket, handle, user) : new StreamWire(socket, user);
  socket.on('error', (error: NodeJS.ErrnoException) => wire['lost'](error.code ?? error.message));
  socket.on('close', () => wire['lost'](undefined));
  const { _tlsOptions: offer } = socket as Socket & { _tlsOptions?: { ALPNProtocols?: unknown } };
  // The runtime's copy of a few bytes, of no use after the handshake, keeps a whole pool of buffers (8 kB) in memory.
  if (offer) offer.ALPNProtocols = undefined;
  return wire;
}
