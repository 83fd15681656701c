/**
 * One HTTP/2 connection (RFC 9113), either end: frames in and out, settings, windows, header
 * blocks. What a new stream or a head means is decided by the two classes derived from it.
 * Everything that a peer can make grow has a bound.
 */
import type { Wire, WireUser } from '../listen/wire.js';
import { Allowance } from './allowance.js';
import {
  clientPreface,
  ConnectionError,
  defaultWindow,
  errorCode,
  flag,
  frameHeaderBytes,
  frameType,
  maxFrameBytes,
  maxWindow,
  setting,
} from './frame.js';
import { CompressionError, HpackDecoder } from './hpack/decoder.js';
import { HpackEncoder } from './hpack/encoder.js';
import type { Field } from './hpack/field.js';
import type { ConnectionLimits, Shared } from './limits.js';
import { Output } from './output.js';
import { nobody, type Stream } from './stream.js';

/** A block as sent, with all its CONTINUATION frames. */
const maxBlockFrames = 64;
/** Ids of streams that we reset lately: what their peers had sent by then is no offence. */
const maxRemembered = 512;
/** Of one stream in one turn, so that each gets its share of the connection. */
const pumpBytes = 16384;
const lingerMs = 1000;
const tableBytes = 4096;

export abstract class Connection implements WireUser {
  readonly wire: Wire;
  readonly output: Output;
  readonly streams = new Map<number, Stream>();
  protected readonly shared: Shared;
  protected readonly limits: ConnectionLimits;
  protected readonly decoder: HpackDecoder;
  readonly #encoder = new HpackEncoder();

  /** No new streams are taken or opened. */
  draining = false;
  closed = false;
  /** The peer has ended its side. */
  #peerEnded = false;
  protected goawaySent = false;

  /** What the peer allows. */
  #sendWindow = defaultWindow;
  protected peerInitialWindow = defaultWindow;
  #peerMaxFrame = maxFrameBytes;
  protected peerMaxStreams = 0x7fffffff;
  /** What it may still send, what we give back next, and what we owe it once memory allows. */
  #receiveWindow = defaultWindow;
  #unacknowledged = 0;
  #owed = 0;
  #bufferedBytes = 0;

  /** Streams that have octets to send and wait for the connection's window or the wire. */
  #blocked: Stream[] = [];
  readonly #resetByUs = new Set<number>();
  /** PING, SETTINGS, PRIORITY, empty DATA, WINDOW_UPDATE and RST_STREAM beyond need. */
  protected readonly idleFrames: Allowance;

  // Reading: octets of an unfinished frame, the DATA frame under way, the header block under way.
  #prefaceAt: number;
  protected settled = false;
  #held = noBytes;
  #heldBytes = 0;
  #dataStream: Stream | undefined;
  #dataLeft = 0;
  #padLeft = 0;
  #padUnknown = false;
  #dataEnds = false;
  #block = noBytes;
  #blockBytes = 0;
  #blockFrames = 0;
  #blockStream = 0;
  #blockEnds = false;
  #blockDependsOnItself = false;
  /** Since when something unfinished has been waited for: preface, frame or block. */
  unfinishedSinceMs: number;
  /** When a stream last ended or began. */
  usedMs: number;
  #lastReadMs: number;
  #pingSentMs = 0;

  constructor(wire: Wire, shared: Shared, isServer: boolean) {
    this.wire = wire;
    this.shared = shared;
    this.limits = shared.limits;
    this.output = new Output(wire);
    this.decoder = new HpackDecoder(tableBytes, this.limits.maxHeaderListBytes);
    const nowMs = shared.clock.monotonicMs();
    this.idleFrames = new Allowance(10000, 1000, nowMs);
    this.unfinishedSinceMs = nowMs;
    this.usedMs = nowMs;
    this.#lastReadMs = nowMs;
    this.#prefaceAt = isServer ? 0 : clientPreface.length;
    wire.user = this;
  }

  /** The highest stream that the peer has opened, or that we have. */
  abstract lastStream(): number;
  protected abstract onBlock(id: number, fields: Field[], tooLarge: boolean, ended: boolean): void;
  protected abstract onPeerReset(stream: Stream, code: number): void;
  protected abstract onGoaway(lastStream: number, code: number): void;
  protected abstract onSettings(): void;
  /** The last stream has ended, or the connection was lost. */
  protected abstract onIdle(): void;
  protected abstract onLost(): void;

  protected readonly now = (): number => this.shared.clock.monotonicMs();

  // --- reading -----------------------------------------------------------------------------
  // ----------------

  onBytes(buffer: Buffer, length: number): void {
    if (this.closed) return;
    try {
      this.#read(buffer, length);
    } catch (error) {
      if (error instanceof ConnectionError) this.fail(error.code, error.message);
      else if (error instanceof CompressionError) this.fail(errorCode.compression, error.message);
      else {
        this.fail(errorCode.internal, '');
        throw error;
      }
    }
    if (this.#afterRead.length > 0) {
      const listeners = this.#afterRead;
      this.#afterRead = [];
      for (const listener of listeners) listener.onRead();
    }
  }

  #afterRead: { onRead(): void }[] = [];

  /** Calls `listener` once the octets being read now have all been looked at. */
  afterRead(listener: { onRead(): void }): void {
    this.#afterRead.push(listener);
  }

  #read(buffer: Buffer, length: number): void {
    let at = 0;
    this.#lastReadMs = -1;
    if (this.#prefaceAt < clientPreface.length) at = this.#readPreface(buffer, length);
    while (at < length) {
      if (this.closed) return;
      if (this.#dataLeft > 0 || this.#padLeft > 0) {
        at = this.#readData(buffer, at, length);
        continue;
      }
      if (this.#heldBytes > 0) {
        at = this.#readHeld(buffer, at, length);
        continue;
      }
      if (length - at < frameHeaderBytes) return this.#hold(buffer, at, length);
      const size = readUint24(buffer, at);
      const type = buffer[at + 3] as number;
      if (size > maxFrameBytes) throw new ConnectionError(errorCode.frameSize, 'frame too large');
      if (type === frameType.data) {
        this.#beginData(size, buffer[at + 4] as number, readUint31(buffer, at + 5));
        at += frameHeaderBytes;
        continue;
      }
      const end = at + frameHeaderBytes + size;
      if (end > length) return this.#hold(buffer, at, length);
      this.#frame(type, buffer, at, end);
      at = end;
    }
  }

  #readPreface(buffer: Buffer, length: number): number {
    let at = 0;
    while (at < length && this.#prefaceAt < clientPreface.length) {
      if (buffer[at++] !== clientPreface[this.#prefaceAt++]) {
        throw new ConnectionError(errorCode.protocol, 'no HTTP/2 preface');
      }
    }
    return at;
  }

  #hold(buffer: Buffer, at: number, length: number): void {
    if (this.#held.length === 0) this.#held = Buffer.allocUnsafe(256);
    this.#heldBytes = buffer.copy(this.#held, 0, at, Math.min(length, at + this.#held.length));
    this.unfinishedSinceMs = this.now();
    if (this.#heldBytes < length - at) {
      this.#growHeld(frameHeaderBytes + readUint24(this.#held, 0));
      this.#heldBytes += buffer.copy(this.#held, this.#heldBytes, at + this.#heldBytes, length);
    }
  }

  #growHeld(bytes: number): void {
    if (bytes <= this.#held.length) return;
    const grown = Buffer.allocUnsafe(bytes);
    this.#held.copy(grown, 0, 0, this.#heldBytes);
    this.#held = grown;
  }

  #readHeld(buffer: Buffer, from: number, length: number): number {
    let at = from;
    if (this.#heldBytes < frameHeaderBytes) {
      const need = frameHeaderBytes - this.#heldBytes;
      const copied = buffer.copy(this.#held, this.#heldBytes, at, Math.min(length, at + need));
      this.#heldBytes += copied;
      at += copied;
      if (this.#heldBytes < frameHeaderBytes) return at;
    }
    const held = this.#held;
    const size = readUint24(held, 0);
    if (size > maxFrameBytes) throw new ConnectionError(errorCode.frameSize, 'frame too large');
    if (held[3] === frameType.data) {
      this.#heldBytes = 0;
      this.#beginData(size, held[4] as number, readUint31(held, 5));
      return at;
    }
    const whole = frameHeaderBytes + size;
    this.#growHeld(whole);
    const need = whole - this.#heldBytes;
    const copied = buffer.copy(this.#held, this.#heldBytes, at, Math.min(length, at + need));
    this.#heldBytes += copied;
    at += copied;
    if (this.#heldBytes === whole) {
      const frame = this.#held;
      this.#heldBytes = 0;
      this.#held = noBytes;
      this.#frame(frame[3] as number, frame, 0, whole);
    }
    return at;
  }

  #expect(type: number, id: number): void {
    if (this.#blockStream !== 0) {
      if (type !== frameType.continuation || id !== this.#blockStream) {
        throw new ConnectionError(errorCode.protocol, 'a header block is interrupted');
      }
    } else if (!this.settled && type !== frameType.settings) {
      throw new ConnectionError(errorCode.protocol, 'SETTINGS must come first');
    }
  }

  #beginData(size: number, flags: number, id: number): void {
    this.#expect(frameType.data, id);
    if (id === 0) throw new ConnectionError(errorCode.protocol, 'DATA on stream 0');
    this.#receiveWindow -= size;
    if (this.#receiveWindow < 0) {
      throw new ConnectionError(errorCode.flowControl, 'more DATA than the window');
    }
    const padded = (flags & flag.padded) !== 0;
    if (padded && size === 0) throw new ConnectionError(errorCode.frameSize, 'no pad length');
    this.#padUnknown = padded;
    this.#dataLeft = size;
    this.#padLeft = 0;
    this.#dataEnds = (flags & flag.endStream) !== 0;
    this.#dataStream = undefined;
    const stream = this.streams.get(id);
    if (!stream) {
      if (id > this.lastStream()) {
        throw new ConnectionError(errorCode.protocol, 'DATA on an idle stream');
      }
      this.#give(size);
      this.#spend(1);
      if (!this.#resetByUs.has(id)) this.#sendReset(id, errorCode.streamClosed);
      return;
    }
    if (stream.remoteEnded) {
      this.#give(size);
      this.streamFailed(stream, errorCode.streamClosed);
      return;
    }
    stream.receiveWindow -= size;
    if (stream.receiveWindow < 0) {
      this.#give(size);
      this.streamFailed(stream, errorCode.flowControl);
      return;
    }
    stream.bufferedBytes += size;
    this.#bufferedBytes += size;
    this.shared.memory.usedBytes += size;
    if (this.#mayGive()) this.#give(size);
    else this.#owed += size;
    if (size === 0) {
      if (this.#dataEnds) this.#deliver(stream, noBytes, 0, 0);
      else this.#spend(1);
      return;
    }
    this.#dataStream = stream;
  }

  #readData(buffer: Buffer, from: number, length: number): number {
    let at = from;
    const stream = this.#dataStream;
    if (this.#padUnknown) {
      this.#padUnknown = false;
      const padding = buffer[at++] as number;
      this.#dataLeft -= 1 + padding;
      if (this.#dataLeft < 0) throw new ConnectionError(errorCode.protocol, 'padding too long');
      this.#padLeft = padding;
      stream?.consumed(1 + padding);
      if (this.#dataLeft === 0) {
        if (stream && this.#dataEnds) this.#deliver(stream, noBytes, 0, 0);
        else this.#spend(1);
        return at;
      }
    }
    if (this.#dataLeft > 0) {
      const end = Math.min(length, at + this.#dataLeft);
      this.#dataLeft -= end - at;
      if (stream) this.#deliver(stream, buffer, at, end);
      return end;
    }
    const skipped = Math.min(length - at, this.#padLeft);
    this.#padLeft -= skipped;
    return at + skipped;
  }

  /** Hands over a piece of the DATA frame under way. */
  #deliver(stream: Stream, buffer: Buffer, start: number, end: number): void {
    if (stream.closed) return;
    stream.receivedBytes += end - start;
    const ended = this.#dataEnds && this.#dataLeft === 0;
    const expected = stream.expectedBytes;
    if (expected >= 0 && (stream.receivedBytes > expected || ended)) {
      if (stream.receivedBytes !== expected) {
        return this.streamFailed(stream, errorCode.protocol);
      }
    }
    if (ended) stream.remoteEnded = true;
    stream.receiver.onData(stream, buffer, start, end, ended);
    if (ended) this.closeIfDone(stream);
  }

  #frame(type: number, buffer: Buffer, at: number, end: number): void {
    const flags = buffer[at + 4] as number;
    const id = readUint31(buffer, at + 5);
    const start = at + frameHeaderBytes;
    this.#expect(type, id);
    switch (type) {
      case frameType.headers:
        return this.#headersFrame(flags, id, buffer, start, end);
      case frameType.continuation:
        if (this.#blockStream === 0) {
          throw new ConnectionError(errorCode.protocol, 'CONTINUATION without HEADERS');
        }
        return this.#fragment(flags, buffer, start, end);
      case frameType.windowUpdate:
        return this.#windowUpdateFrame(id, buffer, start, end);
      case frameType.rstStream:
        return this.#rstStreamFrame(id, buffer, start, end);
      case frameType.settings:
        return this.#settingsFrame(flags, id, buffer, start, end);
      case frameType.ping:
        return this.#pingFrame(flags, id, buffer, start, end);
      case frameType.priority:
        return this.#priorityFrame(id, buffer, start, end);
      case frameType.goaway:
        if (id !== 0) throw new ConnectionError(errorCode.protocol, 'GOAWAY on a stream');
        if (end - start < 8) throw new ConnectionError(errorCode.frameSize, 'GOAWAY too short');
        return this.onGoaway(readUint31(buffer, start), readUint32(buffer, start + 4));
      case frameType.pushPromise:
        throw new ConnectionError(errorCode.protocol, 'PUSH_PROMISE is not allowed');
      default:
        // Unknown types are ignored, but not for free.
        this.#spend(1);
    }
  }

  #headersFrame(flags: number, id: number, buffer: Buffer, from: number, to: number): void {
    if (id === 0) throw new ConnectionError(errorCode.protocol, 'HEADERS on stream 0');
    let start = from;
    let end = to;
    if (flags & flag.padded) {
      if (start >= end) throw new ConnectionError(errorCode.frameSize, 'no pad length');
      end -= buffer[start++] as number;
    }
    this.#blockDependsOnItself = false;
    if (flags & flag.priority) {
      if (start + 5 > to) throw new ConnectionError(errorCode.frameSize, 'HEADERS too short');
      this.#blockDependsOnItself = readUint31(buffer, start) === id;
      start += 5;
    }
    if (start > end) throw new ConnectionError(errorCode.protocol, 'padding too long');
    this.#blockEnds = (flags & flag.endStream) !== 0;
    if (flags & flag.endHeaders) return this.#finishBlock(id, buffer, start, end);
    this.#blockStream = id;
    this.#blockBytes = 0;
    this.#blockFrames = 0;
    this.unfinishedSinceMs = this.now();
    this.#fragment(flags, buffer, start, end);
  }

  #fragment(flags: number, buffer: Buffer, start: number, end: number): void {
    const bytes = this.#blockBytes + end - start;
    if (bytes > this.limits.maxHeaderListBytes || ++this.#blockFrames > maxBlockFrames) {
      throw new ConnectionError(errorCode.enhanceYourCalm, 'an endless header block');
    }
    if (bytes > this.#block.length) {
      const grown = Buffer.allocUnsafe(Math.max(bytes, 2 * this.#block.length, 4096));
      this.#block.copy(grown, 0, 0, this.#blockBytes);
      this.#block = grown;
    }
    buffer.copy(this.#block, this.#blockBytes, start, end);
    this.#blockBytes = bytes;
    if ((flags & flag.endHeaders) === 0) return;
    const id = this.#blockStream;
    const block = this.#block;
    this.#blockStream = 0;
    this.#block = noBytes;
    this.#finishBlock(id, block, 0, bytes);
  }

  #finishBlock(id: number, buffer: Buffer, start: number, end: number): void {
    const fields = this.decoder.decode(buffer, start, end);
    const stream = this.streams.get(id);
    if (this.#blockDependsOnItself) {
      if (stream) this.streamFailed(stream, errorCode.protocol);
      else this.refuseStream(id, errorCode.protocol);
      return;
    }
    if (!stream && id <= this.lastStream()) {
      if (this.#resetByUs.has(id)) return this.#spend(1);
      throw new ConnectionError(errorCode.streamClosed, 'HEADERS on a closed stream');
    }
    if (stream?.remoteEnded) {
      throw new ConnectionError(errorCode.streamClosed, 'HEADERS after the end of the stream');
    }
    this.onBlock(id, fields, this.decoder.tooLarge, this.#blockEnds);
  }

  #windowUpdateFrame(id: number, buffer: Buffer, start: number, end: number): void {
    if (end - start !== 4) throw new ConnectionError(errorCode.frameSize, 'WINDOW_UPDATE size');
    const increment = readUint31(buffer, start);
    if (id === 0) {
      if (increment === 0) throw new ConnectionError(errorCode.protocol, 'an increment of 0');
      this.#sendWindow += increment;
      if (this.#sendWindow > maxWindow) {
        throw new ConnectionError(errorCode.flowControl, 'a window beyond 2^31-1');
      }
      this.#spend(1);
      return this.#pump();
    }
    const stream = this.streams.get(id);
    this.#spend(1);
    if (!stream) {
      if (id > this.lastStream()) {
        throw new ConnectionError(errorCode.protocol, 'WINDOW_UPDATE on an idle stream');
      }
      return;
    }
    if (increment === 0) return this.streamFailed(stream, errorCode.protocol);
    stream.sendWindow += increment;
    if (stream.sendWindow > maxWindow) return this.streamFailed(stream, errorCode.flowControl);
    if (stream.waiting && !stream.blocked) {
      stream.pump(maxWindow);
      if (stream.waiting) this.block(stream);
    }
  }

  #rstStreamFrame(id: number, buffer: Buffer, start: number, end: number): void {
    if (id === 0) throw new ConnectionError(errorCode.protocol, 'RST_STREAM on stream 0');
    if (end - start !== 4) throw new ConnectionError(errorCode.frameSize, 'RST_STREAM size');
    const stream = this.streams.get(id);
    if (!stream) {
      if (id > this.lastStream()) {
        throw new ConnectionError(errorCode.protocol, 'RST_STREAM on an idle stream');
      }
      return this.#spend(1);
    }
    this.onPeerReset(stream, readUint32(buffer, start));
  }

  #settingsFrame(flags: number, id: number, buffer: Buffer, start: number, end: number): void {
    if (id !== 0) throw new ConnectionError(errorCode.protocol, 'SETTINGS on a stream');
    const size = end - start;
    if (flags & flag.ack) {
      if (size !== 0) throw new ConnectionError(errorCode.frameSize, 'SETTINGS ack with a payload');
      return;
    }
    if (size % 6 !== 0) throw new ConnectionError(errorCode.frameSize, 'SETTINGS size');
    this.#spend(1 + size / 6);
    for (let at = start; at < end; at += 6) {
      this.#setting(
        (buffer[at] as number) * 256 + (buffer[at + 1] as number),
        readUint32(buffer, at + 2),
      );
    }
    this.settled = true;
    this.output.room(frameHeaderBytes);
    this.#frameHeader(0, frameType.settings, flag.ack, 0);
    this.#checkBacklog();
    this.onSettings();
    this.#pump();
  }

  #setting(which: number, value: number): void {
    switch (which) {
      case setting.headerTableSize:
        return this.#encoder.setPeerLimit(value);
      case setting.enablePush:
        if (value > 1) throw new ConnectionError(errorCode.protocol, 'ENABLE_PUSH');
        return;
      case setting.maxConcurrentStreams:
        this.peerMaxStreams = value;
        return;
      case setting.initialWindowSize: {
        if (value > maxWindow) throw new ConnectionError(errorCode.flowControl, 'window size');
        const change = value - this.peerInitialWindow;
        this.peerInitialWindow = value;
        for (const stream of this.streams.values()) {
          stream.sendWindow += change;
          if (stream.sendWindow > maxWindow) {
            throw new ConnectionError(errorCode.flowControl, 'a window beyond 2^31-1');
          }
          if (change > 0 && stream.waiting) this.block(stream);
        }
        return;
      }
      case setting.maxFrameSize:
        if (value < maxFrameBytes || value > 0xffffff) {
          throw new ConnectionError(errorCode.protocol, 'MAX_FRAME_SIZE');
        }
        // No need for larger ones than everybody takes.
        return;
      default:
    }
  }

  #pingFrame(flags: number, id: number, buffer: Buffer, start: number, end: number): void {
    if (id !== 0) throw new ConnectionError(errorCode.protocol, 'PING on a stream');
    if (end - start !== 8) throw new ConnectionError(errorCode.frameSize, 'PING size');
    if (flags & flag.ack) {
      this.#pingSentMs = 0;
      return this.onPong();
    }
    this.#spend(1);
    this.output.room(frameHeaderBytes + 8);
    this.#frameHeader(8, frameType.ping, flag.ack, 0);
    this.output.at += buffer.copy(this.output.buffer, this.output.at, start, end);
    this.#checkBacklog();
  }

  #priorityFrame(id: number, buffer: Buffer, start: number, end: number): void {
    if (id === 0) throw new ConnectionError(errorCode.protocol, 'PRIORITY on stream 0');
    this.#spend(1);
    const stream = this.streams.get(id);
    const wrong = end - start !== 5 ? errorCode.frameSize : errorCode.protocol;
    if (end - start === 5 && readUint31(buffer, start) !== id) return;
    if (stream) this.streamFailed(stream, wrong);
    else this.refuseStream(id, wrong);
  }

  #spend(amount: number): void {
    if (!this.idleFrames.spend(amount, this.now)) {
      throw new ConnectionError(errorCode.enhanceYourCalm, 'too many frames without use');
    }
  }

  /** A peer that makes us answer and does not read the answers. */
  #checkBacklog(): void {
    if (this.output.pendingBytes > this.limits.maxBacklogBytes) {
      throw new ConnectionError(errorCode.enhanceYourCalm, 'answers are not read');
    }
  }

  // --- the wire's other news
  // ---------------------------------------------------------------------------------

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
    this.#pump();
  }

  onClose(_code: string | undefined): void {
    this.#ended();
  }

  /** Called once a second. */
  tick(nowMs: number): void {
    if (this.closed) return;
    if (this.#owed > 0 && this.#mayGive()) this.#settle();
    if (this.#lastReadMs < 0) this.#lastReadMs = nowMs;
    const unfinished = !this.settled || this.#heldBytes > 0 || this.#blockStream !== 0;
    if (unfinished && nowMs - this.unfinishedSinceMs > this.limits.unfinishedMs) {
      return this.fail(errorCode.protocol, 'unfinished for too long');
    }
    if (this.streams.size === 0) {
      if (nowMs - this.usedMs > this.limits.idleMs) this.drainNow();
      return;
    }
    // Somebody waits for an answer: is the peer still there at all?
    const silentMs = nowMs - this.#lastReadMs;
    if (this.#pingSentMs > 0) {
      if (silentMs > this.limits.silentMs + this.limits.unfinishedMs) {
        this.fail(errorCode.none, 'no answer to PING');
      }
    } else if (silentMs > this.limits.silentMs) {
      this.#pingSentMs = nowMs;
      this.ping();
    }
  }

  // --- writing -----------------------------------------------------------------------------
  // ------------------

  #frameHeader(size: number, type: number, flags: number, id: number): void {
    const { output } = this;
    const { buffer, at } = output;
    buffer[at] = size >>> 16;
    buffer[at + 1] = size >>> 8;
    buffer[at + 2] = size;
    buffer[at + 3] = type;
    buffer[at + 4] = flags;
    buffer[at + 5] = id >>> 24;
    buffer[at + 6] = id >>> 16;
    buffer[at + 7] = id >>> 8;
    buffer[at + 8] = id;
    output.at = at + frameHeaderBytes;
  }

  #word(value: number): void {
    const { buffer, at } = this.output;
    buffer[at] = value >>> 24;
    buffer[at + 1] = value >>> 16;
    buffer[at + 2] = value >>> 8;
    buffer[at + 3] = value;
    this.output.at = at + 4;
  }

  /** Our first frames: settings, and the connection's window. */
  protected sendFirst(settings: readonly (readonly [number, number])[], preface: boolean): void {
    const { output, limits } = this;
    output.room(200);
    if (preface) output.at += clientPreface.copy(output.buffer, output.at);
    this.#frameHeader(settings.length * 6, frameType.settings, 0, 0);
    for (const [which, value] of settings) {
      output.buffer[output.at++] = which >>> 8;
      output.buffer[output.at++] = which;
      this.#word(value);
    }
    if (limits.connectionWindow > defaultWindow) {
      this.#receiveWindow = limits.connectionWindow;
      this.#frameHeader(4, frameType.windowUpdate, 0, 0);
      this.#word(limits.connectionWindow - defaultWindow);
    }
  }

  sendHeaders(stream: Stream, fields: readonly Field[], ended: boolean): void {
    const { output } = this;
    const encoder = this.#encoder;
    const bound = HpackEncoder.bound(fields);
    const endFlag = ended ? flag.endStream : 0;
    if (bound <= maxFrameBytes) {
      output.room(bound + frameHeaderBytes);
      const frameAt = output.at;
      const { buffer } = output;
      let at = encoder.begin(buffer, frameAt + frameHeaderBytes);
      for (let i = 0; i < fields.length; i++) at = encoder.field(fields[i] as Field, buffer, at);
      const size = at - frameAt - frameHeaderBytes;
      this.#frameHeader(size, frameType.headers, flag.endHeaders | endFlag, stream.id);
      output.at = at;
    } else {
      const block = Buffer.allocUnsafe(bound);
      let length = encoder.begin(block, 0);
      for (const field of fields) length = encoder.field(field, block, length);
      let type: number = frameType.headers;
      for (let from = 0; from < length; from += maxFrameBytes) {
        const to = Math.min(length, from + maxFrameBytes);
        const flags = (to === length ? flag.endHeaders : 0) | (from === 0 ? endFlag : 0);
        output.room(to - from + frameHeaderBytes);
        this.#frameHeader(to - from, type, flags, stream.id);
        output.at += block.copy(output.buffer, output.at, from, to);
        type = frameType.continuation;
      }
    }
    // Useful work: the peer may send some more of what is not.
    this.idleFrames.earn(4);
    if (ended) {
      stream.localEnded = true;
      this.closeIfDone(stream);
    }
  }

  /** Sends what both windows and the wire allow, and returns how much that was. */
  sendData(stream: Stream, buffer: Buffer, start: number, end: number, ended: boolean): number {
    const { output } = this;
    let at = start;
    if (end > start) {
      if (output.full) return 0;
      let allowed = Math.min(end - start, this.#sendWindow, stream.sendWindow);
      if (allowed <= 0) return 0;
      while (allowed > 0) {
        const size = Math.min(allowed, this.#peerMaxFrame);
        const last = ended && at + size === end;
        output.room(size + frameHeaderBytes);
        this.#frameHeader(size, frameType.data, last ? flag.endStream : 0, stream.id);
        output.at += buffer.copy(output.buffer, output.at, at, at + size);
        at += size;
        allowed -= size;
        if (last) stream.localEnded = true;
        if (output.full) break;
      }
      this.#sendWindow -= at - start;
      stream.sendWindow -= at - start;
      this.idleFrames.earn(2);
    } else if (ended) {
      output.room(frameHeaderBytes);
      this.#frameHeader(0, frameType.data, flag.endStream, stream.id);
      stream.localEnded = true;
    }
    if (stream.localEnded) this.closeIfDone(stream);
    return at - start;
  }

  /** The stream has octets to send: it is served when the connection may send again. */
  block(stream: Stream): void {
    if (stream.blocked || stream.sendWindow <= 0) return;
    stream.blocked = true;
    this.#blocked.push(stream);
  }

  /** Serves the waiting streams in turn, each a share, as long as the connection may send. */
  #pump(): void {
    while (this.#blocked.length > 0 && this.#sendWindow > 0 && !this.output.full) {
      const round = this.#blocked;
      this.#blocked = [];
      for (let i = 0; i < round.length; i++) {
        const stream = round[i] as Stream;
        stream.blocked = false;
        if (stream.closed || !stream.waiting) continue;
        if (this.#sendWindow > 0 && !this.output.full) stream.pump(pumpBytes);
        if (!stream.closed && stream.waiting) this.block(stream);
      }
    }
  }

  /** Octets of a stream have been passed on. */
  consumed(stream: Stream, bytes: number): void {
    if (stream.closed) return;
    stream.bufferedBytes -= bytes;
    this.#bufferedBytes -= bytes;
    this.shared.memory.usedBytes -= bytes;
    if (this.#owed > 0 && this.#mayGive()) this.#settle();
    if (stream.remoteEnded) return;
    stream.unacknowledged += bytes;
    if (stream.unacknowledged * 2 < this.limits.streamWindow) return;
    const increment = stream.unacknowledged;
    stream.unacknowledged = 0;
    stream.receiveWindow += increment;
    this.#sendWindowUpdate(stream.id, increment);
  }

  #mayGive(): boolean {
    const { memory } = this.shared;
    return (
      this.#bufferedBytes <= this.limits.maxBufferedBytes && memory.usedBytes <= memory.limitBytes
    );
  }

  #settle(): void {
    const bytes = this.#owed;
    this.#owed = 0;
    this.#give(bytes);
  }

  /** Gives octets back to the connection's window, now or with the next ones. */
  #give(bytes: number): void {
    this.#unacknowledged += bytes;
    if (this.#unacknowledged * 2 < this.limits.connectionWindow) return;
    const increment = this.#unacknowledged;
    this.#unacknowledged = 0;
    this.#receiveWindow += increment;
    this.#sendWindowUpdate(0, increment);
  }

  #sendWindowUpdate(id: number, increment: number): void {
    this.output.room(frameHeaderBytes + 4);
    this.#frameHeader(4, frameType.windowUpdate, 0, id);
    this.#word(increment);
  }

  ping(): void {
    this.output.room(frameHeaderBytes + 8);
    this.#frameHeader(8, frameType.ping, 0, 0);
    this.#word(0x46697265);
    this.#word(0x6472696c);
  }

  protected onPong(): void {
    // Only a drain waits for it.
  }

  #sendReset(id: number, code: number): void {
    this.output.room(frameHeaderBytes + 4);
    this.#frameHeader(4, frameType.rstStream, 0, id);
    this.#word(code);
    this.#checkBacklog();
  }

  protected sendGoaway(lastStream: number, code: number, text: string): void {
    const size = Math.min(text.length, 100);
    this.output.room(frameHeaderBytes + 8 + size);
    this.#frameHeader(8 + size, frameType.goaway, 0, 0);
    this.#word(lastStream);
    this.#word(code);
    this.output.at += this.output.buffer.write(text.slice(0, size), this.output.at, 'latin1');
    this.goawaySent = true;
  }

  // --- the end of streams and connections
  // -----------------------------------------------------------------------

  /** Refuses a stream that was never made one. */
  protected refuseStream(id: number, code: number): void {
    this.#remember(id);
    this.#spend(1);
    this.#sendReset(id, code);
  }

  #remember(id: number): void {
    this.#resetByUs.add(id);
    if (this.#resetByUs.size <= maxRemembered) return;
    for (const oldest of this.#resetByUs) {
      this.#resetByUs.delete(oldest);
      break;
    }
  }

  /** The peer broke a rule on this stream: it is reset, and its receiver told. */
  protected streamFailed(stream: Stream, code: number): void {
    const { receiver } = stream;
    this.#spend(1);
    this.resetStream(stream, code);
    receiver.onReset(stream, code, false);
  }

  /** Our own wish: the receiver is not told. */
  resetStream(stream: Stream, code: number): void {
    this.#remember(stream.id);
    this.#sendReset(stream.id, code);
    this.drop(stream);
  }

  protected drop(stream: Stream): void {
    stream.receiver = nobody;
    stream.waiting = undefined;
    this.#finish(stream);
  }

  closeIfDone(stream: Stream): void {
    if (stream.localEnded && stream.remoteEnded && !stream.closed) this.#finish(stream);
  }

  #finish(stream: Stream): void {
    stream.closed = true;
    this.streams.delete(stream.id);
    if (stream.bufferedBytes !== 0) {
      this.#bufferedBytes -= stream.bufferedBytes;
      this.shared.memory.usedBytes -= stream.bufferedBytes;
      stream.bufferedBytes = 0;
    }
    if (this.streams.size > 0) return;
    this.usedMs = this.shared.clock.monotonicMs();
    if (this.closed) return;
    if (this.#peerEnded) this.close();
    else this.onIdle();
  }

  #lose(stream: Stream): void {
    const { receiver } = stream;
    this.drop(stream);
    receiver.onReset(stream, errorCode.cancel, true);
  }

  /** GOAWAY with a reason, and the end of everything on this connection. */
  fail(code: number, message: string): void {
    if (this.closed) return;
    this.sendGoaway(this.lastStream(), code, message);
    this.close();
  }

  /** Sends what is written and closes; open streams are lost. */
  close(): void {
    if (this.closed) return;
    this.output.flush();
    this.wire.endThenDestroy(lingerMs);
    this.#ended();
  }

  /** No more streams; closes at once where there are none. */
  drainNow(): void {
    if (this.closed) return;
    this.draining = true;
    this.sendGoaway(this.lastStream(), errorCode.none, '');
    if (this.streams.size === 0) this.close();
  }

  #ended(): void {
    if (this.closed) return;
    this.closed = true;
    this.draining = true;
    for (const stream of this.streams.values()) this.#lose(stream);
    this.#blocked = [];
    this.onLost();
  }
}

const noBytes = Buffer.alloc(0);

const readUint24 = (b: Buffer, at: number): number =>
  ((b[at] as number) << 16) | ((b[at + 1] as number) << 8) | (b[at + 2] as number);

const readUint31 = (b: Buffer, at: number): number => readUint32(b, at) & 0x7fffffff;

const readUint32 = (b: Buffer, at: number): number =>
  (((b[at] as number) << 24) |
    ((b[at + 1] as number) << 16) |
    ((b[at + 2] as number) << 8) |
    (b[at + 3] as number)) >>>
  0;
