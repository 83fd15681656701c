/** The mesh's metrics as SLOs and dashboards name them, in one place; a test holds it to what the proxies expose. */
export const meshMetrics = {
  requests: 'request_total',
  responses: 'response_total',
  latencyMs: 'response_latency_ms',
  retries: 'retry_total',
  handshakes: 'tls_handshakes_total',
  handshakeFailures: 'tls_handshake_failures_total',
  certificateExpiry: 'identity_cert_expiration_timestamp_seconds',
  ejections: 'endpoint_ejections_total',
  telemetryDrops: 'telemetry_dropped_total',
  telemetrySent: 'telemetry_sent_total',
  cpuSeconds: 'process_cpu_seconds_total',
  memoryBytes: 'process_resident_memory_bytes',
  connectedProxies: 'firedrill_controller_connected_proxies',
  propagationSeconds: 'firedrill_controller_propagation_seconds',
  issuerExpiry: 'firedrill_identity_issuer_cert_expiration_timestamp_seconds',
} as const;
