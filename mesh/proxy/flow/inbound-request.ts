/** One inbound request on its way to the app. */
import { raise, tlsCode } from '../telemetry/request-metrics.js';
import {
  type End,
  type EndpointState,
  isOwn,
  type RequestInfo,
  type TryFailure,
} from './contract.js';
import { afterFailure } from './refusal.js';
import { isIdempotent } from './method.js';
import type { FlowParts } from './parts.js';
import { mirrorHeader } from './reserved.js';
import { RequestFlow } from './request-flow.js';
import { breakerFailures } from './route/classify.js';
import type { Judged } from './route/target.js';
import type { CompiledRoute } from './route/compiled-route.js';
import type { CompiledServer } from './server.js';

/** Retries after the app had just closed the idle connection that carried the request. */
const maxFreeRetries = 2;

export class InboundRequest extends RequestFlow<CompiledRoute> {
  readonly direction = 'inbound';
  readonly server: CompiledServer;
  #verdict = '';
  #picked = false;
  #isSpent = false;
  #freeRetries = 0;
  #triedMs = 0;

  constructor(
    parts: FlowParts,
    server: CompiledServer,
    route: CompiledRoute,
    request: RequestInfo,
    judged: Judged | undefined,
    nowMs: number,
  ) {
    super(parts, request, route, judged, nowMs);
    this.server = server;
    server.counts.inFlight++;
    const identity = request.peerIdentity;
    this.requestHeaders = route.requestHeaders;
    if (identity !== undefined) this.moreRequestHeaders = server.identityHeader(identity);
    // The mark is believed from a peer's proxy, or from anyone in a mesh without identities.
    if (request.isMirror && (identity !== undefined || parts.trustDomain === '')) {
      this.moreRequestHeaders = [...(this.moreRequestHeaders ?? []), mirrorHeader, 'true'];
    }
    if (parts.tracer.enabled) this.#trace();
    const verdict = server.authorization.decide(
      identity,
      request.peerAddress,
      server.guardOf(route, request, judged).name,
      request.tls,
      false,
    );
    this.#verdict = verdict.authorization ?? `default policy ${verdict.reason}`;
    if (!verdict.allowed) this.refuse(403, 'unauthorized', 'not authorized');
    else if (route.unservable !== '') this.refuse(500, 'unservable', route.unservable);
    else if (route.source.respond) {
      const { status, reason } = route.source.respond;
      this.refuse(status, reason, `the route ${route.name} cannot be applied here`);
    } else if (!this.refusal) this.#limits(nowMs);
    this.countHop();
    if (parts.faults.inbound > 0) this.#strike();
    this.watch();
  }

  get dst(): string {
    return this.route.metrics.source.dst;
  }
  get backendName(): string {
    return this.server.name;
  }
  get targetAddress(): string {
    return this.refusal && !this.#picked ? '' : this.server.target.address;
  }
  get targetIdentity(): undefined {
    return undefined;
  }
  protected get tls(): number {
    return tlsCode(this.request.tls);
  }

  pick(): EndpointState {
    const { target } = this.server;
    const isFirst = !this.#picked && this.delayMs === 0;
    this.#triedMs = isFirst ? this.beganMs : this.parts.clock.monotonicMs();
    if (!this.#picked) target.pending++;
    this.#picked = true;
    target.requests++;
    this.route.metrics.tries++;
    return target;
  }

  forbidRetry(isKept = false): void {
    if (!isKept) this.#isSpent = true;
  }

  tryFailed(why: TryFailure): 'retry' | 'fail' {
    const free = why === 'stale-connection' || why === 'not-processed';
    const safe = why === 'not-processed' || isIdempotent(this.request.method);
    if (this.#picked) raise(this.route.metrics.otherTries, 0);
    if (free && safe && !this.#isSpent && this.#freeRetries < maxFreeRetries) {
      this.#freeRetries++;
      return 'retry';
    }
    if (why === 'slow-client') {
      this.refuse(408, why, 'the client was too slow while others waited');
      return 'fail';
    }
    if (!isOwn(why)) this.server.target.failures++;
    const [status, text, waitMs] = afterFailure(why, 'the app');
    this.refuse(status, why, text, waitMs);
    return 'fail';
  }

  responded(status: number, grpcStatus: number): 'relay' {
    const nowMs = this.parts.clock.monotonicMs();
    this.status = status;
    this.grpcStatus = grpcStatus;
    this.headMs = nowMs;
    const failed = breakerFailures.has(status, grpcStatus);
    if (failed) this.server.target.failures++;
    const { shedder, counts } = this.server;
    if (shedder && !failed) shedder.observe(nowMs - this.#triedMs, counts.inFlight, nowMs);
    return 'relay';
  }

  retryDelayMs(): number {
    return 0;
  }

  explain(): Record<string, unknown> {
    const { server, request } = this;
    return {
      server: server.name,
      authorization: this.#verdict,
      clientId: request.peerIdentity ?? null,
      client: request.peerAddress,
      ...(server.shedder && { concurrencyLimit: Math.floor(server.shedder.limit) }),
      underWay: server.counts.inFlight,
    };
  }

  protected released(_how: End, _failed: boolean, _nowMs: number): void {
    this.server.counts.inFlight--;
    if (this.#picked) this.server.target.pending--;
  }

  #trace(): void {
    const span = this.parts.tracer.start(this.request);
    this.span = span;
    const { headers } = span;
    if (headers === undefined) return;
    const { moreRequestHeaders } = this;
    this.moreRequestHeaders = moreRequestHeaders ? [...moreRequestHeaders, ...headers] : headers;
  }

  #limits(nowMs: number): void {
    const { server, route, request, parts } = this;
    const { metrics } = route;
    const limiter = route.limiter ?? server.limiter;
    if (limiter) {
      let waitMs = limiter.take(request.peerIdentity, nowMs);
      let by = limiter;
      if (waitMs === 0 && route.limiter && server.limiter) {
        by = server.limiter;
        waitMs = by.take(request.peerIdentity, nowMs);
      }
      if (waitMs > 0) {
        if (by.policy.per === 'all') metrics.rateLimited++;
        else metrics.rateLimitedByIdentity++;
        return this.refuse(429, 'rate-limit', 'rate limit', waitMs);
      }
    }
    if (route.maxConcurrent > 0 && metrics.inFlight > route.maxConcurrent) {
      metrics.shedConcurrency++;
      return this.refuse(503, 'concurrency', 'too many requests under way', 1000);
    }
    const { shedder } = server;
    if (shedder && server.counts.inFlight > shedder.limit) {
      const full = server.counts.inFlight > shedder.max;
      if (full) metrics.shedConcurrency++;
      else metrics.shedAdaptive++;
      return this.refuse(503, full ? 'concurrency' : 'shed', 'overloaded', 1000);
    }
    const ratio = parts.memory.ratioForRequest();
    if (ratio > 0 && parts.random.next() < ratio) {
      metrics.shedMemory++;
      this.refuse(503, 'memory', 'the proxy is short of memory', 2000);
    }
  }

  #strike(): void {
    const { request, parts } = this;
    if (this.refusal) return;
    const strike = parts.faults.strike('inbound', {
      destination: this.dst,
      route: this.route.name,
      method: request.method,
      path: this.pathJudged,
      identity: request.peerIdentity,
    });
    if (strike) this.applyFault(strike);
  }
}
