/** A copy of a request, sent to a mirror. Its result never affects the client's answer. */
import { isNeutral, type MirrorTarget, type TryFailure } from '../flow/contract.js';
import { Deadline } from '../listen/deadlines.js';
import type { Http2Parts } from './front-parts.js';
import type { Try, TryHandler, TryRequest } from '../seam.js';

/** A mirror that does not answer must not hold its slot for ever. */
const limitMs = 10_000;

export class Mirror implements TryHandler {
  readonly #parts: Http2Parts;
  readonly #target: MirrorTarget;
  readonly #request: TryRequest;
  readonly #deadline: Deadline;
  #pieces: Buffer[] = [];
  #bytes = 0;
  #try: Try | undefined;
  #over = false;

  readonly #http1Only: boolean;

  constructor(parts: Http2Parts, target: MirrorTarget, request: TryRequest, http1Only: boolean) {
    this.#parts = parts;
    this.#http1Only = http1Only;
    this.#target = target;
    this.#request = { ...request, headers: [...request.headers, ...target.header] };
    this.#deadline = new Deadline(parts.deadlines, () => this.#timeout());
  }

  add(buffer: Buffer, start: number, end: number): void {
    if (this.#over || this.#try || end <= start) return;
    this.#bytes += end - start;
    if (this.#bytes > this.#target.maxBodyBytes) return this.#end('unsent');
    this.#pieces.push(Buffer.from(buffer.subarray(start, end)));
  }

  /** The request is complete. */
  send(trailers: readonly string[] | undefined): void {
    if (this.#over || this.#try) return;
    const parts = this.#parts;
    const { endpoint } = this.#target;
    this.#deadline.at(parts.deadlines.nowMs() + limitMs);
    const hasBody = this.#pieces.length > 0 || trailers !== undefined;
    // The mirror's endpoint chooses its own protocol, as for a request.
    const isHttp1 = parts.poolOf(endpoint).http1Only || (!endpoint.http2 && this.#http1Only);
    const open = (isHttp1 ? parts.openHttp1Try : undefined) ?? parts.openTry;
    this.#try = open(endpoint, { ...this.#request, hasBody }, this);
    if (!hasBody) return;
    for (const piece of this.#pieces) this.#try.write(piece, 0, piece.length);
    this.#try.end(trailers);
    this.#pieces = [];
  }

  /** The request was broken off. No effect if the copy was sent already. */
  giveUp(): void {
    if (!this.#try) this.#end('unsent');
  }

  informational(): void {
    // There is no client to notify.
  }

  head(_status: number, _headers: readonly string[], ended: boolean): void {
    if (ended) this.#end('answered');
  }

  data(_buffer: Buffer, start: number, end: number, ended: boolean): void {
    this.#try?.consumed(end - start);
    if (ended) this.#end('answered');
  }

  ended(): void {
    this.#end('answered');
  }

  failed(failure: TryFailure): void {
    this.#end(isNeutral(failure) ? 'unsent' : 'failed');
  }

  drained(): void {
    // The whole body was written at once: its size is limited.
  }

  #timeout(): void {
    this.#try?.abort();
    this.#end('failed');
  }

  #end(how: Parameters<MirrorTarget['ended']>[0]): void {
    if (this.#over) return;
    this.#over = true;
    this.#pieces = [];
    this.#deadline.cancel();
    this.#target.ended(how);
  }
}
