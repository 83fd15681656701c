/**
 * A set of equivalent endpoints. Picks one for each attempt (power of two choices over peak EWMA). An endpoint that
 * fails, by breaker or because no connection can be made, is taken out until one real request, sent as a probe,
 * succeeds.
 */
import type { Clock } from '../../../../base/clock.js';
import type { Random } from '../../../../base/random.js';
import type { Backend } from '../../../model.js';
import { isUnconnected, isUnsent, type TryFailure } from '../contract.js';
import { anything, type Asked, openMs, ScopedAccrual } from './accrual.js';
import { Affinity } from './affinity.js';
import { endpointKey, EndpointRecord } from './endpoint.js';

/**
 * Backoff while no connection can be made: Linkerd's reconnect backoff, with its maximum cut to that of its inbound
 * side.
 */
const reconnect = { minOpenMs: 100, maxOpenMs: 10_000, jitter: 0.1 };
/** A probe whose answer has streamed for this long counts as good before it ends. */
const probeStreamMs = 5000;
/** While other endpoints are ready, a request that cannot be retried is not risked as a probe for this long. */
const probePatienceMs = 1000;
/** Connection failures in a row that take an endpoint out. One refusal is enough: nothing listens at that address. */
const connectFailuresMax = 3;
/** Scopes that one endpoint may be closed to; with more of them the first is opened again. */
const maxBlamed = 16;
/** A request leaves its own zone when the load there is this many times that of another zone. */
const farther = 3;

export class BackendState {
  readonly name: string;
  /** The destination's name for metrics, such as `cart.retail`. */
  readonly dst: string;
  source: Backend;
  endpoints: EndpointRecord[] = [];
  /** The endpoints that a pick chooses from: the ready ones, or in panic all but those that are down. */
  candidates: EndpointRecord[] = [];
  inFlight = 0;
  waiting = 0;
  waitedTotal = 0;
  mirrorsInFlight = 0;
  panicking = false;
  panicTotal = 0;
  cappedTotal = 0;
  readonly ejections = new Map<string, number>();
  probesGood = 0;
  probesBad = 0;
  /** The time since which there has been no candidate; -1 while there is one. */
  unreadySinceMs: number;
  /** The endpoints that the last P2C pick compared, for `why`. */
  first: EndpointRecord | undefined;
  second: EndpointRecord | undefined;
  firstLoad = 0;
  secondLoad = 0;
  /** Whether the last pick was a probe. */
  pickedProbe = false;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #zone: string | undefined;
  /** The candidates in this proxy's zone; undefined: zones make no difference. */
  #near: EndpointRecord[] | undefined;
  #decayMs = 0;
  #uneven = false;
  #maxWeight = 1;
  #nextProbeMs = Infinity;
  readonly #affinity = new Affinity();
  /** Some endpoint is closed to some scopes and open to the rest. */
  #isPartly = false;

  constructor(
    dst: string,
    source: Backend,
    parts: { clock: Clock; random: Random; workload?: { zone?: string } },
  ) {
    this.#zone = parts.workload?.zone;
    this.dst = dst;
    this.name = source.name;
    this.source = source;
    this.#clock = parts.clock;
    this.#random = parts.random;
    this.unreadySinceMs = parts.clock.monotonicMs();
    this.update(source);
  }

  /** Takes a new list, keeping the state of the endpoints that stay. Returns the endpoints that were removed. */
  update(source: Backend): EndpointRecord[] {
    const nowMs = this.#clock.monotonicMs();
    const { balancer, limits } = source;
    const before = new Map(
      this.endpoints.map((e) => [`${e.address} ${e.identity ?? ''} ${e.http2 ? 2 : 1}`, e]),
    );
    const isNew = this.endpoints.length === 0;
    const samePolicy = JSON.stringify(source.breaker) === JSON.stringify(this.source.breaker);
    const seedMs = this.#seedMs(balancer.defaultRttMs, nowMs);
    this.source = source;
    this.#affinity.seconds = balancer.affinitySeconds;
    this.#decayMs = Math.max(1, balancer.decaySeconds * 1000);
    const seen = new Set<string>();
    this.endpoints = [];
    for (const endpoint of source.endpoints) {
      const key = endpointKey(endpoint);
      if (seen.has(key)) continue;
      seen.add(key);
      let record = before.get(key);
      before.delete(key);
      if (record) {
        record.weight = endpoint.weight ?? 1;
        record.maxConnections = limits.maxConnections;
        record.maxPending = limits.maxPending;
        record.maxWaitMs = source.failFastMs;
      } else {
        record = new EndpointRecord(
          endpoint,
          { ...limits, maxWaitMs: source.failFastMs },
          seedMs,
          nowMs,
        );
        // If all endpoints are new, none can carry the load during a slow start.
        if (!isNew) record.startSlowly(balancer.slowStartSeconds * 1000, nowMs);
      }
      if (!source.breaker) {
        record.accrual = undefined;
        if (record.gate === 'open') this.#becomeReady(record);
      } else if (!record.accrual || !samePolicy) {
        record.accrual = new ScopedAccrual(source.breaker);
      }
      this.endpoints.push(record);
    }
    this.#regroup(nowMs);
    return [...before.values()];
  }

  /**
   * The endpoint for an attempt, or undefined when none is ready. A retry passes the endpoints that it tried, gets
   * another one if any is ready, and is never a probe. `canRetry`: if the picked endpoint fails, the request can go
   * elsewhere.
   */
  pick(
    nowMs: number,
    tried: readonly EndpointRecord[] | undefined,
    canRetry: boolean,
    asked: Asked = anything,
  ): EndpointRecord | undefined {
    const kept = tried === undefined ? this.#affinity.endpoint(this, asked, nowMs) : undefined;
    this.pickedProbe = false;
    if (kept) return kept;
    if (nowMs >= this.#nextProbeMs) {
      const probe = this.#probe(nowMs, tried, canRetry, asked);
      this.pickedProbe = probe !== undefined;
      if (probe) return probe;
    }
    let pool = this.candidatesFor(asked);
    if (this.panicking) this.panicTotal++;
    if (tried !== undefined) {
      const fresh = pool.filter((e) => !tried.includes(e));
      if (fresh.length > 0) pool = fresh;
    }
    if (pool.length === 0) {
      this.first = undefined;
      this.second = undefined;
      return undefined;
    }
    const isNear = this.#near !== undefined && pool === this.candidates;
    const picked = isNear ? this.#chooseNear(pool, nowMs) : this.#choose(pool, nowMs);
    if (tried === undefined) this.#affinity.keep(picked, nowMs);
    return picked;
  }

  /** Picks in this proxy's zone, unless an endpoint elsewhere is so much less loaded that the longer way pays. */
  #chooseNear(pool: readonly EndpointRecord[], nowMs: number): EndpointRecord {
    const near = this.#choose(this.#near as EndpointRecord[], nowMs);
    const far = pool[this.#random.below(pool.length)] as EndpointRecord;
    if (far.zone === this.#zone) return near;
    const farLoad = far.load(nowMs, this.#decayMs);
    if (farLoad * farther >= near.load(nowMs, this.#decayMs)) return near;
    this.second = far;
    this.secondLoad = farLoad;
    return far;
  }

  /** The endpoints that a pick for this scope chooses from. */
  candidatesFor(asked: Asked): EndpointRecord[] {
    if (!this.#isPartly) return this.candidates;
    const { scope } = asked;
    return this.endpoints.filter(
      (e) => e.weight > 0 && (e.serves(scope) || (this.panicking && e.gate === 'open')),
    );
  }

  /** Milliseconds after which a request that found no ready endpoint should look again. */
  waitMs(nowMs: number): number {
    return Math.min(50, Math.max(5, this.#nextProbeMs - nowMs));
  }

  /** Called when a response head came or a try failed. `connected`: false where no connection could be made. */
  observe(
    endpoint: EndpointRecord,
    sampleMs: number,
    failed: boolean,
    nowMs: number,
    connected = true,
  ): void {
    if (!endpoint.measured && !failed) this.#firstMeasured(endpoint, sampleMs);
    endpoint.observe(sampleMs, failed, nowMs, this.#decayMs);
    if (connected) endpoint.connectFailures = 0;
  }

  /** Called when the client left before a head came: the wait is all that can be learned from this attempt. */
  gaveUp(endpoint: EndpointRecord, waitedMs: number, nowMs: number): void {
    endpoint.atLeast(waitedMs, nowMs, this.#decayMs);
  }

  /** The verdict on one attempt: whether the endpoint failed it. */
  verdict(
    endpoint: EndpointRecord,
    failed: boolean,
    wasProbe: boolean,
    nowMs: number,
    asked: Asked = anything,
  ): void {
    if (failed) endpoint.failures++;
    if (wasProbe && endpoint.probing) {
      this.#probed(endpoint, failed, nowMs);
      return;
    }
    if (endpoint.accrual === undefined) return;
    if (endpoint.gate !== 'ready' && !endpoint.serves(asked.scope)) return;
    const trip = endpoint.accrual.record(failed, asked, nowMs);
    if (trip !== undefined) this.#trip(endpoint, trip.reason, trip.scope, nowMs);
  }

  /** A probe's head was good: the endpoint counts as well unless the answer fails within `probeStreamMs`. */
  probeAnswered(endpoint: EndpointRecord, nowMs: number): void {
    if (!endpoint.probing) return;
    endpoint.probeAnswered = true;
    endpoint.retryAtMs = nowMs + probeStreamMs;
    this.#schedule();
  }

  /** A probe ended without a result, for example because its client left: the next request is the probe. */
  probeLost(endpoint: EndpointRecord): void {
    endpoint.probing = false;
    endpoint.probeAnswered = false;
    this.#schedule();
  }

  /** An attempt failed without an answer, and the endpoint is to blame. */
  failed(
    endpoint: EndpointRecord,
    why: TryFailure,
    { tookMs, isProbe, nowMs }: { tookMs: number; isProbe: boolean; nowMs: number },
    asked: Asked,
  ): void {
    this.observe(endpoint, tookMs, true, nowMs, !isUnconnected(why));
    this.verdict(endpoint, true, isProbe, nowMs, asked);
    if (isUnsent(why)) this.connectFailed(endpoint, why, nowMs);
  }

  /** No connection could be made. The caller gives the verdict separately. */
  connectFailed(endpoint: EndpointRecord, why: TryFailure, nowMs: number): void {
    const definite = why === 'refused' || why === 'unreachable';
    endpoint.connectFailures++;
    if (endpoint.gate !== 'ready' && endpoint.blamed.length === 0) return;
    if (!definite && endpoint.connectFailures < connectFailuresMax) return;
    endpoint.trips++;
    endpoint.blamed = [];
    this.#shut(endpoint, 'down', why, openMs(reconnect, endpoint.trips, this.#random), nowMs);
  }

  /**
   * Endpoints not measured yet are taken to be no slower than this one. If all kept the default latency, the first
   * endpoint picked would get every request until the default of the others had decayed below its latency, half a
   * minute later.
   */
  #firstMeasured(endpoint: EndpointRecord, sampleMs: number): void {
    for (const e of this.endpoints) {
      if (e !== endpoint && !e.measured && e.latencyMs > sampleMs) e.latencyMs = sampleMs;
    }
  }

  #probed(endpoint: EndpointRecord, failed: boolean, nowMs: number): void {
    endpoint.probing = false;
    endpoint.probeAnswered = false;
    if (!failed) {
      this.probesGood++;
      this.#becomeReady(endpoint);
      endpoint.startSlowly(this.source.balancer.slowStartSeconds * 1000, nowMs);
      this.#regroup(nowMs);
      return;
    }
    this.probesBad++;
    endpoint.trips++;
    const { breaker } = this.source;
    if (endpoint.gate === 'open' && breaker) {
      this.#eject(endpoint, 'probe-failed');
      endpoint.retryAtMs = nowMs + openMs(breaker, endpoint.trips, this.#random);
    } else {
      endpoint.retryAtMs = nowMs + openMs(reconnect, endpoint.trips, this.#random);
    }
    this.#schedule();
  }

  #trip(endpoint: EndpointRecord, reason: string, scope: string | undefined, nowMs: number): void {
    const { breaker } = this.source;
    if (!breaker) return;
    let open = 0;
    for (const e of this.endpoints) {
      if (e.gate === 'open' && (scope === undefined || !e.serves(scope))) open++;
    }
    if (open > 0 && (open + 1) / this.endpoints.length > breaker.maxEjectedRatio) {
      this.cappedTotal++;
      return;
    }
    endpoint.accrual?.reset(scope);
    this.#eject(endpoint, reason);
    if (endpoint.gate === 'open') {
      // The endpoint is closed to some scopes already, and now to one more; the time of its next probe stays.
      endpoint.blamed = scope === undefined ? [] : [...endpoint.blamed, scope].slice(-maxBlamed);
      return this.#regroup(nowMs);
    }
    endpoint.trips++;
    endpoint.blamed = scope === undefined ? [] : [scope];
    const forMs = openMs(breaker, endpoint.trips, this.#random);
    this.#shut(endpoint, 'open', reason, forMs, nowMs);
  }

  #eject(endpoint: EndpointRecord, reason: string): void {
    endpoint.ejections++;
    this.ejections.set(reason, (this.ejections.get(reason) ?? 0) + 1);
  }

  #shut(
    endpoint: EndpointRecord,
    gate: 'down' | 'open',
    reason: string,
    forMs: number,
    nowMs: number,
  ): void {
    endpoint.gate = gate;
    endpoint.gateReason = reason;
    endpoint.gateSinceMs = this.#clock.nowMs();
    endpoint.retryAtMs = nowMs + forMs;
    endpoint.probing = false;
    this.#regroup(nowMs);
  }

  #becomeReady(endpoint: EndpointRecord): void {
    endpoint.gate = 'ready';
    endpoint.blamed = [];
    endpoint.probing = false;
    endpoint.gateReason = '';
    endpoint.gateSinceMs = this.#clock.nowMs();
    endpoint.trips = 0;
    endpoint.connectFailures = 0;
    endpoint.accrual?.reset();
  }

  #probe(
    nowMs: number,
    tried: readonly EndpointRecord[] | undefined,
    canRetry: boolean,
    asked: Asked,
  ): EndpointRecord | undefined {
    for (const e of this.endpoints) {
      if (e.gate === 'ready' || nowMs < e.retryAtMs) continue;
      // Only a request of a scope that the endpoint is closed to can tell whether it has recovered.
      if (e.blamed.length > 0 && e.serves(asked.scope)) continue;
      if (e.probing) {
        if (e.probeAnswered) this.#probed(e, false, nowMs);
        continue;
      }
      if (this.candidates.length > 0) {
        if (tried !== undefined) continue;
        if (!canRetry && nowMs < e.retryAtMs + probePatienceMs) continue;
      }
      e.probing = true;
      this.#schedule();
      this.first = e;
      this.second = undefined;
      this.firstLoad = e.load(nowMs, this.#decayMs);
      return e;
    }
    return undefined;
  }

  #choose(pool: readonly EndpointRecord[], nowMs: number): EndpointRecord {
    const count = pool.length;
    let i = 0;
    let j = 0;
    if (count > 1) {
      i = this.#uneven ? this.#draw(pool, nowMs) : this.#random.below(count);
      if (this.source.balancer.kind === 'ewma') {
        // With uneven weights both are drawn independently: if they had to differ, a light endpoint would always be
        // the second.
        j = this.#uneven ? this.#draw(pool, nowMs) : this.#random.below(count - 1);
        if (!this.#uneven && j >= i) j++;
      } else j = i;
    }
    const a = pool[i] as EndpointRecord;
    this.first = a;
    this.firstLoad = a.load(nowMs, this.#decayMs);
    if (i === j) {
      this.second = undefined;
      return a;
    }
    const b = pool[j] as EndpointRecord;
    this.second = b;
    this.secondLoad = b.load(nowMs, this.#decayMs);
    return this.secondLoad < this.firstLoad ? b : a;
  }

  /**
   * An index with a chance proportional to the weight, by rejection. The loop is bounded, so extreme weights may be
   * off.
   */
  #draw(pool: readonly EndpointRecord[], nowMs: number): number {
    let i = 0;
    for (let tries = 0; tries < 16; tries++) {
      i = this.#random.below(pool.length);
      const weight = (pool[i] as EndpointRecord).weightAt(nowMs);
      if (this.#random.next() * this.#maxWeight < weight) break;
    }
    return i;
  }

  /** New endpoints are taken to be as fast as the others: the default latency would starve or flood them. */
  #seedMs(defaultRttMs: number, nowMs: number): number {
    let sum = 0;
    let count = 0;
    for (const e of this.endpoints) {
      if (!e.measured || e.gate !== 'ready') continue;
      sum += e.latencyMs * Math.exp((e.loadAtMs - nowMs) / this.#decayMs);
      count++;
    }
    return count === 0 ? defaultRttMs : sum / count;
  }

  /** Updates the candidates after any change of a gate. */
  #regroup(nowMs: number): void {
    const { breaker } = this.source;
    const open = this.endpoints.filter((e) => e.gate === 'open').length;
    const closedRatio = 1 - open / this.endpoints.length;
    this.panicking = open > 0 && breaker !== undefined && closedRatio < breaker.panicRatio;
    this.candidates = this.endpoints.filter(
      (e) => e.weight > 0 && (e.gate === 'ready' || (this.panicking && e.gate === 'open')),
    );
    this.#isPartly = this.endpoints.some((e) => e.gate === 'open' && e.blamed.length > 0);
    if (this.candidates.length > 0) this.unreadySinceMs = -1;
    else if (this.unreadySinceMs < 0) this.unreadySinceMs = nowMs;
    this.#maxWeight = Math.max(0, ...this.candidates.map((e) => e.weight));
    this.#uneven =
      this.candidates.some((e) => e.weight !== this.#maxWeight) ||
      this.candidates.some((e) => e.slowStartMs > 0);
    this.#near = this.#inZone();
    this.#schedule();
  }

  /**
   * The candidates in this proxy's zone; undefined when half of the zone is gone: the rest could not carry the load.
   */
  #inZone(): EndpointRecord[] | undefined {
    const zone = this.#zone;
    if (zone === undefined || this.panicking) return undefined;
    const near = this.candidates.filter((e) => e.zone === zone);
    const all = this.endpoints.filter((e) => e.zone === zone && e.weight > 0).length;
    return near.length > 0 && near.length * 2 >= all && near.length < this.candidates.length
      ? near
      : undefined;
  }

  #schedule(): void {
    this.#nextProbeMs = Infinity;
    for (const e of this.endpoints) {
      if (e.gate === 'ready' || (e.probing && !e.probeAnswered)) continue;
      this.#nextProbeMs = Math.min(this.#nextProbeMs, e.retryAtMs);
    }
  }
}
