/**
 * A connection as the fronts use it: bytes in and out by calls, back-pressure by numbers. TCP and TLS alike.
 *
 * All reads of the process use one buffer, which is valid only during the call; bytes that are needed longer must be
 * copied.
 */
import type { Socket } from 'node:net';
import { type Holder, holdings } from './holdings.js';

export interface WireUser {
  /** Bytes lie in `buffer` from 0 to `length`, only during the call. */
  onBytes(buffer: Buffer, length: number): void;
  /** The peer will send no more; it may still read. */
  onEnd(): void;
  /** All written bytes are with the kernel. Called only after a write returned false. */
  onDrain(): void;
  /**
   * The peer or the network closed the connection: at most once, and never after destroy(). The code is the system's.
   */
  onClose(code: string | undefined): void;
}

/** The counters of transport metrics. */
export interface ByteCounters {
  readBytes: number;
  writtenBytes: number;
}

/** When more bytes than this are not yet with the kernel, a write asks its caller to wait. */
export const highWaterBytes = 64 * 1024;
const goodbyeLimitMs = 60_000;
/** Silence after which the kernel asks a peer whether it is still there. */
const keepAliveMs = 60_000;
/** An exception of a front costs its own connection, never the process. */
export const faults = {
  report: (error: unknown): void => {
    process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`);
  },
};

export abstract class Wire implements Holder {
  readonly socket: Socket;
  user: WireUser;
  bytesIn = 0;
  bytesOut = 0;
  /** Shared by all connections with the same labels. */
  counters: ByteCounters = { readBytes: 0, writtenBytes: 0 };
  /** Written, not yet with the kernel. */
  pendingBytes = 0;
  closed = false;
  /** The part of the pending bytes whose producer waits for the peer to read. */
  heldBytes = 0;
  /**
   * Wall time, milliseconds: the earlier expiry of the certificates from the handshake. No request begins on the
   * connection after it.
   */
  expiresMs = Infinity;
  /** Whether the certificate that the peer showed is denied, maybe since the handshake. */
  isDenied: () => boolean = never;
  /** Called once when the connection is closed, by either side; `failed` when the peer or the network broke it. */
  onGone: (failed: boolean) => void = () => undefined;
  #waiting = false;
  #closing: NodeJS.Timeout | undefined;

  constructor(socket: Socket, user: WireUser) {
    this.socket = socket;
    this.user = user;
  }

  /** Whether a certificate of the handshake has expired at this wall time, or the peer's is denied. */
  isOutlived(nowMs: number): boolean {
    return this.expiresMs !== Infinity && (this.expiresMs <= nowMs || this.isDenied());
  }

  /** Bytes written and not yet with the kernel at this moment, including the overhead of TLS. */
  get unsentBytes(): number {
    return this.pendingBytes;
  }

  /** The peer does not read, and others need the memory. */
  letGo(): void {
    this.reset();
    this.#tell('ENOBUFS');
  }

  /** The high-water mark is passed: the producer is asked to wait. */
  protected wait(): false {
    this.#waiting = true;
    holdings.hold(this, this.pendingBytes - this.heldBytes);
    return false;
  }

  /** False: stop producing until onDrain. */
  abstract writeText(latin1: string): boolean;
  /** The bytes are copied or sent before the call returns. False: stop producing until onDrain. */
  abstract writeBytes(buffer: Buffer, start: number, end: number): boolean;
  abstract pause(): void;
  abstract resume(): void;

  /** Sends the written bytes, then ends this side; reading goes on. */
  end(): void {
    if (!this.closed) this.shut(() => undefined);
  }

  protected shut(done: () => void): void {
    this.socket.end(done);
  }

  destroy(): void {
    if (this.closed) return;
    this.closed = true;
    this.socket.destroy();
    this.#gone(false);
  }

  /** For connections without an idle limit: a peer whose machine has vanished sends no end. */
  keepAlive(): void {
    this.#raw.setKeepAlive(true, keepAliveMs);
  }

  /** Closes with a TCP reset, so that the peer cannot mistake what it has for the whole. */
  reset(): void {
    if (this.closed) return;
    this.closed = true;
    try {
      this.#raw.resetAndDestroy();
    } catch {
      // Not a TCP handle.
    }
    this.socket.destroy();
    this.#gone(true);
  }

  /**
   * Sends the written bytes, ends this side, and closes when the peer does, or `lingerMs` after everything is with
   * the kernel; a peer that takes nothing has a minute.
   */
  endThenDestroy(lingerMs: number): void {
    if (this.closed) return;
    const lingering = new Lingering(this);
    this.user = lingering;
    this.resume();
    this.#closeIn(goodbyeLimitMs);
    this.shut(() => this.#closeIn(lingering.hasEnded ? 0 : lingerMs));
  }

  /** The timer must not keep a closed connection in memory: there may be thousands a second. */
  #closeIn(delayMs: number): void {
    clearTimeout(this.#closing);
    if (!this.closed) this.#closing = setTimeout(() => this.destroy(), delayMs).unref();
  }

  #gone(failed: boolean): void {
    clearTimeout(this.#closing);
    this.#closing = undefined;
    if (this.heldBytes !== 0) holdings.hold(this, -this.heldBytes);
    this.onGone(failed);
  }

  /** Gives the connection up without closing it: its user gets no more callbacks. */
  protected release(): void {
    this.pause();
    this.closed = true;
  }

  /** No more bytes come from the peer. */
  protected readEnd(): void {
    if (this.#isBroken()) this.lost('ECONNRESET');
    else this.user.onEnd();
  }

  /**
   * The runtime reports a reset that comes right behind bytes as their end, and what was cut short would pass for
   * whole: after a reset the kernel knows the peer no more. Once this side has ended too, that says nothing.
   */
  #isBroken(): boolean {
    const handle = (this.#raw as unknown as { _handle?: TcpHandle | null })._handle;
    return !this.socket.writableEnded && (handle?.getpeername?.({}) ?? 0) !== 0;
  }

  /** The TCP socket, below TLS. */
  get #raw(): Socket {
    return (this.socket as Socket & { _parent?: Socket })._parent ?? this.socket;
  }

  protected lost(code: string | undefined): void {
    if (this.closed) return;
    this.closed = true;
    this.socket.destroy();
    this.#gone(code !== undefined);
    this.#tell(code);
  }

  #tell(code: string | undefined): void {
    try {
      this.user.onClose(code);
    } catch (error) {
      faults.report(error);
    }
  }

  protected drained(): void {
    if (!this.#waiting || this.closed) return;
    this.#waiting = false;
    if (this.heldBytes !== 0) holdings.hold(this, -this.heldBytes);
    try {
      this.user.onDrain();
    } catch (error) {
      faults.report(error);
      this.destroy();
    }
  }
}

const never = (): boolean => false;

interface TcpHandle {
  getpeername?(into: object): number;
}

/** Reads and drops bytes until the peer closes. */
class Lingering implements WireUser {
  readonly #wire: Wire;
  /** The peer has ended its side, and may still read the rest. */
  hasEnded = false;

  constructor(wire: Wire) {
    this.#wire = wire;
  }

  onBytes(): void {
    // The client may still be sending: closing now would reset the connection before it has read the answer.
  }
  onEnd(): void {
    this.hasEnded = true;
    if (this.#wire.pendingBytes === 0) this.#wire.destroy();
  }
  onDrain(): void {
    // Nothing waits.
  }
  onClose(): void {
    // Nothing is left to do.
  }
}
