/** One outbound request with all its attempts. */
import { raise } from '../telemetry/request-metrics.js';
import type { Considered } from '../telemetry/flow-record.js';
import type { BackendState } from './balance/backend.js';
import type { EndpointRecord } from './balance/endpoint.js';
import {
  type End,
  type EndpointState,
  type HeaderEdits,
  isNeutral,
  isOwn,
  isUnsent,
  type RequestInfo,
  type TryFailure,
} from './contract.js';
import type { CompiledDestination } from './destination.js';
import { isIdempotent } from './method.js';
import { beginMirror } from './mirror.js';
import { outboundLayers } from './outbound-layers.js';
import type { FlowParts } from './parts.js';
import { afterFailure } from './refusal.js';
import { RequestFlow } from './request-flow.js';
import { backoffMs } from './retry/backoff.js';
import { type AttemptInFlight, OutboundHedge } from './retry/hedge.js';
import { breakerFailures, repelling } from './route/classify.js';
import type { RouteState, Share } from './route/route-state.js';
import type { Judged } from './route/target.js';

/** Retries of requests that certainly were not processed: they use the destination's budget, not the route's. */
const maxFreeRetries = 2;
/** Unreachable endpoints that a request may meet, one after the other. */
const maxUnsent = 5;
/** Characters of a path's first segment that are part of a breaker's scope. */
const maxSegment = 64;

export class OutboundRequest extends RequestFlow<RouteState> {
  readonly direction = 'outbound';
  readonly destination: CompiledDestination;
  readonly backend: BackendState;
  readonly share: Share;
  /** The endpoint of the last attempt, kept after it was released. */
  endpoint: EndpointRecord | undefined = undefined;
  readonly hedge: OutboundHedge | undefined;
  /** Whether the endpoint still counts this request as pending. */
  #holds = false;
  #isProbe = false;
  #judged = false;
  /** The request waits for an endpoint to be ready. */
  #waits = false;
  #mayRetry: boolean;
  /** The body cannot be sent again. */
  #isSpent = false;
  #freeRetries = 0;
  #unsent = 0;
  #triedMs = 0;
  #delayMs = 0;
  #tried: EndpointRecord[] | undefined = undefined;
  #first: EndpointRecord | undefined = undefined;
  #second: EndpointRecord | undefined = undefined;
  #firstLoad = 0;
  #secondLoad = 0;
  #scope: string | undefined = undefined;

  constructor(
    parts: FlowParts,
    destination: CompiledDestination,
    route: RouteState,
    request: RequestInfo,
    judged: Judged | undefined,
    nowMs: number,
  ) {
    super(parts, request, route, judged, nowMs);
    this.destination = destination;
    this.share = route.share();
    this.backend = this.share.backend;
    this.requestHeaders = this.share.requestHeaders;
    const { retry } = route;
    this.#mayRetry = retry !== undefined && route.mayRetry(request.method);
    if (this.#mayRetry) this.retryBufferBytes = route.retry?.policy.maxBufferedBytes ?? 0;
    const { hedgeAfterMs } = route;
    const hedges = hedgeAfterMs !== undefined && isIdempotent(request.method);
    this.hedge = hedges ? new OutboundHedge(this, hedgeAfterMs) : undefined;
    if (retry?.budget) retry.budget.deposit(nowMs);
    destination.budget.deposit(nowMs);
    if (parts.tracer.enabled) {
      this.span = parts.tracer.start(request);
      this.moreRequestHeaders = this.span.headers;
    }
    const unservable = destination.unservable || route.unservable;
    if (unservable !== '') this.refuse(500, 'unservable', `${destination.name}: ${unservable}`);
    else if (!route.isPlain || destination.refused !== '') {
      for (const layer of outboundLayers) {
        if (this.refusal) break;
        layer.apply(this, nowMs);
      }
    }
    this.countHop();
    const shedRatio = parts.memory.ratioForRequest();
    if (shedRatio > 0) this.#shedForMemory(shedRatio);
    if (parts.faults.outbound > 0) this.#strike();
    this.watch();
  }

  override get responseHeaders(): HeaderEdits | undefined {
    return this.route.answerEdits(this.request, this.share);
  }

  /** The breaker's scope: the route, and the first segment of the path. */
  get scope(): string {
    if (this.#scope === undefined) {
      const path = this.pathJudged;
      const end = path.indexOf('/', 1);
      this.#scope = this.route.name + (end < 0 ? path : path.slice(0, end)).slice(0, maxSegment);
    }
    return this.#scope;
  }

  get dst(): string {
    return this.destination.name;
  }
  get backendName(): string {
    return this.backend.name;
  }
  get targetAddress(): string {
    return this.endpoint?.address ?? '';
  }
  get targetIdentity(): string | undefined {
    return this.endpoint?.identity;
  }
  protected get tls(): number {
    // A request refused before a pick is counted as its backend's requests would have been.
    const { identity } = this.endpoint ?? this.backend.endpoints[0] ?? {};
    return identity === undefined ? 2 : 0;
  }

  pick(): EndpointState | undefined {
    const { backend, route } = this;
    const nowMs =
      this.endpoint === undefined && !this.#waits && this.delayMs === 0
        ? this.beganMs
        : this.parts.clock.monotonicMs();
    if (backend.inFlight >= backend.source.limits.maxRequests) {
      this.refuse(503, 'overflow', 'too many requests under way', 1000);
      return undefined;
    }
    const endpoint = backend.pick(nowMs, this.#tried, this.#mayRetry, this);
    if (endpoint === undefined) return this.#notReady(nowMs);
    if (this.#waits) this.#stopWaiting();
    if (this.#tried) this.#prove(endpoint, this.#tried);
    // Mirrored only here, after the pick: a refused request is not copied.
    if (route.mirror && this.endpoint === undefined) this.#mirror(route.mirror);
    route.metrics.tries++;
    backend.inFlight++;
    endpoint.pending++;
    endpoint.requests++;
    this.endpoint = endpoint;
    this.#isProbe = backend.pickedProbe;
    this.#holds = true;
    this.#judged = false;
    this.#triedMs = nowMs;
    this.#first = backend.first;
    this.#second = backend.second;
    this.#firstLoad = backend.firstLoad;
    this.#secondLoad = backend.secondLoad;
    return endpoint;
  }

  forbidRetry(isKept = false): void {
    this.#mayRetry = false;
    if (!isKept) this.#isSpent = true;
    this.retryBufferBytes = 0;
  }

  tryFailed(why: TryFailure): 'retry' | 'fail' {
    const nowMs = this.parts.clock.monotonicMs();
    const { endpoint, route, backend } = this;
    if (this.#waits) this.#stopWaiting();
    if (endpoint === undefined || !this.#holds) {
      this.#refuseAfter(why);
      return 'fail';
    }
    raise(route.metrics.otherTries, 0);
    if (why === 'slow-client') {
      this.#release();
      this.refuse(408, why, 'the client was too slow while others waited');
      return 'fail';
    }
    if (isNeutral(why)) {
      this.#release();
      const isFree = this.#mayRetryFreely(why, nowMs);
      if (isFree) this.#delayMs = 0;
      // A port may be free again after a backoff.
      if (isFree || (isOwn(why) && this.#retriesFailure(why) && this.#takeRetry(nowMs, true))) {
        this.#past(0, why, nowMs);
        return 'retry';
      }
      this.#refuseAfter(why);
      return 'fail';
    }
    this.#judged = true;
    const how = { tookMs: nowMs - this.#triedMs, isProbe: this.#isProbe, nowMs };
    backend.failed(endpoint, why, how, this);
    this.#release();
    if (isUnsent(why) && this.#goesElsewhere()) {
      this.#past(0, why, nowMs);
      this.#delayMs = 0;
      return 'retry';
    }
    if (this.#retriesFailure(why) && this.#takeRetry(nowMs, isUnsent(why))) {
      this.#past(0, why, nowMs);
      return 'retry';
    }
    this.#refuseAfter(why);
    return 'fail';
  }

  responded(status: number, grpcStatus: number): 'relay' | 'retry' {
    const { endpoint, backend, route } = this;
    const nowMs = this.parts.clock.monotonicMs();
    this.status = status;
    this.grpcStatus = grpcStatus;
    if (endpoint !== undefined && this.#holds) {
      const repels = repelling.has(status, grpcStatus);
      backend.observe(endpoint, nowMs - this.#triedMs, repels, nowMs);
      if (breakerFailures.has(status, grpcStatus)) this.#judge(true, nowMs);
      else if (this.#isProbe) backend.probeAnswered(endpoint, nowMs);
    }
    const { retry } = route;
    if (retry?.statuses.has(status, grpcStatus) && this.#takeRetry(nowMs, false)) {
      raise(route.metrics.otherTries, status);
      if (!this.#judged) this.#judge(false, nowMs);
      this.#release();
      this.#past(status, grpcStatus > 0 ? `grpc-status ${grpcStatus}` : '', nowMs);
      this.status = 0;
      this.grpcStatus = -1;
      return 'retry';
    }
    this.headMs = nowMs;
    return 'relay';
  }

  retryDelayMs(): number {
    return this.#delayMs;
  }

  /** The endpoints that a later attempt avoids while another is ready. */
  get tried(): EndpointRecord[] {
    return (this.#tried ??= []);
  }

  /** Puts a copy in the place of the attempt under way, which it returns. */
  exchanged({ endpoint, sinceMs, isProbe }: AttemptInFlight): AttemptInFlight {
    const before = {
      endpoint: this.endpoint as EndpointRecord,
      sinceMs: this.#triedMs,
      isProbe: this.#isProbe,
    };
    this.endpoint = endpoint;
    this.#triedMs = sinceMs;
    this.#isProbe = isProbe;
    return before;
  }

  explain(): Record<string, unknown> {
    const { backend, route } = this;
    const nowMs = this.endedMs;
    const budget = route.retry?.budget;
    return {
      backend: backend.name,
      considered: this.#considered(nowMs),
      panic: backend.panicking,
      endpoints: backend.endpoints.map((e) => ({
        address: e.address,
        state: e.stateAt(nowMs),
        ...(e.gateReason !== '' && { reason: e.gateReason }),
        pending: e.pending,
      })),
      retry: route.retry
        ? { limit: route.retry.policy.limit, allowed: this.#mayRetry, used: this.retries }
        : 'none',
      ...(this.hedge && { hedge: this.hedge.explain() }),
      ...(budget && { budgetLeft: Math.floor(budget.remaining(nowMs)) }),
    };
  }

  protected released(how: End, failed: boolean, nowMs: number): void {
    if (this.#waits) this.#stopWaiting();
    const { endpoint, backend } = this;
    if (endpoint === undefined || !this.#holds) return;
    if (!this.#judged) {
      if (this.headMs < 0) {
        backend.gaveUp(endpoint, nowMs - this.#triedMs, nowMs);
        if (this.#isProbe) backend.probeLost(endpoint);
      } else {
        const broke = how === 'upstream-broke' || how === 'request-timeout';
        this.#judge(broke || (failed && breakerFailures.has(0, this.grpcStatus)), nowMs);
      }
    }
    this.#release();
  }

  #notReady(nowMs: number): undefined {
    const { backend } = this;
    const { failFastMs, limits } = backend.source;
    const unreadyMs = backend.unreadySinceMs < 0 ? 0 : nowMs - backend.unreadySinceMs;
    if (unreadyMs >= failFastMs) {
      const what = backend.endpoints.length === 0 ? 'no endpoint' : 'no endpoint is ready';
      this.refuse(503, 'fail-fast', `${this.destination.name}: ${what}`, 1000);
    } else if (!this.#waits && backend.waiting >= limits.maxPending) {
      this.refuse(503, 'overflow', 'too many requests wait for an endpoint', 1000);
    } else if (!this.#waits) {
      this.#waits = true;
      backend.waiting++;
      backend.waitedTotal++;
    }
    if (this.refusal) {
      if (this.#waits) this.#stopWaiting();
    } else this.waitMs = Math.min(backend.waitMs(nowMs), Math.max(1, failFastMs - unreadyMs));
    return undefined;
  }

  #stopWaiting(): void {
    this.#waits = false;
    this.backend.waiting--;
  }

  #release(): void {
    const { endpoint, backend } = this;
    if (!endpoint || !this.#holds) return;
    if (this.#isProbe && !this.#judged) backend.probeLost(endpoint);
    this.#holds = false;
    endpoint.pending--;
    backend.inFlight--;
  }

  #judge(failed: boolean, nowMs: number): void {
    this.#judged = true;
    this.backend.verdict(this.endpoint as EndpointRecord, failed, this.#isProbe, nowMs, this);
  }

  /** Nothing was sent, so any request may go to another ready endpoint at no cost. */
  #goesElsewhere(): boolean {
    if (this.#isSpent || this.#unsent >= maxUnsent) return false;
    this.#unsent++;
    const { tried } = this;
    tried.push(this.endpoint as EndpointRecord);
    return this.backend.candidatesFor(this).some((e) => !tried.includes(e));
  }

  #retriesFailure(why: TryFailure): boolean {
    const policy = this.route.retry;
    if (!policy) return false;
    if (why === 'try-timeout') return policy.statuses.has(504, -1);
    if (why === 'bad-response') return policy.statuses.has(502, -1);
    return why !== 'request-timeout' && policy.policy.onConnectFailure;
  }

  /** A retry that no policy needs to allow: the request was not processed, or may be repeated anyway. */
  #mayRetryFreely(why: TryFailure, nowMs: number): boolean {
    if (this.#isSpent || this.#freeRetries >= maxFreeRetries) return false;
    if (why === 'stale-connection' && !isIdempotent(this.request.method) && !this.#mayRetry) {
      return false;
    }
    if (why === 'overflow' || isOwn(why)) {
      // Another endpoint may have room, or a free port on the way to it; this one has none.
      const { tried } = this;
      tried.push(this.endpoint as EndpointRecord);
      if (!this.backend.candidatesFor(this).some((e) => !tried.includes(e))) return false;
    } else if (!this.destination.budget.withdraw(nowMs)) {
      // An endpoint that refuses everything is overloaded; retries would triple its load.
      raise(this.route.metrics.retrySkips, 'budget');
      return false;
    }
    this.#freeRetries++;
    return true;
  }

  /** Whether this failed attempt is retried: it is safe, within limit and deadline, and has an endpoint and budget. */
  #takeRetry(nowMs: number, untouched: boolean): boolean {
    const { route, backend } = this;
    const { retry, metrics } = route;
    if (!retry) return false;
    const skip = (reason: string): false => {
      raise(metrics.retrySkips, reason);
      return false;
    };
    const safe = this.#mayRetry || (untouched && !this.#isSpent);
    if (!safe) return skip('unsafe');
    if (this.retries >= retry.policy.limit) {
      metrics.retryLimitExceeded++;
      return skip('limit');
    }
    const delayMs = backoffMs(retry.policy.backoff, this.retries, this.parts.random);
    const { requestTimeoutMs } = route;
    if (requestTimeoutMs > 0 && nowMs + delayMs - this.beganMs >= requestTimeoutMs) {
      return skip('deadline');
    }
    const unready = backend.unreadySinceMs >= 0 && backend.candidatesFor(this).length === 0;
    if (unready && nowMs - backend.unreadySinceMs >= backend.source.failFastMs) {
      metrics.retryOverflow++;
      return skip('no-endpoint');
    }
    if (retry.budget && !retry.budget.withdraw(nowMs)) {
      metrics.retryOverflow++;
      return skip('budget');
    }
    this.retries++;
    metrics.retryRequests++;
    const { tried } = this;
    tried.push(this.endpoint as EndpointRecord);
    // Backoff spares an endpoint that failed. If nothing was sent and another endpoint is ready, none needs sparing.
    this.#delayMs =
      untouched && backend.candidatesFor(this).some((e) => !tried.includes(e)) ? 0 : delayMs;
    return true;
  }

  /** Checks independently whether a retry went to an endpoint already tried; the counter must stay 0. */
  #prove(picked: EndpointRecord, tried: readonly EndpointRecord[]): void {
    if (!tried.includes(picked)) return;
    const { metrics } = this.route;
    if (this.backend.candidatesFor(this).some((e) => !tried.includes(e)))
      metrics.retrySameEndpoint++;
    else metrics.retryOnlyEndpoint++;
  }

  #past(status: number, failure: string, nowMs: number): void {
    const { targetAddress } = this;
    this.past(targetAddress, status, failure, nowMs - this.#triedMs, this.#considered(nowMs));
  }

  past(
    address: string,
    status: number,
    failure: string,
    tookMs: number,
    considered: Considered[] = [],
  ): void {
    (this.pastTries ??= []).push({ address, status, failure, tookMs, considered });
  }

  #considered(nowMs: number): Considered[] {
    const list: Considered[] = [];
    const add = (e: EndpointRecord | undefined, load: number): void => {
      if (e) list.push({ address: e.address, load, state: e.stateAt(nowMs) });
    };
    add(this.#first, this.#firstLoad);
    add(this.#second, this.#secondLoad);
    return list;
  }

  #refuseAfter(why: TryFailure): void {
    const [status, text, waitMs] = afterFailure(why, this.destination.name);
    this.refuse(status, why, text, waitMs);
  }

  #mirror({ backend, fraction }: NonNullable<RouteState['mirror']>): void {
    if (this.parts.random.next() >= fraction) return;
    this.mirror = beginMirror(backend, this.route.metrics, this.parts.clock);
  }

  #shedForMemory(ratio: number): void {
    if (this.parts.random.next() >= ratio) return;
    this.route.metrics.shedMemory++;
    this.refuse(503, 'memory', 'the proxy is short of memory', 2000);
  }

  #strike(): void {
    const { request } = this;
    const strike = this.parts.faults.strike('outbound', {
      destination: this.destination.name,
      route: this.route.name,
      method: request.method,
      path: this.pathJudged,
      identity: request.peerIdentity,
    });
    if (strike) this.applyFault(strike);
  }
}

/** Failures before the first byte of the request went out: a retry is safe whatever the method. */
