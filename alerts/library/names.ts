/** Every alert of the library: its name, its severity, and the failure mode or metric that it covers. */

/** `page` wakes somebody now; `ticket` is for the next working day. */
export type Severity = 'page' | 'ticket';

export interface AlertName {
  severity: Severity;
  /** Failure modes (F), metrics (M) or further faults (X2, S7) of the requirements. */
  covers: readonly string[];
}

const page = (...covers: string[]): AlertName => ({ severity: 'page', covers });
const ticket = (...covers: string[]): AlertName => ({ severity: 'ticket', covers });

/** Runbook pages and tests are named after alerts: renaming an alert breaks links that people have saved. */
export const alertNames = {
  MeshControlPlaneDown: page('F1'),
  MeshControlPlaneReplicaDown: ticket('F1'),
  MeshControlPlaneNoLeader: ticket('F1'),
  MeshProxiesDisconnected: page('F1'),
  MeshProxyDisconnected: ticket('F1'),

  MeshProxyOutOfMemory: page('F2'),
  MeshProxyMemoryRunningOut: page('F2', 'M7'),
  MeshProxyMemoryHigh: ticket('F2', 'M7'),
  MeshProxyRestarting: ticket('F2'),
  MeshProxyDown: ticket('F2', 'X2'),

  MeshCertificateRenewalOverdue: page('F3', 'M9'),
  MeshCertificateExpired: page('F3', 'M3'),
  MeshExpiredHandshakes: page('F3', 'M3'),
  MeshCertificateRenewalFailing: ticket('F3'),
  MeshIssuerCertificateExpiring: page('F3', 'M9'),
  MeshIssuerCertificateExpiresSoon: ticket('F3', 'M9'),
  MeshTrustAnchorExpiring: page('F3', 'M9'),
  MeshTrustAnchorExpiresSoon: ticket('F3', 'M9'),
  MeshWebhookCertificateExpiring: page('F3'),

  MeshRetryStorm: page('F4', 'M4'),
  MeshRetryRateHigh: ticket('F4', 'M4'),

  MeshTelemetryLoss: page('F5', 'M10'),
  MeshTelemetryDropping: ticket('F5', 'M10'),
  MeshProxyMetricsMissing: page('F5'),
  MeshMetricsAbsent: page('F5'),

  MeshMisrouting: page('F6'),
  MeshUnknownDestinations: ticket('F6'),
  MeshDiscoveryFailing: ticket('F6', 'X2'),
  MeshUpdatesRejected: ticket('F6'),

  MeshNetworkThrottled: page('F7', 'M2'),
  MeshConnectionsFailing: page('F7'),

  MeshSuccessRateLow: page('M1'),
  MeshLatencyHigh: ticket('M2'),
  MeshHandshakesFailing: page('M3'),
  MeshTrafficDropped: ticket('M5'),
  MeshProxyCpuHigh: ticket('M6'),
  MeshConfigPropagationSlow: ticket('M8'),

  MeshClockSkew: ticket('X2'),
  MeshEndpointsEjected: ticket('X2'),
  MeshCardinalityFlood: ticket('X2'),
  MeshPolicyLockout: page('X2'),
  MeshVersionDrift: ticket('X2'),
  MeshProxyNewerThanController: ticket('X2'),
  MeshUnencryptedTraffic: ticket('S7'),
} as const satisfies Record<string, AlertName>;

export type LibraryAlert = keyof typeof alertNames;

export const defaultRunbookBase = 'https://firedrill.dev/runbooks';
export const defaultDashboardBase = 'https://grafana.example/d';
