/** An HTTP/2 attempt for an HTTP/1.1 request. */
import type { TryFailure } from '../flow/contract.js';
import type { ClientConnection } from './client-connection.js';
import { carriedHeader } from '../flow/reserved.js';
import { fieldsOf } from './edits.js';
import { errorCode } from './frame.js';
import { resetFailure } from './front-parts.js';
import type { Field } from './hpack/field.js';
import { makeField } from './hpack/intern.js';
import type { Try, TryHandler, TryRequest } from '../seam.js';
import type { SessionPool, SessionWaiter } from './session-pool.js';
import type { Receiver, Stream } from './stream.js';

const carriedMark = makeField(carriedHeader, '1', true);
const takesTrailers = makeField('te', 'trailers', true);

/** When more than this is not yet sent, the writer is asked to wait. */
const highWaterBytes = 64 * 1024;

export class Http2Try implements Try, Receiver, SessionWaiter {
  readonly #pool: SessionPool;
  readonly #request: TryRequest;
  readonly #handler: TryHandler;
  #stream: Stream | undefined;
  /** Octets written before there was a session. */
  #early: Buffer[] = [];
  #earlyBytes = 0;
  #ended: boolean;
  #trailers: readonly string[] | undefined;
  #full = false;
  #over = false;

  constructor(pool: SessionPool, request: TryRequest, handler: TryHandler) {
    this.#pool = pool;
    this.#request = request;
    this.#handler = handler;
    this.#ended = !request.hasBody;
    const session = pool.take(this);
    if (session) this.onSession(session);
  }

  get isOpen(): boolean {
    return this.#stream !== undefined;
  }

  onSession(session: ClientConnection): void {
    const request = this.#request;
    const { method, scheme, authority, path, isCarried = false } = request;
    if (isCarried && !session.carries) {
      // Another program now listens at the endpoint: nothing was sent yet. The caller may not have this object yet.
      return void setImmediate(() => this.#fail('not-processed'));
    }
    const fields = [
      makeField(':method', method, true),
      makeField(':scheme', scheme, true),
      makeField(':authority', authority, true),
      makeField(':path', path, false),
      ...fieldsOf(request.headers),
    ];
    if (isCarried) fields.push(carriedMark);
    if (request.acceptsTrailers) fields.push(takesTrailers);
    const isHead = method === 'HEAD';
    const early = this.#early;
    const complete = this.#ended && early.length === 0 && !this.#trailers;
    const stream = session.open(this, fields, complete, isHead);
    this.#stream = stream;
    if (complete) return;
    for (const chunk of early) stream.data(chunk, 0, chunk.length, false);
    this.#early = [];
    if (this.#ended) this.#end(stream);
    else if (this.#full && stream.waitingBytes <= highWaterBytes) {
      this.#full = false;
      this.#handler.drained();
    }
  }

  onSessionFailed(failure: TryFailure): void {
    this.#fail(failure);
  }

  onHttp1Only(): void {
    this.#fail('not-processed');
  }

  write(buffer: Buffer, start: number, end: number): boolean {
    if (this.#over) return true;
    const stream = this.#stream;
    if (stream) {
      stream.data(buffer, start, end, false);
      this.#full = stream.waitingBytes > highWaterBytes;
    } else {
      this.#early.push(Buffer.from(buffer.subarray(start, end)));
      this.#earlyBytes += end - start;
      this.#full = this.#earlyBytes > highWaterBytes;
    }
    return !this.#full;
  }

  end(trailers: readonly string[] | undefined): void {
    this.#ended = true;
    this.#trailers = trailers;
    if (this.#stream) this.#end(this.#stream);
  }

  #end(stream: Stream): void {
    const trailers = this.#trailers;
    stream.end(trailers && trailers.length > 0 ? fieldsOf(trailers) : undefined);
  }

  consumed(bytes: number): void {
    this.#stream?.consumed(bytes);
  }

  abort(): void {
    if (this.#over) return;
    this.#over = true;
    const stream = this.#stream;
    if (stream) {
      stream.reset(errorCode.cancel);
      (stream.connection as ClientConnection).onGivenUp();
    } else this.#pool.leave(this);
  }

  #fail(failure: TryFailure): void {
    if (this.#over) return;
    this.#over = true;
    this.#handler.failed(failure);
  }

  // The stream's events.

  onHead(stream: Stream, status: number, fields: Field[], ended: boolean): void {
    const headers: string[] = [];
    for (let i = 1; i < fields.length; i++) {
      const field = fields[i] as Field;
      headers.push(field.name, field.value);
    }
    if (status < 200) return this.#handler.informational(status, headers);
    if (ended) this.#finish();
    else stream.afterRead(this);
    this.#handler.head(status, headers, ended);
  }

  onRead(): void {
    if (!this.#over) this.#handler.paused?.();
  }

  onData(_stream: Stream, buffer: Buffer, start: number, end: number, ended: boolean): void {
    if (ended) this.#finish();
    if (end > start) this.#handler.data(buffer, start, end, ended);
    else if (ended) this.#handler.ended(undefined);
  }

  onTrailers(_stream: Stream, fields: Field[]): void {
    this.#finish();
    const trailers: string[] = [];
    for (const field of fields) trailers.push(field.name, field.value);
    this.#handler.ended(trailers);
  }

  /** The answer is complete; if the request is not, the rest of it is not needed. */
  #finish(): void {
    this.#over = true;
    const stream = this.#stream as Stream;
    if (stream.localEnded) return;
    stream.reset(errorCode.cancel);
    (stream.connection as ClientConnection).onGivenUp();
  }

  onReset(stream: Stream, code: number, lost: boolean): void {
    this.#fail(resetFailure(code, lost, stream.onIdleSession));
  }

  onSent(stream: Stream): void {
    if (!this.#full || stream.waitingBytes > highWaterBytes / 2) return;
    this.#full = false;
    if (!this.#over) this.#handler.drained();
  }
}
