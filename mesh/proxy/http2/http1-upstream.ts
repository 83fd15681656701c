/** An HTTP/1.1 attempt for an HTTP/2 request, with the interface of a stream: an exchange treats both alike. */
import type { EndpointState, TryFailure } from '../flow/contract.js';
import { fieldsOf } from './edits.js';
import { role, type Field } from './hpack/field.js';
import { makeField } from './hpack/intern.js';
import type { OpenTry, Try, TryHandler, TryRequest } from '../seam.js';

/** The part of the exchange that this class uses. */
export interface Http1UpstreamUser {
  readonly peerIdentity: string | undefined;
  readonly peerAddress: string;
  /** The connection that the request came on. */
  readonly share: string | undefined;
  /** The request came in HTTP/1.1, before a peer's proxy. */
  readonly isCarried: boolean;
  onHead(up: Http1Upstream, status: number, fields: Field[], ended: boolean): void;
  onData(up: Http1Upstream, buffer: Buffer, start: number, end: number, ended: boolean): void;
  onTrailers(up: Http1Upstream, fields: Field[]): void;
  onSent(up: Http1Upstream, bytes: number): void;
  onTryFailed(up: Http1Upstream, failure: TryFailure): void;
}

export class Http1Upstream {
  localEnded = false;
  closed = false;
  remoteEnded = false;
  readonly onIdleSession = false;
  readonly #user: Http1UpstreamUser;
  readonly #try: Try;
  /** Octets written while the connection was full; at most a stream's window. */
  #waiting: Buffer[] = [];
  #full = false;
  #endsAfter = false;
  #trailers: readonly Field[] | undefined;

  constructor(
    openTry: OpenTry,
    endpoint: EndpointState,
    fields: readonly Field[],
    hasBody: boolean,
    user: Http1UpstreamUser,
  ) {
    this.#user = user;
    if (!hasBody) this.localEnded = true;
    this.#try = openTry(
      endpoint,
      requestOf(fields, hasBody, user.isCarried),
      new Answer(this, user),
    );
  }

  get isOpen(): boolean {
    return this.#try.isOpen;
  }

  afterRead(listener: { onRead(): void }): void {
    listener.onRead();
  }

  data(buffer: Buffer, start: number, end: number, ended: boolean): number {
    if (this.closed || this.localEnded) return end - start;
    let sent = 0;
    if (this.#full) {
      if (end > start) this.#waiting.push(Buffer.from(buffer.subarray(start, end)));
    } else {
      if (end > start) this.#full = !this.#try.write(buffer, start, end);
      sent = end - start;
    }
    if (ended) this.end(undefined);
    return sent;
  }

  end(trailers: readonly Field[] | undefined): void {
    if (this.closed || this.localEnded) return;
    if (this.#waiting.length > 0) {
      this.#endsAfter = true;
      this.#trailers = trailers?.slice();
      return;
    }
    this.localEnded = true;
    this.#try.end(trailers && listOf(trailers));
  }

  consumed(bytes: number): void {
    if (!this.closed && bytes > 0) this.#try.consumed(bytes);
  }

  /** The answer is complete; the user aborts the rest of the request. */
  answered(): void {
    this.remoteEnded = true;
    if (this.localEnded) this.closed = true;
  }

  reset(_code: number): void {
    if (this.closed) return;
    this.closed = true;
    this.#try.abort();
  }

  /** Sends the waiting octets. */
  drained(): void {
    this.#full = false;
    let sent = 0;
    while (this.#waiting.length > 0 && !this.#full) {
      const chunk = this.#waiting.shift() as Buffer;
      sent += chunk.length;
      this.#full = !this.#try.write(chunk, 0, chunk.length);
    }
    if (this.#waiting.length === 0 && this.#endsAfter) this.end(this.#trailers);
    if (sent > 0) this.#user.onSent(this, sent);
  }
}

/** Receives the answer. */
class Answer implements TryHandler {
  readonly #up: Http1Upstream;
  readonly #user: Http1UpstreamUser;

  constructor(up: Http1Upstream, user: Http1UpstreamUser) {
    this.#up = up;
    this.#user = user;
  }

  get client(): string {
    return this.#user.peerIdentity ?? this.#user.peerAddress;
  }

  get share(): string | undefined {
    return this.#user.share;
  }

  informational(status: number, headers: readonly string[]): void {
    // HTTP/2 has no switching of protocols.
    if (status !== 101) this.#user.onHead(this.#up, status, answerFields(status, headers), false);
  }

  head(status: number, headers: readonly string[], ended: boolean): void {
    if (ended) this.#up.answered();
    this.#user.onHead(this.#up, status, answerFields(status, headers), ended);
  }

  data(buffer: Buffer, start: number, end: number, ended: boolean): void {
    if (ended) this.#up.answered();
    this.#user.onData(this.#up, buffer, start, end, ended);
  }

  ended(trailers: readonly string[] | undefined): void {
    this.#up.answered();
    if (trailers && trailers.length > 0) this.#user.onTrailers(this.#up, fieldsOf(trailers));
    else this.#user.onData(this.#up, noBytes, 0, 0, true);
  }

  failed(failure: TryFailure): void {
    this.#up.closed = true;
    this.#user.onTryFailed(this.#up, failure);
  }

  drained(): void {
    this.#up.drained();
  }
}

function answerFields(status: number, headers: readonly string[]): Field[] {
  return [makeField(':status', String(status), true), ...fieldsOf(headers)];
}

/** The request's fields in the form of the other protocol. */
export function requestOf(
  fields: readonly Field[],
  hasBody: boolean,
  isCarried = false,
): TryRequest {
  const headers: string[] = [];
  const request = {
    method: '',
    scheme: '',
    authority: '',
    path: '',
    hasBody,
    acceptsTrailers: false,
    isCarried,
    headers,
  };
  let cookie = '';
  for (const field of fields) {
    const { name, value } = field;
    switch (field.role) {
      case role.method:
        request.method = value;
        break;
      case role.scheme:
        request.scheme = value;
        break;
      case role.authority:
        request.authority = value;
        break;
      case role.path:
        request.path = value;
        break;
      case role.te:
        request.acceptsTrailers = true;
        break;
      case role.cookie:
        // HTTP/2 may send the cookie in pieces; HTTP/1.1 may not.
        cookie = cookie === '' ? value : `${cookie}; ${value}`;
        break;
      default:
        headers.push(name, value);
    }
  }
  if (cookie !== '') headers.push('cookie', cookie);
  return request;
}

export function listOf(fields: readonly Field[]): string[] {
  const list: string[] = [];
  for (const field of fields) list.push(field.name, field.value);
  return list;
}

const noBytes = Buffer.alloc(0);
