/** A connection's send window, and the streams that wait for it, served in turn. */
import { ConnectionError, defaultWindow, errorCode, maxFrameBytes, maxWindow } from './frame.js';
import type { FrameWriter } from './frame-writer.js';
import type { Stream } from './stream.js';

/** Octets of one stream in one turn, so that each gets its share of the connection. */
const pumpBytes = 16384;

export class SendWindow {
  readonly #output: FrameWriter;
  #bytes = defaultWindow;
  /** Streams that have octets to send and wait for the connection's window or the wire. */
  #blocked: Stream[] = [];

  constructor(output: FrameWriter) {
    this.#output = output;
  }

  /** Throws a ConnectionError when the window exceeds its maximum. */
  widen(increment: number): void {
    this.#bytes += increment;
    if (this.#bytes > maxWindow) {
      throw new ConnectionError(errorCode.flowControl, 'a window beyond 2^31-1');
    }
  }

  /** Sends as much as both windows and the wire allow, and returns that number of octets. */
  send(stream: Stream, buffer: Buffer, start: number, end: number, ended: boolean): number {
    const output = this.#output;
    let at = start;
    if (end > start) {
      if (output.full) return 0;
      let allowed = Math.min(end - start, this.#bytes, stream.sendWindow);
      while (allowed > 0) {
        const size = Math.min(allowed, maxFrameBytes);
        const last = ended && at + size === end;
        output.data(stream.id, buffer, at, at + size, last);
        at += size;
        allowed -= size;
        if (last) stream.localEnded = true;
        if (output.full) break;
      }
      this.#bytes -= at - start;
      stream.sendWindow -= at - start;
    } else if (ended) {
      output.data(stream.id, buffer, 0, 0, true);
      stream.localEnded = true;
    }
    return at - start;
  }

  /** The stream has octets to send: it is served when the connection may send again. */
  block(stream: Stream): void {
    if (stream.blocked || stream.sendWindow <= 0) return;
    stream.blocked = true;
    this.#blocked.push(stream);
  }

  /** Serves the waiting streams in turn, a share each, while the connection may send. */
  pump(): void {
    while (this.#blocked.length > 0 && this.#bytes > 0 && !this.#output.full) {
      const round = this.#blocked;
      this.#blocked = [];
      for (let i = 0; i < round.length; i++) {
        const stream = round[i] as Stream;
        stream.blocked = false;
        if (stream.closed || !stream.waiting) continue;
        if (this.#bytes > 0 && !this.#output.full) stream.pump(pumpBytes);
        if (!stream.closed && stream.waiting) this.block(stream);
      }
    }
  }

  clear(): void {
    this.#blocked = [];
  }
}
