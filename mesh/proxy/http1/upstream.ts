/** One connection to an endpoint: sends a request, reads its response, and then waits in the pool for the next. */
import type { TryFailure } from '../flow/contract.js';
import type { Wire, WireUser } from '../listen/wire.js';
import { Carry } from './carry.js';
import { ChunkedReader } from './chunked.js';
import { broken, Head, needMore } from './head.js';
import type { Lane } from './lane.js';
import { maxInformational } from '../seam.js';
import type { Pool } from './pool.js';

/** The owner of the request on a connection. Buffers are valid only during the call. */
export interface UpstreamUser {
  /** The client that made the request: an identity or an address. */
  readonly client: string;
  /**
   * The name of the client's connection if that may carry many requests at once, so that it leaves connections to
   * others.
   */
  readonly share?: string | undefined;
  /** Bytes that the client has taken so far. */
  readonly takenBytes: number;
  /** The awaited connection is ready. */
  upstreamReady(upstream: Upstream): void;
  /**
   * The attempt has no connection, or its connection broke, before the response's head or after it. The connection is
   * gone.
   */
  upstreamFailed(failure: TryFailure): void;
  /** 1xx other than 101. */
  upstreamInformational(head: Head): void;
  /** The response's head with the first bytes of its body; `ended`: these are all bytes. */
  upstreamHead(head: Head, buffer: Buffer, from: number, to: number, ended: boolean): void;
  upstreamBody(buffer: Buffer, from: number, to: number, ended: boolean): void;
  upstreamDrained(): void;
}

const enum State {
  Idle,
  Head,
  Length,
  Chunked,
  UntilClose,
  Tunnel,
  Closed,
}

/** A client that moves less than this between two looks (1 kB a second) is slow by its own doing. */
const leastBytesALook = 256;
/** After this many slow looks in a row its connection may be reclaimed. */
const slowLooks = 3;
/** How long the endpoint of a tunnel may take to close it after both sides have ended. */
const lingerMs = 2000;

export class Upstream implements WireUser, Lane {
  readonly pool: Pool;
  readonly wire: Wire;
  readonly head: Head;
  readonly isOpen = true;
  #user: UpstreamUser | undefined;
  #state: State = State.Idle;
  #carry: Carry | undefined;
  #chunks: ChunkedReader | undefined;
  #remaining = 0;
  #informational = 0;
  #isHead = false;
  #decoded = false;
  #sentAll = false;
  /** Requests that the connection carried before this one. */
  served = 0;
  #answered = false;
  #paused = false;
  /** The sides of a tunnel that have ended. */
  #localEnded = false;
  #peerEnded = false;
  /** Looks in a row in which the client alone was slow, and the bytes moved by the last look. */
  #slowLooks = 0;
  #movedBytes = 0;
  /** Used by the pool to expire idle connections. */
  idleGeneration = 0;
  /** The share that the connection counts against. */
  share: string | undefined = undefined;
  /** With the body's end: the trailers of a chunked response, already taken out of the bytes. */
  trailers: string[] | undefined;

  constructor(pool: Pool, wire: Wire) {
    this.pool = pool;
    this.wire = wire;
    this.head = new Head('response', pool.maxHeadBytes);
  }

  /** Whether both certificates are still valid, long after the handshake. */
  isProven(): boolean {
    return !this.wire.isOutlived(Date.now());
  }

  get isDenied(): boolean {
    return this.wire.isDenied();
  }

  /** `decoded`: the user wants the data of chunked responses, not their framing. */
  begin(user: UpstreamUser, isHead: boolean, decoded: boolean): void {
    this.#user = user;
    this.#state = State.Head;
    this.#isHead = isHead;
    this.#decoded = decoded;
    this.#sentAll = false;
    this.#answered = false;
    this.#informational = 0;
    this.#slowLooks = 0;
    this.trailers = undefined;
    this.head.reset();
  }

  /**
   * Whether the client alone has held the connection up for a while: it does not send its body, or does not read the
   * answer.
   */
  get isHeldUp(): boolean {
    return this.#slowLooks >= slowLooks && this.#user !== undefined;
  }

  lookAtClient(): void {
    const user = this.#user;
    const isSending = this.#state === State.Head && !this.#sentAll && this.wire.pendingBytes === 0;
    if (!user || !(isSending || this.#paused)) {
      this.#slowLooks = 0;
      return;
    }
    const moved = this.wire.bytesOut + user.takenBytes;
    const isSlow = moved - this.#movedBytes < leastBytesALook;
    this.#movedBytes = moved;
    this.#slowLooks = isSlow ? this.#slowLooks + 1 : 0;
  }

  /** Reclaims the connection for another request: the slow client gets an error or is cut off. */
  takeBack(): void {
    const user = this.#user;
    this.abort();
    user?.upstreamFailed('slow-client');
  }

  writeText(text: string): boolean {
    return this.wire.writeText(text);
  }

  writeBytes(buffer: Buffer, start: number, end: number): boolean {
    return this.wire.writeBytes(buffer, start, end);
  }

  pause(): void {
    this.#paused = true;
    this.wire.pause();
  }

  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.wire.resume();
  }

  /** The client sends no more through a tunnel. */
  end(): void {
    this.#localEnded = true;
    if (this.#peerEnded) this.#closeGently();
    else this.wire.end();
  }

  #closeGently(): void {
    this.#user = undefined;
    this.#state = State.Closed;
    this.wire.endThenDestroy(lingerMs);
    this.pool.gone(this);
  }

  /** The request is complete: the connection may be reused after its response. */
  sentAll(): void {
    this.#sentAll = true;
  }

  /** The answer is no longer wanted; no callback follows. */
  abort(): void {
    this.#user = undefined;
    // A plain end could be mistaken for a client that has sent everything and waits.
    if (this.#state !== State.Closed) this.wire.reset();
    this.#close();
  }

  /** After a 101: bytes pass both ways until both sides have ended. */
  tunnel(): void {
    this.#state = State.Tunnel;
  }

  onBytes(buffer: Buffer, length: number): void {
    switch (this.#state) {
      case State.Head:
        this.#answered = true;
        if (!this.#carry) {
          this.#readHead(buffer, 0, length);
          return;
        }
        this.#carry.append(buffer, 0, length);
        this.#readHead(this.#carry.bytes, 0, this.#carry.length);
        return;
      case State.Length:
      case State.Chunked:
      case State.UntilClose:
        this.#readBody(buffer, 0, length, false);
        return;
      case State.Tunnel:
        this.#user?.upstreamBody(buffer, 0, length, false);
        return;
      case State.Idle:
        // An unrequested response (a 408 before closing, or an attack) must never answer a later request.
        this.#close();
        return;
      case State.Closed:
    }
  }

  #readHead(buffer: Buffer, start: number, length: number): void {
    const { head } = this;
    let from = start;
    for (;;) {
      const end = head.parse(buffer, from, length);
      if (end === needMore) {
        // The kept bytes begin with the head's first byte.
        if (!this.#carry) {
          this.#carry = new Carry();
          this.#carry.append(buffer, from, length);
        } else if (from > 0) this.#carry.consume(from);
        return;
      }
      if (end === broken) return this.#fail('bad-response');
      const { status } = head;
      if (status >= 200 || status === 101) {
        this.#carry = undefined;
        this.#begunBody(buffer, end, length);
        return;
      }
      if (++this.#informational > maxInformational) return this.#fail('bad-response');
      this.#user?.upstreamInformational(head);
      if (this.#state !== State.Head) return;
      head.reset();
      from = end;
    }
  }

  #begunBody(buffer: Buffer, from: number, to: number): void {
    const { head } = this;
    const { status } = head;
    if (status === 101) {
      this.#user?.upstreamHead(head, buffer, from, to, false);
      return;
    }
    if (this.#isHead || status === 204 || status === 304) {
      this.#remaining = 0;
      this.#state = State.Length;
    } else if (head.chunked) {
      (this.#chunks ??= new ChunkedReader()).reset();
      this.#state = State.Chunked;
    } else if (head.contentLength >= 0) {
      this.#remaining = head.contentLength;
      this.#state = State.Length;
    } else {
      this.#state = State.UntilClose;
    }
    this.#readBody(buffer, from, to, true);
  }

  /** Passes on the response's body; with `first` together with its head. */
  #readBody(buffer: Buffer, from: number, to: number, first: boolean): void {
    if (this.#state === State.Chunked) return this.#readChunks(buffer, from, to, first);
    let end = to;
    let ended = false;
    if (this.#state === State.Length) {
      end = Math.min(to, from + this.#remaining);
      this.#remaining -= end - from;
      ended = this.#remaining === 0;
    }
    const user = this.#user;
    if (ended) this.#user = undefined;
    if (first) user?.upstreamHead(this.head, buffer, from, end, ended);
    else user?.upstreamBody(buffer, from, end, ended);
    if (ended) this.#finish(end === to);
  }

  #readChunks(buffer: Buffer, from: number, to: number, first: boolean): void {
    const chunks = this.#chunks as ChunkedReader;
    const user = this.#user;
    if (this.#decoded) {
      if (first) user?.upstreamHead(this.head, buffer, from, from, false);
      const end = chunks.read(buffer, from, to, (a, b) => {
        if (this.#user === user) user?.upstreamBody(buffer, a, b, false);
      });
      if (this.#user !== user || this.#state !== State.Chunked) return;
      if (end < 0) return this.#fail('bad-response');
      if (!chunks.done) return;
      this.trailers = chunks.trailers;
      this.#user = undefined;
      user?.upstreamBody(buffer, end, end, true);
      this.#finish(end === to);
      return;
    }
    const end = chunks.read(buffer, from, to);
    if (end < 0) {
      if (first) user?.upstreamHead(this.head, buffer, from, from, false);
      if (this.#user === user) this.#fail('bad-response');
      return;
    }
    const ended = chunks.done;
    const { verbatimStart, verbatimEnd } = chunks;
    if (ended) {
      this.trailers = chunks.trailers;
      this.#user = undefined;
    }
    if (first) user?.upstreamHead(this.head, buffer, verbatimStart, verbatimEnd, ended);
    else user?.upstreamBody(buffer, verbatimStart, verbatimEnd, ended);
    if (ended) this.#finish(end === to);
  }

  /**
   * The response is complete, and the user has been notified: the connection returns to the pool, or is closed if it
   * cannot be reused. The user comes first, because the next user resets head and trailers.
   */
  #finish(isExact: boolean): void {
    if (this.#state === State.Closed) return;
    const { head } = this;
    // HTTP/1.0 has no chunks: their end is doubtful (RFC 9112, 6.1).
    const mayKeep = head.minor !== 0 || (head.keepAlive && !head.chunked);
    const keep = mayKeep && !head.close;
    if (this.#paused) this.resume();
    if (keep && this.isProven() && isExact && this.#sentAll) {
      this.#state = State.Idle;
      this.served++;
      this.pool.give(this);
    } else {
      this.#close();
    }
  }

  onEnd(): void {
    if (this.#state === State.Tunnel) {
      this.#peerEnded = true;
      this.#user?.upstreamBody(Buffer.alloc(0), 0, 0, true);
      if (this.#localEnded) this.#closeGently();
      return;
    }
    this.#ended(undefined);
  }

  onClose(): void {
    this.#ended('reset');
  }

  #ended(code: 'reset' | undefined): void {
    const state = this.#state;
    const user = this.#user;
    if (state === State.UntilClose && code === undefined) {
      this.#user = undefined;
      this.#close();
      user?.upstreamBody(Buffer.alloc(0), 0, 0, true);
      return;
    }
    const stale = state === State.Head && this.served > 0 && !this.#answered;
    this.#fail(stale ? 'stale-connection' : 'reset');
  }

  #fail(failure: TryFailure): void {
    const user = this.#user;
    this.#user = undefined;
    this.#close();
    user?.upstreamFailed(failure);
  }

  #close(): void {
    if (this.#state === State.Closed) return;
    this.#state = State.Closed;
    this.#carry = undefined;
    this.wire.destroy();
    this.pool.gone(this);
  }

  /** Called by the pool on an idle connection. */
  close(): void {
    this.#close();
  }

  onDrain(): void {
    this.#user?.upstreamDrained();
  }
}
