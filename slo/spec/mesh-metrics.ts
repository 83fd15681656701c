/** The names of the mesh's metrics (mesh/proxy/METRICS.md) for SLOs and dashboards. */
export const meshMetrics = {
  requests: 'request_total',
  responses: 'response_total',
  latencyMs: 'response_latency_ms',
  retries: 'outbound_http_route_retry_requests_total',
  connections: 'tcp_open_total',
  handshakes: 'tls_handshakes_total',
  handshakeFailures: 'tls_handshake_failures_total',
  certificateExpiry: 'identity_cert_expiration_timestamp_seconds',
  ejections: 'outbound_endpoint_ejections_total',
  telemetryDrops: 'telemetry_dropped_total',
  telemetrySent: 'telemetry_sent_total',
  cpuSeconds: 'process_cpu_seconds_total',
  memoryBytes: 'process_resident_memory_bytes',
  connectedProxies: 'firedrill_controller_connected_proxies',
  propagationSeconds: 'firedrill_controller_propagation_seconds',
  issuerExpiry: 'firedrill_identity_issuer_cert_expiration_timestamp_seconds',
  anchorExpiry: 'firedrill_identity_trust_anchor_expiration_timestamp_seconds',
  webhookExpiry: 'firedrill_webhook_cert_expiration_timestamp_seconds',
  propagationOldest: 'firedrill_controller_propagation_oldest_seconds',
  leader: 'firedrill_controller_leader',
  proxiesAhead: 'firedrill_controller_newer_proxies',
  clockSkew: 'firedrill_controller_proxy_clock_skew_seconds',
  registryProblems: 'firedrill_registry_problems',
  /** A proxy's connection: 1 if a controller is configured, 1 while connected, and the time of the last message. */
  controlConfigured: 'control_configured',
  controlConnected: 'control_connected',
  controlLastContact: 'control_last_contact_timestamp_seconds',
  rejectedUpdates: 'control_rejected_updates_total',
  certificateBegin: 'identity_cert_not_before_timestamp_seconds',
  /** By `result`: `ok` or `error`. */
  certificateRefreshes: 'identity_cert_refreshes_total',
  /** By `direction` and `dst`: requests that matched no declared route. */
  routeMismatches: 'route_mismatch_total',
  /** By `dst` and `error`: requests for which the proxy itself made the error. */
  outboundErrors: 'outbound_http_errors_total',
  /** By `kind`: label sets merged into one because there were too many. */
  labelOverflow: 'metrics_label_overflow_total',
  /** Inbound requests and connections that policy denied. */
  denials: 'inbound_http_authz_deny_total',
  startTime: 'process_start_time_seconds',
  /** With the label `version`; always 1. */
  buildInfo: 'proxy_build_info',
} as const;

const meshSeries = new RegExp(
  `\\b(${[meshMetrics.responses, meshMetrics.requests, `${meshMetrics.latencyMs}(_bucket|_count)?`].join('|')})\\b`,
);
/** Labels of Linkerd, which has metrics of the same names. */
const ofLinkerd = /\b(deployment|statefulset|daemonset|authority|control_plane_ns)\s*[=!]/;

/** Whether a text counts what a proxy of the mesh does, and not what another program calls alike. */
export const isOfMesh = (text: string): boolean =>
  meshSeries.test(text) && /\bdirection\s*=/.test(text) && !ofLinkerd.test(text);

export { meshJobs } from '../../mesh/jobs.js';

/** Bucket bounds of `response_latency_ms`, in milliseconds. */
export const meshLatencyBounds: readonly number[] = [
  1, 2, 3, 4, 5, 7, 10, 15, 20, 30, 40, 50, 70, 100, 150, 200, 300, 400, 500, 700, 1000, 1500, 2000,
  3000, 4000, 5000, 7000, 10_000, 15_000, 20_000, 30_000, 40_000, 50_000,
];

/** Bucket bounds of the mesh's histograms that SLIs read, each in its own unit. */
export const meshBounds: ReadonlyMap<string, readonly number[]> = new Map([
  [meshMetrics.latencyMs, meshLatencyBounds],
  [
    meshMetrics.propagationSeconds,
    [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60],
  ],
]);
