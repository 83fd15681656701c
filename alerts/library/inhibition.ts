/** Which cause inhibits which consequences while it fires, so that one incident pages once. */
import { alertNames, type LibraryAlert } from './names.js';

/** Matchers as Alertmanager writes them, such as `alertname="X"` or `slo=~".+"`. */
export interface Inhibition {
  /** An alert inhibits if all of these match. */
  source: readonly string[];
  target: readonly string[];
  /** Labels that must be equal on both alerts; two absent labels are equal. */
  equal: readonly string[];
  why: string;
}

const named = (...names: LibraryAlert[]): string =>
  names.length === 1 ? `alertname="${names[0]}"` : `alertname=~"${names.join('|')}"`;

/** Matches every alert of an SLO, whose label `service` is the SLO's service. */
const ofSlo = 'slo=~".+"';

export const inhibitions: readonly Inhibition[] = [
  {
    source: [named('MeshControlPlaneDown')],
    target: [
      named(
        'MeshProxiesDisconnected',
        'MeshProxyDisconnected',
        'MeshControlPlaneReplicaDown',
        'MeshControlPlaneNoLeader',
        'MeshConfigPropagationSlow',
        'MeshCertificateRenewalFailing',
        'MeshDiscoveryFailing',
      ),
    ],
    equal: [],
    why: 'without a controller, nobody is connected, nothing is renewed and nothing propagates',
  },
  {
    source: [named('MeshProxiesDisconnected')],
    target: [named('MeshProxyDisconnected', 'MeshCertificateRenewalFailing')],
    equal: [],
    why: 'the many are the news, not each of them',
  },
  {
    source: [named('MeshIssuerCertificateExpiring', 'MeshTrustAnchorExpiring')],
    target: [
      named(
        'MeshIssuerCertificateExpiresSoon',
        'MeshTrustAnchorExpiresSoon',
        'MeshCertificateRenewalOverdue',
        'MeshCertificateRenewalFailing',
      ),
    ],
    equal: [],
    why: 'an issuer that runs out cuts all that it signs short',
  },
  {
    source: [named('MeshCertificateExpired')],
    target: [named('MeshCertificateRenewalOverdue', 'MeshCertificateRenewalFailing')],
    equal: ['instance'],
    why: 'what was overdue has run out',
  },
  {
    source: [named('MeshCertificateExpired')],
    target: [named('MeshExpiredHandshakes', 'MeshHandshakesFailing')],
    equal: [],
    why: 'handshakes fail since a certificate has run out; the page says which',
  },
  {
    source: [named('MeshExpiredHandshakes')],
    target: [named('MeshHandshakesFailing')],
    equal: [],
    why: 'it says the reason',
  },
  {
    source: [named('MeshNetworkThrottled')],
    target: [named('MeshConnectionsFailing', 'MeshLatencyHigh', 'MeshSuccessRateLow')],
    equal: ['service'],
    why: 'a slow network is felt as latency and failures of what lies behind it',
  },
  {
    source: [named('MeshNetworkThrottled')],
    target: [ofSlo],
    equal: ['service'],
    why: 'the budget burns since the network is slow: one page, with the cause',
  },
  {
    source: [named('MeshRetryStorm')],
    target: [named('MeshRetryRateHigh', 'MeshLatencyHigh', 'MeshEndpointsEjected')],
    equal: ['service'],
    why: 'the storm is the cause of the load behind them',
  },
  {
    source: [named('MeshMisrouting')],
    target: [named('MeshSuccessRateLow', 'MeshTrafficDropped')],
    equal: ['service'],
    why: 'requests fail where they should not have gone',
  },
  {
    source: [named('MeshProxyOutOfMemory'), 'instance=~".+"'],
    target: [named('MeshProxyMemoryRunningOut', 'MeshProxyMemoryHigh', 'MeshProxyRestarting')],
    equal: ['instance'],
    why: 'what was running out has run out',
  },
  {
    source: [named('MeshProxyOutOfMemory'), 'pod=~".+"'],
    target: [
      named(
        'MeshProxyMemoryRunningOut',
        'MeshProxyMemoryHigh',
        'MeshProxyRestarting',
        'MeshProxyDown',
      ),
    ],
    equal: ['namespace', 'pod'],
    why: 'what was running out has run out',
  },
  {
    source: [named('MeshTelemetryLoss')],
    target: [named('MeshTelemetryDropping')],
    equal: [],
    why: 'more of the same',
  },
  {
    source: [named('MeshMetricsAbsent')],
    target: [named('MeshProxyMetricsMissing', 'MeshProxyDown')],
    equal: [],
    why: 'all of them are gone',
  },
  {
    source: [named('MeshProxyMetricsMissing')],
    target: [named('MeshProxyDown')],
    equal: [],
    why: 'the many are the news, not each of them',
  },
  {
    source: [named('MeshMetricsAbsent', 'MeshProxyMetricsMissing')],
    target: [ofSlo, 'alertname=~".+NoData"'],
    equal: [],
    why: 'SLOs have no data since no proxy is scraped',
  },
  {
    source: [ofSlo, 'severity="page"'],
    target: [ofSlo, 'severity="ticket"'],
    equal: ['slo'],
    why: 'a page of an SLO says all that its ticket says',
  },
  {
    source: [ofSlo, 'severity="page"'],
    target: [named('MeshSuccessRateLow', 'MeshLatencyHigh')],
    equal: ['service'],
    why: "the service's own SLO knows better what it promises",
  },
];

/** The alerts of the library that inhibit `name`, for tests and `alerts list`. */
export function hiddenBy(name: LibraryAlert): LibraryAlert[] {
  const all = Object.keys(alertNames) as LibraryAlert[];
  const names = (matchers: readonly string[], of: string): boolean =>
    matchers.some((m) => m.startsWith('alertname') && new RegExp(`["|]${of}["|]`).test(m));
  return all.filter((cause) =>
    inhibitions.some((i) => names(i.target, name) && names(i.source, cause)),
  );
}
