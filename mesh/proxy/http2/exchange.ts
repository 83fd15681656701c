/**
 * One request of an HTTP/2 client and its tries: asks the flow at each fixed point, and moves
 * heads, bodies and trailers between the client's stream and the endpoint's. Octets are given
 * back to a sender's window only when the other side has taken them, so that a slow reader slows
 * its writer.
 */
import type {
  EndpointState,
  Flow,
  MirrorTarget,
  Refusal,
  RequestInfo,
  TlsLabel,
  TryFailure,
} from '../flow/contract.js';
import { Deadline } from '../listen/deadlines.js';
import type { ClientConnection } from './client-connection.js';
import { appendEdited, fieldsOf, trailersOf } from './edits.js';
import { errorCode } from './frame.js';
import { resetFailure, type Front } from './front-parts.js';
import { grpcStatusOf, type RequestHead } from './heads.js';
import { role, type Field } from './hpack/field.js';
import { makeField } from './hpack/intern.js';
import { Http1Upstream, listOf, requestOf } from './http1-upstream.js';
import { Mirror } from './mirror.js';
import { Pace } from './pace.js';
import type { Serving } from '../seam.js';
import type { SessionPool, SessionWaiter } from './session-pool.js';
import type { Receiver, Stream } from './stream.js';

/** The endpoint's side of a try: a stream, or a request in HTTP/1.1. */
export type Upstream = Stream | Http1Upstream;

/**
 * A gRPC head alone says nothing of the call's end. Where a retry could follow, it waits so long
 * for data or trailers; a server that streams sees its head delayed by this at most.
 */
const holdMs = 10;

/**
 * A body up to this size is kept even where no retry is configured: a request that was certainly
 * not processed (the endpoint is going away) may be sent again, whatever its method.
 */
const leastKeepBytes = 16 * 1024;

/** Used between composing a head and encoding it, never longer. */
const scratch: Field[] = [];

export class Exchange implements RequestInfo, Receiver, SessionWaiter {
  readonly #front: Front;
  readonly #serving: Serving;
  readonly #head: RequestHead;
  readonly #down: Stream;
  #flow!: Flow;
  #up: Upstream | undefined;
  /** The destination speaks no HTTP/2. */
  #http1Only = false;
  /** Waited for a session of this pool. */
  #pool: SessionPool | undefined;
  #endpoint: EndpointState | undefined;

  /**
   * Chunks of the body: all of them as long as a retry may need them, else those not yet handed
   * on.
   */
  #body: Buffer[] | undefined;
  #bodyBytes = 0;
  #keeps = true;
  #keepBytes = leastKeepBytes;
  #retryForbidden = false;
  #requestTrailers: readonly Field[] | undefined;
  /**
   * All of it has been looked at; the stream may have ended before, where an injected fault slows
   * it.
   */
  #requestEnded: boolean;
  /** Received and not yet given back to the client's window. */
  #owedBytes = 0;

  /**
   * Held back until the octets read with it are looked at: trailers may follow at once and ask
   * for a retry.
   */
  #heldHead: Field[] | undefined;
  #status = 0;
  #headSent = false;
  #over = false;
  #mirror: Mirror | undefined;
  /** Injected limits of bandwidth, to the endpoint and to the client. */
  #upPace: Pace | undefined;
  #downPace: Pace | undefined;
  #paceDueMs = Infinity;
  #grpcStatus = -1;
  #requestBytes = 0;
  #responseBytes = 0;

  #deadline: Deadline | undefined;
  #totalDueMs = Infinity;
  #tryDueMs = Infinity;
  #waitDueMs = Infinity;
  #idleDueMs = Infinity;
  #holdDueMs = Infinity;

  constructor(front: Front, serving: Serving, head: RequestHead, down: Stream) {
    this.#front = front;
    this.#serving = serving;
    this.#head = head;
    this.#down = down;
    this.#requestEnded = down.remoteEnded;
    down.receiver = this;
  }

  // RequestInfo.

  get method(): string {
    return this.#head.method;
  }
  get path(): string {
    return this.#head.path;
  }
  get authority(): string {
    return this.#head.authority;
  }
  get isGrpc(): boolean {
    return this.#head.isGrpc;
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
  get share(): string {
    return this.#down.connection.name;
  }
  get tls(): TlsLabel {
    return this.#serving.tls;
  }

  header(name: string): string | undefined {
    const { fields } = this.#head;
    let found: string | undefined;
    for (let i = 0; i < fields.length; i++) {
      const field = fields[i] as Field;
      if (field.name !== name) continue;
      const separator = field.role === role.cookie ? '; ' : ', ';
      found = found === undefined ? field.value : found + separator + field.value;
    }
    return found;
  }

  // The tries.

  begin(): void {
    const flow = this.#serving.begin(this);
    this.#flow = flow;
    this.#http1Only = this.#serving.http1Only === true;
    this.#keepBytes = Math.max(flow.retryBufferBytes, leastKeepBytes);
    this.#keeps = !this.#front.memory.isShort;
    const { grpcTimeoutMs } = this.#head;
    const { requestTimeoutMs } = flow;
    if (requestTimeoutMs > 0 || grpcTimeoutMs > 0) {
      const least =
        requestTimeoutMs === 0
          ? grpcTimeoutMs
          : grpcTimeoutMs === 0
            ? requestTimeoutMs
            : Math.min(requestTimeoutMs, grpcTimeoutMs);
      this.#totalDueMs = this.#front.deadlines.nowMs() + least;
      this.#arm();
    }
    if (flow.idleTimeoutMs > 0) this.#active();
    if (flow.bytesPerSecond > 0) {
      this.#upPace = new Pace(flow.bytesPerSecond);
      this.#downPace = new Pace(flow.bytesPerSecond);
    }
    if (flow.hold) flow.hold.release = () => this.#letGo();
    if (flow.delayMs > 0) this.#wait(flow.delayMs);
    else this.#go();
  }

  #go(): void {
    const flow = this.#flow;
    if (flow.refusal) return this.#answer(flow.refusal);
    const endpoint = flow.pick();
    if (!endpoint) {
      if (flow.refusal) this.#answer(flow.refusal);
      else this.#wait(flow.waitMs);
      return;
    }
    this.#endpoint = endpoint;
    if (flow.mirror && !this.#mirror) this.#startMirror(flow.mirror);
    if (flow.perTryTimeoutMs > 0) {
      this.#tryDueMs = this.#front.deadlines.nowMs() + flow.perTryTimeoutMs;
      this.#arm();
    }
    const pool = this.#front.poolOf(endpoint);
    if (pool.http1Only || (!endpoint.http2 && this.#http1Only)) return this.onHttp1Only();
    const session = pool.take(this);
    if (session) this.onSession(session);
    else this.#pool = pool;
  }

  #startMirror(target: MirrorTarget): void {
    const request = requestOf(this.#requestFields(), false);
    const mirror = new Mirror(this.#front, target, request, this.#http1Only);
    this.#mirror = mirror;
    // What came during an injected delay.
    for (const chunk of this.#body ?? []) mirror.add(chunk, 0, chunk.length);
    if (this.#requestEnded) mirror.send(this.#requestTrailers && listOf(this.#requestTrailers));
  }

  onSession(session: ClientConnection): void {
    this.#pool = undefined;
    const complete = this.#requestEnded && !this.#body && !this.#requestTrailers;
    const fields = this.#requestFields();
    this.#up = session.open(this, fields, complete, this.#head.method === 'HEAD');
    if (!complete) this.#sendBody(this.#up);
  }

  onHttp1Only(): void {
    this.#pool = undefined;
    const complete = this.#requestEnded && !this.#body && !this.#requestTrailers;
    const { openHttp1Try } = this.#front;
    if (!openHttp1Try) return this.#tryFailed('bad-response');
    const fields = this.#requestFields();
    const endpoint = this.#endpoint as EndpointState;
    this.#up = new Http1Upstream(openHttp1Try, endpoint, fields, !complete, this);
    if (!complete) this.#sendBody(this.#up);
  }

  onSessionFailed(failure: TryFailure): void {
    this.#pool = undefined;
    if (!this.#over) this.#tryFailed(failure);
  }

  #requestFields(): readonly Field[] {
    const head = this.#head;
    const flow = this.#flow;
    const { fields } = head;
    scratch.length = 0;
    let regular = 0;
    let authoritySaid = false;
    for (; regular < fields.length; regular++) {
      const field = fields[regular] as Field;
      if (field.role === role.authority) {
        authoritySaid = true;
        const { authority } = flow;
        scratch.push(authority === undefined ? field : makeField(':authority', authority, true));
      } else if (field.role === role.path) {
        const { path } = flow;
        scratch.push(path === undefined ? field : makeField(':path', path, false));
      } else if (field.role >= role.method && field.role <= role.status) scratch.push(field);
      else break;
    }
    if (!authoritySaid) {
      const authority = flow.authority ?? head.authority;
      if (authority !== '') scratch.push(makeField(':authority', authority, true));
    }
    appendEdited(scratch, fields, regular, flow.requestHeaders, flow.moreRequestHeaders, true);
    return scratch;
  }

  #sendBody(up: Upstream): void {
    const body = this.#body;
    const ends = this.#requestEnded;
    if (!this.#keeps && body) {
      this.#forbidRetry();
      this.#dropBody();
    }
    const last = body ? body.length - 1 : -1;
    for (let i = 0; i <= last; i++) {
      const chunk = (body as Buffer[])[i] as Buffer;
      const ended = ends && i === last && !this.#requestTrailers;
      this.#credit(up.data(chunk, 0, chunk.length, ended));
    }
    if (ends && !up.localEnded) up.end(this.#requestTrailers);
  }

  /** The client's octets have been taken. */
  #credit(bytes: number): void {
    const least = bytes < this.#owedBytes ? bytes : this.#owedBytes;
    this.#owedBytes -= least;
    this.#down.consumed(least);
  }

  #tryFailed(failure: TryFailure): void {
    this.#dropTry();
    if (this.#flow.tryFailed(failure) === 'retry') return this.#retry();
    const { refusal } = this.#flow;
    if (refusal) this.#answer(refusal);
    else this.#end('upstream-broke', errorCode.internal);
  }

  #retry(): void {
    this.#tryDueMs = Infinity;
    const delayMs = this.#flow.retryDelayMs();
    if (delayMs > 0) this.#wait(delayMs);
    else this.#go();
  }

  #dropTry(): void {
    this.#tryDueMs = Infinity;
    this.#heldHead = undefined;
    this.#pool?.leave(this);
    this.#pool = undefined;
    const up = this.#up;
    this.#up = undefined;
    up?.reset(errorCode.cancel);
  }

  // What the two streams say.

  onHead(up: Stream | Http1Upstream, status: number, fields: Field[], ended: boolean): void {
    if (status < 200) {
      if (!this.#headSent) this.#down.headers(fields, false);
      return;
    }
    this.#status = status;
    this.#tryDueMs = Infinity;
    if (this.#idleDueMs !== Infinity) this.#active();
    if (ended) return this.#decide(fields, grpcStatusOf(fields), true);
    if (this.#head.isGrpc && this.#keeps && this.#flow.retryBufferBytes > 0) {
      this.#heldHead = fields;
      up.afterRead(this);
      return;
    }
    this.#decide(fields, -1, false);
  }

  /**
   * All octets that were read together with the head have been looked at, and there was only the
   * head.
   */
  onRead(): void {
    if (!this.#heldHead) return;
    this.#holdDueMs = this.#front.deadlines.nowMs() + holdMs;
    this.#arm();
  }

  #decide(fields: Field[], grpcStatus: number, ended: boolean): void {
    this.#heldHead = undefined;
    this.#holdDueMs = Infinity;
    if (this.#flow.responded(this.#status, grpcStatus) === 'retry') {
      this.#dropTry();
      return this.#retry();
    }
    // From here on there is no retry: what was kept for one can go.
    this.#keeps = false;
    this.#dropBody();
    this.#headSent = true;
    this.#grpcStatus = grpcStatus;
    const edits = this.#flow.responseHeaders;
    if (edits) {
      scratch.length = 0;
      scratch.push(fields[0] as Field);
      appendEdited(scratch, fields, 1, edits, undefined, false);
      this.#down.headers(scratch, ended);
    } else {
      this.#down.headers(fields, ended);
    }
    if (ended) this.#finish('complete');
  }

  onData(stream: Upstream, buffer: Buffer, start: number, end: number, ended: boolean): void {
    if (this.#idleDueMs !== Infinity) this.#active();
    const pace = stream === this.#down ? this.#upPace : this.#downPace;
    if (!pace) return this.#pass(stream, buffer, start, end, ended);
    pace.add(buffer, start, end, (bytes, isLast) =>
      this.#pass(stream, bytes, 0, bytes.length, ended && isLast),
    );
    this.#runPace();
  }

  #runPace(): void {
    const nowMs = this.#front.deadlines.nowMs();
    const upMs = this.#upPace?.run(nowMs) ?? Infinity;
    const downMs = this.#over ? Infinity : (this.#downPace?.run(nowMs) ?? Infinity);
    this.#paceDueMs = this.#over ? Infinity : Math.min(upMs, downMs);
    if (this.#paceDueMs !== Infinity) this.#arm();
  }

  #pass(stream: Upstream, buffer: Buffer, start: number, end: number, ended: boolean): void {
    if (this.#over) return;
    if (stream === this.#down) return this.#requestData(buffer, start, end, ended);
    if (this.#heldHead) this.#decide(this.#heldHead, -1, false);
    // A retry was decided: this is of the answer that was dropped.
    if (stream !== this.#up) return;
    this.#responseBytes += end - start;
    const sent = this.#down.data(buffer, start, end, ended);
    stream.consumed(sent);
    if (ended && this.#down.localEnded) this.#finish('complete');
  }

  #requestData(buffer: Buffer, start: number, end: number, ended: boolean): void {
    const bytes = end - start;
    this.#requestBytes += bytes;
    this.#owedBytes += bytes;
    if (ended) this.#requestEnded = true;
    const mirror = this.#mirror;
    if (mirror) {
      mirror.add(buffer, start, end);
      if (ended) mirror.send(undefined);
    }
    if (this.#keeps && this.#bodyBytes + bytes > this.#keepBytes) this.#keeps = false;
    if (bytes > 0 && !this.#headSent) {
      if (this.#keeps || !this.#up) this.#keep(buffer, start, end);
      else {
        this.#forbidRetry();
        this.#dropBody();
      }
    }
    if (this.#up) this.#credit(this.#up.data(buffer, start, end, ended));
  }

  #keep(buffer: Buffer, start: number, end: number): void {
    this.#bodyBytes += end - start;
    this.#front.memory.usedBytes += end - start;
    (this.#body ??= []).push(Buffer.from(buffer.subarray(start, end)));
  }

  #dropBody(): void {
    if (!this.#body) return;
    this.#front.memory.usedBytes -= this.#bodyBytes;
    this.#bodyBytes = 0;
    this.#body = undefined;
  }

  /** What has been passed on was not kept. */
  #forbidRetry(): void {
    if (this.#retryForbidden) return;
    this.#retryForbidden = true;
    this.#flow.forbidRetry();
  }

  onTrailers(stream: Upstream, fields: Field[]): void {
    const pace = stream === this.#down ? this.#upPace : this.#downPace;
    if (!pace) return this.#passTrailers(stream, fields);
    pace.add(noBytes, 0, 0, () => this.#passTrailers(stream, fields));
    this.#runPace();
  }

  #passTrailers(stream: Upstream, fields: Field[]): void {
    if (this.#over) return;
    if (stream === this.#down) {
      this.#requestEnded = true;
      this.#requestTrailers = trailersOf(fields);
      this.#mirror?.send(listOf(this.#requestTrailers));
      this.#up?.end(this.#requestTrailers);
      return;
    }
    const grpcStatus = grpcStatusOf(fields);
    if (this.#heldHead) this.#decide(this.#heldHead, grpcStatus, false);
    if (stream !== this.#up) return;
    this.#grpcStatus = grpcStatus;
    this.#down.end(trailersOf(fields));
    if (this.#down.localEnded) this.#finish('complete');
  }

  onSent(stream: Upstream, bytes: number): void {
    if (this.#idleDueMs !== Infinity) this.#active();
    if (stream !== this.#down) return this.#credit(bytes);
    this.#up?.consumed(bytes);
    if (this.#down.localEnded && !this.#over) this.#finish('complete');
  }

  onReset(stream: Stream, code: number, lost: boolean): void {
    if (this.#over) return;
    if (stream === this.#down) {
      this.#dropTry();
      this.#finish('client-gone');
      return;
    }
    if (stream !== this.#up) return;
    this.#up = undefined;
    // The answer is complete, and waits for the client: whoever gave it wants no more of
    // the request.
    if (stream.remoteEnded) return;
    if (this.#headSent) {
      if (lost || !this.#isEndByReset(stream, code)) return this.#end('upstream-broke', code);
      this.#down.end(undefined);
      if (this.#down.localEnded) this.#finish('complete');
      return;
    }
    this.#tryFailed(resetFailure(code, lost, stream.onIdleSession));
  }

  /**
   * Servers on Node's http2 at times say RST_STREAM with NO_ERROR where END_STREAM is due.
   * Nothing says that the body is cut short; gRPC's, without trailers, is.
   */
  #isEndByReset(up: Stream, code: number): boolean {
    if (code !== errorCode.none || this.#head.isGrpc) return false;
    return up.expectedBytes < 0 || up.expectedBytes === up.receivedBytes;
  }

  /** Of an HTTP/1.1 try that never got as far as an answer. */
  onTryFailed(up: Http1Upstream, failure: TryFailure): void {
    if (this.#over || up !== this.#up) return;
    this.#up = undefined;
    if (!this.#headSent) return this.#tryFailed(failure);
    if (failure !== 'slow-client') return this.#end('upstream-broke', errorCode.internal);
    this.#down.reset(errorCode.cancel);
    this.#finish('client-gone');
  }

  // The end.

  /** The injected fault that it waits for is over. */
  #letGo(): void {
    if (this.#over) return;
    if (this.#flow.refusal?.kind === 'blackhole') {
      this.#down.reset(errorCode.internal);
      this.#finish('complete');
    } else if (this.#waitDueMs < Infinity) this.#wait(0);
  }

  /** Answers in place of an endpoint. */
  #answer(refusal: Refusal): void {
    if (refusal.kind === 'blackhole') {
      this.#totalDueMs = Infinity;
      this.#idleDueMs = Infinity;
      return;
    }
    if (refusal.kind === 'reset') {
      this.#down.reset(errorCode.internal);
      this.#finish('complete');
      return;
    }
    const down = this.#down;
    if (this.#head.isGrpc) {
      const status = refusal.grpcStatus < 0 ? 14 : refusal.grpcStatus;
      this.#grpcStatus = status;
      down.headers(grpcAnswer(status, refusal), true);
    } else {
      this.#responseBytes = this.#writeAnswer(refusal);
    }
    this.#headSent = true;
    if (down.localEnded) this.#finish('complete');
  }

  #writeAnswer(refusal: Refusal): number {
    const down = this.#down;
    const body = Buffer.from(refusal.body, 'utf8');
    const fields = [
      makeField(':status', String(refusal.status), true),
      ...fieldsOf(refusal.headers),
    ];
    if (body.length > 0) fields.push(makeField('content-type', 'text/plain; charset=utf-8', true));
    fields.push(makeField('content-length', String(body.length), true));
    const bodiless = body.length === 0 || this.#head.method === 'HEAD';
    down.headers(fields, bodiless);
    if (bodiless) return 0;
    down.data(body, 0, body.length, true);
    return body.length;
  }

  /** The answer cannot be finished: gRPC's clients are told why in trailers, others by a reset. */
  #end(how: 'upstream-broke' | 'request-timeout' | 'idle-timeout', code: number): void {
    this.#dropTry();
    const down = this.#down;
    if (this.#head.isGrpc && !down.closed) {
      const status = how === 'upstream-broke' ? '14' : '4';
      this.#grpcStatus = Number(status);
      const message = makeField('grpc-message', how.replace('-', ' '), true);
      if (this.#headSent) down.end([makeField('grpc-status', status, true), message]);
      else
        down.headers([statusOk, grpcType, makeField('grpc-status', status, true), message], true);
      // What still waits for the client's window goes first; the deadline is not for that.
      if (!down.localEnded) return this.#finishLater(how);
    } else {
      // Other codes speak of our own connection to the endpoint.
      const own = how === 'upstream-broke' && code !== errorCode.cancel;
      down.reset(own ? errorCode.internal : errorCode.cancel);
    }
    this.#finish(how);
  }

  #finishLater(how: 'upstream-broke' | 'request-timeout' | 'idle-timeout'): void {
    this.#down.reset(how === 'upstream-broke' ? errorCode.internal : errorCode.cancel);
    this.#finish(how);
  }

  #finish(how: Parameters<Flow['ended']>[0]): void {
    if (this.#over) return;
    this.#over = true;
    this.#deadline?.cancel();
    this.#mirror?.giveUp();
    this.#upPace?.clear();
    this.#downPace?.clear();
    const down = this.#down;
    const up = this.#up;
    this.#up = undefined;
    this.#dropBody();
    // The answer is complete and the request is not: nobody wants the rest of it.
    if (up && !(up.localEnded && up.remoteEnded)) up.reset(errorCode.cancel);
    if (!down.closed) down.reset(errorCode.none);
    this.#flow.ended(how, this.#grpcStatus, this.#requestBytes, this.#responseBytes);
  }

  // Deadlines.

  #wait(delayMs: number): void {
    this.#waitDueMs = this.#front.deadlines.nowMs() + delayMs;
    this.#arm();
  }

  #active(): void {
    this.#idleDueMs = this.#front.deadlines.nowMs() + this.#flow.idleTimeoutMs;
    this.#arm();
  }

  #arm(): void {
    this.#deadline ??= new Deadline(this.#front.deadlines, (nowMs) => this.#due(nowMs));
    this.#deadline.at(
      Math.min(
        this.#totalDueMs,
        this.#tryDueMs,
        this.#waitDueMs,
        this.#idleDueMs,
        this.#holdDueMs,
        this.#paceDueMs,
      ),
    );
  }

  #due(nowMs: number): void {
    if (this.#over) return;
    if (nowMs >= this.#totalDueMs) {
      this.#totalDueMs = Infinity;
      if (this.#headSent) return this.#end('request-timeout', errorCode.cancel);
      return this.#tryFailed('request-timeout');
    }
    if (nowMs >= this.#idleDueMs) {
      this.#idleDueMs = Infinity;
      if (this.#headSent) return this.#end('idle-timeout', errorCode.cancel);
      return this.#tryFailed('request-timeout');
    }
    if (nowMs >= this.#holdDueMs) {
      this.#holdDueMs = Infinity;
      if (this.#heldHead) this.#decide(this.#heldHead, -1, false);
    }
    if (nowMs >= this.#paceDueMs) this.#runPace();
    if (this.#over) return;
    if (nowMs >= this.#tryDueMs) {
      this.#tryDueMs = Infinity;
      this.#tryFailed('try-timeout');
    } else if (nowMs >= this.#waitDueMs) {
      this.#waitDueMs = Infinity;
      this.#go();
    }
    if (!this.#over) this.#arm();
  }
}

const statusOk = makeField(':status', '200', true);
const grpcType = makeField('content-type', 'application/grpc', true);

const noBytes = Buffer.alloc(0);

/** Trailers only: everything in one head. */
function grpcAnswer(status: number, refusal: Refusal): Field[] {
  const fields = [statusOk, grpcType, makeField('grpc-status', String(status), true)];
  // Percent-encoded as gRPC has it: all but printable ASCII, and the percent sign.
  const message = refusal.body.trim().replace(/[^ -$&-~]/g, (c) => encodeURIComponent(c));
  if (message !== '') fields.push(makeField('grpc-message', message, true));
  return [...fields, ...fieldsOf(refusal.headers)];
}
