/**
 * One request of an HTTP/2 client: moves heads, bodies and trailers between the client's stream and the endpoint's,
 * as its attempts decide. Octets are credited to a sender's window only when the other side has taken them, so that a
 * slow reader slows its writer.
 */
import type {
  End,
  EndpointState,
  Flow,
  MirrorTarget,
  Refusal,
  RequestInfo,
  TlsLabel,
  TryFailure,
} from '../flow/contract.js';
import { isReserved } from '../flow/reserved.js';
import { hedgedTries } from '../hedge.js';
import type { OpenTry, Serving } from '../seam.js';
import { type Front, Tries } from '../tries.js';
import type { ClientConnection } from './client-connection.js';
import { answerBody, answerHead, grpcAnswer } from './answers.js';
import { answerFieldsOf, requestFieldsOf, trailersOf } from './edits.js';
import { errorCode } from './frame.js';
import { endsByReset, type Http2Parts, resetFailure } from './front-parts.js';
import { grpcEnd } from './grpc-end.js';
import { grpcStatusOf, headerOf, type RequestHead } from './heads.js';
import type { Field } from './hpack/field.js';
import { Http1Upstream, listOf, requestOf } from './http1-upstream.js';
import { Mirror } from './mirror.js';
import { Pace } from './pace.js';
import type { SessionPool, SessionWaiter } from './session-pool.js';
import type { Receiver, Stream } from './stream.js';

/** The endpoint's side of an attempt: a stream, or a request in HTTP/1.1. */
export type Upstream = Stream | Http1Upstream;

/**
 * A gRPC head alone does not say how the call ends. If a retry could follow, the head waits this long for data or
 * trailers; a streaming server's head is delayed by at most this.
 */
const holdMs = 10;

/**
 * Kept even if no retry is configured: a request that was certainly not processed may be sent again, whatever its
 * method.
 */
const leastKeepBytes = 16 * 1024;

export class Exchange implements RequestInfo, Receiver, SessionWaiter, Front<Flow> {
  readonly #parts: Http2Parts;
  readonly #serving: Serving;
  readonly #head: RequestHead;
  readonly #down: Stream;
  /** Believed only from a peer's proxy: an app has no identity. */
  readonly isCarried: boolean;
  readonly #tries: Tries<Flow>;
  #up: Upstream | undefined;
  /** The destination speaks no HTTP/2. */
  #http1Only = false;
  /** The pool in which the request waited for a session. */
  #pool: SessionPool | undefined;
  #endpoint: EndpointState | undefined;
  /** Chunks of the body: all of them while a retry may need them, else those not yet passed on. */
  #body: Buffer[] | undefined;
  #bodyBytes = 0;
  #keeps = true;
  #keepBytes = leastKeepBytes;
  #requestTrailers: readonly Field[] | undefined;
  /** The whole request has been processed; if an injected fault slows it, the stream may have ended earlier. */
  #requestEnded: boolean;
  /** Octets received and not yet credited to the client's window. */
  #owedBytes = 0;

  /** Held back until the octets read with it are processed: trailers may follow at once and ask for a retry. */
  #heldHead: Field[] | undefined;
  #status = 0;
  #mirror: Mirror | undefined;
  /** Injected limits of bandwidth, to the endpoint and to the client. */
  #upPace: Pace | undefined;
  #downPace: Pace | undefined;
  /** When a held-back head is sent on although the call's end is unknown. */
  #holdDueMs = Infinity;
  #grpcStatus = -1;
  #requestBytes = 0;
  #responseBytes = 0;

  movedBytes = 0;
  /** Without a route's idle timeout, the connection ends streams that are not read. */
  readonly endsIdle = true;

  constructor(parts: Http2Parts, serving: Serving, head: RequestHead, down: Stream) {
    this.#parts = parts;
    this.#serving = serving;
    this.#head = head;
    this.isCarried = head.isCarried && serving.peerIdentity !== undefined;
    this.#down = down;
    this.#requestEnded = down.remoteEnded;
    this.#tries = new Tries<Flow>(this, parts.deadlines);
    down.receiver = this;
  }

  get #isOver(): boolean {
    return this.#tries.flow === undefined;
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
  /** A carried request counts as a connection of its own, as it would without HTTP/2. */
  get share(): string | undefined {
    return this.isCarried ? undefined : this.#down.connection.name;
  }
  get tls(): TlsLabel {
    return this.#serving.tls;
  }

  header(name: string): string | undefined {
    return isReserved(name) ? undefined : headerOf(this.#head.fields, name);
  }

  // The attempts.

  begin(): void {
    const flow = this.#serving.begin(this);
    this.#http1Only = this.#serving.http1Only === true || this.isCarried;
    this.#keepBytes = Math.max(flow.retryBufferBytes, leastKeepBytes);
    this.#keeps = !this.#parts.memory.isShort;
    const { requestTimeoutMs, idleTimeoutMs, perTryTimeoutMs, bytesPerSecond } = flow;
    const { grpcTimeoutMs } = this.#head;
    const isSooner = requestTimeoutMs === 0 || grpcTimeoutMs < requestTimeoutMs;
    const limitMs = grpcTimeoutMs > 0 && isSooner ? grpcTimeoutMs : requestTimeoutMs;
    if (bytesPerSecond > 0) {
      this.#upPace = new Pace(bytesPerSecond, flow.slowed);
      this.#downPace = new Pace(bytesPerSecond, flow.slowed);
    }
    const isTimed = limitMs > 0 || idleTimeoutMs > 0 || perTryTimeoutMs > 0;
    this.#tries.begin(flow, limitMs, idleTimeoutMs, isTimed ? this.#parts.deadlines.nowMs() : 0);
  }

  send(endpoint: EndpointState, flow: Flow): void {
    this.#endpoint = endpoint;
    if (flow.hedge && this.#isWhole) {
      const open = this.#parts.openEither(this.#http1Only);
      return this.#translate(hedgedTries(flow, this.#parts.deadlines, open));
    }
    const pool = this.#parts.poolOf(endpoint);
    if (pool.http1Only || (!endpoint.http2 && this.#http1Only)) return this.onHttp1Only();
    const session = pool.take(this);
    if (session) this.onSession(session);
    else this.#pool = pool;
  }

  mirror(target: MirrorTarget, flow: Flow): void {
    const request = requestOf(requestFieldsOf(this.#head, flow), false);
    const mirror = new Mirror(this.#parts, target, request, this.#http1Only);
    this.#mirror = mirror;
    // Octets that came during an injected delay.
    for (const chunk of this.#body ?? []) mirror.add(chunk, 0, chunk.length);
    if (this.#requestEnded) mirror.send(this.#requestTrailers && listOf(this.#requestTrailers));
  }

  onSession(session: ClientConnection): void {
    this.#pool = undefined;
    const complete = this.#isWhole;
    const fields = requestFieldsOf(this.#head, this.#tries.flow as Flow);
    this.#up = session.open(this, fields, complete, this.#head.method === 'HEAD');
    if (!complete) this.#sendBody(this.#up);
  }

  onHttp1Only(): void {
    this.#pool = undefined;
    const { openHttp1Try } = this.#parts;
    if (!openHttp1Try) return this.#tries.failed('bad-response');
    this.#translate(openHttp1Try);
  }

  #translate(open: OpenTry): void {
    const complete = this.#isWhole;
    const fields = requestFieldsOf(this.#head, this.#tries.flow as Flow);
    this.#up = new Http1Upstream(open, this.#endpoint as EndpointState, fields, !complete, this);
    if (!complete) this.#sendBody(this.#up);
  }

  /** The request ends with its head. */
  get #isWhole(): boolean {
    return this.#requestEnded && !this.#body && !this.#requestTrailers;
  }

  onSessionFailed(failure: TryFailure): void {
    this.#pool = undefined;
    this.#tries.failed(failure);
  }

  #sendBody(up: Upstream): void {
    const body = this.#body;
    const ends = this.#requestEnded;
    if (!this.#keeps && body && up.isOpen) this.#forbidRetry();
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

  cancel(): void {
    this.#heldHead = undefined;
    this.#pool?.leave(this);
    this.#pool = undefined;
    const up = this.#up;
    this.#up = undefined;
    // Of an attempt that is complete on both sides nothing is left to reset.
    if (up && !(up.localEnded && up.remoteEnded)) up.reset(errorCode.cancel);
  }

  // Events of the two streams.

  onHead(up: Stream | Http1Upstream, status: number, fields: Field[], ended: boolean): void {
    if (status < 200) {
      if (!this.#tries.isAnswering) this.#down.headers(fields, false);
      return;
    }
    this.#status = status;
    this.movedBytes++;
    this.#tries.isInTime();
    if (ended) return this.#decide(fields, grpcStatusOf(fields), true);
    if (this.#head.isGrpc && this.#keeps && (this.#tries.flow as Flow).retryBufferBytes > 0) {
      this.#heldHead = fields;
      up.afterRead(this);
      return;
    }
    this.#decide(fields, -1, false);
  }

  /** All octets that were read together with the head have been processed, and there was only the head. */
  onRead(): void {
    if (!this.#heldHead) return;
    this.#holdDueMs = this.#parts.deadlines.nowMs() + holdMs;
    this.#tries.lookAt(this.#holdDueMs);
  }

  #decide(fields: Field[], grpcStatus: number, ended: boolean): void {
    this.#heldHead = undefined;
    const flow = this.#tries.flow as Flow;
    if (!this.#tries.heard(flow.responded(this.#status, grpcStatus), ended)) return;
    // From here on there is no retry: the kept body is dropped.
    this.#keeps = false;
    this.#dropBody();
    this.#grpcStatus = grpcStatus;
    this.#down.headers(answerFieldsOf(fields, flow.responseHeaders), ended);
    if (ended) this.#finish('complete');
  }

  onData(stream: Upstream, buffer: Buffer, start: number, end: number, ended: boolean): void {
    this.movedBytes += end - start;
    const pace = stream === this.#down ? this.#upPace : this.#downPace;
    if (!pace) return this.#pass(stream, buffer, start, end, ended);
    pace.add(buffer, start, end, (bytes, isLast) =>
      this.#pass(stream, bytes, 0, bytes.length, ended && isLast),
    );
    this.#runPace();
  }

  #runPace(): void {
    const nowMs = this.#parts.deadlines.nowMs();
    const upMs = this.#upPace?.run(nowMs) ?? Infinity;
    const downMs = this.#isOver ? Infinity : (this.#downPace?.run(nowMs) ?? Infinity);
    if (!this.#isOver) this.#tries.lookAt(Math.min(upMs, downMs));
  }

  look(nowMs: number): void {
    if (this.#heldHead) {
      if (nowMs >= this.#holdDueMs) this.#decide(this.#heldHead, -1, false);
      else this.#tries.lookAt(this.#holdDueMs);
    }
    if (this.#upPace) this.#runPace();
  }

  #pass(stream: Upstream, buffer: Buffer, start: number, end: number, ended: boolean): void {
    if (this.#isOver) return;
    if (stream === this.#down) return this.#requestData(buffer, start, end, ended);
    if (this.#heldHead) this.#decide(this.#heldHead, -1, false);
    // A retry was decided: these octets belong to the dropped answer.
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
    if (bytes > 0 && !this.#tries.isAnswering) {
      if (this.#keeps || !this.#up?.isOpen) this.#keep(buffer, start, end);
      else this.#forbidRetry();
    }
    if (this.#up) this.#credit(this.#up.data(buffer, start, end, ended));
  }

  #keep(buffer: Buffer, start: number, end: number): void {
    this.#bodyBytes += end - start;
    this.#parts.memory.usedBytes += end - start;
    (this.#body ??= []).push(Buffer.from(buffer.subarray(start, end)));
    const flow = this.#tries.flow as Flow;
    if (this.#bodyBytes > flow.retryBufferBytes) flow.forbidRetry(true);
  }

  /** The octets passed on were not kept, so no retry is possible. */
  #forbidRetry(): void {
    if (this.#keepBytes >= 0) this.#tries.flow?.forbidRetry();
    this.#keepBytes = -1;
    this.#dropBody();
  }

  #dropBody(): void {
    if (!this.#body) return;
    this.#parts.memory.usedBytes -= this.#bodyBytes;
    this.#bodyBytes = 0;
    this.#body = undefined;
  }

  onTrailers(stream: Upstream, fields: Field[]): void {
    const pace = stream === this.#down ? this.#upPace : this.#downPace;
    if (!pace) return this.#passTrailers(stream, fields);
    pace.add(noBytes, 0, 0, () => this.#passTrailers(stream, fields));
    this.#runPace();
  }

  #passTrailers(stream: Upstream, fields: Field[]): void {
    if (this.#isOver) return;
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
    this.movedBytes += bytes;
    if (stream !== this.#down) return this.#credit(bytes);
    this.#up?.consumed(bytes);
    if (this.#down.localEnded) this.#finish('complete');
  }

  onReset(stream: Stream, code: number, lost: boolean): void {
    if (this.#isOver) return;
    if (stream === this.#down) {
      this.cancel();
      this.#finish('client-gone');
      return;
    }
    if (stream !== this.#up) return;
    this.#up = undefined;
    // The answer is complete and waits for the client: the endpoint wants no more of the request.
    if (stream.remoteEnded) return;
    if (this.#tries.isAnswering) {
      if (lost || !endsByReset(stream, code, this.#head.isGrpc)) {
        // Other codes concern the connection to the endpoint only.
        return this.#end('upstream-broke', code === errorCode.cancel ? code : errorCode.internal);
      }
      this.#down.end(undefined);
      if (this.#down.localEnded) this.#finish('complete');
      return;
    }
    this.#heldHead = undefined;
    this.#tries.failed(resetFailure(code, lost, stream.onIdleSession));
  }

  /** An HTTP/1.1 attempt failed before an answer. */
  onTryFailed(up: Http1Upstream, failure: TryFailure): void {
    if (this.#isOver || up !== this.#up) return;
    this.#up = undefined;
    this.#heldHead = undefined;
    this.#tries.failed(failure);
  }

  // The end.

  answer(refusal: Refusal): void {
    const down = this.#down;
    if (this.#head.isGrpc) {
      const status = refusal.grpcStatus < 0 ? 14 : refusal.grpcStatus;
      this.#grpcStatus = status;
      down.headers(grpcAnswer(status, refusal), true);
    } else {
      const body = answerBody(refusal);
      const isBodiless = body.length === 0 || this.#head.method === 'HEAD';
      down.headers(answerHead(refusal, body.length), isBodiless);
      if (!isBodiless) down.data(body, 0, body.length, true);
      this.#responseBytes = isBodiless ? 0 : body.length;
    }
    if (down.localEnded) this.#finish('complete');
  }

  cut(how: End): void {
    const isOwn = how === 'upstream-broke' || how === 'complete';
    this.#end(how, isOwn ? errorCode.internal : errorCode.cancel);
  }

  /** The answer cannot be finished: gRPC clients get the reason in trailers, others a reset. */
  #end(how: End, code: number): void {
    const wasAnswering = this.#tries.isAnswering;
    this.cancel();
    const down = this.#down;
    if (this.#head.isGrpc && how !== 'complete' && how !== 'client-gone') {
      this.#grpcStatus = how === 'upstream-broke' ? 14 : 4;
      const fields = grpcEnd(this.#grpcStatus, how.replace('-', ' '), wasAnswering);
      if (wasAnswering) down.end(fields);
      else down.headers(fields, true);
    }
    // The end could not be sent: octets still wait for the client's window, and a deadline cannot wait for them.
    if (!down.localEnded) down.reset(code);
    this.#finish(how);
  }

  #finish(how: End): void {
    const flow = this.#tries.over();
    if (!flow) return;
    this.#tries.close();
    this.#mirror?.giveUp();
    this.#upPace?.clear();
    this.#downPace?.clear();
    const down = this.#down;
    this.#dropBody();
    // If the answer is complete and the request is not, the rest of the request is not needed.
    this.cancel();
    if (!down.closed) down.reset(errorCode.none);
    const isCall = this.#head.isGrpc && this.#status === 200 && how === 'complete';
    // A call that ends without a status has failed, for its client too: UNKNOWN.
    const grpcStatus = isCall && this.#grpcStatus < 0 ? 2 : this.#grpcStatus;
    flow.ended(how, grpcStatus, this.#requestBytes, this.#responseBytes);
  }
}

const noBytes = Buffer.alloc(0);
