/** The server's end, towards clients: takes streams, judges their heads, limits the work that clients may waste. */
import type { Serving } from '../seam.js';
import type { Wire } from '../listen/wire.js';
import { Allowance } from './allowance.js';
import { Connection } from './connection.js';
import { ConnectionError, errorCode, maxWindow, setting } from './frame.js';
import { areTrailers, readRequestHead, type RequestHead } from './heads.js';
import type { Field } from './hpack/field.js';
import { makeField } from './hpack/intern.js';
import type { Shared } from './limits.js';
import { nobody, Stream } from './stream.js';
import { beginLater, newRead, takeTurn } from './turns.js';

export interface ServerHandler {
  /** Sets the stream's receiver. `ended`: there is no body. */
  onRequest(stream: Stream, head: RequestHead, ended: boolean, serving: Serving): void;
  onServerGone(connection: ServerConnection): void;
}

/** The time between the two GOAWAYs of a drain when the client does not answer the PING. */
const secondGoawayMs = 1000;
/** The cost of a reset: this much for a stream that is reset at once, 1 after `briefMs`, nothing after `patientMs`. */
const resetCost = 10;
const briefMs = 5;
const patientMs = 100;
/**
 * A smaller window has no room for an answer. Only this many such streams are begun; the rest wait until there is
 * room.
 */
const leastRoom = 256;
const maxRoomless = 16;
const roomWaitMs = 1000;
const noRoom = [
  makeField(':status', '503', true),
  makeField('retry-after', '1', true),
  makeField('l5d-proxy-error', 'the client gives its answers no room', true),
  makeField('content-length', '0', true),
];

export class ServerConnection extends Connection {
  readonly serving: Serving;
  readonly #handler: ServerHandler;
  #lastStream = 0;
  /** Streams above this id are refused. */
  #goawayStream = maxWindow;
  #drainingSinceMs = -1;
  /**
   * Streams that the client ends before their answer, by RST_STREAM or by a frame that makes this side send one. They
   * cost the proxy work, cost the client little, and escape the limit on concurrent streams.
   */
  readonly #resets: Allowance;
  /** Requests that wait: their answers have no room, and enough such requests are in flight. */
  #later: { stream: Stream; head: RequestHead; sinceMs: number }[] = [];

  constructor(wire: Wire, shared: Shared, serving: Serving, handler: ServerHandler) {
    super(wire, shared, true);
    this.serving = serving;
    this.#handler = handler;
    this.#resets = new Allowance(1000 * resetCost, 50 * resetCost, shared.clock.monotonicMs());
    const { limits } = shared;
    this.start(
      [
        [setting.maxConcurrentStreams, limits.maxStreams],
        [setting.initialWindowSize, limits.streamWindow],
        [setting.maxHeaderListSize, limits.maxHeaderListBytes],
      ],
      false,
    );
  }

  override onBytes(buffer: Buffer, length: number): void {
    newRead();
    super.onBytes(buffer, length);
  }

  lastStream(): number {
    return this.#lastStream;
  }

  protected onBlock(id: number, fields: Field[], tooLarge: boolean, ended: boolean): void {
    const open = this.streams.get(id);
    if (open) return this.#trailers(open, fields, tooLarge || !ended);
    if (id % 2 === 0) throw new ConnectionError(errorCode.protocol, 'an even stream from a client');
    this.#lastStream = id;
    const { memory, limits } = this.shared;
    if (
      id > this.#goawayStream ||
      this.streams.size >= limits.maxStreams ||
      memory.isFull ||
      this.isExpired()
    ) {
      return this.refuseStream(id, errorCode.refusedStream);
    }
    const head = tooLarge ? undefined : readRequestHead(fields);
    if (!head && !tooLarge) return this.refuseStream(id, errorCode.protocol);
    const stream = new Stream(this, id, nobody, this.peerInitialWindow, limits.streamWindow);
    stream.openedMs = this.now();
    this.streams.set(id, stream);
    stream.remoteEnded = ended;
    if (!head || head.method === 'CONNECT') {
      // The head is too large, or asks for a tunnel, which would hide requests from the flow's decisions.
      stream.headers([makeField(':status', head ? '501' : '431', true)], true);
      if (!stream.closed) stream.reset(errorCode.none);
      return;
    }
    if (head.contentLength >= 0) {
      stream.expectedBytes = head.contentLength;
      if (ended && head.contentLength > 0) return this.breakStream(stream, errorCode.protocol);
    }
    if (stream.sendWindow < leastRoom && this.#roomless() > maxRoomless) {
      if (!ended) return this.streamFailed(stream, errorCode.refusedStream);
      this.#later.push({ stream, head, sinceMs: stream.openedMs });
      return;
    }
    // A peer's proxy brings the requests of many clients.
    if (this.serving.peerIdentity !== undefined || takeTurn()) {
      return this.#handler.onRequest(stream, head, ended, this.serving);
    }
    beginLater(stream, stream.openedMs, () =>
      this.#handler.onRequest(stream, head, stream.remoteEnded, this.serving),
    );
  }

  /** Streams whose answers could not be sent. */
  #roomless(): number {
    let count = -this.#later.length;
    for (const stream of this.streams.values()) if (stream.sendWindow < leastRoom) count++;
    return count;
  }

  /** Begins waiting requests that have room now; refuses those that waited too long. */
  #beginLater(nowMs: number): void {
    const waiting = this.#later;
    if (waiting.length === 0) return;
    this.#later = [];
    let room = maxRoomless - (this.#roomless() - waiting.length);
    for (const one of waiting) {
      const { stream, head, sinceMs } = one;
      if (stream.closed) continue;
      if (stream.sendWindow >= leastRoom || room-- > 0) {
        this.#handler.onRequest(stream, head, true, this.serving);
      } else if (nowMs - sinceMs >= roomWaitMs) stream.headers(noRoom, true);
      else this.#later.push(one);
    }
  }

  /** The client's certificate has expired since the handshake: no new request begins on the connection. */
  isExpired(): boolean {
    if (!this.isOutlived) return false;
    this.drain();
    return true;
  }

  #trailers(stream: Stream, fields: Field[], wrong: boolean): void {
    const short = stream.expectedBytes >= 0 && stream.receivedBytes !== stream.expectedBytes;
    if (wrong || short || !areTrailers(fields)) {
      return this.breakStream(stream, errorCode.protocol);
    }
    stream.remoteEnded = true;
    stream.receiver.onTrailers(stream, fields);
    this.closeIfDone(stream);
  }

  override closeIfDone(stream: Stream): void {
    super.closeIfDone(stream);
    if (stream.closed) this.#resets.earn(resetCost);
    if (this.#later.length > 0) this.#beginLater(this.now());
  }

  onPeerReset(stream: Stream, code: number): void {
    const { receiver } = stream;
    this.drop(stream);
    receiver.onReset(stream, code, false);
    // A client's own timeout is no attack: streams that live for a while are limited by the number of concurrent
    // streams.
    const livedMs = this.now() - stream.openedMs;
    if (livedMs >= patientMs) return;
    this.#spendReset(livedMs >= briefMs ? 1 : resetCost);
  }

  protected override offended(): void {
    super.offended();
    // No honest client does that.
    this.#spendReset(resetCost);
  }

  #spendReset(amount: number): void {
    if (!this.#resets.spend(amount, this.now)) {
      throw new ConnectionError(errorCode.enhanceYourCalm, 'too many streams are reset');
    }
  }

  onGoaway(): void {
    this.draining = true;
    if (this.streams.size === 0) this.close();
  }

  onSettings(): void {
    // The client's settings do not affect requests in flight.
  }

  protected onIdle(): void {
    if (this.draining && this.#drainingSinceMs < 0) this.close();
  }

  /** A client that ends its side cannot finish its streams: its requests are given up. */
  override onEnd(): void {
    this.close();
  }

  protected onLost(): void {
    this.#handler.onServerGone(this);
  }

  /**
   * Asks the client to open no more streams, and closes when the last has ended. Streams that were already on their
   * way are served: the final GOAWAY names the last stream only after a round trip.
   */
  drain(): void {
    if (this.closed || this.draining) return;
    this.draining = true;
    this.#drainingSinceMs = this.now();
    this.output.goaway(maxWindow, errorCode.none, '');
    this.ping();
  }

  override onPong(): void {
    super.onPong();
    if (this.#drainingSinceMs < 0) return;
    this.#drainingSinceMs = -1;
    this.#goawayStream = this.#lastStream;
    this.drainNow();
  }

  override tick(nowMs: number): void {
    super.tick(nowMs);
    this.#beginLater(nowMs);
    this.isExpired();
    if (this.#drainingSinceMs >= 0 && nowMs - this.#drainingSinceMs > secondGoawayMs) this.onPong();
  }
}
