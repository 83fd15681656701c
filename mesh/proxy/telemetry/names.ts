/**
 * Every metric that a proxy exposes, once: METRICS.md is generated from this table, and a test compares a live scrape
 * with it. Names are Linkerd's if it has one for the same metric.
 */

export interface MetricSpec {
  type: 'counter' | 'gauge' | 'histogram';
  help: string;
  /** All labels that the metric may carry. */
  labels: readonly string[];
  /** True if only the protobuf exposition can carry it. */
  protobufOnly?: boolean;
}

/**
 * Upper bounds of response_latency_ms, in milliseconds: Linkerd's, and one more wherever two of them are a factor of
 * 2 apart, so that a quantile is off by half at most. slo/ has the same list for its queries.
 */
export const latencyBoundsMs: readonly number[] = [
  1, 2, 3, 4, 5, 7, 10, 15, 20, 30, 40, 50, 70, 100, 150, 200, 300, 400, 500, 700, 1000, 1500, 2000,
  3000, 4000, 5000, 7000, 10_000, 15_000, 20_000, 30_000, 40_000, 50_000,
];

const route = ['direction', 'dst', 'dst_service', 'dst_namespace', 'rt_route', 'srv_name'];
const response = [...route, 'status_code', 'classification', 'grpc_status', 'tls'];
const backend = ['dst', 'backend'];
const endpoint = ['dst', 'backend', 'target_addr'];
const authz = ['srv_name', 'rt_route', 'authz_name', 'client_id', 'tls'];
const transport = ['direction', 'peer', 'tls'];

export const metricSpecs = {
  // Requests and responses.
  request_total: {
    type: 'counter',
    help: 'Requests, counted at their head.',
    labels: route,
  },
  response_total: {
    type: 'counter',
    help:
      "Responses, counted at their end, as the client got them: after retries, including the proxy's refusals. " +
      'A client that left before the head is status_code="499": a failure after a second of waiting, else canceled.',
    labels: response,
  },
  response_latency_ms: {
    type: 'histogram',
    help: "From the request's head to the response's, including retries and waiting.",
    labels: route,
  },
  response_latency_native_ms: {
    type: 'histogram',
    help: 'response_latency_ms as a native histogram of schema 3: percentiles are at most 4.4% off.',
    labels: route,
    protobufOnly: true,
  },
  requests_in_flight: {
    type: 'gauge',
    help: 'Requests in flight.',
    labels: route,
  },
  route_request_total: {
    type: 'counter',
    help: 'request_total of routes with a name, for dashboards of routes.',
    labels: route,
  },
  route_response_total: {
    type: 'counter',
    help: 'response_total of routes with a name: effective, after retries.',
    labels: [...route, 'status_code', 'classification', 'grpc_status'],
  },
  route_response_latency_ms: {
    type: 'histogram',
    help: 'response_latency_ms of routes with a name.',
    labels: route,
  },
  route_actual_request_total: {
    type: 'counter',
    help: 'Attempts: requests as servers saw them, including retries.',
    labels: route,
  },
  route_actual_response_total: {
    type: 'counter',
    help: 'Answers to attempts, including attempts that were retried. status_code="0": no head came.',
    labels: [...route, 'status_code', 'classification'],
  },
  route_retryable_total: {
    type: 'counter',
    help: 'Failed attempts that were not retried although the route has retries, by reason.',
    labels: [...route, 'skipped'],
  },
  route_mismatch_total: {
    type: 'counter',
    help: 'Requests that no route of their destination or server matched; the default route serves them.',
    labels: ['direction', 'dst'],
  },
  inbound_http_errors_total: {
    type: 'counter',
    help: "The proxy's own answers, and responses that broke off, by reason.",
    labels: ['dst', 'rt_route', 'error'],
  },
  outbound_http_errors_total: {
    type: 'counter',
    help: "The proxy's own answers, and responses that broke off, by reason.",
    labels: ['dst', 'rt_route', 'error'],
  },

  // Retries.
  outbound_http_route_retry_requests_total: {
    type: 'counter',
    help: 'Retries sent.',
    labels: route,
  },
  outbound_http_route_retry_successes_total: {
    type: 'counter',
    help: 'Requests that succeeded after a retry.',
    labels: route,
  },
  outbound_http_route_retry_limit_exceeded_total: {
    type: 'counter',
    help: 'Requests that failed after all their retries.',
    labels: route,
  },
  outbound_http_route_retry_overflow_total: {
    type: 'counter',
    help: 'Retries not sent because the budget was exhausted or no endpoint was ready.',
    labels: route,
  },
  outbound_http_route_hedge_requests_total: {
    type: 'counter',
    help: 'Copies sent of requests whose answer had not begun in time.',
    labels: route,
  },
  outbound_http_route_hedge_wins_total: {
    type: 'counter',
    help: 'Copies that took the place of the first attempt.',
    labels: route,
  },
  outbound_http_route_hedge_overflow_total: {
    type: 'counter',
    help: 'Copies not sent because the budget was exhausted or no other endpoint was ready.',
    labels: route,
  },
  retry_same_endpoint_total: {
    type: 'counter',
    help: 'Retries sent to an endpoint tried already although another was ready. Must be 0; counted independently.',
    labels: route,
  },
  retry_only_endpoint_total: {
    type: 'counter',
    help: 'Retries sent to an endpoint tried already because no other was ready.',
    labels: route,
  },
  retry_budget_remaining: {
    type: 'gauge',
    help: 'Retries that the budget would allow at once.',
    labels: ['dst', 'rt_route'],
  },

  // Balancing and breaking.
  outbound_http_balancer_endpoints: {
    type: 'gauge',
    help: 'Endpoints by state: ready, pending (not ready).',
    labels: [...backend, 'endpoint_state'],
  },
  outbound_http_balancer_queue_length: {
    type: 'gauge',
    help: 'Requests that wait for an endpoint to be ready.',
    labels: backend,
  },
  outbound_http_balancer_queue_requests_total: {
    type: 'counter',
    help: 'Requests that had to wait for an endpoint to be ready.',
    labels: backend,
  },
  outbound_http_balancer_panic_total: {
    type: 'counter',
    help: 'Picks that ignored the breakers because too few breakers were closed.',
    labels: backend,
  },
  outbound_endpoint_ejections_total: {
    type: 'counter',
    help: 'Endpoints tripped by the breaker. Reasons: consecutive-failures, success-rate, probe-failed.',
    labels: [...backend, 'reason'],
  },
  outbound_endpoint_ejections_capped_total: {
    type: 'counter',
    help: 'Trips prevented by the cap on ejected endpoints.',
    labels: backend,
  },
  outbound_endpoint_probes_total: {
    type: 'counter',
    help: 'Real requests sent as probes to endpoints that were open or down.',
    labels: [...backend, 'result'],
  },
  outbound_endpoint_state: {
    type: 'gauge',
    help: '1 for the state that the endpoint is in: ready, slow-start, down, open or half-open.',
    labels: [...endpoint, 'state'],
  },
  outbound_endpoint_requests_total: {
    type: 'counter',
    help: 'Attempts sent to the endpoint.',
    labels: endpoint,
  },
  outbound_endpoint_failures_total: {
    type: 'counter',
    help: 'Attempts that the endpoint failed: no head, or a status that counts as failure.',
    labels: endpoint,
  },
  outbound_endpoint_pending: {
    type: 'gauge',
    help: 'Requests in flight at the endpoint.',
    labels: endpoint,
  },
  outbound_endpoint_latency_ms: {
    type: 'gauge',
    help: "The balancer's peak EWMA of the time to the first byte.",
    labels: endpoint,
  },
  outbound_http_mirror_requests_total: {
    type: 'counter',
    help: 'Mirrored copies by result: answered, failed, skipped (too many in flight, or no endpoint).',
    labels: ['dst', 'rt_route', 'result'],
  },

  // Policy.
  inbound_http_authz_allow_total: {
    type: 'counter',
    help: 'Requests allowed, by the policy that allowed them.',
    labels: authz,
  },
  inbound_http_authz_deny_total: {
    type: 'counter',
    help: 'Requests refused with 403, by the policy that refused them.',
    labels: authz,
  },
  inbound_tcp_authz_allow_total: {
    type: 'counter',
    help: 'Opaque connections allowed.',
    labels: authz,
  },
  inbound_tcp_authz_deny_total: {
    type: 'counter',
    help: 'Connections refused.',
    labels: authz,
  },
  inbound_authz_audited_total: {
    type: 'counter',
    help: 'Requests and connections allowed only because the server is in audit mode; deny would refuse them.',
    labels: authz,
  },
  inbound_http_local_ratelimit_total: {
    type: 'counter',
    help: 'Requests refused with 429.',
    labels: ['srv_name', 'rt_route', 'scope'],
  },
  outbound_http_local_ratelimit_total: {
    type: 'counter',
    help: 'Requests refused with 429 before they were sent.',
    labels: ['dst', 'rt_route', 'scope'],
  },
  http_shed_total: {
    type: 'counter',
    help: 'Requests refused with 503. Reasons: concurrency, adaptive, memory.',
    labels: ['direction', 'dst', 'rt_route', 'reason'],
  },
  inbound_http_concurrency_limit: {
    type: 'gauge',
    help: 'The adaptive limit of requests in flight, for servers with maxConcurrent.',
    labels: ['srv_name'],
  },
  fault_leases: {
    type: 'gauge',
    help: 'Active injected faults.',
    labels: ['direction'],
  },
  fault_effects_total: {
    type: 'counter',
    help: 'Requests and connections that injected faults affected.',
    labels: ['direction'],
  },

  // Connections.
  tcp_open_total: { type: 'counter', help: 'Connections opened.', labels: transport },
  tcp_open_connections: { type: 'gauge', help: 'Connections open.', labels: transport },
  tcp_close_total: {
    type: 'counter',
    help: 'Connections closed.',
    labels: [...transport, 'classification'],
  },
  tcp_read_bytes_total: { type: 'counter', help: 'Bytes read.', labels: transport },
  tcp_write_bytes_total: { type: 'counter', help: 'Bytes written.', labels: transport },
  tcp_refused_total: {
    type: 'counter',
    help: 'New connections closed unserved. Reasons: connections, files, burst, no-certificate, no-server.',
    labels: ['direction', 'reason'],
  },
  tls_handshakes_total: {
    type: 'counter',
    help: 'Handshakes that succeeded.',
    labels: ['direction'],
  },
  tls_handshake_failures_total: {
    type: 'counter',
    help: 'Handshakes that failed.',
    labels: ['direction', 'reason'],
  },

  // Identity and the controller.
  identity_cert_expiration_timestamp_seconds: {
    type: 'gauge',
    help: 'When the certificate in use expires.',
    labels: [],
  },
  identity_cert_not_before_timestamp_seconds: {
    type: 'gauge',
    help: 'When the certificate in use begins to be valid.',
    labels: [],
  },
  identity_cert_refreshes_total: {
    type: 'counter',
    help: 'Renewals of the certificate.',
    labels: ['result'],
  },
  control_identity_cert_expiration_timestamp_seconds: {
    type: 'gauge',
    help: 'identity_cert_expiration_timestamp_seconds under the name that newer Linkerds use.',
    labels: [],
  },
  control_identity_cert_refresh_timestamp_seconds: {
    type: 'gauge',
    help: 'When the certificate was last renewed.',
    labels: [],
  },
  control_identity_cert_refreshes_total: {
    type: 'counter',
    help: 'As identity_cert_refreshes_total.',
    labels: ['result'],
  },
  control_configured: {
    type: 'gauge',
    help: '1 if a controller is configured.',
    labels: [],
  },
  control_connected: { type: 'gauge', help: "1 while the controller's stream is up.", labels: [] },
  control_last_contact_timestamp_seconds: {
    type: 'gauge',
    help: 'When the last message from the controller came.',
    labels: [],
  },
  control_staleness_seconds: {
    type: 'gauge',
    help: 'How long the configuration may have been out of date; 0 while connected.',
    labels: [],
  },
  control_connects_total: {
    type: 'counter',
    help: 'Connections to the controller.',
    labels: ['result'],
  },
  control_updates_total: { type: 'counter', help: 'Updates received.', labels: [] },
  control_rejected_updates_total: {
    type: 'counter',
    help: 'Updates refused because the proxy could not serve them.',
    labels: [],
  },
  control_clock_skew_seconds: {
    type: 'gauge',
    help: "The controller's clock minus the proxy's, at the last certificate.",
    labels: [],
  },
  proxy_config_version: {
    type: 'gauge',
    help: 'Version of the state in use.',
    labels: [],
  },
  proxy_config_applied_timestamp_seconds: {
    type: 'gauge',
    help: 'When the state in use was applied.',
    labels: [],
  },
  proxy_config_updates_total: {
    type: 'counter',
    help: 'States applied and refused.',
    labels: ['result'],
  },

  // Telemetry on itself.
  telemetry_sent_total: {
    type: 'counter',
    help: 'Spans and log lines to be sent, including dropped ones: dropped / sent is the share lost.',
    labels: ['kind'],
  },
  telemetry_dropped_total: {
    type: 'counter',
    help: 'Spans and log lines dropped. Reasons: queue-full, export-failed.',
    labels: ['kind', 'reason'],
  },
  telemetry_queue_length: {
    type: 'gauge',
    help: 'Spans or log bytes that wait to be sent.',
    labels: ['kind'],
  },
  tap_sessions: { type: 'gauge', help: 'Open taps.', labels: [] },
  tap_skipped_total: {
    type: 'counter',
    help: "Requests in a tap's scope that were not shown because of its rate limit or a slow reader.",
    labels: [],
  },
  metrics_label_overflow_total: {
    type: 'counter',
    help: 'Label sets merged into "overflow" because there were too many.',
    labels: ['kind'],
  },

  // The process.
  process_cpu_user_seconds_total: { type: 'counter', help: 'User CPU time.', labels: [] },
  process_cpu_system_seconds_total: { type: 'counter', help: 'System CPU time.', labels: [] },
  process_cpu_seconds_total: { type: 'counter', help: 'User and system CPU time.', labels: [] },
  process_start_time_seconds: { type: 'gauge', help: 'When the process started.', labels: [] },
  process_resident_memory_bytes: { type: 'gauge', help: 'Resident memory.', labels: [] },
  process_private_memory_bytes: {
    type: 'gauge',
    help: 'Resident memory not shared with other processes, for which a container is charged.',
    labels: [],
  },
  process_open_fds: { type: 'gauge', help: 'Open file descriptors (Linux).', labels: [] },
  process_max_fds: {
    type: 'gauge',
    help: 'The limit of open file descriptors (Linux).',
    labels: [],
  },
  nodejs_heap_size_total_bytes: { type: 'gauge', help: 'Heap reserved.', labels: [] },
  nodejs_heap_size_used_bytes: { type: 'gauge', help: 'Heap in use.', labels: [] },
  nodejs_external_memory_bytes: { type: 'gauge', help: 'Memory outside the heap.', labels: [] },
  nodejs_eventloop_utilization: {
    type: 'gauge',
    help: 'Share of the time since the last scrape that the event loop was busy.',
    labels: [],
  },
  nodejs_version_info: { type: 'gauge', help: 'Version of Node.js.', labels: ['version'] },
  proxy_build_info: {
    type: 'gauge',
    help: 'Version of the proxy.',
    labels: ['version', 'workload', 'namespace'],
  },
} as const satisfies Record<string, MetricSpec>;

export type MetricName = keyof typeof metricSpecs;

export const metricNames = Object.keys(metricSpecs) as MetricName[];
