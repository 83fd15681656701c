/** The parts that both sides of the flow are given. */
import type { Clock } from '../../../base/clock.js';
import type { Random } from '../../../base/random.js';
import type { AccessLog } from '../telemetry/access-log.js';
import type { ProxyMetrics } from '../telemetry/proxy-metrics.js';
import type { Tap } from '../telemetry/tap.js';
import type { Tracer } from '../telemetry/tracer.js';
import type { RequestLabel } from './request-label.js';
import type { FaultTable } from './fault/fault-table.js';
import type { MemoryGuard } from './limit/memory-guard.js';
import type { WhyRing } from './why.js';

export interface FlowParts {
  clock: Clock;
  random: Random;
  /** The trust domain that `cluster-authenticated` accepts. */
  trustDomain: string;
  workload: { name: string; namespace: string; service?: string; zone?: string };
  metrics: ProxyMetrics;
  /** Undefined: requests have no label of their own. */
  label: RequestLabel | undefined;
  faults: FaultTable;
  tracer: Tracer;
  tap: Tap;
  accessLog: AccessLog;
  why: WhyRing;
  memory: MemoryGuard;
  /** Writes one line of JSON about an authorization decision. The caller limits the rate. */
  audit(line: string): void;
}

/** The name by which callers know this workload, `service.namespace`: the `dst` of its inbound side. */
export const ownDestination = ({
  name,
  service = name,
  namespace,
}: FlowParts['workload']): string => `${service}.${namespace}`;
