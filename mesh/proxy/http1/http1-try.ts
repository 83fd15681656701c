/** An HTTP/1.1 attempt, on a connection of the HTTP/1.1 pools, for a request that came in HTTP/2. */
import { STATUS_CODES } from 'node:http';
import type { EndpointState, TryFailure } from '../flow/contract.js';
import { reasonHeader, upgradeHeader } from '../flow/reserved.js';
import { trailerText } from './chunked.js';
import type { Head } from './head.js';
import { headerKind } from './header-kinds.js';
import { type Pool, type PoolParts, poolOf } from './pool.js';
import type { Upstream, UpstreamUser } from './upstream.js';
import { latin1 } from '../listen/latin1.js';
import type { OpenTry, Try, TryHandler, TryRequest } from '../seam.js';

/** When more than this has been received and not yet passed on, the connection is not read. */
const highWaterBytes = 128 * 1024;
/** A chunk up to this size goes out as one string. */
const smallBytes = 8192;

/** Gives Http2Front its way to endpoints that speak HTTP/1.1. */
export const http1Tries =
  (parts: PoolParts): OpenTry =>
  (endpoint: EndpointState, request: TryRequest, handler: TryHandler): Try =>
    new Http1Try(poolOf(endpoint, parts), request, handler);

class Http1Try implements Try, UpstreamUser {
  readonly #pool: Pool;
  readonly #request: TryRequest;
  readonly #handler: TryHandler;
  readonly #chunked: boolean;
  #upstream: Upstream | undefined;
  /** Written before there was a connection. */
  #early: Buffer[] = [];
  #earlyBytes = 0;
  #full = false;
  #ended: boolean;
  #trailers: readonly string[] | undefined;
  #unconsumed = 0;
  takenBytes = 0;
  #over = false;

  constructor(pool: Pool, request: TryRequest, handler: TryHandler) {
    this.#pool = pool;
    this.#request = request;
    this.#handler = handler;
    this.#ended = !request.hasBody;
    this.#chunked = request.hasBody && !isNamed(request.headers, 'content-length');
    const upstream = pool.take(this);
    // Deferred: the caller has no reference to the attempt before this returns.
    if (upstream) this.#start(upstream);
  }

  get client(): string {
    return this.#handler.client ?? '';
  }

  get isOpen(): boolean {
    return this.#upstream !== undefined;
  }

  get share(): string | undefined {
    return this.#handler.share;
  }

  upstreamReady(upstream: Upstream): void {
    this.#start(upstream);
    if (!this.#full) return;
    this.#full = false;
    if (!this.#over) this.#handler.drained();
  }

  #start(upstream: Upstream): void {
    this.#upstream = upstream;
    const { method, path, authority, headers } = this.#request;
    let text = `${method} ${path} HTTP/1.1\r\nhost: ${authority}\r\n`;
    for (let i = 0; i < headers.length; i += 2) text += `${headers[i]}: ${headers[i + 1]}\r\n`;
    const { isCarried = false, acceptsTrailers = false } = this.#request;
    if (isCarried && acceptsTrailers) text += 'connection: te\r\nte: trailers\r\n';
    if (this.#chunked) text += 'transfer-encoding: chunked\r\n';
    upstream.begin(this, method === 'HEAD', true);
    upstream.writeText(`${text}\r\n`);
    for (const chunk of this.#early) this.#writeChunk(upstream, chunk, 0, chunk.length);
    this.#early = [];
    if (this.#ended) this.#writeEnd(upstream);
  }

  write(buffer: Buffer, start: number, end: number): boolean {
    if (this.#over || end <= start) return true;
    if (this.#upstream) return this.#writeChunk(this.#upstream, buffer, start, end);
    this.#early.push(Buffer.from(buffer.subarray(start, end)));
    this.#earlyBytes += end - start;
    this.#full = this.#earlyBytes > highWaterBytes;
    return !this.#full;
  }

  #writeChunk(upstream: Upstream, buffer: Buffer, start: number, end: number): boolean {
    if (!this.#chunked) return upstream.writeBytes(buffer, start, end);
    const size = (end - start).toString(16);
    if (end - start <= smallBytes) {
      return upstream.writeText(`${size}\r\n${latin1(buffer, start, end)}\r\n`);
    }
    upstream.writeText(`${size}\r\n`);
    upstream.writeBytes(buffer, start, end);
    return upstream.writeText('\r\n');
  }

  end(trailers: readonly string[] | undefined): void {
    this.#ended = true;
    this.#trailers = trailers;
    if (this.#upstream && !this.#over) this.#writeEnd(this.#upstream);
  }

  #writeEnd(upstream: Upstream): void {
    if (this.#chunked) {
      const trailers = this.#trailers;
      const fields = trailers && trailers.length > 0 ? trailerText([...trailers]) : '\r\n';
      upstream.writeText(`0\r\n${fields}`);
    }
    upstream.sentAll();
  }

  consumed(bytes: number): void {
    this.#unconsumed -= bytes;
    this.takenBytes += bytes;
    if (this.#unconsumed <= highWaterBytes / 2) this.#upstream?.resume();
  }

  abort(): void {
    if (this.#over) return;
    this.#over = true;
    if (this.#upstream) this.#upstream.abort();
    else this.#pool.leave(this);
  }

  // The answer.

  upstreamInformational(head: Head): void {
    this.#handler.informational(head.status, headersOf(head));
  }

  upstreamHead(head: Head, buffer: Buffer, from: number, to: number, ended: boolean): void {
    if (head.status === 101) {
      // HTTP/2 has no Upgrade, so the request did not ask for one.
      this.#upstream?.abort();
      return this.upstreamFailed('bad-response');
    }
    const whole = ended && from === to && !this.#upstream?.trailers;
    if (whole) this.#over = true;
    const headers = headersOf(head);
    if (this.#request.isCarried) sayWhatHttp2Cannot(head, headers);
    this.#handler.head(head.status, headers, whole);
    if (!whole) this.upstreamBody(buffer, from, to, ended);
  }

  upstreamBody(buffer: Buffer, from: number, to: number, ended: boolean): void {
    if (this.#over) return;
    if (to > from) {
      this.#unconsumed += to - from;
      const isAll = ended && !this.#upstream?.trailers;
      if (isAll) this.#over = true;
      this.#handler.data(buffer, from, to, isAll);
      if (this.#over) return;
    }
    if (ended) {
      this.#over = true;
      const trailers = this.#upstream?.trailers;
      this.#handler.ended(trailers?.map((text, i) => (i % 2 === 0 ? text.toLowerCase() : text)));
    } else if (this.#unconsumed > highWaterBytes) {
      this.#upstream?.pause();
    }
  }

  upstreamFailed(failure: TryFailure): void {
    if (this.#over) return;
    this.#over = true;
    this.#handler.failed(failure);
  }

  upstreamDrained(): void {
    if (!this.#over) this.#handler.drained();
  }
}

function isNamed(headers: readonly string[], name: string): boolean {
  for (let i = 0; i < headers.length; i += 2) if (headers[i] === name) return true;
  return false;
}

/** The response's headers without those of the connection. */
function headersOf(head: Head): string[] {
  const headers: string[] = [];
  for (let i = 0; i < head.count; i++) {
    switch (head.kinds[i]) {
      case headerKind.connection:
      case headerKind.hop:
      case headerKind.te:
      case headerKind.upgrade:
      case headerKind.transferEncoding:
        continue;
      default:
    }
    const name = head.name(i);
    if (head.named?.includes(name)) continue;
    headers.push(name, head.value(i));
  }
  return headers;
}

/** Adds headers for the proxy at the other end, which removes them again (http2-lane.ts). */
function sayWhatHttp2Cannot(head: Head, headers: string[]): void {
  const reason = head.reason;
  if (reason !== (STATUS_CODES[head.status] ?? '')) headers.push(reasonHeader, reason);
  if (head.status === 426 && head.upgradeAt >= 0) {
    headers.push(upgradeHeader, head.value(head.upgradeAt));
  }
}
