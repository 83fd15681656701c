/**
 * Every endpoint with its state and the reason for the state: GET /endpoints, and the metrics of balancers and
 * breakers.
 */
import type { Clock } from '../../../base/clock.js';
import { LabelSet } from '../telemetry/labels.js';
import type { MetricSink } from '../telemetry/sink.js';
import type { BackendState } from './balance/backend.js';
import type { EndpointRecord } from './balance/endpoint.js';
import type { OutboundFlow } from './outbound.js';

export interface EndpointReport {
  destination: string;
  backend: string;
  address: string;
  identity?: string;
  zone?: string;
  labels?: Readonly<Record<string, string>>;
  /** `open` and `half-open`: tripped by the breaker. `down`: no connection to it can be made. */
  state: 'ready' | 'slow-start' | 'down' | 'open' | 'half-open';
  /** The reason for any state but ready. */
  reason?: string;
  /**
   * Scopes (a route and a path's first segment) that it is closed to; absent: if it is not ready, it is closed to
   * all.
   */
  shutTo?: readonly string[];
  /** When the endpoint entered this state, ISO 8601. */
  since?: string;
  /** When the next probe may go, ISO 8601. */
  retryAt?: string;
  /** Peak EWMA in milliseconds. */
  latencyMs: number;
  /** Share of failures; recent ones weigh most. */
  failureShare: number;
  pending: number;
  requests: number;
  failures: number;
  ejections: number;
}

export function reportEndpoints(outbound: OutboundFlow, clock: Clock): EndpointReport[] {
  const nowMs = clock.monotonicMs();
  const iso = (ms: number): string => new Date(ms).toISOString();
  const list: EndpointReport[] = [];
  for (const destination of outbound.destinations()) {
    for (const backend of destination.backends.values()) {
      for (const e of backend.endpoints) {
        list.push({
          destination: destination.name,
          backend: backend.name,
          address: e.address,
          ...(e.identity !== undefined && { identity: e.identity }),
          ...(e.zone !== undefined && { zone: e.zone }),
          ...(e.labels && { labels: e.labels }),
          state: e.stateAt(nowMs),
          ...(e.gateReason !== '' && { reason: e.gateReason }),
          ...(e.blamed.length > 0 && { shutTo: e.blamed }),
          ...(e.gateSinceMs > 0 && { since: iso(e.gateSinceMs) }),
          ...(e.gate !== 'ready' && { retryAt: iso(clock.nowMs() + e.retryAtMs - nowMs) }),
          latencyMs: Math.round(e.latencyMs * 1000) / 1000,
          failureShare: Math.round(e.failureShare * 1000) / 1000,
          pending: e.pending,
          requests: e.requests,
          failures: e.failures,
          ejections: e.ejections,
        });
      }
    }
  }
  return list;
}

/** Endpoints with series of their own; the rest are summed under target_addr="overflow". */
const maxEndpointSeries = 1000;

export function collectBackends(outbound: OutboundFlow, clock: Clock, sink: MetricSink): void {
  const nowMs = clock.monotonicMs();
  let shown = 0;
  for (const destination of outbound.destinations()) {
    if (destination.mismatches > 0) {
      const labels = new LabelSet([
        ['direction', 'outbound'],
        ['dst', destination.name],
      ]);
      sink.value('route_mismatch_total', labels, destination.mismatches);
    }
    for (const backend of destination.backends.values()) {
      // A backend that has never been used gets no series.
      if (backend.endpoints.every((e) => e.requests === 0) && backend.waitedTotal === 0) continue;
      const labels = new LabelSet([
        ['dst', destination.name],
        ['backend', backend.name],
      ]);
      collectBackend(backend, labels, sink);
      const rest = new RestOfEndpoints();
      for (const e of backend.endpoints) {
        if (++shown > maxEndpointSeries) rest.add(e);
        else collectEndpoint(e, labels.with('target_addr', e.address), nowMs, sink);
      }
      rest.collect(labels, sink);
    }
  }
}

function collectBackend(backend: BackendState, labels: LabelSet, sink: MetricSink): void {
  const ready = backend.endpoints.filter((e) => e.gate === 'ready').length;
  const state = (text: string): LabelSet => labels.with('endpoint_state', text);
  sink.value('outbound_http_balancer_endpoints', state('ready'), ready);
  const pending = backend.endpoints.length - ready;
  sink.value('outbound_http_balancer_endpoints', state('pending'), pending);
  sink.value('outbound_http_balancer_queue_length', labels, backend.waiting);
  sink.value('outbound_http_balancer_queue_requests_total', labels, backend.waitedTotal);
  if (backend.panicTotal > 0) {
    sink.value('outbound_http_balancer_panic_total', labels, backend.panicTotal);
  }
  for (const [reason, count] of backend.ejections) {
    sink.value('outbound_endpoint_ejections_total', labels.with('reason', reason), count);
  }
  if (backend.source.breaker) {
    sink.value('outbound_endpoint_ejections_capped_total', labels, backend.cappedTotal);
  }
  if (backend.probesGood + backend.probesBad > 0) {
    const result = (text: string): LabelSet => labels.with('result', text);
    sink.value('outbound_endpoint_probes_total', result('success'), backend.probesGood);
    sink.value('outbound_endpoint_probes_total', result('failure'), backend.probesBad);
  }
}

function collectEndpoint(
  e: EndpointRecord,
  labels: LabelSet,
  nowMs: number,
  sink: MetricSink,
): void {
  sink.value('outbound_endpoint_state', labels.with('state', e.stateAt(nowMs)), 1);
  sink.value('outbound_endpoint_requests_total', labels, e.requests);
  sink.value('outbound_endpoint_failures_total', labels, e.failures);
  sink.value('outbound_endpoint_pending', labels, e.pending);
  sink.value('outbound_endpoint_latency_ms', labels, e.latencyMs);
}

class RestOfEndpoints {
  #count = 0;
  #requests = 0;
  #failures = 0;
  #pending = 0;

  add({ requests, failures, pending }: EndpointRecord): void {
    this.#count++;
    this.#requests += requests;
    this.#failures += failures;
    this.#pending += pending;
  }

  collect(backend: LabelSet, sink: MetricSink): void {
    if (this.#count === 0) return;
    const labels = backend.with('target_addr', 'overflow');
    sink.value('outbound_endpoint_requests_total', labels, this.#requests);
    sink.value('outbound_endpoint_failures_total', labels, this.#failures);
    sink.value('outbound_endpoint_pending', labels, this.#pending);
  }
}
