/**
 * Turns octets into frames, however they are split. DATA is passed on as it comes; other frames are held until they
 * are whole; a header block is assembled from HEADERS and CONTINUATION. Rules that need no knowledge of streams are
 * checked here; the sink checks the rest.
 */
import {
  clientPreface,
  ConnectionError,
  errorCode,
  flag,
  frameHeaderBytes,
  frameType,
  maxFrameBytes,
} from './frame.js';

export interface FrameSink {
  readonly closed: boolean;
  /** A DATA frame begins: `size` octets with its padding. False: its octets are not needed. */
  onDataFrame(id: number, size: number): boolean;
  /** Octets of the frame; `ended`: the stream ends with them. */
  onDataPiece(buffer: Buffer, start: number, end: number, ended: boolean): void;
  /** Octets of the frame that were padding. */
  onPadding(bytes: number): void;
  /** Any frame but DATA, HEADERS and CONTINUATION; the payload lies from `start` to `end`. */
  onFrame(
    type: number,
    flags: number,
    id: number,
    buffer: Buffer,
    start: number,
    end: number,
  ): void;
  /** A header block. `dependsOnItself`: its priority is invalid. */
  onBlockBytes(
    id: number,
    buffer: Buffer,
    start: number,
    end: number,
    ends: boolean,
    dependsOnItself: boolean,
  ): void;
}

/** Frames of one block, including CONTINUATION. */
const maxBlockFrames = 64;

export class FrameReader {
  readonly #sink: FrameSink;
  readonly #maxBlockBytes: number;
  readonly #now: () => number;
  #prefaceAt: number;
  /** The first frame, which must be SETTINGS, has come. */
  settled = false;
  /** Octets of an unfinished frame. */
  #held = noBytes;
  #heldBytes = 0;
  // The current DATA frame.
  #dataWanted = false;
  #dataLeft = 0;
  #padLeft = 0;
  #padUnknown = false;
  #dataEnds = false;
  // The current header block.
  #block = noBytes;
  #blockBytes = 0;
  #blockFrames = 0;
  #blockStream = 0;
  #blockEnds = false;
  #blockDependsOnItself = false;
  /** Since when the rest of a preface, frame or block has been awaited. */
  #unfinishedSinceMs: number;

  constructor(sink: FrameSink, isServer: boolean, maxBlockBytes: number, now: () => number) {
    this.#sink = sink;
    this.#maxBlockBytes = maxBlockBytes;
    this.#now = now;
    this.#unfinishedSinceMs = now();
    this.#prefaceAt = isServer ? 0 : clientPreface.length;
  }

  /** How long the rest of a preface, frame or block has been awaited. */
  unfinishedMs(nowMs: number): number {
    const isUnfinished = !this.settled || this.#heldBytes > 0 || this.#blockStream !== 0;
    return isUnfinished ? nowMs - this.#unfinishedSinceMs : 0;
  }

  read(buffer: Buffer, length: number): void {
    let at = 0;
    if (this.#prefaceAt < clientPreface.length) at = this.#readPreface(buffer, length);
    while (at < length) {
      if (this.#sink.closed) return;
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
    this.#unfinishedSinceMs = this.#now();
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
    const padded = (flags & flag.padded) !== 0;
    if (padded && size === 0) throw new ConnectionError(errorCode.frameSize, 'no pad length');
    this.#padUnknown = padded;
    this.#dataLeft = size;
    this.#padLeft = 0;
    this.#dataEnds = (flags & flag.endStream) !== 0;
    this.#dataWanted = this.#sink.onDataFrame(id, size);
    if (size === 0 && this.#dataWanted) this.#sink.onDataPiece(noBytes, 0, 0, this.#dataEnds);
  }

  #readData(buffer: Buffer, from: number, length: number): number {
    let at = from;
    if (this.#padUnknown) {
      this.#padUnknown = false;
      const padding = buffer[at++] as number;
      this.#dataLeft -= 1 + padding;
      if (this.#dataLeft < 0) throw new ConnectionError(errorCode.protocol, 'padding too long');
      this.#padLeft = padding;
      if (this.#dataWanted) {
        this.#sink.onPadding(1 + padding);
        if (this.#dataLeft === 0) this.#sink.onDataPiece(noBytes, 0, 0, this.#dataEnds);
      }
      if (this.#dataLeft === 0) return at;
    }
    if (this.#dataLeft > 0) {
      const end = Math.min(length, at + this.#dataLeft);
      this.#dataLeft -= end - at;
      const ended = this.#dataEnds && this.#dataLeft === 0;
      if (this.#dataWanted) this.#sink.onDataPiece(buffer, at, end, ended);
      return end;
    }
    const skipped = Math.min(length - at, this.#padLeft);
    this.#padLeft -= skipped;
    return at + skipped;
  }

  #frame(type: number, buffer: Buffer, at: number, end: number): void {
    const flags = buffer[at + 4] as number;
    const id = readUint31(buffer, at + 5);
    const start = at + frameHeaderBytes;
    this.#expect(type, id);
    if (type === frameType.headers) return this.#headers(flags, id, buffer, start, end);
    if (type === frameType.continuation) {
      if (this.#blockStream === 0) {
        throw new ConnectionError(errorCode.protocol, 'CONTINUATION without HEADERS');
      }
      return this.#fragment(flags, buffer, start, end);
    }
    // This frame is SETTINGS, or SETTINGS have come before.
    this.settled = true;
    this.#sink.onFrame(type, flags, id, buffer, start, end);
  }

  #headers(flags: number, id: number, buffer: Buffer, from: number, to: number): void {
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
    if (flags & flag.endHeaders) {
      return this.#sink.onBlockBytes(
        id,
        buffer,
        start,
        end,
        this.#blockEnds,
        this.#blockDependsOnItself,
      );
    }
    this.#blockStream = id;
    this.#blockBytes = 0;
    this.#blockFrames = 0;
    this.#unfinishedSinceMs = this.#now();
    this.#fragment(flags, buffer, start, end);
  }

  #fragment(flags: number, buffer: Buffer, start: number, end: number): void {
    const bytes = this.#blockBytes + end - start;
    if (bytes > this.#maxBlockBytes || ++this.#blockFrames > maxBlockFrames) {
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
    this.#sink.onBlockBytes(id, block, 0, bytes, this.#blockEnds, this.#blockDependsOnItself);
  }
}

const noBytes = Buffer.alloc(0);

const readUint24 = (b: Buffer, at: number): number =>
  ((b[at] as number) << 16) | ((b[at + 1] as number) << 8) | (b[at + 2] as number);

export const readUint31 = (b: Buffer, at: number): number => readUint32(b, at) & 0x7fffffff;

export const readUint32 = (b: Buffer, at: number): number =>
  (((b[at] as number) << 24) |
    ((b[at + 1] as number) << 16) |
    ((b[at + 2] as number) << 8) |
    (b[at + 3] as number)) >>>
  0;
