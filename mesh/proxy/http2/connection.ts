/**
 * One HTTP/2 connection (RFC 9113), either end: settings, windows, streams. The two derived classes decide what a new
 * stream or a head means. Everything that a peer can make grow has a limit.
 */
import type { Holdings } from '../listen/holdings.js';
import type { Wire, WireUser } from '../listen/wire.js';
import { Allowance } from './allowance.js';
import { ConnectionError, defaultWindow, errorCode } from './frame.js';
import { type FrameSink, FrameReader } from './frame-reader.js';
import { FrameWriter } from './frame-writer.js';
import { takeControlFrame } from './control-frames.js';
import { CompressionError, HpackDecoder } from './hpack/decoder.js';
import type { Field } from './hpack/field.js';
import type { ConnectionLimits, Shared } from './limits.js';
import { ReceiveWindow } from './receive-window.js';
import { SendWindow } from './send-window.js';
import { nobody, type Stream } from './stream.js';

/** Streams that this side reset recently: frames that the peer had already sent are no offence. */
const maxRemembered = 1024;
const lingerMs = 1000;
/** For a stalled stream, while memory is short. */
const stalledShortMs = 3000;
const tableBytes = 4096;

let connections = 0;

export abstract class Connection implements WireUser, FrameSink {
  readonly wire: Wire;
  readonly output: FrameWriter;
  readonly streams = new Map<number, Stream>();
  readonly memory: Holdings;
  protected readonly shared: Shared;
  protected readonly limits: ConnectionLimits;
  readonly #reader: FrameReader;
  readonly #decoder: HpackDecoder;
  readonly #received: ReceiveWindow;

  /** No new streams are taken or opened. */
  draining = false;
  closed = false;
  /** The peer has ended its side. */
  #peerEnded = false;

  /** The window that the peer allows. */
  readonly sending: SendWindow;
  /** Unique among all connections of this process. */
  readonly name = `h2-${++connections}`;
  peerInitialWindow = defaultWindow;
  peerMaxStreams = 0x7fffffff;

  /** The stream of the DATA frame being read. */
  #dataStream: Stream | undefined;
  /** With the octets that the peer may have sent before it knew. */
  readonly #resetByUs = new Map<number, number>();
  /** PING, SETTINGS, PRIORITY, empty DATA, WINDOW_UPDATE and RST_STREAM beyond need. */
  readonly #idleFrames: Allowance;
  #afterRead: { onRead(): void }[] = [];
  /** When a stream last ended. */
  #usedMs: number;
  /** -1: bytes were read since the last tick. */
  #lastReadMs: number;
  #pingSentMs = 0;
  /** Whether bytes were read since its last reset. */
  wasHeard = false;

  constructor(wire: Wire, shared: Shared, isServer: boolean) {
    const { limits, memory } = shared;
    this.wire = wire;
    this.shared = shared;
    this.limits = limits;
    this.memory = memory;
    this.output = new FrameWriter(wire);
    this.sending = new SendWindow(this.output);
    this.#decoder = new HpackDecoder(tableBytes, limits.maxHeaderListBytes);
    this.#reader = new FrameReader(this, isServer, limits.maxHeaderListBytes, this.now);
    this.#received = new ReceiveWindow(limits, memory, (more) => this.output.windowUpdate(0, more));
    const nowMs = this.now();
    this.#idleFrames = new Allowance(10000, 1000, nowMs);
    this.#usedMs = nowMs;
    this.#lastReadMs = nowMs;
    wire.user = this;
  }

  /** The highest stream that the peer has opened, or that this side has. */
  abstract lastStream(): number;
  protected abstract onBlock(id: number, fields: Field[], tooLarge: boolean, ended: boolean): void;
  abstract onPeerReset(stream: Stream, code: number): void;
  abstract onGoaway(lastStream: number, code: number): void;
  abstract onSettings(): void;
  /** The last stream has ended, or the connection was lost. */
  protected abstract onIdle(): void;
  protected abstract onLost(): void;

  protected readonly now = (): number => this.shared.clock.monotonicMs();

  /** A certificate of the handshake has expired, or is denied. */
  protected get isOutlived(): boolean {
    return this.wire.isOutlived(this.shared.clock.nowMs());
  }

  /** The peer's first settings are known. */
  protected get settled(): boolean {
    return this.#reader.settled;
  }

  /** Sends this side's first frames. */
  protected start(settings: readonly (readonly [number, number])[], preface: boolean): void {
    this.output.settings(settings, preface);
    this.#received.open();
  }

  // Incoming bytes.

  onBytes(buffer: Buffer, length: number): void {
    if (this.closed) return;
    this.#lastReadMs = -1;
    this.wasHeard = true;
    try {
      this.#reader.read(buffer, length);
    } catch (error) {
      if (error instanceof ConnectionError) this.fail(error.code, error.message);
      else if (error instanceof CompressionError) this.fail(errorCode.compression, error.message);
      else {
        this.fail(errorCode.internal, '');
        throw error;
      }
    }
    if (this.#afterRead.length === 0) return;
    const listeners = this.#afterRead;
    this.#afterRead = [];
    for (const listener of listeners) listener.onRead();
  }

  /** Calls `listener` once all octets of the current read have been processed. */
  afterRead(listener: { onRead(): void }): void {
    this.#afterRead.push(listener);
  }

  onDataFrame(id: number, size: number): boolean {
    if (id === 0) throw new ConnectionError(errorCode.protocol, 'DATA on stream 0');
    if (!this.#received.take(size)) {
      throw new ConnectionError(errorCode.flowControl, 'more DATA than the window');
    }
    const stream = this.streams.get(id);
    if (!stream) {
      if (id > this.lastStream()) {
        throw new ConnectionError(errorCode.protocol, 'DATA on an idle stream');
      }
      this.#received.give(size);
      this.#lateData(id, size);
      return false;
    }
    stream.receiveWindow -= size;
    if (stream.remoteEnded || stream.receiveWindow < 0) {
      this.#received.give(size);
      const code = stream.remoteEnded ? errorCode.streamClosed : errorCode.flowControl;
      this.breakStream(stream, code);
      return false;
    }
    stream.bufferedBytes += size;
    this.#received.hold(size);
    this.#dataStream = stream;
    return true;
  }

  /** DATA on a closed stream. */
  #lateData(id: number, size: number): void {
    const left = this.#resetByUs.get(id);
    if (left !== undefined && size > 0 && size <= left) {
      this.#resetByUs.set(id, left - size);
      return;
    }
    this.spend(1);
    if (left === undefined) this.#sendReset(id, errorCode.streamClosed);
  }

  onPadding(bytes: number): void {
    this.#dataStream?.consumed(bytes);
  }

  onDataPiece(buffer: Buffer, start: number, end: number, ended: boolean): void {
    const stream = this.#dataStream as Stream;
    if (start === end && !ended) this.spend(1);
    if (stream.closed) return;
    stream.receivedBytes += end - start;
    const { expectedBytes, receivedBytes } = stream;
    if (expectedBytes >= 0 && (ended || receivedBytes > expectedBytes)) {
      if (receivedBytes !== expectedBytes) return this.breakStream(stream, errorCode.protocol);
    }
    if (ended) stream.remoteEnded = true;
    stream.receiver.onData(stream, buffer, start, end, ended);
    if (ended) this.closeIfDone(stream);
  }

  onBlockBytes(
    id: number,
    buffer: Buffer,
    start: number,
    end: number,
    ends: boolean,
    dependsOnItself: boolean,
  ): void {
    const decoder = this.#decoder;
    // Every block must be decoded, or the two ends' tables would differ.
    const fields = decoder.decode(buffer, start, end);
    const stream = this.streams.get(id);
    if (dependsOnItself) {
      if (stream) this.breakStream(stream, errorCode.protocol);
      else this.refuseStream(id, errorCode.protocol);
      return;
    }
    if (!stream && id <= this.lastStream()) {
      if (this.#resetByUs.has(id)) return this.spend(1);
      throw new ConnectionError(errorCode.streamClosed, 'HEADERS on a closed stream');
    }
    if (stream?.remoteEnded) {
      throw new ConnectionError(errorCode.streamClosed, 'HEADERS after the end of the stream');
    }
    this.onBlock(id, fields, decoder.tooLarge, ends);
  }

  onFrame(
    type: number,
    flags: number,
    id: number,
    buffer: Buffer,
    start: number,
    end: number,
  ): void {
    takeControlFrame(this, type, flags, id, buffer, start, end);
  }

  /** For a frame without use. Throws a ConnectionError when the peer has sent too many of them. */
  spend(amount: number): void {
    if (!this.#idleFrames.spend(amount, this.now)) {
      throw new ConnectionError(errorCode.enhanceYourCalm, 'too many frames without use');
    }
  }

  /** Detects a peer that causes answers and does not read them. */
  checkBacklog(): void {
    if (this.output.pendingBytes > this.limits.maxBacklogBytes) {
      throw new ConnectionError(errorCode.enhanceYourCalm, 'answers are not read');
    }
  }

  // The wire's other events.

  onEnd(): void {
    this.#peerEnded = true;
    for (const stream of this.streams.values()) {
      if (!stream.remoteEnded) this.#lose(stream);
    }
    if (this.streams.size === 0) this.close();
    else this.draining = true;
  }

  onDrain(): void {
    this.output.full = false;
    this.sending.pump();
  }

  onClose(_code: string | undefined): void {
    this.#ended();
  }

  /** Called once a second. */
  tick(nowMs: number): void {
    if (this.closed) return;
    this.#received.settle();
    if (this.#lastReadMs < 0) this.#lastReadMs = nowMs;
    if (this.#reader.unfinishedMs(nowMs) > this.limits.unfinishedMs) {
      return this.fail(errorCode.protocol, 'unfinished for too long');
    }
    if (this.streams.size === 0) {
      if (nowMs - this.#usedMs > this.limits.idleMs) this.drainNow();
      return;
    }
    this.#resetStalled(nowMs);
    // A stream waits for an answer: a PING checks whether the peer is still there.
    if (this.#pingSentMs > 0) {
      const unansweredMs = nowMs - Math.max(this.#pingSentMs, this.#lastReadMs);
      if (unansweredMs > this.limits.unfinishedMs) this.fail(errorCode.none, 'no answer to PING');
    } else if (nowMs - this.#lastReadMs > this.limits.silentMs) {
      this.ask(nowMs);
    }
  }

  /** By a PING, whether it is there: nothing that comes in time is the end of the connection. */
  ask(nowMs: number): void {
    this.#pingSentMs = nowMs;
    this.ping();
  }

  #resetStalled(nowMs: number): void {
    const { stalledMs } = this.limits;
    const isShort = this.memory.isTight;
    for (const stream of this.streams.values()) {
      if (!stream.waiting) continue;
      if (stream.stalledSinceMs < 0) stream.stalledSinceMs = nowMs;
      const limitMs = isShort ? Math.min(stalledMs, stalledShortMs) : stalledMs;
      if (nowMs - stream.stalledSinceMs >= limitMs) this.streamFailed(stream, errorCode.cancel);
    }
  }

  // Writing.

  sendHeaders(stream: Stream, fields: readonly Field[], ended: boolean): void {
    this.output.headers(stream.id, fields, ended);
    // Useful work: the peer may send a few more frames without use.
    this.#idleFrames.earn(4);
    if (ended) {
      stream.localEnded = true;
      this.closeIfDone(stream);
    }
  }

  /** Sends as much as both windows and the wire allow, and returns that number of octets. */
  sendData(stream: Stream, buffer: Buffer, start: number, end: number, ended: boolean): number {
    const sent = this.sending.send(stream, buffer, start, end, ended);
    if (sent > 0) this.#idleFrames.earn(2);
    if (stream.localEnded) this.closeIfDone(stream);
    return sent;
  }

  /** The stream has octets to send: it is served when the connection may send again. */
  block(stream: Stream): void {
    this.sending.block(stream);
  }

  /** Octets of a stream have been passed on. */
  consumed(stream: Stream, bytes: number): void {
    if (stream.closed) return;
    stream.bufferedBytes -= bytes;
    this.#received.release(bytes);
    if (stream.remoteEnded) return;
    stream.unacknowledged += bytes;
    if (stream.unacknowledged * 2 < this.limits.streamWindow) return;
    const increment = stream.unacknowledged;
    stream.unacknowledged = 0;
    stream.receiveWindow += increment;
    this.output.windowUpdate(stream.id, increment);
  }

  ping(): void {
    this.output.ping();
  }

  onPong(): void {
    this.#pingSentMs = 0;
  }

  #sendReset(id: number, code: number): void {
    this.output.reset(id, code);
    this.checkBacklog();
  }

  // The end of streams and connections.

  /** Refuses a stream for which no object was made. */
  refuseStream(id: number, code: number): void {
    this.#remember(id, this.limits.streamWindow);
    this.spend(1);
    this.#sendReset(id, code);
    if (code !== errorCode.refusedStream) this.offended();
  }

  /** Frames that crossed this side's reset are ignored; frames that follow the peer's own reset are not. */
  forgetReset(id: number): void {
    this.#resetByUs.delete(id);
  }

  #remember(id: number, window: number): void {
    this.#resetByUs.set(id, window);
    if (this.#resetByUs.size <= maxRemembered) return;
    for (const oldest of this.#resetByUs.keys()) {
      this.#resetByUs.delete(oldest);
      break;
    }
  }

  /** Resets a stream whose peer does not read, and notifies its receiver. */
  streamFailed(stream: Stream, code: number): void {
    const { receiver } = stream;
    this.resetStream(stream, code);
    receiver.onReset(stream, code, false);
  }

  /**
   * The peer broke a rule on this stream, or on an unknown one: the reset that it caused counts against its
   * allowance.
   */
  protected offended(): void {
    this.spend(1);
  }

  breakStream(stream: Stream, code: number): void {
    this.streamFailed(stream, code);
    this.offended();
  }

  /** A reset by this side: the receiver is not notified. */
  resetStream(stream: Stream, code: number): void {
    this.#remember(stream.id, stream.receiveWindow);
    this.#sendReset(stream.id, code);
    this.drop(stream);
  }

  protected drop(stream: Stream): void {
    stream.receiver = nobody;
    stream.waiting = undefined;
    if (stream.heldBytes > 0) this.memory.hold(stream, -stream.heldBytes);
    this.#finish(stream);
  }

  closeIfDone(stream: Stream): void {
    if (stream.localEnded && stream.remoteEnded && !stream.closed) this.#finish(stream);
  }

  #finish(stream: Stream): void {
    stream.closed = true;
    this.streams.delete(stream.id);
    if (stream.bufferedBytes !== 0) {
      this.#received.release(stream.bufferedBytes);
      stream.bufferedBytes = 0;
    }
    if (this.streams.size > 0) return;
    this.#usedMs = this.shared.clock.monotonicMs();
    if (this.closed) return;
    if (this.#peerEnded) this.close();
    else this.onIdle();
  }

  #lose(stream: Stream): void {
    const { receiver } = stream;
    this.drop(stream);
    receiver.onReset(stream, errorCode.cancel, true);
  }

  /** Sends GOAWAY with a reason, and ends every stream of this connection. */
  fail(code: number, message: string): void {
    if (this.closed) return;
    this.output.goaway(this.lastStream(), code, message);
    this.close();
  }

  /** Sends the written frames and closes; open streams are lost. */
  close(): void {
    if (this.closed) return;
    this.output.flush();
    this.wire.endThenDestroy(lingerMs);
    this.#ended();
  }

  /** Takes no more streams; closes at once when there are none. */
  drainNow(): void {
    if (this.closed) return;
    this.draining = true;
    this.output.goaway(this.lastStream(), errorCode.none, '');
    if (this.streams.size === 0) this.close();
  }

  #ended(): void {
    if (this.closed) return;
    this.closed = true;
    this.draining = true;
    for (const stream of this.streams.values()) this.#lose(stream);
    this.sending.clear();
    this.onLost();
  }
}
