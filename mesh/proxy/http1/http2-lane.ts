/**
 * A request of an HTTP/1.1 client on a stream of HTTP/2, and the answer back in the form that an HTTP/1.1 one has.
 */
import { STATUS_CODES } from 'node:http';
import type { EndpointState, TryFailure } from '../flow/contract.js';
import type { OpenTry, Try, TryHandler } from '../seam.js';
import { addedBy, isReplaced } from '../flow/edits.js';
import { reasonHeader, upgradeHeader } from '../flow/reserved.js';
import { latin1 } from '../listen/latin1.js';
import { ChunkedReader } from './chunked.js';
import { Head } from './head.js';
import { headerKind } from './header-kinds.js';
import type { RequestChanges } from './head-text.js';
import type { Lane } from './lane.js';
import type { UpstreamUser } from './upstream.js';

/** It passed HTTP/2's limit already, and is longer in words. */
const maxHeadBytes = 4 * 1024 * 1024;
const nothing = Buffer.alloc(0);

export class Http2Lane implements Lane, TryHandler {
  readonly #user: UpstreamUser;
  readonly #try: Try;
  readonly #chunks: ChunkedReader | undefined;
  readonly #isHead: boolean;
  #over = false;
  #paused = false;
  /** Not yet told to HTTP/2 as consumed, while the client does not read. */
  #unconsumed = 0;
  /** The answer has no length: it goes on in chunks. */
  #makesChunks = false;
  readonly #isOld: boolean;
  /** The other end makes HTTP/1.1 of it again. */
  readonly #isCarried: boolean;
  trailers: string[] | undefined;

  constructor(
    openTry: OpenTry,
    endpoint: EndpointState,
    head: Head,
    changes: RequestChanges,
    user: UpstreamUser,
  ) {
    this.#user = user;
    this.#isCarried = !endpoint.http2;
    this.#isHead = head.method === 'HEAD';
    this.#isOld = head.minor === 0;
    if (head.chunked) this.#chunks = new ChunkedReader();
    this.#try = openTry(
      endpoint,
      {
        method: head.method,
        scheme: endpoint.identity === undefined ? 'http' : 'https',
        authority: changes.authority ?? (head.hostAt >= 0 ? head.value(head.hostAt) : ''),
        path: changes.target ?? head.target,
        headers: headersOf(head, changes),
        hasBody: head.chunked || head.contentLength > 0,
        isCarried: this.#isCarried,
      },
      this,
    );
  }

  writeText(text: string): boolean {
    const bytes = Buffer.from(text, 'latin1');
    return this.writeBytes(bytes, 0, bytes.length);
  }

  writeBytes(buffer: Buffer, start: number, end: number): boolean {
    if (this.#over || end <= start) return true;
    const chunks = this.#chunks;
    if (!chunks) return this.#try.write(buffer, start, end);
    let more = true;
    chunks.read(buffer, start, end, (from, to) => {
      more = this.#try.write(buffer, from, to);
    });
    return more;
  }

  sentAll(): void {
    if (!this.#over) this.#try.end(lowerCaseNames(this.#chunks?.trailers));
  }

  abort(): void {
    if (this.#over) return;
    this.#over = true;
    this.#try.abort();
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    const bytes = this.#unconsumed;
    this.#unconsumed = 0;
    if (bytes > 0 && !this.#over) this.#try.consumed(bytes);
  }

  tunnel(): void {
    // Extended CONNECT is not offered.
  }

  end(): void {
    // No tunnel.
  }

  informational(status: number, headers: readonly string[]): void {
    const head = headOf(status, headers, '');
    if (head) this.#user.upstreamInformational(head);
  }

  head(status: number, headers: readonly string[], ended: boolean): void {
    const hasBody = !ended && !this.#isHead && status !== 204 && status !== 304;
    this.#makesChunks = hasBody && !this.#isOld && !headers.includes('content-length');
    let extra = this.#makesChunks ? 'transfer-encoding: chunked\r\n' : '';
    let reason: string | undefined;
    let passed = headers;
    if (this.#isCarried && headers.some((name, i) => i % 2 === 0 && isSaidForUs(name))) {
      passed = headers.filter((_, i) => !isSaidForUs(headers[i - (i % 2)] as string));
      reason = valueOf(headers, reasonHeader);
      const upgrade = valueOf(headers, upgradeHeader);
      if (upgrade !== undefined) extra += `connection: upgrade\r\nupgrade: ${upgrade}\r\n`;
    }
    const head = headOf(status, passed, extra, reason);
    if (!head) {
      this.abort();
      return this.#user.upstreamFailed('bad-response');
    }
    if (ended) this.#over = true;
    this.#user.upstreamHead(head, nothing, 0, 0, ended);
  }

  data(buffer: Buffer, start: number, end: number): void {
    const bytes = end - start;
    if (this.#paused) this.#unconsumed += bytes;
    else this.#try.consumed(bytes);
    if (bytes === 0 || this.#over) return;
    if (!this.#makesChunks) return this.#user.upstreamBody(buffer, start, end, false);
    const framed = Buffer.from(
      `${bytes.toString(16)}\r\n${latin1(buffer, start, end)}\r\n`,
      'latin1',
    );
    this.#user.upstreamBody(framed, 0, framed.length, false);
  }

  ended(trailers: readonly string[] | undefined): void {
    if (this.#over) return;
    this.#over = true;
    if (!this.#makesChunks) return this.#user.upstreamBody(nothing, 0, 0, true);
    if (trailers && trailers.length > 0) this.trailers = [...trailers];
    const last = Buffer.from(this.trailers ? '0\r\n' : '0\r\n\r\n', 'latin1');
    this.#user.upstreamBody(last, 0, last.length, true);
  }

  failed(failure: TryFailure): void {
    if (this.#over) return;
    this.#over = true;
    this.#user.upstreamFailed(failure);
  }

  drained(): void {
    this.#user.upstreamDrained();
  }
}

function lowerCaseNames(trailers: string[] | undefined): string[] | undefined {
  return trailers?.map((text, i) => (i % 2 === 0 ? text.toLowerCase() : text));
}

function headersOf(head: Head, changes: RequestChanges): string[] {
  const { edits, more } = changes;
  const headers: string[] = [];
  for (let i = 0; i < head.count; i++) {
    const kind = head.kinds[i];
    if (kind === headerKind.te) {
      if (/\btrailers\b/i.test(head.value(i))) headers.push('te', 'trailers');
      continue;
    }
    const passes =
      kind === headerKind.other ||
      kind === headerKind.contentLength ||
      kind === headerKind.expect ||
      kind === headerKind.trailer;
    if (!passes) continue;
    const name = head.name(i);
    if (kind === headerKind.other && isReplaced(name, edits, more)) continue;
    if (head.named?.includes(name)) continue;
    const isLength = kind === headerKind.contentLength;
    headers.push(name, isLength ? String(head.contentLength) : head.value(i));
  }
  if (edits) headers.push(...addedBy(edits, more));
  if (more) headers.push(...more);
  return headers;
}

const isSaidForUs = (name: string): boolean => name === reasonHeader || name === upgradeHeader;

function valueOf(headers: readonly string[], name: string): string | undefined {
  for (let i = headers.length - 2; i >= 0; i -= 2) if (headers[i] === name) return headers[i + 1];
  return undefined;
}

/** Written as HTTP/1.1 and read by the same strict reader as everything else; undefined where it does not pass. */
function headOf(
  status: number,
  headers: readonly string[],
  extra: string,
  reason = STATUS_CODES[status] ?? '',
): Head | undefined {
  let text = `HTTP/1.1 ${status} ${reason}\r\n`;
  for (let i = 0; i < headers.length; i += 2) text += `${headers[i]}: ${headers[i + 1]}\r\n`;
  const bytes = Buffer.from(`${text}${extra}\r\n`, 'latin1');
  const head = new Head('response', maxHeadBytes);
  return head.parse(bytes, 0, bytes.length) === bytes.length ? head : undefined;
}
