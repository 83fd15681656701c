/** Both sides of the flow with everything they share, made from a proxy's configuration. */
import type { Clock } from '../../../base/clock.js';
import type { Random } from '../../../base/random.js';
import type { MeshState, ProxyConfig } from '../../model.js';
import { ProxyMetrics } from '../telemetry/proxy-metrics.js';
import { Tap } from '../telemetry/tap.js';
import { FaultTable } from './fault/fault-table.js';
import { InboundFlow } from './inbound.js';
import { OutboundFlow } from './outbound.js';
import { WhyRing } from './why.js';

/** One endpoint as GET /endpoints shows it. */
export interface EndpointReport {
  destination: string;
  backend: string;
  address: string;
  identity?: string;
  zone?: string;
  /** `open` and `half-open`: tripped by the breaker. `down`: no connection to it can be made. */
  state: 'ready' | 'slow-start' | 'down' | 'open' | 'half-open';
  /** Of any state but ready. */
  reason?: string;
  /** When it came into this state, ISO 8601. */
  since?: string;
  /** When the next probe may go, ISO 8601. */
  retryAt?: string;
  /** Peak EWMA in milliseconds. */
  latencyMs: number;
  /** Share of failures, recent ones weighing most. */
  failureShare: number;
  pending: number;
  requests: number;
  failures: number;
  ejections: number;
}

export interface Gateway {
  readonly outbound: OutboundFlow;
  readonly inbound: InboundFlow;
  readonly metrics: ProxyMetrics;
  /** The admin port's /faults, /tap and /why. */
  readonly faults: FaultTable;
  readonly tap: Tap;
  readonly why: WhyRing;
  endpoints(): EndpointReport[];
  /** Both sides or none: throws where the state cannot be served, and the old one stays. */
  apply(state: MeshState): void;
  /** Flushes what is queued (spans, access log) and stops the timers. */
  close(): Promise<void>;
}

export function createGateway(parts: {
  config: ProxyConfig;
  clock: Clock;
  random: Random;
  version: string;
  log(line: string): void;
}): Gateway {
  const { config, clock, random } = parts;
  const metrics = new ProxyMetrics(clock);
  const trustDomain = config.identity?.name.split('.serviceaccount.identity.')[1] ?? '';
  const shared = { clock, random, trustDomain, workload: config.workload, metrics };
  const outbound = new OutboundFlow(shared);
  const inbound = new InboundFlow(shared);
  return {
    outbound,
    inbound,
    metrics,
    faults: new FaultTable(clock, random),
    tap: new Tap({ clock, random }),
    why: new WhyRing(),
    endpoints: () => [],
    apply(state) {
      outbound.apply(state);
      inbound.apply(state);
    },
    async close() {},
  };
}
