/** A request of an HTTP/1.1 client on an HTTP/2 stream, with the answer converted back to HTTP/1.1. */
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

/** The head passed HTTP/2's limit already, and is longer as text. */
const maxHeadBytes = 4 * 1024 * 1024;
const nothing = Buffer.alloc(0);
/** The head and first bytes are put together here, so that the client gets both in one write. */
const answer = Buffer.allocUnsafeSlow(32 * 1024);
/** The head of the answer being passed on; reused, since no caller keeps it. */
const answerHead = new Head('response', maxHeadBytes);

export class Http2Lane implements Lane, TryHandler {
  readonly #user: UpstreamUser;
  readonly #try: Try;
  readonly #chunks: ChunkedReader | undefined;
  readonly #isHead: boolean;
  #over = false;
  #paused = false;
  /** Bytes not yet reported to HTTP/2 as consumed, while the client does not read. */
  #unconsumed = 0;
  /** The head that just came; its body may follow at once. */
  #headText: string | undefined;
  /** The answer has no length: the proxy sends it in chunks. */
  #makesChunks = false;
  /** HTTP/1.0 has no chunks: the end of the connection ends the answer. */
  #isUntilClose = false;
  readonly #isOld: boolean;
  /** The proxy at the other end turns the request into HTTP/1.1 again. */
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
        acceptsTrailers: head.teAt >= 0 && /\btrailers\b/i.test(head.value(head.teAt)),
        isCarried: this.#isCarried,
      },
      this,
    );
  }

  get isOpen(): boolean {
    return this.#try.isOpen;
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
    // There are no tunnels here.
  }

  informational(status: number, headers: readonly string[]): void {
    const bytes = Buffer.from(headText(status, headers, ''), 'latin1');
    answerHead.reset();
    const isRead = answerHead.parse(bytes, 0, bytes.length) === bytes.length;
    if (isRead) this.#user.upstreamInformational(answerHead);
  }

  head(status: number, headers: readonly string[], ended: boolean): void {
    const hasBody = !ended && !this.#isHead && status !== 204 && status !== 304;
    const isOpen = hasBody && valueOf(headers, 'content-length') === undefined;
    this.#makesChunks = isOpen && !this.#isOld;
    this.#isUntilClose = isOpen && this.#isOld;
    let extra = this.#makesChunks ? 'transfer-encoding: chunked\r\n' : '';
    let reason: string | undefined;
    let passed = headers;
    if (this.#isCarried && headers.some((name, i) => i % 2 === 0 && isSaidForUs(name))) {
      passed = headers.filter((_, i) => !isSaidForUs(headers[i - (i % 2)] as string));
      reason = valueOf(headers, reasonHeader);
      const upgrade = valueOf(headers, upgradeHeader);
      if (upgrade !== undefined) extra += `connection: upgrade\r\nupgrade: ${upgrade}\r\n`;
    }
    this.#headText = headText(status, passed, extra, reason);
    if (ended) this.#pass(nothing, 0, 0, true);
  }

  /** No more bytes come for now: send the head without waiting. */
  paused(): void {
    if (this.#headText !== undefined) this.#pass(nothing, 0, 0, false);
  }

  data(buffer: Buffer, start: number, end: number, ended: boolean): void {
    const bytes = end - start;
    if (this.#paused) this.#unconsumed += bytes;
    else this.#try.consumed(bytes);
    if (bytes === 0 || this.#over) return;
    if (!this.#makesChunks) return this.#pass(buffer, start, end, ended);
    const last = ended ? '0\r\n\r\n' : '';
    const text = `${bytes.toString(16)}\r\n${latin1(buffer, start, end)}\r\n${last}`;
    const framed = Buffer.from(text, 'latin1');
    this.#pass(framed, 0, framed.length, ended);
  }

  ended(trailers: readonly string[] | undefined): void {
    if (this.#over) return;
    if (!this.#makesChunks) return this.#pass(nothing, 0, 0, true);
    if (trailers && trailers.length > 0) this.trailers = [...trailers];
    const last = Buffer.from(this.trailers ? '0\r\n' : '0\r\n\r\n', 'latin1');
    this.#pass(last, 0, last.length, true);
  }

  /** Passes bytes to the client, with the head if that has not gone yet. */
  #pass(buffer: Buffer, start: number, end: number, ended: boolean): void {
    const text = this.#headText;
    if (text === undefined) {
      if (ended) this.#over = true;
      return this.#user.upstreamBody(buffer, start, end, ended);
    }
    this.#headText = undefined;
    const headEnd = text.length;
    const isOne = headEnd + end - start <= answer.length && !(ended && this.#isUntilClose);
    const bytes = isOne ? answer : Buffer.allocUnsafe(headEnd);
    bytes.write(text, 0, 'latin1');
    answerHead.reset();
    if (answerHead.parse(bytes, 0, headEnd) !== headEnd) {
      this.abort();
      return this.#user.upstreamFailed('bad-response');
    }
    if (isOne) {
      if (ended) this.#over = true;
      const to = headEnd + buffer.copy(answer, headEnd, start, end);
      return this.#user.upstreamHead(answerHead, answer, headEnd, to, ended);
    }
    this.#user.upstreamHead(answerHead, bytes, headEnd, headEnd, false);
    if (!this.#over) this.#pass(buffer, start, end, ended);
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

/** The head as HTTP/1.1 text, for the same strict reader as every other head. */
function headText(
  status: number,
  headers: readonly string[],
  extra: string,
  reason = STATUS_CODES[status] ?? '',
): string {
  let text = `HTTP/1.1 ${status} ${reason}\r\n`;
  for (let i = 0; i < headers.length; i += 2) text += `${headers[i]}: ${headers[i + 1]}\r\n`;
  return `${text}${extra}\r\n`;
}
