/** New connections that are closed unserved: counted by reason, and told at a bounded rate. */
import type { Clock } from '../../../base/clock.js';
import type { ProxyMetrics } from '../telemetry/proxy-metrics.js';
import type { Direction } from '../telemetry/transport-metrics.js';

const reasons = {
  connections: 'limits.maxConnections are open',
  files: 'too few of the process’s file descriptors are left (ulimit -n)',
  burst: 'the connection waited for 10 s behind other new ones',
  'no-certificate': 'this proxy has no certificate yet',
  'no-server': 'no server has the port',
};

/** A reason is told again after this long. */
const tellEveryMs = 10_000;

export class Refusals {
  readonly #direction: Direction;
  readonly #metrics: ProxyMetrics;
  readonly #clock: Clock;
  readonly #log: (line: string) => void;
  readonly #untold = new Map<string, { count: number; toldMs: number }>();

  constructor(
    direction: Direction,
    metrics: ProxyMetrics,
    clock: Clock,
    log: (line: string) => void,
  ) {
    this.#direction = direction;
    this.#metrics = metrics;
    this.#clock = clock;
    this.#log = log;
  }

  refused(reason: keyof typeof reasons): void {
    this.#metrics.connectionRefused(this.#direction, reason);
    const nowMs = this.#clock.monotonicMs();
    const { count = 0, toldMs = -Infinity } = this.#untold.get(reason) ?? {};
    const isDue = nowMs - toldMs >= tellEveryMs;
    this.#untold.set(reason, isDue ? { count: 0, toldMs: nowMs } : { count: count + 1, toldMs });
    if (!isDue) return;
    const more = count > 0 ? ` (${count} more since the last line)` : '';
    this.#log(`${this.#direction} connection refused${more}: ${reasons[reason]}`);
  }
}
