/** Metrics of a relay's clients, for Prometheus: connections, bytes, and the time until an answer began. */
import { Counter, Gauge, Histogram, Registry } from 'prom-client';

const seconds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

export interface RelayState {
  open: number;
  /** Connections on which the client spoke last. */
  unanswered: number;
  leases: number;
  effects: number;
}

export class RelayMetrics {
  readonly #registry = new Registry();
  readonly #accepted = this.#counter('relay_connections_total', 'Connections accepted.');
  readonly #failed = this.#counter(
    'relay_connect_failures_total',
    'Connections that the upstream did not take, or broke before its first byte.',
  );
  readonly #resets = this.#counter('relay_resets_total', 'Connections reset.');
  readonly #bytes = new Counter({
    name: 'relay_bytes_total',
    help: 'Bytes, sent by clients and received by them.',
    labelNames: ['direction'],
    registers: [this.#registry],
  });
  readonly #answers = new Histogram({
    name: 'relay_reply_seconds',
    help: "From a client's first byte since the last reply to the first byte of the next.",
    buckets: seconds,
    registers: [this.#registry],
  });

  constructor(state: () => RelayState) {
    const gauge = (name: string, help: string, value: (s: RelayState) => number): void => {
      const made: Gauge = new Gauge({
        name,
        help,
        registers: [this.#registry],
        collect: () => made.set(value(state())),
      });
    };
    gauge('relay_connections_open', 'Connections open.', (s) => s.open);
    gauge('relay_unanswered', 'Connections that wait for a reply.', (s) => s.unanswered);
    gauge('relay_fault_leases', 'Faults that are on.', (s) => s.leases);
    gauge('relay_fault_effects', 'Connections struck so far.', (s) => s.effects);
  }

  accepted(): void {
    this.#accepted.inc();
  }

  connectFailed(): void {
    this.#failed.inc();
  }

  reset(): void {
    this.#resets.inc();
  }

  bytes(direction: 'sent' | 'received', count: number): void {
    this.#bytes.inc({ direction }, count);
  }

  answered(ms: number): void {
    this.#answers.observe(ms / 1000);
  }

  text(): Promise<string> {
    return this.#registry.metrics();
  }

  #counter(name: string, help: string): Counter {
    return new Counter({ name, help, registers: [this.#registry] });
  }
}
