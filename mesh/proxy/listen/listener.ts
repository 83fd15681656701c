/**
 * One side's port: accepts connections, detects the protocol, and hands each connection to the front that speaks it.
 */
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import {
  createServer as createTlsServer,
  type Server as TlsServer,
  type TLSSocket,
} from 'node:tls';
import type { Clock } from '../../../base/clock.js';
import { notListening } from '../../../base/errors.js';
import type { ProxyMetrics } from '../telemetry/proxy-metrics.js';
import type { Direction } from '../telemetry/transport-metrics.js';
import { carryingProtocol, type Protocol } from '../seam.js';
import { handshakeFailure } from '../tls/failures.js';
import type { IdentityStore } from '../tls/identity-store.js';
import { verifiedPeer } from '../tls/peer.js';
import { counted, opaqueProtocol } from './connect.js';
import { afterPoll } from './deadlines.js';
import { maxLookedAt, type Spoken, spokenIn } from './detection.js';
import { tooManyForClient } from './files.js';
import { type Newcomer, Newcomers } from './newcomers.js';
import { letGo, takeOver } from './take-over.js';
import type { Refusals } from './refusals.js';
import type { Wire, WireUser } from './wire.js';
import type { DeclaredProtocol } from '../../schema/choices.js';

/** A connection whose protocol is known. */
export interface Accepted {
  readonly wire: Wire;
  readonly spoken: Exclude<Spoken, 'tls'>;
  /**
   * Bytes that were read to detect the protocol; empty when none were needed. Those of HTTP are valid during the call
   * only.
   */
  readonly first: Buffer;
  readonly peerAddress: string;
  /** Undefined: plaintext. */
  readonly peerIdentity: string | undefined;
  /** Original destination, `ip:port`, in transparent mode. */
  readonly originalDst: string | undefined;
  /**
   * `opaque` was only assumed, because the client was silent or a peer's proxy said so: HTTP that comes later is
   * refused.
   */
  readonly isGuess: boolean;
}

export interface ListenerParts {
  readonly direction: Direction;
  readonly host: string;
  readonly port: number;
  readonly metrics: ProxyMetrics;
  readonly clock: Clock;
  readonly identity: IdentityStore;
  /** False: the app terminates TLS itself, so it is passed on. */
  readonly terminatesTls: boolean;
  readonly maxConnections: number;
  readonly refusals: Refusals;
  /**
   * The longest wait for the first byte; then a connection is opaque, or closed where only HTTP could name its
   * destination.
   */
  readonly detectTimeoutMs: number;
  /**
   * The same wait if the protocol is known not to be HTTP: a server that speaks first waits this long for its client.
   */
  readonly quietMs: number;
  readonly handshakeTimeoutMs: number;
  /** Transparent mode: reads the original destination from the socket. */
  readonly originalDst: ((socket: Socket) => string | undefined) | undefined;
  /** The protocol configured for this connection's destination. */
  readonly declared: (originalDst: string | undefined) => DeclaredProtocol;
  accept(accepted: Accepted): void;
}

interface Meta {
  readonly peerAddress: string;
  readonly originalDst: string | undefined;
}

const nothing = Buffer.alloc(0);
/**
 * Connections that wait in the kernel to be accepted; the kernel's own limit is net.core.somaxconn (4096). Beyond
 * that, clients retry after one second, then after three.
 */
const backlog = 4096;

export class Listener {
  readonly #parts: ListenerParts;
  readonly #server: Server;
  #tls: TlsServer | undefined;
  #opaqueTls: TlsServer | undefined;
  readonly #newcomers: Newcomers;
  open = 0;

  constructor(parts: ListenerParts) {
    this.#parts = parts;
    this.#newcomers = new Newcomers(parts.clock);
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
        reject(notListening(`${direction} ${host}`, port, error)),
      );
      this.#server.listen({ host, port, backlog }, () =>
        resolve((this.#server.address() as AddressInfo).port),
      );
    });
  }

  /** Accepts no more connections; open ones stay. */
  close(): void {
    this.#server.close();
  }

  #accept(socket: Socket): void {
    const { maxConnections, direction, originalDst, refusals } = this.#parts;
    const isFull = this.open >= maxConnections;
    if (isFull || tooManyForClient(socket)) {
      refusals.refused(isFull ? 'connections' : 'files');
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
        // Before the first certificate there is no identity to present; after its expiry the peers reject it.
        if (!this.#parts.identity.isReady) {
          refusals.refused('no-certificate');
          return wire.destroy();
        }
        return this.#handshake(letGo(wire, first), meta);
      }
      this.#count(wire, label);
      const heard = isOpaque || spoken === 'tls' ? 'opaque' : spoken;
      this.#hand(wire, heard, first, meta, undefined, isGuess);
    });
    wire.user = looking;
    // Until a front takes the connection.
    wire.onGone = () => {
      this.open--;
    };
    looking.client = peerAddress;
    looking.turns = this.#newcomers;
    this.#newcomers.add(looking);
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

  /** A handshake costs a millisecond of CPU; the line of newcomers bounds those that begin in a turn. */
  #handshake(socket: Socket, meta: Meta): void {
    const { clock, handshakeTimeoutMs } = this.#parts;
    const timer = clock.after(handshakeTimeoutMs, () =>
      afterPoll(() => {
        if (!pendingHandshakes.has(socket)) return;
        timedOut.add(socket);
        this.#parts.metrics.handshakeFailed('inbound', 'timeout');
        socket.destroy();
      }),
    );
    pendingHandshakes.set(socket, { meta, settled: () => timer.cancel() });
    const isOpaque = this.#parts.declared(meta.originalDst) === 'opaque';
    socket.once('close', () => {
      timer.cancel();
      if (pendingHandshakes.delete(socket)) this.open--;
    });
    this.#tlsServer(isOpaque).emit('connection', socket);
  }

  /** An app that gets opaque bytes must not get HTTP/2 unless its client offered it. */
  #tlsServer(isOpaque: boolean): TlsServer {
    if (isOpaque) return (this.#opaqueTls ??= this.#newTlsServer(['h2', 'http/1.1']));
    return (this.#tls ??= this.#newTlsServer([carryingProtocol, 'h2', 'http/1.1']));
  }

  #newTlsServer(protocols: readonly Protocol[]): TlsServer {
    const { identity, handshakeTimeoutMs } = this.#parts;
    const server = createTlsServer({
      ...identity.options,
      requestCert: true,
      // The listener verifies certificates itself and counts failures by reason.
      rejectUnauthorized: false,
      ALPNProtocols: [...protocols, opaqueProtocol],
      // The listener's own timeout counts from the connection's first bytes, and checks the socket once more.
      handshakeTimeout: 2 * handshakeTimeoutMs,
      allowHalfOpen: true,
    });
    identity.onChange(() => {
      if (identity.options) server.setSecureContext(identity.options);
    });
    server.on('secureConnection', (socket: TLSSocket) => this.#secured(socket));
    server.on('tlsClientError', (error: NodeJS.ErrnoException, socket: TLSSocket) => {
      // The end of a handshake that took too long is counted already.
      if (!timedOut.has(rawOf(socket))) {
        this.#parts.metrics.handshakeFailed('inbound', handshakeFailure(error.code));
      }
      socket.destroy();
    });
    return server;
  }

  #secured(socket: TLSSocket): void {
    const { metrics, clock } = this.#parts;
    const raw = rawOf(socket);
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
    wire.isDenied = peer.isDenied;
    this.#count(wire, 'true');
    const { meta } = pending;
    const hand = (spoken: Spoken, first: Buffer, isGuess = false): void =>
      this.#hand(wire, spoken === 'tls' ? 'opaque' : spoken, first, meta, peer.identity, isGuess);
    const declared = this.#parts.declared(meta.originalDst);
    if (declared === 'opaque') return hand('opaque', nothing);
    const { alpnProtocol } = socket;
    if (alpnProtocol === 'h2' || alpnProtocol === carryingProtocol) return hand('http2', nothing);
    if (alpnProtocol === 'http/1.1') return hand('http1', nothing);
    // A peer may claim that its bytes are not HTTP, but the server's configured protocol, or the bytes, decide.
    const saysOpaque = alpnProtocol === opaqueProtocol;
    if (saysOpaque && declared !== 'detect') return wire.destroy();
    const looking = new Looking(wire, this.#parts, saysOpaque, hand);
    wire.user = looking;
    looking.goOn();
  }
}

const pendingHandshakes = new WeakMap<Socket, { meta: Meta; settled(): void }>();
const timedOut = new WeakSet<Socket>();

const rawOf = (socket: TLSSocket): Socket =>
  (socket as TLSSocket & { _parent?: Socket })._parent as Socket;

/** Reads until the protocol is known. */
class Looking implements WireUser, Newcomer {
  client = '';
  /** Undefined after a handshake, for which the connection has had its turn. */
  turns: Newcomers | undefined;
  readonly #wire: Wire;
  readonly #parts: ListenerParts;
  readonly #found: (spoken: Spoken, first: Buffer, isGuess: boolean) => void;
  /** A client of an explicit port is expected to speak HTTP, unless other bytes have a destination too. */
  readonly #meansHttp: boolean;
  #bytes: Buffer = nothing;
  /** Resting, or known: its time does not run. */
  #isTimeless = false;
  readonly #meansOpaque: boolean;
  #timer: { cancel(): void } | undefined;

  constructor(
    wire: Wire,
    parts: ListenerParts,
    meansOpaque: boolean,
    found: (spoken: Spoken, first: Buffer, isGuess: boolean) => void,
  ) {
    this.#wire = wire;
    this.#found = found;
    this.#parts = parts;
    const { direction, originalDst, declared } = parts;
    this.#meansHttp =
      originalDst === undefined &&
      !meansOpaque &&
      (direction === 'outbound' || declared(undefined) !== 'detect');
    this.#meansOpaque = meansOpaque;
  }

  goOn(): void {
    this.#isTimeless = false;
    const { clock, quietMs, detectTimeoutMs } = this.#parts;
    const waitMs = this.#meansOpaque ? quietMs : detectTimeoutMs;
    this.#timer ??= clock.after(waitMs, () => afterPoll(() => this.#timeout()));
    this.#wire.resume();
  }

  /** The client is not silent while nobody listens: a time that ends meanwhile begins again. */
  rest(): void {
    this.#isTimeless = true;
    this.#wire.pause();
  }

  giveUp(): void {
    this.#parts.refusals.refused('burst');
    this.#wire.destroy();
  }

  onBytes(buffer: Buffer, length: number): void {
    this.turns?.heard(this);
    const more = buffer.subarray(0, length);
    const bytes = this.#bytes === nothing ? more : Buffer.concat([this.#bytes, more]);
    const spoken = spokenIn(bytes, bytes.length);
    const isEnough = spoken !== undefined || bytes.length > maxLookedAt;
    // HTTP's readers copy the bytes that they keep; bytes that are taken for opaque are kept as they are.
    const isHttp = !this.#meansOpaque && (spoken === 'http1' || spoken === 'http2');
    this.#bytes = isHttp || bytes !== more ? bytes : Buffer.from(bytes);
    if (isEnough) this.#decide(spoken ?? 'opaque', false);
  }

  #stop(): void {
    this.#isTimeless = true;
    this.#timer?.cancel();
    this.turns?.left(this);
  }

  #decide(spoken: Spoken, isGuess: boolean): void {
    this.#stop();
    this.#wire.pause();
    // The HTTP reader then reports the error to the client.
    const heard = spoken === 'opaque' && this.#meansHttp ? 'http1' : spoken;
    this.#found(heard, this.#bytes, isGuess);
  }

  #timeout(): void {
    this.#timer = undefined;
    if (this.#isTimeless) return;
    if (!this.#meansHttp) return this.#decide('opaque', true);
    this.#stop();
    this.#wire.destroy();
  }

  onEnd(): void {
    if (this.#bytes.length === 0) {
      this.#stop();
      this.#wire.destroy();
      return;
    }
    this.#decide('opaque', false);
    // The end was read here: the new owner of the connection must be notified, if there is one.
    const { closed, user } = this.#wire;
    if (!closed && user !== this) user.onEnd();
  }

  onDrain(): void {
    // Nothing is written yet.
  }

  onClose(): void {
    this.#stop();
  }
}
