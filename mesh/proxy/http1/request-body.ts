/** Where a request's body ends, and what is kept of it until it has been sent or can no longer be wanted again. */
import { ChunkedReader, trailerText } from './chunked.js';
import type { Head } from './head.js';

export class RequestBody {
  #remaining = 0;
  #isChunked = false;
  #chunks: ChunkedReader | undefined;
  done = true;
  /** After take(): the bytes to pass on. */
  verbatimStart = 0;
  verbatimEnd = 0;
  /** With the end of a chunked body: its trailers, to be sent after what was passed on. */
  trailers = '';
  error = '';
  /** Bytes passed on so far. */
  total = 0;
  /** Pieces kept, from the first byte on. */
  readonly kept: Buffer[] = [];
  keptBytes = 0;

  begin(head: Head): void {
    this.#isChunked = head.chunked;
    this.trailers = '';
    this.error = '';
    this.total = 0;
    if (this.keptBytes > 0) this.drop();
    if (head.chunked) {
      (this.#chunks ??= new ChunkedReader()).reset();
      this.done = false;
    } else {
      this.#remaining = head.contentLength > 0 ? head.contentLength : 0;
      this.done = this.#remaining === 0;
    }
  }

  /** Returns where the body's bytes end, at most `to`; -1 where they are not a body, with the error set. */
  take(buffer: Buffer, from: number, to: number): number {
    if (!this.#isChunked) {
      const end = Math.min(to, from + this.#remaining);
      this.#remaining -= end - from;
      this.done = this.#remaining === 0;
      this.verbatimStart = from;
      this.verbatimEnd = end;
      this.total += end - from;
      return end;
    }
    const chunks = this.#chunks as ChunkedReader;
    const end = chunks.read(buffer, from, to);
    if (end < 0) {
      this.error = chunks.error;
      return -1;
    }
    this.verbatimStart = chunks.verbatimStart;
    this.verbatimEnd = chunks.verbatimEnd;
    this.total += chunks.verbatimEnd - chunks.verbatimStart;
    if (chunks.done) {
      this.done = true;
      if (chunks.trailers) this.trailers = trailerText(chunks.trailers);
    }
    return end;
  }

  keep(buffer: Buffer, from: number, to: number): void {
    if (to <= from) return;
    this.kept.push(Buffer.from(buffer.subarray(from, to)));
    this.keptBytes += to - from;
  }

  drop(): void {
    this.kept.length = 0;
    this.keptBytes = 0;
  }
}
