/** The copy of a request that is slow to be answered: its endpoint, its budget, and the verdict on both attempts. */
import { raise } from '../../telemetry/request-metrics.js';
import type { EndpointRecord } from '../balance/endpoint.js';
import { type EndpointState, type Hedge, isNeutral, type TryFailure } from '../contract.js';
import type { OutboundRequest } from '../outbound-request.js';
import { breakerFailures, repelling } from '../route/classify.js';

/** An attempt that its endpoint counts as pending. */
export interface AttemptInFlight {
  readonly endpoint: EndpointRecord;
  readonly sinceMs: number;
  readonly isProbe: boolean;
}

export class OutboundHedge implements Hedge {
  readonly afterMs: number;
  readonly #request: OutboundRequest;
  #copy: AttemptInFlight | undefined;
  #sentTo = '';
  #hasWon = false;

  constructor(request: OutboundRequest, afterMs: number) {
    this.#request = request;
    this.afterMs = afterMs;
  }

  pick(): EndpointState | undefined {
    const request = this.#request;
    const { backend, route, destination, parts } = request;
    // A request has one copy, however often it is retried.
    if (this.#sentTo !== '') return undefined;
    const nowMs = parts.clock.monotonicMs();
    const { tried, endpoint: first } = request;
    if (first) tried.push(first);
    const isFull = backend.inFlight >= backend.source.limits.maxRequests;
    const isAlone = !backend.candidatesFor(request).some((e) => !tried.includes(e));
    const budget = route.retry?.budget ?? destination.budget;
    if (isFull || isAlone || !budget.withdraw(nowMs)) {
      route.metrics.hedgeOverflow++;
      return undefined;
    }
    const endpoint = backend.pick(nowMs, tried, false, request);
    if (!endpoint || tried.includes(endpoint)) return undefined;
    tried.push(endpoint);
    this.#copy = { endpoint, sinceMs: nowMs, isProbe: backend.pickedProbe };
    this.#sentTo = endpoint.address;
    route.metrics.tries++;
    route.metrics.hedges++;
    backend.inFlight++;
    endpoint.pending++;
    endpoint.requests++;
    return endpoint;
  }

  isGood(status: number): boolean {
    const { failures, retry } = this.#request.route;
    return !failures.has(status, -1) && retry?.statuses.has(status, -1) !== true;
  }

  over(loser: 'first' | 'copy', why: TryFailure | 'slower' | number): void {
    const request = this.#request;
    const copy = this.#copy;
    if (!copy) return;
    this.#copy = undefined;
    let lost = copy;
    if (loser === 'first') {
      lost = request.exchanged(copy);
      this.#hasWon = true;
      request.route.metrics.hedgeWins++;
    }
    this.#settle(lost, why);
  }

  #settle({ endpoint, sinceMs, isProbe }: AttemptInFlight, why: TryFailure | 'slower' | number) {
    const request = this.#request;
    const { backend, route, parts } = request;
    const nowMs = parts.clock.monotonicMs();
    const tookMs = nowMs - sinceMs;
    endpoint.pending--;
    backend.inFlight--;
    const status = typeof why === 'number' ? why : 0;
    request.past(endpoint.address, status, status > 0 ? '' : String(why), tookMs);
    if (why === 'slower') {
      backend.gaveUp(endpoint, tookMs, nowMs);
      if (isProbe) backend.probeLost(endpoint);
      return;
    }
    raise(route.metrics.otherTries, status);
    if (typeof why === 'number') {
      backend.observe(endpoint, tookMs, repelling.has(why, -1), nowMs);
      backend.verdict(endpoint, breakerFailures.has(why, -1), isProbe, nowMs, request);
    } else if (isNeutral(why)) {
      if (isProbe) backend.probeLost(endpoint);
    } else {
      backend.failed(endpoint, why, { tookMs, isProbe, nowMs }, request);
    }
  }

  explain(): Record<string, unknown> {
    const { afterMs } = this;
    return this.#sentTo === '' ? { afterMs } : { afterMs, to: this.#sentTo, won: this.#hasWon };
  }
}
