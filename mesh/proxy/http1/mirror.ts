/** A copy of a request, sent to a mirror. Its result never affects the client's answer. */
import { isNeutral, type MirrorTarget, type TryFailure } from '../flow/contract.js';
import { Deadline } from '../listen/deadlines.js';
import type { Http1Parts } from './front.js';
import type { Head } from './head.js';
import { type RequestChanges, requestText } from './head-text.js';
import type { Lane } from './lane.js';
import { poolOf, type Pool } from './pool.js';
import type { Upstream, UpstreamUser } from './upstream.js';

/** A mirror that does not answer must not hold its slot for ever. */
const limitMs = 10_000;

export class Mirror implements UpstreamUser {
  readonly #parts: Http1Parts;
  readonly #target: MirrorTarget;
  readonly #method: string;
  readonly #deadline: Deadline;
  readonly #head: string;
  /** A mirror has no client. */
  readonly client = '';
  readonly takenBytes = 0;
  #pieces: Buffer[] | undefined = [];
  #bytes = 0;
  #isSent = false;
  #pool: Pool | undefined;
  #upstream: Upstream | undefined;

  /** For a mirror that speaks HTTP/2: opened at the start, since the head can be read only once. */
  readonly #lane: Lane | undefined;

  constructor(parts: Http1Parts, target: MirrorTarget, head: Head, changes: RequestChanges) {
    this.#parts = parts;
    this.#target = target;
    this.#method = head.method;
    const marked = { ...changes, more: [...(changes.more ?? []), ...target.header] };
    this.#deadline = new Deadline(parts.deadlines, () => this.#timeout());
    const { endpoint } = target;
    this.#lane = endpoint.http2 ? parts.openHttp2Lane(endpoint, head, marked, this) : undefined;
    this.#head = this.#lane ? '' : requestText(head, marked);
    if (this.#lane) this.#deadline.at(parts.deadlines.nowMs() + limitMs);
  }

  add(buffer: Buffer, from: number, to: number): void {
    if (!this.#pieces || to <= from) return;
    this.#bytes += to - from;
    if (this.#bytes > this.#target.maxBodyBytes) return this.giveUp();
    if (this.#lane) return void this.#lane.writeBytes(buffer, from, to);
    this.#pieces.push(Buffer.from(buffer.subarray(from, to)));
  }

  /** The body is complete. */
  send(trailers: string): void {
    if (!this.#pieces) return;
    if (this.#lane) {
      if (trailers !== '') this.#lane.writeText(trailers);
      this.#isSent = true;
      return this.#lane.sentAll();
    }
    if (trailers !== '') this.#pieces.push(Buffer.from(trailers, 'latin1'));
    this.#deadline.at(this.#parts.deadlines.nowMs() + limitMs);
    this.#pool = poolOf(this.#target.endpoint, this.#parts);
    const upstream = this.#pool.take(this);
    if (upstream) this.upstreamReady(upstream);
  }

  /** The request was broken off, or its body is too large. No effect if the copy was sent already. */
  giveUp(): void {
    if (!this.#pieces || this.#pool || this.#isSent) return;
    this.#lane?.abort();
    this.#over('unsent');
  }

  upstreamReady(upstream: Upstream): void {
    this.#upstream = upstream;
    upstream.begin(this, this.#method === 'HEAD', true);
    upstream.writeText(this.#head);
    for (const piece of this.#pieces ?? []) upstream.writeBytes(piece, 0, piece.length);
    upstream.sentAll();
  }

  upstreamHead(head: Head, _buffer: Buffer, _from: number, _to: number, ended: boolean): void {
    if (ended) this.#over('answered');
    else if (head.status === 101) {
      this.#upstream?.abort();
      this.#over('answered');
    }
  }

  upstreamBody(_buffer: Buffer, _from: number, _to: number, ended: boolean): void {
    if (ended) this.#over('answered');
  }

  upstreamFailed(failure: TryFailure): void {
    this.#over(isNeutral(failure) ? 'unsent' : 'failed');
  }

  upstreamInformational(): void {
    // There is no client to notify.
  }

  upstreamDrained(): void {
    // The whole body was written at once: its size is limited.
  }

  #timeout(): void {
    this.#lane?.abort();
    this.#upstream?.abort();
    this.#pool?.leave(this);
    this.#over('failed');
  }

  #over(how: Parameters<MirrorTarget['ended']>[0]): void {
    if (!this.#pieces) return;
    this.#pieces = undefined;
    this.#deadline.cancel();
    this.#target.ended(how);
  }
}
