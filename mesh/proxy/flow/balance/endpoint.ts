/** One address that requests are sent to: its load as the balancer measures it, and whether it may be used. */
import type { Backend, Endpoint } from '../../../model.js';
import type { EndpointState } from '../contract.js';
import type { ScopedAccrual } from './accrual.js';

/**
 * `down`: connections to it fail. `open`: tripped by the breaker. An endpoint in either state gets one probe when its
 * time is up.
 */
export type Gate = 'ready' | 'down' | 'open';

/** A new endpoint begins slow start with this share of its weight, as in Envoy. */
const slowStartFloor = 0.1;
/** Weight of one answer in the failure share: ten failures in a row take the share from 0 to 0.65. */
const failureStep = 0.1;
/** An endpoint that only fails looks 21 times as slow as it is. */
const failurePenalty = 20;
/** Endpoints faster than this are equals; only their pending requests tell them apart. */
const floorMs = 0.1;
/** Linkerd's limit, used for the app; a backend has its own (failFastMs). */
const defaultMaxWaitMs = 1000;

export class EndpointRecord implements EndpointState {
  readonly address: string;
  readonly host: string;
  readonly port: number;
  readonly identity: string | undefined;
  readonly http2: boolean;
  readonly zone: string | undefined;
  readonly labels: Readonly<Record<string, string>> | undefined;
  localAddress: string | undefined;
  maxConnections: number;
  maxPending: number;
  maxWaitMs: number;
  pool: unknown = undefined;
  weight: number;

  /** Peak EWMA as of `loadAtMs`, in milliseconds. */
  latencyMs: number;
  failureShare = 0;
  loadAtMs: number;
  /** Whether `latencyMs` was ever measured. */
  measured = false;
  pending = 0;
  slowStartMs = 0;
  slowSinceMs = 0;

  gate: Gate = 'ready';
  gateReason = '';
  /** Wall clock, for people. */
  gateSinceMs = 0;
  /** The time when the next probe may go. */
  retryAtMs = 0;
  probing = false;
  /** The probe's response head was good; only the end of its answer is outstanding. */
  probeAnswered = false;
  /** Trips since the endpoint was last well. */
  trips = 0;
  connectFailures = 0;
  accrual: ScopedAccrual | undefined;
  /** For an open gate: the scopes that it is closed to; empty: all scopes. */
  blamed: readonly string[] = [];

  requests = 0;
  failures = 0;
  ejections = 0;

  constructor(
    endpoint: Endpoint,
    limits: Backend['limits'] & { maxWaitMs?: number },
    latencyMs: number,
    nowMs: number,
  ) {
    const { address, identity, http2 = false, weight = 1, zone, labels } = endpoint;
    const colon = address.lastIndexOf(':');
    this.address = address;
    this.host = address.slice(0, colon).replace(/^\[|\]$/g, '');
    this.port = Number(address.slice(colon + 1));
    this.identity = identity;
    this.http2 = http2;
    this.zone = zone;
    this.labels = labels;
    this.weight = weight;
    this.maxConnections = limits.maxConnections;
    this.maxPending = limits.maxPending;
    this.maxWaitMs = limits.maxWaitMs ?? defaultMaxWaitMs;
    this.latencyMs = latencyMs;
    this.loadAtMs = nowMs;
  }

  /**
   * As in Linkerd: a sample above the average replaces it; a sample below is averaged in, weighted by the time since
   * the last one. A fast failure never lowers the average.
   */
  observe(sampleMs: number, failed: boolean, nowMs: number, decayMs: number): void {
    const decay = Math.exp((this.loadAtMs - nowMs) / decayMs);
    const present = this.latencyMs * decay;
    const share = this.failureShare * decay;
    if (sampleMs >= present) this.latencyMs = sampleMs;
    // present + alpha * (sample - average); `present` has already lost its share.
    else if (!failed) this.latencyMs = present + sampleMs * (1 - decay);
    if (!this.measured && !failed) {
      // The default was a guess: the first measurement replaces it, even if it is lower.
      this.latencyMs = sampleMs;
      this.measured = true;
    }
    this.failureShare = share + failureStep * ((failed ? 1 : 0) - share);
    this.loadAtMs = nowMs;
  }

  /** A request was given up after this long for a reason of its own: the endpoint is at least this slow. */
  atLeast(waitedMs: number, nowMs: number, decayMs: number): void {
    const decay = Math.exp((this.loadAtMs - nowMs) / decayMs);
    if (waitedMs <= this.latencyMs * decay) return;
    this.latencyMs = waitedMs;
    this.failureShare *= decay;
    this.loadAtMs = nowMs;
  }

  /** Whether the endpoint accepts this scope; its gate may be closed to other scopes. */
  serves(scope: string): boolean {
    if (this.gate === 'ready') return true;
    if (this.gate !== 'open' || this.blamed.length === 0) return false;
    return !this.blamed.includes(scope);
  }

  /** Expected cost of one more request: latency times pending requests, raised by failures. Decays while idle. */
  load(nowMs: number, decayMs: number): number {
    const idleMs = nowMs - this.loadAtMs;
    const decay = idleMs < 1 ? 1 : Math.exp(-idleMs / decayMs);
    const latencyMs = this.latencyMs * decay;
    return (
      (latencyMs > floorMs ? latencyMs : floorMs) *
      (this.pending + 1) *
      (1 + failurePenalty * this.failureShare * decay)
    );
  }

  /** The current weight: a tenth at the beginning of slow start, growing evenly. */
  weightAt(nowMs: number): number {
    if (this.slowStartMs === 0) return this.weight;
    const share = (nowMs - this.slowSinceMs) / this.slowStartMs;
    if (share >= 1) {
      this.slowStartMs = 0;
      return this.weight;
    }
    return this.weight * Math.max(slowStartFloor, share);
  }

  startSlowly(slowStartMs: number, nowMs: number): void {
    this.slowStartMs = slowStartMs;
    this.slowSinceMs = nowMs;
  }

  stateAt(nowMs: number): 'ready' | 'slow-start' | 'down' | 'open' | 'half-open' {
    if (this.gate === 'ready') {
      this.weightAt(nowMs);
      return this.slowStartMs > 0 ? 'slow-start' : 'ready';
    }
    return this.probing || nowMs >= this.retryAtMs ? 'half-open' : this.gate;
  }
}

export const endpointKey = ({ address, identity, http2 }: Endpoint): string =>
  `${address} ${identity ?? ''} ${http2 ? 2 : 1}`;
