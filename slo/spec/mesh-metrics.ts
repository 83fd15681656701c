/** The mesh's metrics (mesh/proxy/METRICS.md) as SLOs and dashboards name them, in one place. */
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
} as const;

/** Boundaries of `response_latency_ms`, in milliseconds. */
export const meshLatencyBounds: readonly number[] = [
  1, 2, 3, 4, 5, 10, 20, 30, 40, 50, 100, 200, 300, 400, 500, 1000, 2000, 3000, 4000, 5000, 10_000,
  20_000, 30_000, 40_000, 50_000,
];
