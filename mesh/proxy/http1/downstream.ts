/**
 * One client's HTTP/1.1 connection: requests are read, sent on by the flow's word, and answered, one after the other.
 * It is also the request that is under way, since there is never more than one; nothing is made anew for each.
 */
import type {
  EndpointState,
  End,
  Flow,
  MirrorTarget,
  RequestInfo,
  TlsLabel,
  TryFailure,
} from '../flow/contract.js';
import type { Serving } from '../seam.js';
import { Deadline } from '../listen/deadlines.js';
import { type Holder, holdings } from '../listen/holdings.js';
import { latin1 } from '../listen/latin1.js';
import type { Wire, WireUser } from '../listen/wire.js';
import { answerText } from './answers.js';
import { Carry } from './carry.js';
import { trailerText } from './chunked.js';
import type { Http1Parts } from './front.js';
import { broken, Head, needMore, splitAbsolute } from './head.js';
import { requestText, responseText } from './head-text.js';
import type { Lane } from './lane.js';
import { Mirror } from './mirror.js';
import { type Pool, poolOf } from './pool.js';
import { RequestBody } from './request-body.js';
import type { Upstream, UpstreamUser } from './upstream.js';

const enum Phase {
  /** Between requests, or in the middle of a head. */
  Reading,
  /** Waiting: an injected delay, a backoff, for an endpoint to be ready, for a connection. */
  Waiting,
  /** A try is under way, its response's head has not come. */
  Trying,
  /** The response is being passed on. */
  Relaying,
  /** After a 101. */
  Tunnel,
  /** An injected black hole: nothing is answered. */
  Silent,
  Closed,
}

/** Requests that came too early are kept up to here, then reading stops. */
const maxEarlyBytes = 64 * 1024;
/** A body that waits for a connection is kept up to here, then reading stops. */
const maxHeldBytes = 64 * 1024;
/** What a stream of HTTP/2 is given is kept up to here although no retry is configured. */
const leastKeepBytes = 16 * 1024;
/** Head and body go out in one write up to here. */
const oneWriteBytes = 16 * 1024;
/** How long a refused client may go on sending before the connection is closed on it. */
const lingerMs = 2000;
/** A client that ends its side within so long of its request has said all, and still reads; later it has given up. */
const halfCloseMs = 20;
/** How long such a client is believed to wait for its answer's head. */
const halfClosedWaitMs = 5000;

export class Downstream implements WireUser, RequestInfo, UpstreamUser, Holder {
  readonly #parts: Http1Parts;
  readonly #serving: Serving;
  readonly wire: Wire;
  readonly #head: Head;
  readonly #body = new RequestBody();
  readonly #deadline: Deadline;
  #phase: Phase = Phase.Reading;
  #flow: Flow | undefined;
  #lane: Lane | undefined;
  #pool: Pool | undefined;
  /** Bytes not yet used: a part of a head, or requests that came early. */
  #carry: Carry | undefined;
  /** In the middle of reading: what comes next is up to that loop. */
  #busy = false;
  /** No more requests on this connection. */
  #last = false;
  #clientEnded = false;
  #paused = false;
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
  /** To whoever carries what follows CONNECT. */
  #isHandedOver = false;
  #mirror: Mirror | undefined;
  #isMirrored = false;
  #responseBytes = 0;
  /** Until the first try: no need to look at the clock again. */
  #beganMs = 0;
  #requestDueMs = Infinity;
  #tryDueMs = Infinity;
  #waitDueMs = Infinity;
  #idleDueMs = Infinity;
  #graceDueMs = Infinity;
  /** When the request had come whole. */
  #wholeMs = 0;
  #idleMark = 0;
  #idleLimitMs = 0;
  /** By its route; else only a client that neither sends its body nor reads its answer is. */
  #isIdleLimited = false;
  #throttledUntilMs = 0;

  heldBytes = 0;

  method = '';
  path = '';
  authority = '';
  #absolutePath: string | undefined;

  constructor(parts: Http1Parts, wire: Wire, serving: Serving) {
    this.#parts = parts;
    this.#serving = serving;
    this.wire = wire;
    this.#head = new Head('request', parts.limits.maxHeadBytes);
    this.#deadline = new Deadline(parts.deadlines, (nowMs) => this.#due(nowMs));
    this.#idleDueMs = parts.deadlines.nowMs() + parts.limits.headTimeoutMs;
    this.#arm();
  }

  // What the flow asks of a request.

  get isGrpc(): boolean {
    if (this.#body.done && this.#body.total === 0) return false;
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
    return this.wire.bytesOut - this.wire.unsentBytes;
  }

  /** Nothing is under way. */
  get isIdle(): boolean {
    return this.#phase === Phase.Reading && !this.#head.begun;
  }

  // The client's bytes.

  onBytes(buffer: Buffer, length: number): void {
    if (this.#phase === Phase.Tunnel) {
      if (this.#lane && !this.#lane.writeBytes(buffer, 0, length)) this.#pause();
      this.#body.total += length;
      return;
    }
    if (this.#carry && this.#carry.length > 0) {
      this.#carry.append(buffer, 0, length);
      this.#readCarry();
    } else this.#read(buffer, length);
  }

  #readCarry(): void {
    const carry = this.#carry;
    if (!carry || carry.length === 0) return;
    // The bytes move to a carry of their own: what is left over is put back.
    const { bytes, length } = carry;
    this.#carry = undefined;
    this.#read(bytes, length);
  }

  #read(buffer: Buffer, to: number): void {
    let from = 0;
    this.#busy = true;
    while (from < to) {
      if (this.#phase === Phase.Reading) {
        const end = this.#head.parse(buffer, from, to);
        if (end === needMore) break;
        if (end === broken) {
          this.#busy = false;
          return this.#refuseHead();
        }
        const body = this.#body;
        body.begin(this.#head);
        if (body.done) {
          from = end;
          this.#begin(buffer, end, end);
        } else {
          from = body.take(buffer, end, to);
          if (from < 0) {
            this.#busy = false;
            return this.#breakOff();
          }
          this.#begin(buffer, body.verbatimStart, body.verbatimEnd);
        }
      } else if (!this.#body.done) {
        const end = this.#body.take(buffer, from, to);
        if (end < 0) {
          this.#busy = false;
          return this.#breakOff();
        }
        this.#moreBody(buffer, this.#body.verbatimStart, this.#body.verbatimEnd);
        from = end;
      } else {
        break;
      }
      if (this.#phase === Phase.Closed) {
        if (this.#isHandedOver) this.#handOver(buffer.subarray(from, to));
        break;
      }
      if (this.#phase === Phase.Tunnel) {
        if (from < to) this.onBytes(buffer.subarray(from, to), to - from);
        from = to;
      }
    }
    this.#busy = false;
    if (this.#phase === Phase.Closed) return;
    if (from >= to) {
      if (this.heldBytes !== 0) this.#account();
      if (this.#clientEnded && this.#phase === Phase.Reading) this.#goodbye();
      return;
    }
    const carry = (this.#carry ??= new Carry());
    carry.append(buffer, from, to);
    if (this.#phase === Phase.Reading) {
      // In pieces: from its first byte on a head has only so long.
      if (this.#head.begun && this.#waitDueMs === Infinity) {
        this.#waitDueMs = this.#parts.deadlines.nowMs() + this.#parts.limits.headTimeoutMs;
        this.#armFor(this.#waitDueMs);
      }
    } else if (carry.length > maxEarlyBytes) this.#pause();
    this.#account();
  }

  /** Tells what is kept of a request that has not come whole, or cannot be sent on. */
  #account(): void {
    const bytes = (this.#carry?.bytes.length ?? 0) + this.#body.keptBytes;
    if (bytes !== this.heldBytes) holdings.hold(this, bytes - this.heldBytes);
  }

  /** Others need the memory: slow for longest. */
  letGo(): void {
    const flow = this.#flow;
    if (this.#phase === Phase.Reading) {
      this.#parts.onBadRequest('slow');
      this.#answerAndClose(408, 'timeout', 'the head took too long');
    } else if (this.#lane && this.#body.keptBytes > 0 && !this.#carry) {
      // Only kept for another try.
      this.#keeps = false;
      this.#body.drop();
      flow?.forbidRetry();
    } else if (flow) {
      this.#finishFlow('client-gone');
      this.#cut();
    }
    this.#account();
  }

  // One request.

  #begin(buffer: Buffer, from: number, to: number): void {
    const head = this.#head;
    this.#waitDueMs = Infinity;
    this.#idleDueMs = Infinity;
    this.#responseBytes = 0;
    this.#sentContinue = false;
    this.#isSpent = false;
    this.#isMirrored = false;
    this.#absolutePath = undefined;
    this.method = head.method;
    this.path = head.target;
    this.authority = head.hostAt >= 0 ? head.value(head.hostAt) : '';
    if (head.minor === 0 ? !head.keepAlive : head.close) this.#last = true;
    this.#upgrade = undefined;
    if (this.path.charCodeAt(0) !== 47 && !this.#otherForm()) return;
    const flow = this.#serving.begin(this);
    this.#flow = flow;
    if (head.upgrades && head.upgradeAt >= 0 && head.minor === 1) {
      this.#upgrade = upgradeOf(head.value(head.upgradeAt), flow.upgrades);
    }
    this.#keepBytes = flow.retryBufferBytes;
    this.#keeps = this.#keepBytes > 0 && this.#hasBody;
    this.#fresh = buffer;
    this.#freshFrom = from;
    this.#freshTo = to;
    this.#idleLimitMs =
      flow.idleTimeoutMs > 0 ? flow.idleTimeoutMs : this.#parts.limits.streamIdleMs;
    this.#isIdleLimited = flow.idleTimeoutMs > 0;
    const nowMs = this.#parts.deadlines.nowMs();
    this.#beganMs = nowMs;
    this.#wholeMs = nowMs;
    if (this.#clientEnded) this.#halfClosed(nowMs);
    if (flow.requestTimeoutMs > 0) {
      this.#requestDueMs = nowMs + flow.requestTimeoutMs;
      this.#armFor(this.#requestDueMs);
    }
    this.#markIdle(nowMs);
    this.#armFor(this.#idleDueMs);
    if (flow.hold) flow.hold.release = () => this.#letGo(flow);
    if (flow.delayMs > 0) this.#wait(flow.delayMs);
    else this.#try();
    this.#holdFresh();
  }

  /** Absolute form, `*`, CONNECT. False: answered. */
  #otherForm(): boolean {
    if (this.method === 'CONNECT') {
      if (!this.#parts.openTunnel) {
        this.#answerAndClose(501, 'connect', 'CONNECT is not served');
      } else if (!this.#body.done) {
        this.#answerAndClose(400, 'bad-request', 'CONNECT with a body');
      } else {
        this.#isHandedOver = true;
        this.#closed();
      }
      return false;
    }
    if (this.path === '*') return true;
    const parts = splitAbsolute(this.path);
    if (!parts) {
      this.#answerAndClose(400, 'bad-request', 'request target');
      return false;
    }
    this.authority = parts.authority;
    this.path = parts.path;
    this.#absolutePath = parts.path;
    return true;
  }

  /** After CONNECT: what follows are bytes that nobody here looks into. */
  #handOver(rest: Buffer): void {
    const { wire, path } = this;
    this.#parts.openTunnel?.(wire, this.#serving, path, this.#head.text, Buffer.from(rest));
  }

  /** Asks the flow where to, until a try is on its way or there is something to answer. */
  #try(): void {
    const flow = this.#flow as Flow;
    for (;;) {
      if (flow.refusal) return this.#refuse(flow);
      const endpoint = flow.pick();
      if (!endpoint) {
        if (flow.refusal) continue;
        return this.#wait(Math.max(1, flow.waitMs));
      }
      this.#phase = Phase.Waiting;
      if (flow.mirror && !this.#isMirrored) this.#startMirror(flow, flow.mirror);
      if (flow.perTryTimeoutMs > 0) {
        const nowMs = this.#beganMs || this.#parts.deadlines.nowMs();
        this.#tryDueMs = nowMs + flow.perTryTimeoutMs;
        this.#armFor(this.#tryDueMs);
      }
      this.#beganMs = 0;
      if (endpoint.http2) return this.#tryHttp2(endpoint, flow);
      const pool =
        (endpoint.pool as { http1?: Pool } | undefined)?.http1 ?? poolOf(endpoint, this.#parts);
      const upstream = pool.take(this);
      if (upstream) this.#send(upstream, flow);
      else this.#pool = pool;
      return;
    }
  }

  get #hasBody(): boolean {
    return !(this.#body.done && this.#body.total === 0);
  }

  #tryHttp2(endpoint: EndpointState, flow: Flow): void {
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
    if (!lane) {
      if (flow.tryFailed('unreachable') === 'retry') this.#retry(flow);
      else this.#refuse(flow);
      return;
    }
    this.#startLane(lane, '');
  }

  upstreamReady(upstream: Upstream): void {
    this.#pool = undefined;
    this.#send(upstream, this.#flow as Flow);
  }

  #changes(flow: Flow, endpoint: EndpointState): Parameters<typeof requestText>[1] {
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
    this.#phase = Phase.Trying;
    const body = this.#body;
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
      if (this.#isSpent) this.#flow?.forbidRetry();
    }
    if (this.heldBytes !== 0) this.#account();
    if (body.done) lane.sentAll();
    if (more) this.#resume();
    else this.#pause();
  }

  #keep(buffer: Buffer, from: number, to: number): void {
    this.#body.keep(buffer, from, to);
    const flow = this.#flow as Flow;
    if (this.#body.keptBytes > this.#keepBytes) {
      this.#keeps = false;
      flow.forbidRetry();
      // Sent already, but for what this call brings: its caller sends that from the buffer.
      if (this.#lane) this.#body.drop();
    }
    this.#account();
  }

  /** What could not be sent at once outlives the read that brought it. */
  #holdFresh(): void {
    const fresh = this.#fresh;
    this.#fresh = undefined;
    if (!fresh || this.#phase === Phase.Reading || this.#phase === Phase.Closed) return;
    this.#body.keep(fresh, this.#freshFrom, this.#freshTo);
    this.#account();
    if (this.#body.keptBytes >= maxHeldBytes) this.#pause();
  }

  #moreBody(buffer: Buffer, from: number, to: number): void {
    const body = this.#body;
    const lane = this.#lane;
    if (this.#phase === Phase.Silent) return;
    const mirror = this.#mirror;
    if (mirror) {
      mirror.add(buffer, from, to);
      if (body.done) mirror.send(body.trailers);
    }
    if (body.done) this.#wholeMs = this.#parts.deadlines.nowMs();
    if (!lane) {
      body.keep(buffer, from, to);
      this.#account();
      if (body.keptBytes >= maxHeldBytes) this.#pause();
      return;
    }
    if (this.#keeps) this.#keep(buffer, from, to);
    else this.#flow?.forbidRetry();
    let more = to > from ? lane.writeBytes(buffer, from, to) : true;
    if (body.done) {
      if (body.trailers !== '') more = lane.writeText(body.trailers);
      lane.sentAll();
    }
    if (!more) this.#pause();
    else if (this.#flow && this.#flow.bytesPerSecond > 0) this.#throttle(to - from);
  }

  // The answer.

  upstreamInformational(head: Head): void {
    // HTTP/1.0 knows none; one `100 Continue` is enough for all tries.
    if (this.#head.minor === 0) return;
    if (head.status === 100) {
      if (this.#sentContinue || this.#head.expectAt < 0) return;
      this.#sentContinue = true;
    }
    this.wire.writeText(responseText(head, noChanges));
  }

  upstreamHead(head: Head, buffer: Buffer, from: number, to: number, ended: boolean): void {
    const flow = this.#flow as Flow;
    this.#tryDueMs = Infinity;
    if (head.status === 101 && this.#upgrade === undefined) {
      this.#lane?.abort();
      return this.upstreamFailed('bad-response');
    }
    if (flow.responded(head.status, -1) === 'retry') {
      if (!ended) this.#lane?.abort();
      return this.#retry(flow);
    }
    this.#phase = Phase.Relaying;
    this.#graceDueMs = Infinity;
    this.#body.drop();
    if (this.heldBytes !== 0) this.#account();
    this.#keeps = false;
    const isOld = this.#head.minor === 0;
    const untilClose =
      head.status !== 101 &&
      !ended &&
      (isOld ? head.chunked || head.contentLength < 0 : !head.chunked && head.contentLength < 0);
    if (untilClose || this.#parts.isDraining() || this.#isExpired()) this.#last = true;
    this.#responseBytes += to - from;
    const isSame =
      head.minor === 1 && !head.hasHop && !this.#last && !isOld && !flow.responseHeaders;
    const more =
      isSame && head.to === from && to > from
        ? this.wire.writeBytes(buffer, head.from, to)
        : this.#writeHead(head, isSame, buffer, from, to);
    if (ended) this.#writeTrailers();
    if (head.status === 101) return this.#startTunnel();
    if (ended) this.#complete();
    else if (!more) this.#lane?.pause();
    else if (flow.bytesPerSecond > 0) this.#throttle(to - from);
  }

  /** The client's certificate has run out since the handshake: it may prove itself anew. */
  #isExpired(): boolean {
    const { expiresMs } = this.wire;
    return expiresMs !== Infinity && expiresMs <= Date.now();
  }

  /** Head and the body's first bytes, in one write where they are small. */
  #writeHead(head: Head, isSame: boolean, buffer: Buffer, from: number, to: number): boolean {
    const isOld = this.#head.minor === 0;
    const text = isSame
      ? head.text
      : responseText(head, {
          edits: this.#flow?.responseHeaders,
          close: this.#last,
          keepAlive: isOld && !this.#last,
          dropCoding: isOld,
        });
    if (to === from) return this.wire.writeText(text);
    if (text.length + to - from <= oneWriteBytes) {
      return this.wire.writeText(text + latin1(buffer, from, to));
    }
    this.wire.writeText(text);
    return this.wire.writeBytes(buffer, from, to);
  }

  upstreamBody(buffer: Buffer, from: number, to: number, ended: boolean): void {
    this.#responseBytes += to - from;
    const more = to > from ? this.wire.writeBytes(buffer, from, to) : true;
    if (ended) {
      if (this.#phase === Phase.Tunnel) return this.#tunnelEnded();
      this.#writeTrailers();
      return this.#complete();
    }
    if (!more) this.#lane?.pause();
    else if (this.#flow && this.#flow.bytesPerSecond > 0) this.#throttle(to - from);
  }

  #trailers(): string {
    const trailers = this.#lane?.trailers;
    return trailers && this.#head.minor === 1 ? trailerText(trailers) : '';
  }

  #writeTrailers(): void {
    const text = this.#trailers();
    if (text !== '') this.wire.writeText(text);
  }

  upstreamFailed(failure: TryFailure): void {
    this.#pool = undefined;
    this.#lane = undefined;
    const flow = this.#flow as Flow;
    if (this.#phase === Phase.Relaying || this.#phase === Phase.Tunnel) {
      this.#finishFlow(failure === 'slow-client' ? 'client-gone' : 'upstream-broke');
      return this.#cut();
    }
    this.#tryDueMs = Infinity;
    if (flow.tryFailed(failure) === 'retry') this.#retry(flow);
    else this.#refuse(flow);
  }

  #retry(flow: Flow): void {
    this.#lane = undefined;
    this.#tryDueMs = Infinity;
    const delayMs = flow.retryDelayMs();
    if (delayMs > 0) this.#wait(delayMs);
    else this.#try();
  }

  #wait(delayMs: number): void {
    this.#phase = Phase.Waiting;
    this.#beganMs = 0;
    this.#waitDueMs = this.#parts.deadlines.nowMs() + delayMs;
    this.#armFor(this.#waitDueMs);
  }

  /** The injected fault that it waits for is over. */
  #letGo(flow: Flow): void {
    if (this.#flow !== flow) return;
    if (flow.refusal?.kind === 'blackhole') {
      this.#finishFlow('complete');
      this.#cut();
    } else if (this.#phase === Phase.Waiting) this.#wait(0);
  }

  #refuse(flow: Flow): void {
    const refusal = flow.refusal;
    if (!refusal) throw new Error('a flow that failed without saying how');
    if (refusal.kind === 'reset') {
      this.#finishFlow('complete');
      return this.#cut();
    }
    if (refusal.kind === 'blackhole') {
      this.#phase = Phase.Silent;
      this.#requestDueMs = Infinity;
      this.#idleDueMs = Infinity;
      return;
    }
    this.#answer(refusal.status, refusal.headers, refusal.body);
  }

  #answer(status: number, headers: readonly string[], body: string): void {
    this.#fresh = undefined;
    if (!this.#body.done) this.#last = true;
    if (this.#parts.isDraining()) this.#last = true;
    this.wire.writeText(
      answerText({
        status,
        headers,
        body,
        isHead: this.method === 'HEAD',
        close: this.#last,
        keepAlive: this.#head.minor === 0 && !this.#last,
      }),
    );
    this.#responseBytes = body.length;
    this.#complete();
  }

  /** A head that is none: the rest of the connection cannot be understood. */
  #refuseHead(): void {
    const error = this.#head.error;
    this.#parts.onBadRequest(error?.reason ?? '');
    if (this.#serving.meansHttp2 && this.wire.bytesOut === 0) {
      this.#closed();
      return this.wire.endThenDestroy(0);
    }
    this.#answerAndClose(error?.status ?? 400, 'bad-request', error?.reason ?? '');
  }

  #answerAndClose(status: number, reason: string, body: string): void {
    this.#last = true;
    this.method = '';
    this.#answer(status, ['l5d-proxy-error', reason], `${body}\n`);
  }

  /** A body that breaks its framing: the try that had a part of it must not take that for the whole. */
  #breakOff(): void {
    this.#lane?.abort();
    this.#lane = undefined;
    this.#parts.onBadRequest(this.#body.error);
    if (this.#phase === Phase.Relaying) {
      this.#finishFlow('client-gone');
      return this.#cut();
    }
    this.#pool?.leave(this);
    this.#pool = undefined;
    this.#answerAndClose(400, 'bad-request', this.#body.error);
  }

  /** The answer is out. */
  #complete(): void {
    const wasWhole = this.#body.done;
    const lane = this.#lane;
    this.#lane = undefined;
    if (lane && !wasWhole) lane.abort();
    this.#finishFlow('complete');
    if (this.#last || !wasWhole) return this.#goodbye();
    this.#phase = Phase.Reading;
    this.#head.reset();
    this.#idleDueMs = this.#parts.deadlines.nowMs() + this.#parts.limits.idleTimeoutMs;
    this.#armFor(this.#idleDueMs);
    if (this.#paused) this.#resume();
    if (this.#busy) return;
    this.#readCarry();
    // Half closed before: nothing can follow what has been read.
    if (this.#clientEnded && (this.#phase as Phase) === Phase.Reading) this.#goodbye();
  }

  #finishFlow(how: End): void {
    const flow = this.#flow;
    this.#flow = undefined;
    this.#requestDueMs = Infinity;
    this.#tryDueMs = Infinity;
    this.#waitDueMs = Infinity;
    this.#idleDueMs = Infinity;
    this.#graceDueMs = Infinity;
    if (this.#body.keptBytes > 0) this.#body.drop();
    if (this.heldBytes !== 0) this.#account();
    if (this.#mirror) {
      this.#mirror.giveUp();
      this.#mirror = undefined;
    }
    flow?.ended(how, -1, this.#body.total, this.#responseBytes);
  }

  #goodbye(): void {
    this.#closed();
    if (this.#clientEnded && this.wire.pendingBytes === 0) this.wire.endThenDestroy(0);
    else this.wire.endThenDestroy(lingerMs);
  }

  /** What was sent is not the whole, and must not look like it. */
  #cut(): void {
    this.#closed();
    this.wire.reset();
  }

  #closed(): void {
    this.#phase = Phase.Closed;
    this.#fresh = undefined;
    this.#carry = undefined;
    if (this.heldBytes !== 0) this.#account();
    this.#deadline.cancel();
    this.#parts.onClosed(this);
  }

  // Upgrades.

  #startTunnel(): void {
    this.#phase = Phase.Tunnel;
    this.#lane?.tunnel();
    this.#requestDueMs = Infinity;
    this.#last = true;
    this.#arm();
    if (!this.#busy && this.#carry) {
      const { bytes, length } = this.#carry;
      this.#carry = undefined;
      this.onBytes(bytes, length);
    }
    if (this.#clientEnded) this.#lane?.end();
  }

  #upstreamEnded = false;

  #tunnelEnded(): void {
    this.#upstreamEnded = true;
    if (!this.#clientEnded) return this.wire.end();
    this.#lane?.abort();
    this.#lane = undefined;
    this.#finishFlow('complete');
    this.#goodbye();
  }

  // Back-pressure and pace.

  #pause(): void {
    if (this.#paused) return;
    this.#paused = true;
    this.wire.pause();
  }

  #resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.wire.resume();
  }

  /** The client has taken what was written: more of the answer may come. */
  onDrain(): void {
    if (this.#throttledUntilMs === 0) this.#lane?.resume();
  }

  upstreamDrained(): void {
    if (this.#throttledUntilMs === 0) this.#resume();
  }

  /** An injected limit of bandwidth: after each piece both directions rest for as long as it may take. */
  #throttle(bytes: number): void {
    const flow = this.#flow;
    if (!flow || bytes <= 0) return;
    const nowMs = this.#parts.deadlines.nowMs();
    const fromMs = Math.max(nowMs, this.#throttledUntilMs);
    this.#throttledUntilMs = fromMs + (bytes / flow.bytesPerSecond) * 1000;
    this.#lane?.pause();
    this.#pause();
    this.#waitDueMs = this.#throttledUntilMs;
    this.#armFor(this.#waitDueMs);
  }

  // Time.

  /** Looked at when it may have passed, so that no read or write needs to look at a clock. */
  #markIdle(nowMs: number): void {
    this.#idleMark = this.wire.bytesIn + this.wire.bytesOut;
    this.#idleDueMs = nowMs + this.#idleLimitMs;
  }

  /** A later time than the one that is armed is found when that one comes. */
  #armFor(dueMs: number): void {
    if (dueMs < this.#deadline.dueMs) this.#deadline.at(dueMs);
  }

  #arm(): void {
    this.#deadline.at(
      Math.min(
        this.#requestDueMs,
        this.#tryDueMs,
        this.#waitDueMs,
        this.#idleDueMs,
        this.#graceDueMs,
      ),
    );
  }

  #due(nowMs: number): void {
    if (this.#phase === Phase.Closed) return;
    this.#look(nowMs);
    if ((this.#phase as Phase) !== Phase.Closed) this.#arm();
  }

  #look(nowMs: number): void {
    const flow = this.#flow;
    if (!flow) return this.#lookIdle(nowMs);
    if (this.#throttledUntilMs > 0 && this.#throttledUntilMs <= nowMs) {
      this.#throttledUntilMs = 0;
      this.#waitDueMs = Infinity;
      this.#lane?.resume();
      this.#resume();
    }
    if (this.#graceDueMs <= nowMs) {
      this.onClose();
      return this.wire.destroy();
    }
    if (this.#requestDueMs <= nowMs) return this.#tooLate(flow, 'request-timeout');
    if (this.#tryDueMs <= nowMs) {
      this.#tryDueMs = Infinity;
      this.#stopTry();
      if (flow.tryFailed('try-timeout') === 'retry') this.#retry(flow);
      else this.#refuse(flow);
      return;
    }
    if (this.#waitDueMs <= nowMs) {
      this.#waitDueMs = Infinity;
      if (this.#phase === Phase.Waiting && !this.#pool) this.#try();
      return;
    }
    if (this.#idleDueMs <= nowMs) {
      const isMoving = this.wire.bytesIn + this.wire.bytesOut !== this.#idleMark;
      const isStuck = !this.#body.done || this.wire.pendingBytes > 0;
      if (isMoving || !(this.#isIdleLimited || isStuck)) {
        this.#markIdle(nowMs);
      } else this.#tooLate(flow, 'idle-timeout');
    }
  }

  #tooLate(flow: Flow, how: 'request-timeout' | 'idle-timeout'): void {
    this.#requestDueMs = Infinity;
    this.#idleDueMs = Infinity;
    const phase = this.#phase;
    this.#stopTry();
    if (phase === Phase.Relaying || phase === Phase.Tunnel || phase === Phase.Silent) {
      this.#finishFlow(how);
      return this.#cut();
    }
    // The client may be the one that says nothing.
    if (flow.tryFailed('request-timeout') === 'fail') return this.#refuse(flow);
    this.#retry(flow);
  }

  #stopTry(): void {
    this.#lane?.abort();
    this.#lane = undefined;
    this.#pool?.leave(this);
    this.#pool = undefined;
  }

  /** Between requests, or in the middle of a head. */
  #lookIdle(nowMs: number): void {
    if (this.#waitDueMs <= nowMs && this.#head.begun) {
      this.#waitDueMs = Infinity;
      this.#parts.onBadRequest('timeout');
      return this.#answerAndClose(408, 'timeout', 'the head took too long');
    }
    // A head that has begun has a time of its own, and is told when that is over.
    if (this.#head.begun && this.#waitDueMs !== Infinity) this.#idleDueMs = Infinity;
    if (this.#idleDueMs <= nowMs) {
      this.#closed();
      this.wire.endThenDestroy(lingerMs);
    }
  }

  // The client's end.

  onEnd(): void {
    this.#clientEnded = true;
    switch (this.#phase) {
      case Phase.Reading:
        this.#closed();
        this.wire.endThenDestroy(0);
        return;
      case Phase.Tunnel:
        if (this.#upstreamEnded) {
          this.#lane?.abort();
          this.#lane = undefined;
          this.#finishFlow('complete');
          this.#goodbye();
        } else this.#lane?.end();
        return;
      case Phase.Closed:
        return;
      default: {
        const nowMs = this.#parts.deadlines.nowMs();
        const hasSaidAll = nowMs - this.#wholeMs <= halfCloseMs;
        if (hasSaidAll && this.#body.done && this.#phase !== Phase.Silent)
          return this.#halfClosed(nowMs);
        // It has given up, or its body is cut short: whoever works for it may stop.
        this.onClose();
        this.wire.destroy();
      }
    }
  }

  /** It still reads, and if it does not, it cannot be told from one that does: so not for ever. */
  #halfClosed(nowMs: number): void {
    if (this.#phase === Phase.Relaying) return;
    this.#graceDueMs = nowMs + halfClosedWaitMs;
    this.#armFor(this.#graceDueMs);
  }

  onClose(): void {
    if (this.#phase === Phase.Closed) return;
    this.#stopTry();
    this.#finishFlow('client-gone');
    this.#closed();
  }

  /** Ends an idle connection: while draining. */
  endIdle(): void {
    if (!this.isIdle) return;
    this.#closed();
    this.wire.endThenDestroy(lingerMs);
  }

  /** The drain's time is up. */
  abandon(): void {
    this.onClose();
    this.wire.destroy();
  }

  #startMirror(flow: Flow, target: MirrorTarget): void {
    this.#isMirrored = true;
    const changes = { ...this.#changes(flow, target.endpoint), upgrade: undefined };
    const mirror = new Mirror(this.#parts, target, this.#head, changes);
    for (const piece of this.#body.kept) mirror.add(piece, 0, piece.length);
    if (this.#fresh) mirror.add(this.#fresh, this.#freshFrom, this.#freshTo);
    if (this.#body.done) mirror.send(this.#body.trailers);
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
