/**
 * The request under way on a client's HTTP/1.1 connection: moves its head and body to the endpoint that the flow
 * picked, and the answer back. There is never more than one, so that it is used again for the next.
 */
import type {
  EndpointState,
  End,
  Flow,
  MirrorTarget,
  Refusal,
  RequestInfo,
  TlsLabel,
  TryFailure,
} from '../flow/contract.js';
import { latin1 } from '../listen/latin1.js';
import type { Wire } from '../listen/wire.js';
import type { Serving } from '../seam.js';
import { type Front, Tries } from '../tries.js';
import { answerText } from './answers.js';
import { trailerText } from './chunked.js';
import type { Downstream } from './downstream.js';
import type { Http1Parts } from './front.js';
import { type Head, splitAbsolute } from './head.js';
import { type RequestChanges, requestText, responseText } from './head-text.js';
import type { Lane } from './lane.js';
import { Mirror } from './mirror.js';
import { type Pool, poolOf } from './pool.js';
import { RequestBody } from './request-body.js';
import type { Upstream, UpstreamUser } from './upstream.js';

/** A body that waits for a connection is kept up to here, then reading stops. */
const maxHeldBytes = 64 * 1024;
/** What a stream of HTTP/2 is given is kept up to here although no retry is configured. */
const leastKeepBytes = 16 * 1024;
/** Head and body go out in one write up to here. */
const oneWriteBytes = 16 * 1024;
/** A client that ends its side within so long of its request has said all, and still reads; later it has given up. */
const halfCloseMs = 20;

export class Exchange implements RequestInfo, UpstreamUser, Front<Flow> {
  readonly #parts: Http1Parts;
  readonly #client: Downstream;
  readonly #serving: Serving;
  readonly #wire: Wire;
  readonly #head: Head;
  readonly #tries: Tries<Flow>;
  readonly body = new RequestBody();
  #lane: Lane | undefined;
  #pool: Pool | undefined;
  /** After a 101: bytes pass as they come. */
  isTunnel = false;
  /** The endpoint has ended its side of the tunnel. */
  #upstreamEnded = false;
  /** The protocol that is asked for instead of HTTP, where the route lets it be. */
  #upgrade: string | undefined;
  /** Body bytes of the read under way, until they are sent or copied. */
  #fresh: Buffer | undefined;
  #freshFrom = 0;
  #freshTo = 0;
  /** What was sent to the try under way is kept for another. */
  #keeps = false;
  #keepBytes = 0;
  #isSpent = false;
  #sentContinue = false;
  #mirror: Mirror | undefined;
  #responseBytes = 0;
  /** When the request had come whole. */
  #wholeMs = 0;
  /** By its route; else only a client that neither sends its body nor reads its answer is. */
  #isIdleLimited = false;
  #throttledUntilMs = 0;

  method = '';
  path = '';
  authority = '';
  #absolutePath: string | undefined;

  constructor(parts: Http1Parts, client: Downstream, serving: Serving) {
    this.#parts = parts;
    this.#client = client;
    this.#serving = serving;
    this.#wire = client.wire;
    this.#head = client.head;
    this.#tries = new Tries<Flow>(this, parts.deadlines);
  }

  /** From a request's head to its answer's end. */
  get isUnderWay(): boolean {
    return this.#tries.flow !== undefined;
  }

  // What the flow asks of a request.

  get isGrpc(): boolean {
    if (this.body.done && this.body.total === 0) return false;
    return this.#head.header('content-type')?.startsWith('application/grpc') ?? false;
  }

  header(name: string): string | undefined {
    return this.#head.header(name);
  }

  get isMirror(): boolean {
    return this.#head.isMirror;
  }

  get peerIdentity(): string | undefined {
    return this.#serving.peerIdentity;
  }

  get peerAddress(): string {
    return this.#serving.peerAddress;
  }

  get tls(): TlsLabel {
    return this.#serving.tls;
  }

  // What the pools ask.

  get client(): string {
    return this.#serving.peerIdentity ?? this.#serving.peerAddress;
  }

  get takenBytes(): number {
    return this.#wire.bytesOut - this.#wire.unsentBytes;
  }

  // The request.

  begin(buffer: Buffer, from: number, to: number): void {
    const head = this.#head;
    this.#responseBytes = 0;
    this.#sentContinue = false;
    this.#isSpent = false;
    this.#absolutePath = undefined;
    this.method = head.method;
    this.path = head.target;
    this.authority = head.hostAt >= 0 ? head.value(head.hostAt) : '';
    if (head.minor === 0 ? !head.keepAlive : head.close) this.#client.isLast = true;
    this.#upgrade = undefined;
    if (this.path.charCodeAt(0) !== 47 && !this.#otherForm()) return;
    const flow = this.#serving.begin(this);
    if (head.upgrades && head.upgradeAt >= 0 && head.minor === 1) {
      this.#upgrade = upgradeOf(head.value(head.upgradeAt), flow.upgrades);
    }
    this.#keepBytes = flow.retryBufferBytes;
    this.#keeps = this.#keepBytes > 0 && this.#hasBody;
    this.#fresh = buffer;
    this.#freshFrom = from;
    this.#freshTo = to;
    const { idleTimeoutMs, requestTimeoutMs } = flow;
    this.#isIdleLimited = idleTimeoutMs > 0;
    this.#wholeMs = this.#parts.deadlines.nowMs();
    const idleMs = this.#isIdleLimited ? idleTimeoutMs : this.#parts.limits.streamIdleMs;
    this.#tries.begin(flow, requestTimeoutMs, idleMs, this.#wholeMs);
    this.#holdFresh();
  }

  /** Absolute form, `*`, CONNECT. False: answered. */
  #otherForm(): boolean {
    if (this.method === 'CONNECT') {
      if (!this.#parts.openTunnel) {
        this.#client.refuse(501, 'connect', 'CONNECT is not served');
      } else if (!this.body.done) {
        this.#client.refuse(400, 'bad-request', 'CONNECT with a body');
      } else {
        this.#client.handsOver();
      }
      return false;
    }
    if (this.path === '*') return true;
    const parts = splitAbsolute(this.path);
    if (!parts) {
      this.#client.refuse(400, 'bad-request', 'request target');
      return false;
    }
    this.authority = parts.authority;
    this.path = parts.path;
    this.#absolutePath = parts.path;
    return true;
  }

  get #hasBody(): boolean {
    return !(this.body.done && this.body.total === 0);
  }

  send(endpoint: EndpointState, flow: Flow): void {
    if (endpoint.http2) return this.#sendHttp2(endpoint, flow);
    const pool =
      (endpoint.pool as { http1?: Pool } | undefined)?.http1 ?? poolOf(endpoint, this.#parts);
    const upstream = pool.take(this);
    if (upstream) this.#send(upstream, flow);
    else this.#pool = pool;
  }

  #sendHttp2(endpoint: EndpointState, flow: Flow): void {
    // A stream takes the body before there is a session: one that never comes must not cost the request.
    if (this.#keepBytes < leastKeepBytes && this.#hasBody && !this.#isSpent) {
      this.#keepBytes = leastKeepBytes;
      this.#keeps = true;
    }
    const lane = this.#parts.openHttp2Lane(
      endpoint,
      this.#head,
      this.#changes(flow, endpoint),
      this,
    );
    if (lane) this.#startLane(lane, '');
    else this.#tries.failed('unreachable');
  }

  upstreamReady(upstream: Upstream): void {
    this.#pool = undefined;
    this.#send(upstream, this.#tries.flow as Flow);
  }

  #changes(flow: Flow, endpoint: EndpointState): RequestChanges {
    let { authority } = flow;
    if (authority === undefined && this.#absolutePath !== undefined) authority = this.authority;
    // HTTP/1.0 may leave Host out; 1.1, which this becomes, may not.
    if (authority === undefined && this.#head.hostAt < 0) authority = endpoint.address;
    return {
      target: flow.path ?? this.#absolutePath,
      authority,
      edits: flow.requestHeaders,
      more: flow.moreRequestHeaders,
      upgrade: this.#upgrade,
      trailers: this.#head.minor === 1,
    };
  }

  #send(upstream: Upstream, flow: Flow): void {
    upstream.begin(this, this.method === 'HEAD', this.#head.minor === 0);
    const changes = this.#changes(flow, upstream.pool.endpoint);
    this.#startLane(upstream, requestText(this.#head, changes));
  }

  /** The head goes out, together with what there is of the body. */
  #startLane(lane: Lane, head: string): void {
    this.#lane = lane;
    const body = this.body;
    let text = head;
    let more = true;
    for (const piece of body.kept) {
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
      if (this.#keeps) this.#keep(fresh, from, to);
      if (to === from) {
        // Nothing of it yet, or there is none.
      } else if (text.length + to - from <= oneWriteBytes) text += latin1(fresh, from, to);
      else {
        lane.writeText(text);
        text = '';
        more = lane.writeBytes(fresh, from, to);
      }
    }
    if (body.done) text += body.trailers;
    if (text !== '') more = lane.writeText(text);
    // What waited for a connection may be more than is kept for a retry.
    const limit = this.#keeps ? this.#keepBytes : 0;
    if (body.keptBytes > limit) this.#keeps = false;
    if (!this.#keeps) {
      body.drop();
      this.#isSpent = body.total > 0;
      if (this.#isSpent) this.#tries.flow?.forbidRetry();
    }
    this.#client.accountIfAny();
    if (body.done) lane.sentAll();
    if (more) this.#client.resume();
    else this.#client.pause();
  }

  #keep(buffer: Buffer, from: number, to: number): void {
    this.body.keep(buffer, from, to);
    const flow = this.#tries.flow as Flow;
    if (this.body.keptBytes > this.#keepBytes) {
      this.#keeps = false;
      flow.forbidRetry();
      // Sent already, but for what this call brings: its caller sends that from the buffer.
      if (this.#lane) this.body.drop();
    }
    this.#client.account();
  }

  /** What could not be sent at once outlives the read that brought it. */
  #holdFresh(): void {
    const fresh = this.#fresh;
    this.#fresh = undefined;
    if (!fresh || !this.#tries.flow) return;
    this.body.keep(fresh, this.#freshFrom, this.#freshTo);
    this.#client.account();
    if (this.body.keptBytes >= maxHeldBytes) this.#client.pause();
  }

  moreBody(buffer: Buffer, from: number, to: number): void {
    const body = this.body;
    const lane = this.#lane;
    if (this.#tries.isSilent) return;
    const mirror = this.#mirror;
    if (mirror) {
      mirror.add(buffer, from, to);
      if (body.done) mirror.send(body.trailers);
    }
    if (body.done) this.#wholeMs = this.#parts.deadlines.nowMs();
    if (!lane) {
      body.keep(buffer, from, to);
      this.#client.account();
      if (body.keptBytes >= maxHeldBytes) this.#client.pause();
      return;
    }
    if (this.#keeps) this.#keep(buffer, from, to);
    else this.#tries.flow?.forbidRetry();
    let more = to > from ? lane.writeBytes(buffer, from, to) : true;
    if (body.done) {
      if (body.trailers !== '') more = lane.writeText(body.trailers);
      lane.sentAll();
    }
    if (!more) this.#client.pause();
    else this.#throttle(to - from);
  }

  // The answer.

  upstreamInformational(head: Head): void {
    // HTTP/1.0 knows none; one `100 Continue` is enough for all tries.
    if (this.#head.minor === 0) return;
    if (head.status === 100) {
      if (this.#sentContinue || this.#head.expectAt < 0) return;
      this.#sentContinue = true;
    }
    this.#wire.writeText(responseText(head, noChanges));
  }

  upstreamHead(head: Head, buffer: Buffer, from: number, to: number, ended: boolean): void {
    const flow = this.#tries.flow as Flow;
    if (head.status === 101 && this.#upgrade === undefined) {
      this.#lane?.abort();
      return this.upstreamFailed('bad-response');
    }
    if (!this.#tries.heard(flow.responded(head.status, -1), ended)) return;
    const client = this.#client;
    client.isAnswered();
    this.body.drop();
    client.accountIfAny();
    this.#keeps = false;
    const isOld = this.#head.minor === 0;
    const untilClose =
      head.status !== 101 &&
      !ended &&
      (isOld ? head.chunked || head.contentLength < 0 : !head.chunked && head.contentLength < 0);
    if (untilClose || this.#parts.isDraining() || this.#isExpired()) client.isLast = true;
    this.#responseBytes += to - from;
    const isSame =
      head.minor === 1 && !head.hasHop && !client.isLast && !isOld && !flow.responseHeaders;
    const more =
      isSame && head.to === from && to > from
        ? this.#wire.writeBytes(buffer, head.from, to)
        : this.#writeHead(head, isSame, buffer, from, to);
    if (ended) this.#writeTrailers();
    if (head.status === 101) return this.#startTunnel();
    if (ended) this.#complete();
    else if (!more) this.#lane?.pause();
    else this.#throttle(to - from);
  }

  /** The client's certificate has run out since the handshake: it may prove itself anew. */
  #isExpired(): boolean {
    const { expiresMs } = this.#wire;
    return expiresMs !== Infinity && expiresMs <= Date.now();
  }

  /** Head and the body's first bytes, in one write where they are small. */
  #writeHead(head: Head, isSame: boolean, buffer: Buffer, from: number, to: number): boolean {
    const isOld = this.#head.minor === 0;
    const { isLast } = this.#client;
    const text = isSame
      ? head.text
      : responseText(head, {
          edits: this.#tries.flow?.responseHeaders,
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
    else this.#throttle(to - from);
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
    if (!this.body.done || this.#parts.isDraining()) client.isLast = true;
    this.#wire.writeText(
      answerText({
        status: refusal.status,
        headers: refusal.headers,
        body: refusal.body,
        isHead: this.method === 'HEAD',
        close: client.isLast,
        keepAlive: this.#head.minor === 0 && !client.isLast,
      }),
    );
    this.#responseBytes = refusal.body.length;
    this.#complete();
  }

  cut(how: End): void {
    this.cancel(false);
    this.#finish(how);
    this.#client.cut();
  }

  /** Its body breaks its framing: the try that had a part of it must not take that for the whole. */
  breakOff(): void {
    const { error } = this.body;
    const isAnswering = this.#tries.isAnswering;
    this.#parts.onBadRequest(error);
    this.leave();
    if (isAnswering) this.#client.cut();
    else this.#client.refuse(400, 'bad-request', error);
  }

  /** Nobody waits for an answer any more. */
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
    this.#fresh = undefined;
    this.#throttledUntilMs = 0;
    if (this.body.keptBytes > 0) this.body.drop();
    this.#client.accountIfAny();
    if (this.#mirror) {
      this.#mirror.giveUp();
      this.#mirror = undefined;
    }
    flow?.ended(how, -1, this.body.total, this.#responseBytes);
  }

  /** Its connection is closed. */
  close(): void {
    this.#tries.close();
  }

  /** Others need the memory. True: what is kept for another try was all of it. */
  dropKept(): boolean {
    if (!this.#lane || this.body.keptBytes === 0) return false;
    this.#keeps = false;
    this.body.drop();
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

  tunnelBytes(buffer: Buffer, length: number): void {
    if (this.#lane && !this.#lane.writeBytes(buffer, 0, length)) this.#client.pause();
    this.body.total += length;
  }

  #tunnelEnded(): void {
    this.#upstreamEnded = true;
    if (this.#client.hasEnded) this.#endTunnel();
    else this.#wire.end();
  }

  #endTunnel(): void {
    this.#lane?.abort();
    this.#lane = undefined;
    this.#finish('complete');
    this.#client.goodbye();
  }

  /** The client will send no more. False: it has given up, and whoever works for it may stop. */
  clientEnded(nowMs: number): boolean {
    if (this.isTunnel) {
      if (this.#upstreamEnded) this.#endTunnel();
      else this.#lane?.end();
      return true;
    }
    const hasSaidAll = this.body.done && nowMs - this.#wholeMs <= halfCloseMs;
    return hasSaidAll && !this.#tries.isSilent;
  }

  // Back-pressure, pace and time.

  /** The client has taken what was written: more of the answer may come. */
  clientDrained(): void {
    if (this.#throttledUntilMs === 0) this.#lane?.resume();
  }

  upstreamDrained(): void {
    if (this.#throttledUntilMs === 0) this.#client.resume();
  }

  /** An injected limit of bandwidth: after each piece both directions rest for as long as it may take. */
  #throttle(bytes: number): void {
    const { flow } = this.#tries;
    if (!flow || flow.bytesPerSecond <= 0 || bytes <= 0) return;
    const fromMs = Math.max(this.#parts.deadlines.nowMs(), this.#throttledUntilMs);
    this.#throttledUntilMs = fromMs + (bytes / flow.bytesPerSecond) * 1000;
    this.#lane?.pause();
    this.#client.pause();
    this.#tries.lookAt(this.#throttledUntilMs);
  }

  look(nowMs: number): void {
    if (this.#throttledUntilMs > nowMs) return this.#tries.lookAt(this.#throttledUntilMs);
    this.#throttledUntilMs = 0;
    this.#lane?.resume();
    this.#client.resume();
  }

  get movedBytes(): number {
    return this.#wire.bytesIn + this.#wire.bytesOut;
  }

  get endsIdle(): boolean {
    return this.#isIdleLimited || !this.body.done || this.#wire.pendingBytes > 0;
  }

  get isAnswering(): boolean {
    return this.#tries.isAnswering;
  }

  mirror(target: MirrorTarget, flow: Flow): void {
    const changes = { ...this.#changes(flow, target.endpoint), upgrade: undefined };
    const mirror = new Mirror(this.#parts, target, this.#head, changes);
    for (const piece of this.body.kept) mirror.add(piece, 0, piece.length);
    if (this.#fresh) mirror.add(this.#fresh, this.#freshFrom, this.#freshTo);
    if (this.body.done) mirror.send(this.body.trailers);
    else this.#mirror = mirror;
  }
}

const noChanges = { edits: undefined, close: false, keepAlive: false, dropCoding: false };

/**
 * The first protocol of the list that the route lets clients change to. HTTP/2 never: it would hide requests from
 * everything that is decided here.
 */
function upgradeOf(list: string, allowed: readonly string[]): string | undefined {
  for (const part of list.split(',')) {
    const protocol = part.trim();
    const name = (protocol.split('/')[0] as string).toLowerCase();
    if (name !== 'h2c' && name !== 'http' && allowed.includes(name)) return protocol;
  }
  return undefined;
}
