/** Turns the counters of one route into its lines in a scrape. */
import { type LabelSet, labelsOf } from './labels.js';
import {
  classifications,
  failure,
  type RequestMetrics,
  type ResponseCell,
  tlsLabels,
} from './request-metrics.js';
import type { MetricSink } from './sink.js';

export function collectRequests(metrics: RequestMetrics, sink: MetricSink): void {
  const { labels, source } = metrics;
  const outbound = source.direction === 'outbound';
  const short = labelsOf({ dst: source.dst, rt_route: source.route });
  sink.value('requests_in_flight', labels, metrics.inFlight);
  for (const part of metrics.byLabel?.values() ?? [metrics]) {
    sink.value('request_total', part.labels, part.requests);
    if (!part.latency) continue;
    sink.histogram('response_latency_ms', part.labels, part.latency);
    sink.histogram('response_latency_native_ms', part.labels, part.latency);
  }
  if (isNamed(metrics)) {
    sink.value('route_request_total', labels, metrics.requests);
    if (metrics.latency) {
      sink.histogram('route_response_latency_ms', labels, metrics.latency);
    }
  }
  collectResponses(metrics, sink);
  sink.value('route_actual_request_total', labels, metrics.tries);
  for (const [skipped, count] of metrics.retrySkips) {
    sink.value('route_retryable_total', labels.with('skipped', skipped), count);
  }
  for (const [error, count] of metrics.errors) {
    const name = outbound ? 'outbound_http_errors_total' : 'inbound_http_errors_total';
    sink.value(name, short.with('error', error), count);
  }
  const shed = labelsOf({ direction: source.direction, dst: source.dst, rt_route: source.route });
  for (const [reason, count] of [
    ['concurrency', metrics.shedConcurrency],
    ['adaptive', metrics.shedAdaptive],
    ['memory', metrics.shedMemory],
  ] as const) {
    if (count > 0) sink.value('http_shed_total', shed.with('reason', reason), count);
  }
  if (outbound) collectOutbound(metrics, short, sink);
}

/** The route_* names repeat the others for dashboards of routes, which do not need the default route. */
const isNamed = ({ source }: RequestMetrics): boolean => source.route !== 'default';

function collectOutbound(metrics: RequestMetrics, short: LabelSet, sink: MetricSink): void {
  if (metrics.hasRetries || metrics.retryRequests > 0) collectRetries(metrics, sink);
  if (metrics.hasHedges || metrics.hedges > 0) {
    sink.value('outbound_http_route_hedge_requests_total', metrics.labels, metrics.hedges);
    sink.value('outbound_http_route_hedge_wins_total', metrics.labels, metrics.hedgeWins);
    sink.value('outbound_http_route_hedge_overflow_total', metrics.labels, metrics.hedgeOverflow);
  }
  if (metrics.budgetRemaining) {
    sink.value('retry_budget_remaining', short, metrics.budgetRemaining());
  }
  for (const [result, count] of [
    ['answered', metrics.mirrorsAnswered],
    ['failed', metrics.mirrorsFailed],
    ['skipped', metrics.mirrorsSkipped],
  ] as const) {
    if (count > 0) {
      sink.value('outbound_http_mirror_requests_total', short.with('result', result), count);
    }
  }
  for (const [scope, count] of [
    ['all', metrics.rateLimited],
    ['identity', metrics.rateLimitedByIdentity],
  ] as const) {
    if (count > 0) {
      sink.value('outbound_http_local_ratelimit_total', short.with('scope', scope), count);
    }
  }
}

function collectRetries(metrics: RequestMetrics, sink: MetricSink): void {
  const { labels } = metrics;
  sink.value('outbound_http_route_retry_requests_total', labels, metrics.retryRequests);
  sink.value('outbound_http_route_retry_successes_total', labels, metrics.retrySuccesses);
  sink.value('outbound_http_route_retry_limit_exceeded_total', labels, metrics.retryLimitExceeded);
  sink.value('outbound_http_route_retry_overflow_total', labels, metrics.retryOverflow);
  sink.value('retry_same_endpoint_total', labels, metrics.retrySameEndpoint);
  sink.value('retry_only_endpoint_total', labels, metrics.retryOnlyEndpoint);
}

/** Cells that differ only in unlabelled fields are one series. */
function collectResponses(metrics: RequestMetrics, sink: MetricSink): void {
  const { labels } = metrics;
  const byRoute = new Map<string, { labels: LabelSet; count: number }>();
  const actual = new Map<string, { labels: LabelSet; count: number }>();
  const add = (to: Counts, set: LabelSet, count: number): void => {
    const found = to.get(set.text);
    if (found) found.count += count;
    else to.set(set.text, { labels: set, count });
  };
  for (const cell of metrics.cells()) {
    const route = responseLabels(labels, cell);
    add(byRoute, route, cell.count);
    if (!cell.local) add(actual, tryLabels(labels, cell.status, cell.classification), cell.count);
  }
  for (const [status, count] of metrics.otherTries) {
    add(actual, tryLabels(labels, status, 1), count);
  }
  for (const part of metrics.byLabel?.values() ?? [metrics]) {
    const responses: Counts = new Map();
    for (const cell of [...part.cells(), ...failuresToCome(part)]) {
      const tls = tlsLabels[cell.tls] as string;
      add(responses, responseLabels(part.labels, cell).with('tls', tls), cell.count);
    }
    for (const one of responses.values()) sink.value('response_total', one.labels, one.count);
  }
  if (isNamed(metrics)) {
    for (const one of byRoute.values()) sink.value('route_response_total', one.labels, one.count);
  }
  for (const one of actual.values()) {
    sink.value('route_actual_response_total', one.labels, one.count);
  }
}

type Counts = Map<string, { labels: LabelSet; count: number }>;
type ResponseKind = Pick<ResponseCell, 'status' | 'grpcStatus' | 'tls' | 'classification'>;

const usualFailures = [500, 502, 503, 504];
const usualGrpcFailures = [4, 13, 14];

/**
 * The usual failures are present with 0 from the start: increase() cannot see the first value of a series that begins
 * with it, which would hide the first failures of every incident.
 */
function failuresToCome(metrics: RequestMetrics): (ResponseKind & { count: number })[] {
  const kinds = new Set<number>();
  let isGrpc = false;
  for (const { tls, grpcStatus } of metrics.cells()) {
    kinds.add(tls);
    isGrpc ||= grpcStatus >= 0;
  }
  return [...kinds].flatMap((tls) => [
    ...usualFailures.map((status) => ({
      status,
      grpcStatus: -1,
      tls,
      classification: failure,
      count: 0,
    })),
    ...(isGrpc ? usualGrpcFailures : []).map((grpcStatus) => ({
      status: 200,
      grpcStatus,
      tls,
      classification: failure,
      count: 0,
    })),
  ]);
}

function responseLabels(labels: LabelSet, cell: ResponseKind): LabelSet {
  const set = labels
    .with('status_code', String(cell.status))
    .with('classification', classifications[cell.classification] as string);
  return cell.grpcStatus < 0 ? set : set.with('grpc_status', String(cell.grpcStatus));
}

const tryLabels = (labels: LabelSet, status: number, classification: number): LabelSet =>
  labels
    .with('status_code', String(status))
    .with('classification', classifications[classification] as string);
