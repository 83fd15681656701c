/** Connections to endpoints: TCP, or TLS if the endpoint has an identity, which its certificate must prove. */
import { connect as connectTcp, isIPv6, type Socket } from 'node:net';
import { networkInterfaces } from 'node:os';
import type { ConnectionOptions, TLSSocket } from 'node:tls';
import type { Clock } from '../../../base/clock.js';
import { connectUnnamed } from '../../../base/connect-tls.js';
import type { EndpointState, TryFailure } from '../flow/contract.js';
import type { Connect, Protocol } from '../seam.js';
import type { ProxyMetrics } from '../telemetry/proxy-metrics.js';
import type { Direction } from '../telemetry/transport-metrics.js';
import { handshakeFailure } from '../tls/failures.js';
import type { IdentityStore } from '../tls/identity-store.js';
import { type Peer, verifiedPeer } from '../tls/peer.js';
import { afterPoll } from './deadlines.js';
import { tooManyForEndpoint } from './files.js';
import { takeOver } from './take-over.js';
import type { Wire, WireUser } from './wire.js';

export interface ConnectParts {
  readonly direction: Direction;
  readonly identity: IdentityStore;
  readonly metrics: ProxyMetrics;
  readonly clock: Clock;
  readonly connectTimeoutMs: number;
  readonly handshakeTimeoutMs: number;
  /** The ports of the side itself: whatever the name or address, no connection leads back to them. */
  readonly ownPorts: ReadonlySet<number>;
}

/** The ALPN protocol for bytes that are not HTTP. */
export const opaqueProtocol = 'firedrill-tcp';

interface Handler {
  connected(wire: Wire, protocol: Protocol | typeof opaqueProtocol): void;
  failed(failure: TryFailure): void;
}

/** Sessions to resume, dropped when this proxy's certificate or its trust anchors change. */
interface Remembered {
  session: Buffer;
  generation: number;
  peer: Peer;
}

export class Connector {
  readonly #parts: ConnectParts;
  readonly #sessions = new WeakMap<EndpointState, Remembered>();

  constructor(parts: ConnectParts) {
    this.#parts = parts;
  }

  readonly connect: Connect = (endpoint, protocols, handler) =>
    this.#connect(endpoint, protocols, handler as Handler);

  readonly connectOpaque = (endpoint: EndpointState, handler: Handler): { cancel(): void } =>
    this.#connect(endpoint, [opaqueProtocol], handler);

  #connect(
    endpoint: EndpointState,
    protocols: readonly (Protocol | typeof opaqueProtocol)[],
    handler: Handler,
  ): { cancel(): void } {
    return endpoint.identity === undefined
      ? this.#plain(endpoint, protocols[0] as Protocol, handler)
      : this.#secure(endpoint, endpoint.identity, protocols, handler);
  }

  #plain(
    endpoint: EndpointState,
    protocol: Protocol | typeof opaqueProtocol,
    handler: Handler,
  ): { cancel(): void } {
    const { metrics, direction, connectTimeoutMs, clock } = this.#parts;
    const { host, port, localAddress } = endpoint;
    const from = localAddress === undefined ? {} : { localAddress };
    const socket = connectTcp({ host, port, noDelay: true, allowHalfOpen: true, ...from });
    const attempt = new Attempt(socket, handler, host);
    const timer = clock.after(connectTimeoutMs, () =>
      afterPoll(() => attempt.fail('connect-timeout')),
    );
    attempt.onSettled = () => timer.cancel();
    socket.once('connect', () => {
      if (isSelf(socket, this.#parts.ownPorts)) return attempt.fail('loop');
      const label = direction === 'inbound' ? 'loopback' : 'disabled';
      attempt.succeed(() => counted(takeOver(socket, deaf), metrics, direction, label), protocol);
    });
    return attempt;
  }

  #secure(
    endpoint: EndpointState,
    identity: string,
    protocols: readonly (Protocol | typeof opaqueProtocol)[],
    handler: Handler,
  ): { cancel(): void } {
    const { metrics, direction, clock, connectTimeoutMs, handshakeTimeoutMs } = this.#parts;
    const { context, generation, notAfterMs: ownNotAfterMs } = this.#parts.identity;
    if (!context) {
      // This proxy has no valid certificate, so it cannot prove its identity to a peer.
      let cancelled = false;
      setImmediate(() => {
        if (!cancelled) handler.failed('no-certificate');
      });
      return {
        cancel: () => {
          cancelled = true;
        },
      };
    }
    const known = this.#sessions.get(endpoint);
    const nowMs = clock.nowMs();
    const session =
      known && known.generation === generation && known.peer.notAfterMs > nowMs
        ? known.session
        : undefined;
    const options: ConnectionOptions & { allowHalfOpen: boolean; noDelay: boolean } = {
      host: endpoint.host,
      port: endpoint.port,
      servername: identity,
      secureContext: context,
      ALPNProtocols: [...protocols],
      // This class verifies the peer itself, including its name, and counts failures by reason.
      rejectUnauthorized: false,
      allowHalfOpen: true,
      noDelay: true,
      ...(session && { session }),
    };
    const socket = connectUnnamed(options);
    const attempt = new Attempt(socket, handler, endpoint.host);
    let connected = false;
    let timer = clock.after(connectTimeoutMs, () =>
      afterPoll(() => {
        if (!connected) attempt.fail('connect-timeout');
      }),
    );
    attempt.onSettled = (failure) => {
      timer.cancel();
      if (failure === undefined) metrics.handshakeSucceeded(direction);
      else if (failure.startsWith('tls:')) metrics.handshakeFailed(direction, failure.slice(4));
    };
    attempt.failureOf = (code) =>
      connected ? `tls:${handshakeFailure(code)}` : tcpFailure(code, endpoint.host);
    socket.once('connect', () => {
      connected = true;
      timer.cancel();
      timer = clock.after(handshakeTimeoutMs, () => afterPoll(() => attempt.fail('tls:timeout')));
    });
    let proven: Peer | undefined;
    socket.on('session', (ticket: Buffer) => {
      if (proven) this.#sessions.set(endpoint, { session: ticket, generation, peer: proven });
    });
    socket.once('secureConnect', () => {
      const peer = verifiedPeer(socket, clock.nowMs(), identity, session && known?.peer);
      if (typeof peer === 'string') {
        this.#sessions.delete(endpoint);
        return attempt.fail(`tls:${peer}`);
      }
      proven = peer;
      const protocol = (socket.alpnProtocol || protocols[0]) as Protocol;
      attempt.succeed(() => {
        const wire = counted(takeOver(socket, deaf), metrics, direction, 'true');
        wire.expiresMs = Math.min(peer.notAfterMs, ownNotAfterMs);
        wire.isDenied = peer.isDenied;
        return wire;
      }, protocol);
    });
    return attempt;
  }
}

/** Calls exactly one of connected and failed, or neither once cancelled. */
class Attempt {
  readonly #socket: Socket | TLSSocket;
  readonly #handler: Handler;
  #settled = false;
  onSettled: (failure: TryFailure | undefined) => void = () => undefined;
  failureOf: (code: string | undefined) => TryFailure;

  constructor(socket: Socket, handler: Handler, host: string) {
    this.failureOf = (code) => tcpFailure(code, host);
    // The runtime opens the socket after this call.
    setImmediate(() => {
      if (tooManyForEndpoint(socket)) this.fail('exhausted');
    });
    this.#socket = socket;
    this.#handler = handler;
    socket.on('error', (error: NodeJS.ErrnoException) => this.fail(this.failureOf(error.code)));
    socket.on('close', () => this.fail(this.failureOf(undefined)));
  }

  succeed(wire: () => Wire, protocol: Protocol | typeof opaqueProtocol): void {
    if (this.#settled) return;
    this.#settled = true;
    this.onSettled(undefined);
    this.#handler.connected(wire(), protocol);
  }

  fail(failure: TryFailure): void {
    if (this.#settled) return;
    this.#settled = true;
    this.onSettled(failure);
    this.#socket.destroy();
    this.#handler.failed(failure);
  }

  cancel(): void {
    if (this.#settled) return;
    this.#settled = true;
    this.onSettled('reset');
    this.#socket.destroy();
  }
}

/** Whether a connection has come out at a port of this side, on this machine. */
function isSelf(
  { localAddress, remoteAddress = '', remotePort = 0 }: Socket,
  own: ReadonlySet<number>,
) {
  if (!own.has(remotePort)) return false;
  return remoteAddress === localAddress || /^(::ffff:)?127\.|^::1$/.test(remoteAddress);
}

const hasIPv6 = (): boolean =>
  Object.values(networkInterfaces()).some((at) => at?.some(({ family }) => family === 'IPv6'));

function tcpFailure(code: string | undefined, host: string): TryFailure {
  switch (code) {
    case 'ECONNREFUSED':
      return 'refused';
    case 'ETIMEDOUT':
      return 'connect-timeout';
    case 'ECONNRESET':
    case 'EPIPE':
    case undefined:
      return 'reset';
    case 'EMFILE':
    case 'ENFILE':
    case 'EADDRINUSE':
    case 'ENOBUFS':
    case 'ENOMEM':
    case 'EAGAIN':
      return 'exhausted';
    case 'EADDRNOTAVAIL':
      // No port is left, or this machine has no address of that family.
      return isIPv6(host) && !hasIPv6() ? 'unreachable' : 'exhausted';
    default:
      // No route, no such name.
      return 'unreachable';
  }
}

export function counted(
  wire: Wire,
  metrics: ProxyMetrics,
  direction: Direction,
  tls: 'true' | 'disabled' | 'loopback',
  peer: 'src' | 'dst' = 'dst',
): Wire {
  const transport = metrics.transport(direction, peer, tls);
  transport.opened();
  wire.counters = transport;
  wire.onGone = (failed) => transport.closed(failed);
  return wire;
}

/** Used until the receiver sets its own. */
const deaf: WireUser = {
  onBytes: () => undefined,
  onEnd: () => undefined,
  onDrain: () => undefined,
  onClose: () => undefined,
};
