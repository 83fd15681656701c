/** What both sides of the flow are given. */
import type { Clock } from '../../../base/clock.js';
import type { Random } from '../../../base/random.js';
import type { ProxyMetrics } from '../telemetry/proxy-metrics.js';

export interface FlowParts {
  clock: Clock;
  random: Random;
  /** What `cluster-authenticated` means by cluster. */
  trustDomain: string;
  workload: { name: string; namespace: string };
  metrics: ProxyMetrics;
}
