/** One opaque outbound connection, balanced as a whole. */
import type { BackendState } from './balance/backend.js';
import type { EndpointRecord } from './balance/endpoint.js';
import {
  type ConnectionFlow,
  type End,
  type EndpointState,
  isOwn,
  isUnconnected,
  type TryFailure,
} from './contract.js';
import type { CompiledDestination } from './destination.js';
import type { Hold } from './fault/fault-table.js';
import type { FlowParts } from './parts.js';

/** Endpoints tried before giving up: nothing was sent yet, so another endpoint may be tried. */
const maxTries = 3;

export class OutboundConnection implements ConnectionFlow {
  readonly #parts: FlowParts;
  readonly #backend: BackendState;
  refusal: ConnectionFlow['refusal'] = undefined;
  delayMs = 0;
  bytesPerSecond = 0;
  slowed: ConnectionFlow['slowed'] = undefined;
  hold: Hold | undefined = undefined;
  waitMs = 0;
  readonly perTryTimeoutMs = 0;
  readonly mirror = undefined;
  #endpoint: EndpointRecord | undefined;
  #isProbe = false;
  #judged = false;
  #waits = false;
  #triedMs = 0;
  readonly #tried: EndpointRecord[] = [];

  constructor(parts: FlowParts, destination: CompiledDestination) {
    this.#parts = parts;
    // Routes are about requests: only the weights of a split apply to a connection.
    const route =
      destination.routes.find((r) => r.matcher.always && !r.source.respond) ??
      destination.defaultRoute;
    const { backend, respond } = route.share();
    this.#backend = backend;
    // A share that may not be used, or does not exist, is not given to another backend.
    const isShut = respond !== undefined || (destination.unservable || route.unservable) !== '';
    if (isShut || destination.refused !== '') this.refusal = { kind: 'answer' };
    if (parts.faults.outbound > 0) {
      const strike = parts.faults.strike('outbound', {
        destination: destination.name,
        route: undefined,
        method: undefined,
        path: undefined,
        identity: undefined,
      });
      if (strike) {
        this.delayMs = strike.delayMs;
        this.hold = strike.hold;
        this.bytesPerSecond = strike.bytesPerSecond;
        this.slowed = strike.slowed;
        if (strike.blackhole) this.refusal = { kind: 'blackhole' };
        else if (strike.reset || strike.abortStatus > 0) this.refusal = { kind: 'reset' };
      }
    }
  }

  pick(): EndpointState | undefined {
    const backend = this.#backend;
    const nowMs = this.#parts.clock.monotonicMs();
    const tried = this.#tried.length > 0 ? this.#tried : undefined;
    const endpoint = backend.pick(nowMs, tried, true);
    if (!endpoint) {
      const { failFastMs, limits } = backend.source;
      const unreadyMs = backend.unreadySinceMs < 0 ? 0 : nowMs - backend.unreadySinceMs;
      if (unreadyMs >= failFastMs || (!this.#waits && backend.waiting >= limits.maxPending)) {
        this.#stopWaiting();
        this.refusal = { kind: 'answer' };
      } else {
        if (!this.#waits) {
          this.#waits = true;
          backend.waiting++;
          backend.waitedTotal++;
        }
        this.waitMs = backend.waitMs(nowMs);
      }
      return undefined;
    }
    this.#stopWaiting();
    backend.inFlight++;
    endpoint.pending++;
    endpoint.requests++;
    this.#endpoint = endpoint;
    this.#isProbe = backend.pickedProbe;
    this.#judged = false;
    this.#triedMs = nowMs;
    return endpoint;
  }

  connected(): void {
    const endpoint = this.#endpoint;
    if (!endpoint || this.#judged) return;
    const nowMs = this.#parts.clock.monotonicMs();
    this.#backend.observe(endpoint, nowMs - this.#triedMs, false, nowMs);
    this.#judge(endpoint, false, nowMs);
  }

  tryFailed(why: TryFailure): 'retry' | 'fail' {
    const endpoint = this.#endpoint;
    const nowMs = this.#parts.clock.monotonicMs();
    if (endpoint) {
      if (!isOwn(why)) {
        this.#backend.observe(endpoint, nowMs - this.#triedMs, true, nowMs, !isUnconnected(why));
        if (!this.#judged) this.#judge(endpoint, true, nowMs);
        this.#backend.connectFailed(endpoint, why, nowMs);
      }
      this.#tried.push(endpoint);
      this.#release();
    }
    if (this.#tried.length < maxTries && this.#backend.candidates.length > 0) return 'retry';
    this.refusal = { kind: 'answer' };
    return 'fail';
  }

  retryDelayMs(): number {
    return 0;
  }

  ended(how: End, _sentBytes: number, _receivedBytes: number): void {
    this.hold?.end();
    this.#stopWaiting();
    const endpoint = this.#endpoint;
    if (!endpoint) return;
    if (this.#judged && how === 'upstream-broke') {
      this.#backend.verdict(endpoint, true, false, this.#parts.clock.monotonicMs());
    }
    this.#release();
  }

  #judge(endpoint: EndpointRecord, failed: boolean, nowMs: number): void {
    this.#judged = true;
    this.#backend.verdict(endpoint, failed, this.#isProbe, nowMs);
  }

  #release(): void {
    const endpoint = this.#endpoint;
    if (!endpoint) return;
    if (this.#isProbe && !this.#judged) this.#backend.probeLost(endpoint);
    endpoint.pending--;
    this.#backend.inFlight--;
    this.#endpoint = undefined;
  }

  #stopWaiting(): void {
    if (!this.#waits) return;
    this.#waits = false;
    this.#backend.waiting--;
  }
}
