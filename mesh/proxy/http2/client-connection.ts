/** The client's end, towards endpoints: opens streams, judges answers, knows how many more streams it may open. */
import type { Wire } from '../listen/wire.js';
import { Allowance } from './allowance.js';
import { Connection } from './connection.js';
import { ConnectionError, errorCode, maxWindow, setting } from './frame.js';
import { areTrailers, contentLengthOf, readStatus, withoutLength } from './heads.js';
import { maxInformational } from '../seam.js';
import type { Field } from './hpack/field.js';
import type { Shared } from './limits.js';
import { PeerWatch, type Watched } from './peer-watch.js';
import { type Receiver, Stream } from './stream.js';

export interface ClientHandler {
  /** More streams may be opened than before, or no more at all. */
  onRoom(connection: ClientConnection): void;
  onClientGone(connection: ClientConnection): void;
  /** The peer takes no more streams on this connection. */
  onDismissed(connection: ClientConnection): void;
  /** The peer does not answer a PING at once: other peers may have failed with it. */
  onDoubted(): void;
}

/** Half of the other end's limit (server-connection.ts). */
const maxResets = 500;

export class ClientConnection extends Connection implements Watched {
  readonly #handler: ClientHandler;
  #nextId = 1;
  /** Whether it may carry requests of HTTP/1.1. */
  carries = false;
  /**
   * Clients of HTTP/1.1 may give up at any time, and the peer treats many reset streams as an attack: at half of the
   * peer's limit new streams go to another connection, so that no request is lost.
   */
  readonly #resets: Allowance;
  readonly #watch: PeerWatch;

  constructor(wire: Wire, shared: Shared, handler: ClientHandler) {
    super(wire, shared, false);
    this.#handler = handler;
    this.#watch = new PeerWatch(this, shared.clock);
    this.#resets = new Allowance(maxResets, maxResets / 20, shared.clock.monotonicMs());
    const { limits } = shared;
    this.start(
      [
        [setting.enablePush, 0],
        [setting.initialWindowSize, limits.streamWindow],
        [setting.maxHeaderListSize, limits.maxHeaderListBytes],
      ],
      true,
    );
  }

  lastStream(): number {
    return this.#nextId - 2;
  }

  /** How many more streams the peer would accept now. */
  get room(): number {
    if (this.draining || this.closed || this.#nextId > maxWindow - 2) return 0;
    // The peer's limit is in its first SETTINGS, which are on their way: one request need not wait for them.
    const allowed = this.settled ? this.peerMaxStreams : 1;
    return allowed - this.streams.size;
  }

  override tick(nowMs: number): void {
    super.tick(nowMs);
    this.isExpired();
  }

  /** A certificate has expired since the handshake: streams finish, new ones go elsewhere. */
  isExpired(): boolean {
    if (this.draining || !this.isOutlived) return false;
    this.gone();
    return true;
  }

  /** Opens a stream, with its head. `bodiless`: the answer has no body, whatever its content-length (HEAD). */
  open(receiver: Receiver, fields: readonly Field[], ended: boolean, bodiless: boolean): Stream {
    const stream = new Stream(
      this,
      this.#nextId,
      receiver,
      this.peerInitialWindow,
      this.limits.streamWindow,
    );
    this.#nextId += 2;
    stream.bodiless = bodiless;
    stream.onIdleSession = this.streams.size === 0 && stream.id > 1;
    this.streams.set(stream.id, stream);
    this.sendHeaders(stream, fields, ended);
    if (this.carries) this.#watch.owes();
    return stream;
  }

  get isOwed(): boolean {
    return this.streams.size > 0;
  }

  get isOpen(): boolean {
    return !this.closed && !this.draining;
  }

  doubted(): void {
    this.#handler.onDoubted();
  }

  /**
   * Sends a PING because another peer does not answer. A server that is no Firedrill proxy may treat many PINGs as an
   * attack: it gets only those of tick().
   */
  doubt(): void {
    if (this.carries) this.#watch.doubt();
  }

  /**
   * Streams under way may still end well. New streams go by another connection, whose handshake shows whether the peer
   * is there.
   */
  gone(): void {
    this.drainNow();
    this.#handler.onRoom(this);
  }

  /** A request was given up. */
  onGivenUp(): void {
    if (this.draining || this.#resets.spend(1, this.now)) return;
    this.drainNow();
    this.#handler.onRoom(this);
  }

  protected onBlock(id: number, fields: Field[], tooLarge: boolean, ended: boolean): void {
    const stream = this.streams.get(id);
    if (!stream) throw new ConnectionError(errorCode.protocol, 'HEADERS on an idle stream');
    if (tooLarge) return this.breakStream(stream, errorCode.enhanceYourCalm);
    if (stream.headDone) {
      const short = stream.expectedBytes >= 0 && stream.receivedBytes !== stream.expectedBytes;
      if (!ended || short || !areTrailers(fields)) {
        return this.breakStream(stream, errorCode.protocol);
      }
      stream.remoteEnded = true;
      stream.receiver.onTrailers(stream, fields);
      this.closeIfDone(stream);
      return;
    }
    const status = readStatus(fields);
    if (status < 200) {
      const isWrong = status === 0 || ended || ++stream.informational > maxInformational;
      if (isWrong) return this.breakStream(stream, errorCode.protocol);
      stream.receiver.onHead(stream, status, withoutLength(fields), false);
      return;
    }
    if (stream.bodiless || status === 204 || status === 304) stream.expectedBytes = 0;
    else {
      const length = contentLengthOf(fields);
      if (length === -2 || (ended && length > 0)) {
        return this.breakStream(stream, errorCode.protocol);
      }
      stream.expectedBytes = length;
    }
    stream.headDone = true;
    if (ended) stream.remoteEnded = true;
    const passed = status === 204 ? withoutLength(fields) : fields;
    stream.receiver.onHead(stream, status, passed, ended);
    if (ended) this.closeIfDone(stream);
  }

  onPeerReset(stream: Stream, code: number): void {
    const { receiver } = stream;
    this.drop(stream);
    receiver.onReset(stream, code, false);
  }

  onGoaway(lastStream: number): void {
    this.draining = true;
    this.#handler.onDismissed(this);
    for (const stream of this.streams.values()) {
      // Certainly not processed.
      if (stream.id > lastStream) this.onPeerReset(stream, errorCode.refusedStream);
    }
    if (this.streams.size === 0) this.close();
  }

  onSettings(): void {
    this.#handler.onRoom(this);
  }

  protected onIdle(): void {
    if (this.draining) this.close();
    else this.#handler.onRoom(this);
  }

  protected override drop(stream: Stream): void {
    super.drop(stream);
    this.#mayHaveRoom();
  }

  override closeIfDone(stream: Stream): void {
    super.closeIfDone(stream);
    if (stream.closed) this.#mayHaveRoom();
  }

  #mayHaveRoom(): void {
    // The first free stream: waiting requests get it.
    if (this.streams.size === this.peerMaxStreams - 1) this.#handler.onRoom(this);
  }

  protected onLost(): void {
    this.#handler.onClientGone(this);
  }
}
