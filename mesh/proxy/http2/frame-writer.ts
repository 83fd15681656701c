/** Writes frames into a connection's output. */
import { clientPreface, flag, frameHeaderBytes, frameType, maxFrameBytes } from './frame.js';
import { HpackEncoder } from './hpack/encoder.js';
import type { Field } from './hpack/field.js';
import { Output } from './output.js';

export class FrameWriter extends Output {
  readonly encoder = new HpackEncoder();

  /** `preface`: the client's preface goes first. */
  settings(settings: readonly (readonly [number, number])[], preface: boolean): void {
    this.room(clientPreface.length + frameHeaderBytes + settings.length * 6);
    if (preface) this.at += clientPreface.copy(this.buffer, this.at);
    this.#header(settings.length * 6, frameType.settings, 0, 0);
    for (const [which, value] of settings) {
      this.buffer[this.at++] = which >>> 8;
      this.buffer[this.at++] = which;
      this.#word(value);
    }
  }

  settingsAck(): void {
    this.room(frameHeaderBytes);
    this.#header(0, frameType.settings, flag.ack, 0);
  }

  windowUpdate(id: number, increment: number): void {
    this.room(frameHeaderBytes + 4);
    this.#header(4, frameType.windowUpdate, 0, id);
    this.#word(increment);
  }

  reset(id: number, code: number): void {
    this.room(frameHeaderBytes + 4);
    this.#header(4, frameType.rstStream, 0, id);
    this.#word(code);
  }

  ping(): void {
    this.room(frameHeaderBytes + 8);
    this.#header(8, frameType.ping, 0, 0);
    this.#word(0x46697265);
    this.#word(0x6472696c);
  }

  /** The answer to a PING with this payload. */
  pong(buffer: Buffer, start: number): void {
    this.room(frameHeaderBytes + 8);
    this.#header(8, frameType.ping, flag.ack, 0);
    this.at += buffer.copy(this.buffer, this.at, start, start + 8);
  }

  goaway(lastStream: number, code: number, text: string): void {
    const size = Math.min(text.length, 100);
    this.room(frameHeaderBytes + 8 + size);
    this.#header(8 + size, frameType.goaway, 0, 0);
    this.#word(lastStream);
    this.#word(code);
    this.at += this.buffer.write(text.slice(0, size), this.at, 'latin1');
  }

  /** At most maxFrameBytes. */
  data(id: number, buffer: Buffer, start: number, end: number, ends: boolean): void {
    const size = end - start;
    this.room(size + frameHeaderBytes);
    this.#header(size, frameType.data, ends ? flag.endStream : 0, id);
    if (size > 0) this.at += buffer.copy(this.buffer, this.at, start, end);
  }

  headers(id: number, fields: readonly Field[], ends: boolean): void {
    const { encoder } = this;
    const bound = HpackEncoder.bound(fields);
    const endFlag = ends ? flag.endStream : 0;
    if (bound > maxFrameBytes) return this.#longHeaders(id, fields, endFlag, bound);
    this.room(bound + frameHeaderBytes);
    const frameAt = this.at;
    const { buffer } = this;
    let at = encoder.begin(buffer, frameAt + frameHeaderBytes);
    for (let i = 0; i < fields.length; i++) at = encoder.field(fields[i] as Field, buffer, at);
    const size = at - frameAt - frameHeaderBytes;
    this.#header(size, frameType.headers, flag.endHeaders | endFlag, id);
    this.at = at;
  }

  #longHeaders(id: number, fields: readonly Field[], endFlag: number, bound: number): void {
    const block = Buffer.allocUnsafe(bound);
    let length = this.encoder.begin(block, 0);
    for (const field of fields) length = this.encoder.field(field, block, length);
    let type: number = frameType.headers;
    for (let from = 0; from < length; from += maxFrameBytes) {
      const to = Math.min(length, from + maxFrameBytes);
      const flags = (to === length ? flag.endHeaders : 0) | (from === 0 ? endFlag : 0);
      this.room(to - from + frameHeaderBytes);
      this.#header(to - from, type, flags, id);
      this.at += block.copy(this.buffer, this.at, from, to);
      type = frameType.continuation;
    }
  }

  #header(size: number, type: number, flags: number, id: number): void {
    const { buffer, at } = this;
    buffer[at] = size >>> 16;
    buffer[at + 1] = size >>> 8;
    buffer[at + 2] = size;
    buffer[at + 3] = type;
    buffer[at + 4] = flags;
    buffer[at + 5] = id >>> 24;
    buffer[at + 6] = id >>> 16;
    buffer[at + 7] = id >>> 8;
    buffer[at + 8] = id;
    this.at = at + frameHeaderBytes;
  }

  #word(value: number): void {
    const { buffer, at } = this;
    buffer[at] = value >>> 24;
    buffer[at + 1] = value >>> 16;
    buffer[at + 2] = value >>> 8;
    buffer[at + 3] = value;
    this.at = at + 4;
  }
}
