/** One side's port: accepts, finds out what is spoken, and hands the connection to the front that speaks it. */
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import {
  createServer as createTlsServer,
  type Server as TlsServer,
  type TLSSocket,
} from 'node:tls';
import type { Clock } from '../../../base/clock.js';
import { exitCode, UserError } from '../../../base/errors.js';
import type { ProxyMetrics } from '../telemetry/proxy-metrics.js';
import type { Direction } from '../telemetry/transport-metrics.js';
import { carryingProtocol, type Protocol } from '../seam.js';
import { handshakeFailure } from '../tls/failures.js';
import type { IdentityStore } from '../tls/identity-store.js';
import { verifiedPeer } from '../tls/peer.js';
import { counted, opaqueProtocol } from './connect.js';
import { afterPoll } from './deadlines.js';
import { maxLookedAt, type Spoken, spokenIn } from './detection.js';
import { WaitingLine } from './waiting-line.js';
import { letGo, takeOver } from './take-over.js';
import type { Wire, WireUser } from './wire.js';

/** `detect`: by the first bytes. */
export type Declared = 'detect' | 'http1' | 'http2' | 'opaque';

/** A connection whose protocol is known. */
export interface Accepted {
  readonly wire: Wire;
  readonly spoken: Exclude<Spoken, 'tls'>;
  /** Bytes that were read to find out; empty where none were needed. */
  readonly first: Buffer;
  readonly peerAddress: string;
  /** Undefined: plaintext. */
  readonly peerIdentity: string | undefined;
  /** Where the client meant to go, `ip:port`, in transparent mode. */
  readonly originalDst: string | undefined;
  /** `opaque` only because nothing was said, or a peer's proxy had it so: HTTP that comes later is a forgery. */
  readonly isGuess: boolean;
}

export interface ListenerParts {
  readonly direction: Direction;
  readonly host: string;
  readonly port: number;
  readonly metrics: ProxyMetrics;
  readonly clock: Clock;
  readonly identity: IdentityStore;
  /** False: TLS is the app's own, and passed on. */
  readonly terminatesTls: boolean;
  readonly maxConnections: number;
  /** Before the first byte; then it is opaque in transparent mode, and closed in explicit mode. */
  readonly detectTimeoutMs: number;
  /** The same where it is known that no HTTP is meant: a server that speaks first waits so long for its client. */
  readonly quietMs: number;
  readonly handshakeTimeoutMs: number;
  /** Transparent mode: reads it from the socket. */
  readonly originalDst: ((socket: Socket) => string | undefined) | undefined;
  /** What is configured for this connection's destination. */
  readonly declared: (originalDst: string | undefined) => Declared;
  accept(accepted: Accepted): void;
}

interface Handshake {
  readonly client: string;
  readonly socket: Socket;
  readonly isOpaque: boolean;
}

interface Meta {
  readonly peerAddress: string;
  readonly originalDst: string | undefined;
}

const nothing = Buffer.alloc(0);
/**
 * Connections that wait in the kernel to be accepted, at most its own limit (net.core.somaxconn, 4096). Beyond, clients
 * try again after one second, then three.
 */
const backlog = 4096;
/** Begun between two looks at the sockets. */
const handshakesATurn = 4;

export class Listener {
  readonly #parts: ListenerParts;
  readonly #server: Server;
  #tls: TlsServer | undefined;
  #opaqueTls: TlsServer | undefined;
  readonly #handshakes = new WaitingLine<Handshake>();
  open = 0;
  /** Turned away because there were too many. */
  overflow = 0;

  constructor(parts: ListenerParts) {
    this.#parts = parts;
    this.#server = createServer(
      { pauseOnConnect: true, allowHalfOpen: true, noDelay: true },
      (socket) => this.#accept(socket),
    );
    this.#server.on('error', () => undefined);
  }

  /** Resolves to the port. */
  listen(): Promise<number> {
    const { host, port, direction } = this.#parts;
    return new Promise((resolve, reject) => {
      this.#server.once('error', (error: NodeJS.ErrnoException) =>
        reject(
          new UserError(
            `${direction} ${host}:${port}: ${error.code ?? error.message}`,
            exitCode.environment,
          ),
        ),
      );
      this.#server.listen({ host, port, backlog }, () =>
        resolve((this.#server.address() as AddressInfo).port),
      );
    });
  }

  /** No more connections are accepted; those that are stay. */
  close(): void {
    this.#server.close();
  }

  #accept(socket: Socket): void {
    const { maxConnections, direction, originalDst } = this.#parts;
    if (this.open >= maxConnections) {
      this.overflow++;
      socket.destroy();
      return;
    }
    const peerAddress = socket.remoteAddress;
    if (peerAddress === undefined) {
      socket.destroy();
      return;
    }
    this.open++;
    const wire = takeOver(socket, undefined as unknown as WireUser);
    const label = direction === 'inbound' ? 'disabled' : 'loopback';
    const destination = originalDst?.(socket);
    const meta = { peerAddress, originalDst: destination };
    const isOpaque = this.#parts.declared(destination) === 'opaque';
    const mayBeTls = direction === 'inbound' && this.#parts.terminatesTls;
    if (isOpaque && !mayBeTls) {
      this.#count(wire, label);
      return this.#hand(wire, 'opaque', nothing, meta, undefined);
    }
    const looking = new Looking(wire, this.#parts, isOpaque, (spoken, first, isGuess) => {
      if (spoken === 'tls' && mayBeTls) {
        // Before the first certificate there is nothing to say; after it has expired its peers judge.
        if (!this.#parts.identity.isReady) return wire.destroy();
        return this.#handshake(letGo(wire, first), meta);
      }
      this.#count(wire, label);
      const heard = isOpaque || spoken === 'tls' ? 'opaque' : spoken;
      this.#hand(wire, heard, first, meta, undefined, isGuess);
    });
    wire.user = looking;
    // Until it is handed on.
    wire.onGone = () => {
      this.open--;
    };
    wire.resume();
  }

  #count(wire: Wire, label: 'disabled' | 'loopback' | 'true'): void {
    const { metrics, direction } = this.#parts;
    counted(wire, metrics, direction, label, 'src');
    const { onGone } = wire;
    wire.onGone = (failed) => {
      this.open--;
      onGone(failed);
    };
  }

  #hand(
    wire: Wire,
    spoken: Exclude<Spoken, 'tls'>,
    first: Buffer,
    meta: Meta,
    peerIdentity: string | undefined,
    isGuess = false,
  ): void {
    this.#parts.accept({ wire, spoken, first, peerIdentity, isGuess, ...meta });
  }

  // TLS.

  /** They cost a millisecond of CPU each: in a burst the clients take turns, and requests go on between them. */
  #handshake(socket: Socket, meta: Meta): void {
    const { clock, handshakeTimeoutMs } = this.#parts;
    const timer = clock.after(handshakeTimeoutMs, () =>
      afterPoll(() => {
        if (!pendingHandshakes.has(socket)) return;
        this.#parts.metrics.handshakeFailed('inbound', 'timeout');
        socket.destroy();
      }),
    );
    pendingHandshakes.set(socket, { meta, settled: () => timer.cancel() });
    const isOpaque = this.#parts.declared(meta.originalDst) === 'opaque';
    const waiter = { client: meta.peerAddress, socket, isOpaque };
    socket.once('close', () => {
      timer.cancel();
      this.#handshakes.delete(waiter);
      if (pendingHandshakes.delete(socket)) this.open--;
    });
    this.#handshakes.push(waiter, clock.monotonicMs());
    if (this.#handshakes.size === 1) setImmediate(() => this.#someHandshakes());
  }

  #someHandshakes(): void {
    for (let i = 0; i < handshakesATurn; i++) {
      const waiter = this.#handshakes.shift();
      if (!waiter) return;
      this.#tlsServer(waiter.isOpaque).emit('connection', waiter.socket);
    }
    if (this.#handshakes.size > 0) setImmediate(() => this.#someHandshakes());
  }

  /** An app whose bytes nobody looks into gets no HTTP/2 that its client did not send. */
  #tlsServer(isOpaque: boolean): TlsServer {
    if (isOpaque) return (this.#opaqueTls ??= this.#newTlsServer(['h2', 'http/1.1']));
    return (this.#tls ??= this.#newTlsServer([carryingProtocol, 'h2', 'http/1.1']));
  }

  #newTlsServer(protocols: readonly Protocol[]): TlsServer {
    const { identity, handshakeTimeoutMs } = this.#parts;
    const server = createTlsServer({
      ...identity.options,
      requestCert: true,
      // Checked by ourselves and counted by reason.
      rejectUnauthorized: false,
      ALPNProtocols: [...protocols, opaqueProtocol],
      // The listener's own counts from the connection's first bytes, and looks at the socket once more.
      handshakeTimeout: 2 * handshakeTimeoutMs,
      allowHalfOpen: true,
    });
    identity.onChange(() => {
      if (identity.options) server.setSecureContext(identity.options);
    });
    server.on('secureConnection', (socket: TLSSocket) => this.#secured(socket));
    server.on('tlsClientError', (error: NodeJS.ErrnoException, socket: TLSSocket) => {
      this.#parts.metrics.handshakeFailed('inbound', handshakeFailure(error.code));
      socket.destroy();
    });
    return server;
  }

  #secured(socket: TLSSocket): void {
    const { metrics, clock } = this.#parts;
    const raw = (socket as TLSSocket & { _parent?: Socket })._parent as Socket;
    const pending = pendingHandshakes.get(raw);
    if (!pending) return void socket.destroy();
    socket.on('error', () => undefined);
    const peer = verifiedPeer(socket, clock.nowMs());
    if (typeof peer === 'string') {
      metrics.handshakeFailed('inbound', peer);
      socket.destroy();
      return;
    }
    pendingHandshakes.delete(raw);
    pending.settled();
    metrics.handshakeSucceeded('inbound');
    const wire = takeOver(socket, undefined as unknown as WireUser);
    wire.expiresMs = peer.notAfterMs;
    this.#count(wire, 'true');
    const { meta } = pending;
    const hand = (spoken: Spoken, first: Buffer, isGuess = false): void =>
      this.#hand(wire, spoken === 'tls' ? 'opaque' : spoken, first, meta, peer.identity, isGuess);
    const declared = this.#parts.declared(meta.originalDst);
    if (declared === 'opaque') return hand('opaque', nothing);
    const { alpnProtocol } = socket;
    if (alpnProtocol === 'h2' || alpnProtocol === carryingProtocol) return hand('http2', nothing);
    if (alpnProtocol === 'http/1.1') return hand('http1', nothing);
    // A peer may say that its bytes are no HTTP, not decide it: the server's protocol does, or the bytes do.
    const saysOpaque = alpnProtocol === opaqueProtocol;
    if (saysOpaque && declared !== 'detect') return wire.destroy();
    wire.user = new Looking(wire, this.#parts, saysOpaque, hand);
    wire.resume();
  }
}

const pendingHandshakes = new WeakMap<Socket, { meta: Meta; settled(): void }>();

/** Reads until it is clear what is spoken. */
class Looking implements WireUser {
  readonly #wire: Wire;
  readonly #found: (spoken: Spoken, first: Buffer, isGuess: boolean) => void;
  /** Whoever speaks to an explicit port, and is not known to mean something else, means HTTP. */
  readonly #meansHttp: boolean;
  #bytes = nothing;
  #isOver = false;
  readonly #timer: { cancel(): void };

  constructor(
    wire: Wire,
    parts: ListenerParts,
    meansOpaque: boolean,
    found: (spoken: Spoken, first: Buffer, isGuess: boolean) => void,
  ) {
    this.#wire = wire;
    this.#found = found;
    this.#meansHttp = parts.originalDst === undefined && !meansOpaque;
    const waitMs = meansOpaque ? parts.quietMs : parts.detectTimeoutMs;
    this.#timer = parts.clock.after(waitMs, () => afterPoll(() => this.#timeout()));
  }

  onBytes(buffer: Buffer, length: number): void {
    this.#bytes = Buffer.concat([this.#bytes, buffer.subarray(0, length)]);
    const spoken = spokenIn(this.#bytes, this.#bytes.length);
    if (spoken === undefined && this.#bytes.length <= maxLookedAt) return;
    this.#decide(spoken ?? 'opaque', false);
  }

  #stop(): void {
    this.#isOver = true;
    this.#timer.cancel();
  }

  #decide(spoken: Spoken, isGuess: boolean): void {
    this.#stop();
    this.#wire.pause();
    // It is told what is wrong with it.
    const heard = spoken === 'opaque' && this.#meansHttp ? 'http1' : spoken;
    this.#found(heard, this.#bytes, isGuess);
  }

  #timeout(): void {
    if (this.#isOver) return;
    if (this.#meansHttp) this.#wire.destroy();
    else this.#decide('opaque', true);
  }

  onEnd(): void {
    if (this.#bytes.length === 0) {
      this.#stop();
      this.#wire.destroy();
      return;
    }
    this.#decide('opaque', false);
    // The end was seen here: whoever has the connection now must hear of it.
    this.#wire.user.onEnd();
  }

  onDrain(): void {
    // Nothing is written yet.
  }

  onClose(): void {
    this.#stop();
  }
}
