/**
 * The current request of a client's HTTP/1.1 connection: moves its head and body to the endpoint that the flow
 * picked, and the answer back. A connection has one request at a time, so the object is reused for the next.
 */
import type {
  EndpointState,
  End,
  Flow,
  MirrorTarget,
  Refusal,
  TryFailure,
} from '../flow/contract.js';
import { isIdempotent } from '../flow/method.js';
import { latin1 } from '../listen/latin1.js';
import type { Wire } from '../listen/wire.js';
import type { Serving } from '../seam.js';
import { hedgedTries } from '../hedge.js';
import { type Front, Tries } from '../tries.js';
import { answerText } from './answers.js';
import { trailerText } from './chunked.js';
import type { Downstream } from './downstream.js';
import type { Http1Parts } from './front.js';
import type { Head } from './head.js';
import { requestText, responseText } from './head-text.js';
import { Http2Lane } from './http2-lane.js';
import type { Lane } from './lane.js';
import { Mirror } from './mirror.js';
import { type Pool, poolOf } from './pool.js';
import { ClientRequest } from './request.js';
import { oneWriteBytes, RequestBody } from './request-body.js';
import type { Upstream, UpstreamUser } from './upstream.js';

/** The body is kept up to this size even if no retry is configured, if the request may be sent again. */
const leastKeepBytes = 16 * 1024;
/**
 * A client that ends its side within this time of its request has sent everything and still reads; after that, ending
 * its side means that it has given up.
 */
const halfCloseMs = 20;

export class Exchange implements UpstreamUser, Front<Flow> {
  readonly #parts: Http1Parts;
  readonly #client: Downstream;
  readonly #request: ClientRequest;
  readonly #wire: Wire;
  readonly #head: Head;
  readonly #tries: Tries<Flow>;
  readonly body = new RequestBody();
  #lane: Lane | undefined;
  #pool: Pool | undefined;
  /** After a 101: bytes pass unchanged. */
  isTunnel = false;
  /** The endpoint has ended its side of the tunnel. */
  #upstreamEnded = false;
  #sentContinue = false;
  #mirror: Mirror | undefined;
  #responseBytes = 0;
  /** When the whole request had come, monotonic milliseconds. */
  #wholeMs = 0;
  /**
   * The route has an idle limit; otherwise the limit applies only to a client that does not send its body, does not
   * read its answer, or has sent so many requests ahead that it is not read.
   */
  #isIdleLimited = false;

  constructor(parts: Http1Parts, client: Downstream, serving: Serving) {
    this.#parts = parts;
    this.#client = client;
    this.#wire = client.wire;
    this.#head = client.head;
    this.#request = new ClientRequest(client.head, this.body, serving);
    this.#tries = new Tries<Flow>(this, parts.deadlines);
  }

  /** True from a request's head to its answer's end. */
  get isUnderWay(): boolean {
    return this.#tries.flow !== undefined;
  }

  // Answers to the pools' questions.

  get client(): string {
    return this.#request.peerIdentity ?? this.#request.peerAddress;
  }

  get takenBytes(): number {
    return this.#wire.bytesOut - this.#wire.unsentBytes;
  }

  // The request.

  begin(buffer: Buffer, from: number, to: number): void {
    const head = this.#head;
    this.#responseBytes = 0;
    this.#sentContinue = false;
    if (head.minor === 0 ? !head.keepAlive : head.close) this.#client.isLast = true;
    if (!this.#request.read()) return this.#otherForm();
    const flow = this.#request.begin();
    // Where a repeat is safe, a connection that broke while it was idle costs no request.
    const leastBytes = isIdempotent(this.#request.method) ? leastKeepBytes : 0;
    this.body.ready(buffer, from, to, flow.retryBufferBytes, leastBytes);
    const { idleTimeoutMs, requestTimeoutMs } = flow;
    this.#isIdleLimited = idleTimeoutMs > 0;
    this.#wholeMs = this.#parts.deadlines.nowMs();
    const idleMs = this.#isIdleLimited ? idleTimeoutMs : this.#parts.limits.streamIdleMs;
    this.#tries.begin(flow, requestTimeoutMs, idleMs, this.#wholeMs);
    if (this.#tries.flow) {
      this.body.outlive();
      this.#hold();
    }
  }

  /** Counts the kept bytes of the body, and pauses the client when they reach their limit. */
  #hold(): void {
    this.#client.account();
    if (!this.#lane && this.body.isFull) this.#client.pause();
  }

  /** CONNECT, or an invalid target. */
  #otherForm(): void {
    const client = this.#client;
    if (this.#request.method !== 'CONNECT') {
      client.refuse(400, 'bad-request', 'request target');
    } else if (!this.#parts.openTunnel) {
      client.refuse(501, 'connect', 'CONNECT is not served');
    } else if (!this.body.isNone || this.#head.chunked) {
      client.refuse(400, 'bad-request', 'CONNECT with a body');
    } else client.handsOver(this.#head.target);
  }

  send(endpoint: EndpointState, flow: Flow): void {
    if (flow.hedge && this.body.isNone && this.#request.upgrade === undefined) {
      const { openEither, deadlines } = this.#parts;
      const open = hedgedTries(flow, deadlines, openEither);
      const changes = this.#request.changes(flow, endpoint);
      return this.#startLane(new Http2Lane(open, endpoint, this.#head, changes, this), '');
    }
    const rides = this.#parts.mayRide(endpoint, this.#head, this.#request.upgrade);
    if (endpoint.http2 || rides) return this.#sendHttp2(endpoint, flow);
    const pool =
      (endpoint.pool as { http1?: Pool } | undefined)?.http1 ?? poolOf(endpoint, this.#parts);
    const upstream = pool.take(this);
    if (upstream) this.#send(upstream, flow);
    else this.#pool = pool;
  }

  #sendHttp2(endpoint: EndpointState, flow: Flow): void {
    // A stream accepts the body before there is a session: if no session comes, the request must still be repeatable.
    this.body.keepAtLeast(leastKeepBytes);
    const lane = this.#parts.openHttp2Lane(
      endpoint,
      this.#head,
      this.#request.changes(flow, endpoint),
      this,
    );
    if (lane) this.#startLane(lane, '');
    else this.#tries.failed('unreachable');
  }

  upstreamReady(upstream: Upstream): void {
    this.#pool = undefined;
    this.#send(upstream, this.#tries.flow as Flow);
  }

  #send(upstream: Upstream, flow: Flow): void {
    upstream.begin(this, this.#request.method === 'HEAD', this.#head.minor === 0);
    const changes = this.#request.changes(flow, upstream.pool.endpoint);
    this.#startLane(upstream, requestText(this.#head, changes));
  }

  #startLane(lane: Lane, head: string): void {
    this.#lane = lane;
    const more = this.body.sendWith(head, lane, this.#tries.flow as Flow);
    this.#client.accountIfAny();
    if (more) this.#client.resume();
    else this.#client.pause();
  }

  moreBody(buffer: Buffer, from: number, to: number): void {
    const { body } = this;
    if (this.#tries.isSilent) return;
    const mirror = this.#mirror;
    if (mirror) {
      mirror.add(buffer, from, to);
      if (body.done) mirror.send(body.trailers);
    }
    if (body.done) this.#wholeMs = this.#parts.deadlines.nowMs();
    const lane = this.#lane;
    if (!lane) {
      body.keep(buffer, from, to);
      return this.#hold();
    }
    const more = body.send(buffer, from, to, lane, this.#tries.flow as Flow);
    this.#client.account();
    if (!more) this.#client.pause();
    else this.#tries.passed(to - from);
  }

  // The answer.

  upstreamInformational(head: Head): void {
    // HTTP/1.0 has no interim responses; one `100 Continue` is enough for all attempts.
    if (this.#head.minor === 0) return;
    if (head.status === 100) {
      if (this.#sentContinue || this.#head.expectAt < 0) return;
      this.#sentContinue = true;
    }
    this.#wire.writeText(responseText(head, noChanges));
  }

  upstreamHead(head: Head, buffer: Buffer, from: number, to: number, ended: boolean): void {
    const flow = this.#tries.flow as Flow;
    if (head.status === 101 && this.#request.upgrade === undefined) {
      this.#lane?.abort();
      return this.upstreamFailed('bad-response');
    }
    if (!this.#tries.heard(flow.responded(head.status, -1), ended)) return;
    const client = this.#client;
    this.body.forget();
    client.accountIfAny();
    const isOld = this.#head.minor === 0;
    const untilClose =
      !ended &&
      mayHaveBody(this.#request.method, head.status) &&
      (isOld ? head.chunked || head.contentLength < 0 : !head.chunked && head.contentLength < 0);
    // A client that has not sent its whole body may keep the rest (it expected a 100): what follows cannot be read.
    const closes = untilClose || !this.body.done;
    if (closes || this.#mustLeave) client.isLast = true;
    this.#responseBytes += to - from;
    const isSame =
      head.minor === 1 && !head.hasHop && !client.isLast && !isOld && !flow.responseHeaders;
    const more =
      isSame && head.to === from && to > from
        ? this.#wire.writeBytes(buffer, head.from, to)
        : this.#writeHead(head, flow, buffer, from, to);
    if (ended) this.#writeTrailers();
    if (head.status === 101) return this.#startTunnel();
    if (ended) this.#complete();
    else if (!more) this.#lane?.pause();
    else this.#tries.passed(to - from);
  }

  /** A client whose certificate has ended since the handshake must connect and authenticate again. */
  get #mustLeave(): boolean {
    return this.#parts.isDraining() || this.#wire.isOutlived(Date.now());
  }

  /** Writes the head and the body's first bytes, in one write if they are small. */
  #writeHead(head: Head, flow: Flow, buffer: Buffer, from: number, to: number): boolean {
    const isOld = this.#head.minor === 0;
    const { isLast } = this.#client;
    const text = responseText(head, {
      edits: flow.responseHeaders,
      close: isLast,
      keepAlive: isOld && !isLast,
      dropCoding: isOld,
    });
    if (to === from) return this.#wire.writeText(text);
    if (text.length + to - from <= oneWriteBytes) {
      return this.#wire.writeText(text + latin1(buffer, from, to));
    }
    this.#wire.writeText(text);
    return this.#wire.writeBytes(buffer, from, to);
  }

  upstreamBody(buffer: Buffer, from: number, to: number, ended: boolean): void {
    this.#responseBytes += to - from;
    const more = to > from ? this.#wire.writeBytes(buffer, from, to) : true;
    if (ended) {
      if (this.isTunnel) return this.#tunnelEnded();
      this.#writeTrailers();
      return this.#complete();
    }
    if (!more) this.#lane?.pause();
    else this.#tries.passed(to - from);
  }

  #writeTrailers(): void {
    const trailers = this.#lane?.trailers;
    if (trailers && this.#head.minor === 1) this.#wire.writeText(trailerText(trailers));
  }

  upstreamFailed(failure: TryFailure): void {
    this.#pool = undefined;
    this.#lane = undefined;
    this.#tries.failed(failure);
  }

  cancel(isOver: boolean): void {
    if (!isOver) this.#lane?.abort();
    this.#lane = undefined;
    this.#pool?.leave(this);
    this.#pool = undefined;
  }

  // The end.

  answer(refusal: Refusal): void {
    const client = this.#client;
    if (!this.body.done || this.#mustLeave) client.isLast = true;
    const text = answerText({
      status: refusal.status,
      headers: refusal.headers,
      body: refusal.body,
      isHead: this.#request.method === 'HEAD',
      close: client.isLast,
      keepAlive: this.#head.minor === 0 && !client.isLast,
    });
    this.#wire.writeText(text);
    this.#responseBytes = text.length - (text.indexOf('\r\n\r\n') + 4);
    this.#complete();
  }

  cut(how: End): void {
    this.cancel(false);
    this.#finish(how);
    this.#client.cut();
  }

  /** The body breaks its framing: the endpoint that got a part of it must not take that part for the whole. */
  breakOff(): void {
    const { error } = this.body;
    const isAnswering = this.#tries.isAnswering;
    this.#parts.onBadRequest(error);
    this.leave();
    if (isAnswering) this.#client.cut();
    else this.#client.refuse(400, 'bad-request', error);
  }

  /** The client has gone: no answer is needed. */
  leave(): void {
    this.cancel(false);
    this.#finish('client-gone');
  }

  /** The answer is out. */
  #complete(): void {
    const wasWhole = this.body.done;
    const lane = this.#lane;
    this.#lane = undefined;
    if (lane && !wasWhole) lane.abort();
    this.#finish('complete');
    this.#client.next(wasWhole);
  }

  #finish(how: End): void {
    const flow = this.#tries.over();
    this.body.forget();
    this.#client.accountIfAny();
    if (this.#mirror) {
      this.#mirror.giveUp();
      this.#mirror = undefined;
    }
    flow?.ended(how, -1, this.body.total, this.#responseBytes);
  }

  /** The client's connection is closed. */
  close(): void {
    this.#tries.close();
  }

  /** Others need the memory. Drops the bytes kept for a retry; false when the first attempt still needs them. */
  dropKept(): boolean {
    if (!this.#lane || this.body.keptBytes === 0) return false;
    this.body.forget();
    this.#tries.flow?.forbidRetry();
    return true;
  }

  // Upgrades.

  #startTunnel(): void {
    this.isTunnel = true;
    this.#lane?.tunnel();
    this.#tries.lasts();
    this.#client.isLast = true;
    this.#client.becomesTunnel();
  }

  /** A tunnel has no next request at which its client would be judged again. */
  review(): void {
    if (!this.isTunnel || !this.isUnderWay) return;
    if (this.#lane?.isDenied || !this.#request.mayStay()) this.cut('unauthorized');
  }

  tunnelBytes(buffer: Buffer, length: number): void {
    if (this.#lane && !this.#lane.writeBytes(buffer, 0, length)) this.#client.pause();
    this.body.total += length;
  }

  #tunnelEnded(): void {
    this.#upstreamEnded = true;
    if (this.#client.hasEnded) this.#endTunnel();
    else this.#wire.end();
  }

  /** Both sides have ended: the last bytes to the endpoint may still be on their way. */
  #endTunnel(): void {
    this.#lane = undefined;
    this.#finish('complete');
    this.#client.goodbye();
  }

  /** The client will send no more. False: the client has given up, and work for it may stop. */
  clientEnded(nowMs: number): boolean {
    if (this.isTunnel) {
      this.#lane?.end();
      if (this.#upstreamEnded) this.#endTunnel();
      return true;
    }
    const hasSaidAll = this.body.done && nowMs - this.#wholeMs <= halfCloseMs;
    return hasSaidAll && !this.#tries.isSilent;
  }

  // Back-pressure, pace and time.

  /** The client has taken the written bytes: more of the answer may come. */
  clientDrained(): void {
    if (!this.#tries.isResting) this.#lane?.resume();
  }

  upstreamDrained(): void {
    if (!this.#tries.isResting) this.#client.resume();
  }

  rest(isResting: boolean): void {
    if (isResting) {
      this.#lane?.pause();
      this.#client.pause();
    } else {
      this.#lane?.resume();
      this.#client.resume();
    }
  }

  get movedBytes(): number {
    return this.#wire.bytesIn + this.#wire.bytesOut;
  }

  get endsIdle(): boolean {
    const isUnseen = !this.body.done || this.#client.isPaused || this.#wire.pendingBytes > 0;
    return this.#isIdleLimited || isUnseen;
  }

  get isAnswering(): boolean {
    return this.#tries.isAnswering;
  }

  mirror(target: MirrorTarget, flow: Flow): void {
    const changes = { ...this.#request.changes(flow, target.endpoint), upgrade: undefined };
    const mirror = new Mirror(this.#parts, target, this.#head, changes);
    this.body.each((piece, from, to) => mirror.add(piece, from, to));
    if (this.body.done) mirror.send(this.body.trailers);
    else this.#mirror = mirror;
  }
}

const mayHaveBody = (method: string, status: number): boolean =>
  method !== 'HEAD' && status !== 101 && status !== 204 && status !== 304;

const noChanges = { edits: undefined, close: false, keepAlive: false, dropCoding: false };
