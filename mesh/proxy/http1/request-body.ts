/** A request's body: finds its end, and keeps its bytes until they have been sent and no retry can need them. */
import type { Flow } from '../flow/contract.js';
import { latin1 } from '../listen/latin1.js';
import { ChunkedReader, trailerText } from './chunked.js';
import type { Head } from './head.js';
import type { Lane } from './lane.js';

/** A head and body up to this size go out in one write. */
export const oneWriteBytes = 16 * 1024;
/** A body that waits for a connection is kept up to this size; then reading stops. */
const maxHeldBytes = 64 * 1024;

export class RequestBody {
  #remaining = 0;
  #isChunked = false;
  #chunks: ChunkedReader | undefined;
  done = true;
  /** After take(): the bytes to pass on. */
  verbatimStart = 0;
  verbatimEnd = 0;
  /** With the end of a chunked body: its trailers, to be sent after the bytes passed on. */
  trailers = '';
  error = '';
  /** Bytes passed on so far. */
  total = 0;
  /** Pieces kept, from the first byte on. */
  readonly kept: Buffer[] = [];
  keptBytes = 0;
  /** The unsent and unkept bytes of the current read. */
  #fresh: Buffer | undefined;
  #freshFrom = 0;
  #freshTo = 0;
  /** Whether the bytes sent to the current attempt are kept for another, and up to which size. */
  #keeps = false;
  #keepBytes = 0;
  /** Larger bodies are sent again only if they were certainly not processed. */
  #retryBytes = 0;
  #isSpent = false;

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

  /** Returns where the body's bytes end, at most `to`; -1 when they are invalid, with the error set. */
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

  get isNone(): boolean {
    return this.done && this.total === 0;
  }

  /** The body waits for a connection, and more of it would not fit. */
  get isFull(): boolean {
    return this.keptBytes >= maxHeldBytes;
  }

  /**
   * Called before the first attempt with the bytes that came with the head; `retryBytes` limits the bytes kept for
   * retries, `leastBytes` those kept for a request that was not processed.
   */
  ready(buffer: Buffer, from: number, to: number, retryBytes: number, leastBytes: number): void {
    this.#isSpent = false;
    this.#retryBytes = retryBytes;
    this.#keepBytes = Math.max(retryBytes, leastBytes);
    this.#keeps = this.#keepBytes > 0 && !this.isNone;
    this.#fresh = buffer;
    this.#freshFrom = from;
    this.#freshTo = to;
  }

  /**
   * Keeps at least this many bytes although no retry is configured, unless the body was already sent without being
   * kept.
   */
  keepAtLeast(bytes: number): void {
    if (this.#keepBytes >= bytes || this.isNone || this.#isSpent) return;
    this.#keepBytes = bytes;
    this.#keeps = true;
  }

  /** Copies the bytes that could not be sent at once, so that they outlive the read that brought them. */
  outlive(): void {
    const fresh = this.#fresh;
    this.#fresh = undefined;
    if (fresh) this.keep(fresh, this.#freshFrom, this.#freshTo);
  }

  /** Passes all bytes that are there to `take`. */
  each(take: (buffer: Buffer, from: number, to: number) => void): void {
    for (const piece of this.kept) take(piece, 0, piece.length);
    if (this.#fresh) take(this.#fresh, this.#freshFrom, this.#freshTo);
  }

  /** Sends the head with the available part of the body. False: wait until the lane has drained. */
  sendWith(head: string, lane: Lane, flow: Flow): boolean {
    let text = head;
    let more = true;
    for (const piece of this.kept) {
      if (text.length + piece.length <= oneWriteBytes) text += latin1(piece, 0, piece.length);
      else {
        if (text !== '') lane.writeText(text);
        text = '';
        more = lane.writeBytes(piece, 0, piece.length);
      }
    }
    const fresh = this.#fresh;
    if (fresh) {
      this.#fresh = undefined;
      const from = this.#freshFrom;
      const to = this.#freshTo;
      if (this.#keeps || !lane.isOpen) this.#keepForRetry(fresh, from, to, lane, flow);
      if (to === from) {
        // No bytes yet, or no body.
      } else if (text.length + to - from <= oneWriteBytes) text += latin1(fresh, from, to);
      else {
        lane.writeText(text);
        text = '';
        more = lane.writeBytes(fresh, from, to);
      }
    }
    if (this.done) text += this.trailers;
    if (text !== '') more = lane.writeText(text);
    if (lane.isOpen) this.#spend(flow);
    if (this.done) lane.sentAll();
    return more;
  }

  /** Drops the sent bytes, unless they are kept for a retry. */
  #spend(flow: Flow): void {
    // A body that waited for a connection may be longer than a retry may keep.
    if (this.keptBytes > this.#keepBytes) this.#keeps = false;
    if (this.keptBytes > this.#retryBytes) flow.forbidRetry(true);
    if (this.#keeps) return;
    this.drop();
    this.#isSpent = this.total > 0;
    if (this.#isSpent) flow.forbidRetry();
  }

  /** Sends the bytes that have come. False: wait until the lane has drained. */
  send(buffer: Buffer, from: number, to: number, lane: Lane, flow: Flow): boolean {
    if (this.#keeps || !lane.isOpen) this.#keepForRetry(buffer, from, to, lane, flow);
    else this.#spend(flow);
    let more = to > from ? lane.writeBytes(buffer, from, to) : true;
    if (this.done) {
      if (this.trailers !== '') more = lane.writeText(this.trailers);
      lane.sentAll();
    }
    return more;
  }

  #keepForRetry(buffer: Buffer, from: number, to: number, lane: Lane, flow: Flow): void {
    this.keep(buffer, from, to);
    if (this.keptBytes > this.#retryBytes) flow.forbidRetry(true);
    if (!lane.isOpen || this.keptBytes <= this.#keepBytes) return;
    this.#keeps = false;
    flow.forbidRetry();
    // All of it was sent except the bytes of this call, which the caller sends from the buffer.
    this.drop();
  }

  keep(buffer: Buffer, from: number, to: number): void {
    if (to <= from) return;
    this.kept.push(Buffer.from(buffer.subarray(from, to)));
    this.keptBytes += to - from;
  }

  /** No other attempt will follow, or the answer is no longer wanted. */
  forget(): void {
    this.#fresh = undefined;
    this.#keeps = false;
    if (this.keptBytes > 0) this.drop();
  }

  drop(): void {
    this.kept.length = 0;
    this.keptBytes = 0;
  }
}
