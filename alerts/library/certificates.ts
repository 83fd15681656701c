/** F3: expiring certificates of workloads, the issuer, trust anchors and the webhook; M3: TLS handshakes. */
import { meshMetrics as m } from '../../slo/spec/mesh-metrics.js';
import { type LibraryEntry, proxy, sumRate } from './entry.js';

/** Seconds until the time in `metric`; 0 means that there is no certificate, and gives no value. */
const left = (metric: string): string => `((${metric} > 0) - time())`;

export const certificateAlerts: LibraryEntry[] = [
  {
    name: 'MeshCertificateRenewalOverdue',
    expr: () =>
      `(${m.certificateExpiry} - time())\n/ (${m.certificateExpiry} - ${m.certificateBegin}) < 0.2\n` +
      `and ${m.certificateExpiry} > time()`,
    for: '1m',
    timing:
      'Proxies renew at about two thirds of the life, at 72% at the latest. With less than 20% ' +
      'left several attempts ' +
      'have failed, and nearly 5 h remain of 24; a share holds for any lifetime. One minute ' +
      'spares a page for the ' +
      'attempt that is just succeeding.',
    about: 'mesh',
    summary:
      `The certificate of the ${proxy} has ` +
      '{{ $value | humanizePercentage }} of its life left, and is not renewed',
    description:
      'Renewal is overdue. When the certificate has run out, every connection from and to this ' +
      'workload fails. See ' +
      'whether the controller answers, whether its issuer is valid, and whether the clocks agree.',
    dashboard: 'firedrill-debug',
  },
  {
    name: 'MeshCertificateExpired',
    expr: () => `time() - (${m.certificateExpiry} > 0) > 0`,
    for: '0s',
    keepFiringFor: '2m',
    timing:
      'An expired certificate fails every handshake from the first second: nothing to wait ' +
      'for. Kept for 2m while ' +
      'peers reconnect.',
    about: 'mesh',
    summary: `The certificate of the ${proxy} expired {{ $value | humanizeDuration }} ago`,
    description:
      'New connections from and to this workload fail; those that are open live on. Make ' +
      'renewal work again: the ' +
      'proxy takes up a new certificate without a restart.',
    dashboard: 'firedrill-debug',
  },
  {
    name: 'MeshExpiredHandshakes',
    expr: (t) => `${sumRate('', `${m.handshakeFailures}{reason="expired"}`, t.range('2m'))} > 0`,
    for: '30s',
    keepFiringFor: '2m',
    timing:
      'What users feel, so that it holds even where the gauge is wrong (a clock that is off). ' +
      '30s of failures are no ' +
      'single straggler; kept for 2m since attempts come in bursts.',
    about: 'mesh',
    summary: '{{ $value | printf "%.2f" }} handshakes a second fail on an expired certificate',
    description:
      'Somewhere a workload, an issuer or a trust anchor has run out: requests to or from it fail now.',
    dashboard: 'firedrill-oncall',
  },
  {
    name: 'MeshCertificateRenewalFailing',
    expr: (t) => `increase(${m.certificateRefreshes}{result="error"}[${t.range('15m')}]) > 2`,
    for: '0s',
    keepFiringFor: '15m',
    timing:
      'Attempts back off, so three failures within 15m are more than a restart of the ' +
      'controller. Kept for 15m, ' +
      'as long as attempts may lie apart.',
    about: 'mesh',
    summary: `The ${proxy} failed to renew its certificate {{ $value | printf "%.0f" }} times`,
    description:
      'The old certificate is still good. The controller refuses, cannot be reached, or its ' +
      'issuer cannot sign.',
    dashboard: 'firedrill-debug',
  },
  {
    name: 'MeshIssuerCertificateExpiring',
    expr: (t) => `min(${left(m.issuerExpiry)}) < ${t.seconds('1d')}`,
    for: '1m',
    timing:
      'A day is about the lifetime of what it signs: from here on, certificates of workloads ' +
      'are cut short. The time ' +
      'left falls steadily, so no longer wait is needed.',
    about: 'mesh',
    summary: "The issuer's certificate expires in {{ $value | humanizeDuration }}",
    description:
      'When it has run out, no workload gets a certificate any more, and the whole mesh stops ' +
      'within their lifetime. ' +
      'Rotate the issuer: firedrill identity.',
    dashboard: 'firedrill-executive',
  },
  {
    name: 'MeshIssuerCertificateExpiresSoon',
    expr: (t) => `min(${left(m.issuerExpiry)}) < ${t.seconds('7d')}`,
    for: '10m',
    timing: 'M9: a week is enough for a planned rotation. The ticket need not be quick.',
    about: 'mesh',
    summary: "The issuer's certificate expires in {{ $value | humanizeDuration }}",
    description: 'Plan its rotation this week (M9: more than seven days from expiry).',
    dashboard: 'firedrill-executive',
  },
  {
    name: 'MeshTrustAnchorExpiring',
    // The anchor that lives longest counts, because a rotation keeps the old anchor beside the new one on purpose.
    expr: (t) => `max(${left(m.anchorExpiry)}) < ${t.seconds('7d')}`,
    for: '1m',
    timing:
      'A roll-over takes days, since every workload has to take up the new anchor before the old one goes.',
    about: 'mesh',
    summary: 'The last trust anchor expires in {{ $value | humanizeDuration }}',
    description:
      'When it has run out, no proxy trusts any other. Begin the roll-over now: both anchors must be trusted ' +
      'everywhere before the issuer changes.',
    dashboard: 'firedrill-executive',
  },
  {
    name: 'MeshTrustAnchorExpiresSoon',
    expr: (t) => `${left(m.anchorExpiry)} < ${t.seconds('30d')}`,
    for: '10m',
    timing: 'A month is a comfortable time to plan a roll-over in.',
    about: 'mesh',
    summary: 'The trust anchor {{ $labels.anchor }} expires in {{ $value | humanizeDuration }}',
    description:
      'Plan its roll-over; or, where it has been replaced already, take it out of the bundle.',
    dashboard: 'firedrill-executive',
  },
  {
    name: 'MeshWebhookCertificateExpiring',
    expr: (t) => `min(${left(m.webhookExpiry)}) < ${t.seconds('1d')}`,
    for: '5m',
    timing:
      'It is renewed at two thirds of its life, long before; a day left means that renewal does not work.',
    about: 'mesh',
    summary: 'The certificate of the webhooks expires in {{ $value | humanizeDuration }}',
    description:
      'When it has run out, pods start without a proxy, or do not start at all, and no object ' +
      'of the mesh can be ' +
      'changed. Restart the injector: it renews its certificate when it starts.',
    dashboard: 'firedrill-executive',
  },
  {
    name: 'MeshHandshakesFailing',
    expr: (t) => {
      const failed = sumRate('direction', m.handshakeFailures, t.range('5m'));
      const succeeded = sumRate('direction', m.handshakes, t.range('5m'));
      return (
        `${failed}\n/ (${failed} + (${succeeded} or 0 * ${failed})) > 0.05\n` +
        `and ${failed} > 0.1`
      );
    },
    for: '2m',
    keepFiringFor: '5m',
    timing:
      'M3 wants about none. One in twenty over 5m, at more than six a minute, is no stray ' +
      'client; two minutes leave out ' +
      'a rollout of policies.',
    about: 'mesh',
    summary: '{{ $value | humanizePercentage }} of {{ $labels.direction }} mTLS handshakes fail',
    description:
      'By reason: sum by (reason) (rate(tls_handshake_failures_total[5m])). Expired: the ' +
      'issuer or renewal; unknown ' +
      'issuer: the trust anchors; no client certificate: a workload outside the mesh.',
    dashboard: 'firedrill-debug',
  },
];
