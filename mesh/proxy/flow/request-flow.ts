/** The part of a request's flow that both sides share: refuse, count at the end, notify tap and why. */
import { failure, canceled, raise } from '../telemetry/request-metrics.js';
import type { FlowRecord, PastTry } from '../telemetry/flow-record.js';
import type { Span } from '../telemetry/tracer.js';
import type {
  End,
  EndpointState,
  Flow,
  HeaderEdits,
  HeaderList,
  MirrorTarget,
  Refusal,
  RequestInfo,
  TryFailure,
} from './contract.js';
import type { LabelValue } from './request-label.js';
import type { Hold, Strike } from './fault/fault-table.js';
import type { FlowParts } from './parts.js';
import { grpcStatusOf, nextHop, refusal } from './refusal.js';
import type { CompiledRoute } from './route/compiled-route.js';
import { pathOf } from './route/match.js';
import type { Judged } from './route/target.js';

/** A client that leaves after waiting this long for the head counts as a failure of the server. */
export const patienceMs = 1000;

export abstract class RequestFlow<R extends CompiledRoute> implements Flow, FlowRecord {
  readonly parts: FlowParts;
  readonly request: RequestInfo;
  readonly route: R;
  readonly beganMs: number;
  refusal: Refusal | undefined = undefined;
  delayMs = 0;
  bytesPerSecond = 0;
  slowed: Strike['slowed'] = undefined;
  hold: Hold | undefined = undefined;
  waitMs = 0;
  retryBufferBytes = 0;
  requestHeaders: HeaderEdits | undefined = undefined;
  moreRequestHeaders: HeaderList | undefined = undefined;
  path: string | undefined = undefined;
  authority: string | undefined = undefined;
  mirror: MirrorTarget | undefined = undefined;
  span: Span | undefined = undefined;
  headMs = -1;
  endedMs = -1;
  status = 0;
  grpcStatus = -1;
  classification = 0;
  requestBytes = 0;
  responseBytes = 0;
  retries = 0;
  reason = '';
  pastTries: PastTry[] | undefined = undefined;
  label: LabelValue | undefined = undefined;
  protected judgedPath: string | undefined = undefined;
  protected tapId = 0;
  protected wanted = false;

  constructor(
    parts: FlowParts,
    request: RequestInfo,
    route: R,
    judged: Judged | undefined,
    nowMs: number,
  ) {
    this.parts = parts;
    this.request = request;
    this.route = route;
    this.beganMs = nowMs;
    route.metrics.requests++;
    route.metrics.inFlight++;
    if (parts.label !== undefined) {
      this.label = parts.label.of(request);
      route.metrics.labelled(this.label).requests++;
    }
    if (judged) {
      this.judgedPath = judged.path;
      this.path = judged.sent;
      if (judged.problem !== '') this.refuse(400, 'bad-request', judged.problem);
    }
  }

  /** The path without the query, as routes and faults match it. */
  get pathJudged(): string {
    return this.judgedPath ?? pathOf(this.request.path);
  }

  abstract readonly direction: 'inbound' | 'outbound';
  abstract get dst(): string;
  abstract get backendName(): string;
  abstract get targetAddress(): string;
  abstract get targetIdentity(): string | undefined;
  /** As tlsCode(): how the response travelled. */
  protected abstract get tls(): number;
  abstract pick(): EndpointState | undefined;
  abstract tryFailed(why: TryFailure): 'retry' | 'fail';
  abstract responded(status: number, grpcStatus: number): 'relay' | 'retry';
  abstract retryDelayMs(): number;
  abstract forbidRetry(isKept?: boolean): void;
  abstract explain(): Record<string, unknown>;
  /** Releases the endpoint, with the verdict on the last attempt. */
  protected abstract released(how: End, failed: boolean, nowMs: number): void;

  get routeName(): string {
    return this.route.name;
  }
  get requestTimeoutMs(): number {
    return this.route.requestTimeoutMs;
  }
  get perTryTimeoutMs(): number {
    return this.route.perTryTimeoutMs;
  }
  get idleTimeoutMs(): number {
    return this.route.idleTimeoutMs;
  }
  get upgrades(): readonly string[] {
    return this.route.upgrades;
  }
  get responseHeaders(): HeaderEdits | undefined {
    return this.route.responseHeaders;
  }

  /** Called last in the constructors: notifies tap and why, if either is active. */
  protected watch(): void {
    const { tap, why } = this.parts;
    this.wanted = why.wants();
    if (tap.active) this.tapId = tap.began(this);
  }

  /** Sets the refusal, unless there is one already. `retryAfterMs` of 0: no Retry-After. */
  refuse(status: number, reason: string, message: string, retryAfterMs = 0): void {
    if (this.refusal) return;
    this.refusal = refusal(status, reason, message, this.request, retryAfterMs);
    raise(this.route.metrics.errors, reason);
  }

  /** Counts this hop of TRACE and OPTIONS, or ends the request here. */
  protected countHop(): void {
    if (this.refusal) return;
    const next = nextHop(this.request);
    if (next === undefined) return;
    if ('kind' in next) this.refusal = next;
    else this.moreRequestHeaders = [...(this.moreRequestHeaders ?? []), ...next];
  }

  /** Applies the injected faults that strike this request. */
  protected applyFault(strike: Strike): void {
    this.delayMs = strike.delayMs;
    this.hold = strike.hold;
    this.bytesPerSecond = strike.bytesPerSecond;
    this.slowed = strike.slowed;
    if (strike.blackhole || strike.reset) {
      const kind = strike.blackhole ? 'blackhole' : 'reset';
      this.refusal = {
        kind,
        status: 503,
        grpcStatus: -1,
        headers: [],
        body: '',
        reason: `fault-${kind}`,
      };
      raise(this.route.metrics.errors, this.refusal.reason);
    } else if (strike.abortStatus > 0) {
      this.refuse(strike.abortStatus, 'fault-abort', 'injected fault');
    }
  }

  ended(how: End, grpcStatus: number, requestBytes: number, responseBytes: number): void {
    if (this.endedMs >= 0) return;
    const { parts, route } = this;
    const nowMs = parts.clock.monotonicMs();
    this.endedMs = nowMs;
    this.hold?.end();
    if (grpcStatus >= 0) this.grpcStatus = grpcStatus > 16 ? 2 : grpcStatus;
    this.requestBytes = requestBytes;
    this.responseBytes = responseBytes;
    const isLocal = this.headMs < 0;
    if (isLocal) this.#endedWithoutHead(how, nowMs);
    else if (how !== 'complete' && how !== 'client-gone') {
      if (how !== 'unauthorized') this.classification = failure;
      this.reason = how;
      raise(route.metrics.errors, how);
    } else if (route.failures.has(this.status, this.grpcStatus)) this.classification = failure;
    this.released(how, this.classification === failure, nowMs);
    const { metrics } = route;
    metrics.inFlight--;
    const { status, grpcStatus: grpc, tls, classification } = this;
    const tookMs = (isLocal ? nowMs : this.headMs) - this.beganMs;
    metrics.respond(status, grpc, tls, classification, isLocal, tookMs);
    if (this.label !== undefined) {
      metrics.labelled(this.label).respond(status, grpc, tls, classification, isLocal, tookMs);
    }
    if (this.retries > 0 && this.classification !== failure) metrics.retrySuccesses++;
    const { span, tapId } = this;
    if (span !== undefined && span.sampled) this.#traced(span.traceId);
    if (parts.accessLog.enabled) parts.accessLog.add(this);
    if (tapId > 0) parts.tap.ended(tapId, this);
    const isLong = this.retries > 0 || this.pastTries !== undefined;
    if (this.wanted || this.classification === failure || isLong) parts.why.add(this);
  }

  #traced(traceId: string): void {
    const { clock, tracer } = this.parts;
    tracer.finish(this);
    const ms = (this.headMs < 0 ? this.endedMs : this.headMs) - this.beganMs;
    const { metrics } = this.route;
    const counted = this.label === undefined ? metrics : metrics.labelled(this.label);
    counted.latency?.exemplify({ traceId, ms, atMs: clock.nowMs() });
  }

  #endedWithoutHead(how: End, nowMs: number): void {
    const { refusal: answer, route } = this;
    if (answer && (how !== 'client-gone' || answer.kind === 'reset')) {
      this.status = answer.status;
      this.grpcStatus = answer.grpcStatus;
      this.reason = answer.reason;
      const fails = route.failures.has(answer.status, answer.grpcStatus);
      this.classification = fails ? failure : 0;
      return;
    }
    if (how !== 'client-gone') {
      // The front had nothing to relay and gave up by itself.
      this.status = 502;
      this.classification = failure;
      this.reason = how;
      raise(route.metrics.errors, how);
      return;
    }
    this.status = 499;
    this.reason = 'client-gone';
    this.classification = nowMs - this.beganMs >= patienceMs ? failure : canceled;
    raise(route.metrics.errors, 'client-gone');
  }
}

export { grpcStatusOf };
