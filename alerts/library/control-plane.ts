/** F1: the control plane is down or proxies cannot reach it; M8: its changes arrive late. */
import { meshMetrics as m } from '../../slo/spec/mesh-metrics.js';
import { type LibraryEntry, proxy, sumRate } from './entry.js';

export const controlPlaneAlerts: LibraryEntry[] = [
  {
    name: 'MeshControlPlaneDown',
    // If proxies are still connected, the controller is only not scraped: a ticket, not a page.
    expr: () => `absent(${m.connectedProxies})\nunless on ()\n(sum(${m.controlConnected}) > 0)`,
    for: '1m',
    keepFiringFor: '5m',
    timing:
      'A restart of the only replica takes some seconds; a minute of absence is no restart. ' +
      'Kept for 5m so that a ' +
      'controller that comes and goes is one page.',
    about: 'mesh',
    summary: 'No controller of the mesh answers',
    description:
      'No scrape finds a controller, and no proxy is connected to one. Proxies serve on by ' +
      'what they last knew; new ' +
      'pods get no identity, changes do not arrive, and certificates run out within their lifetime.',
    dashboard: 'firedrill-oncall',
  },
  {
    name: 'MeshControlPlaneReplicaDown',
    expr: (t) => `up{${t.controller}} == 0`,
    for: '5m',
    timing: 'Five minutes are longer than a rolling update takes for one replica.',
    about: 'mesh',
    summary: 'The controller at {{ $labels.instance }} does not answer scrapes',
    description:
      'One replica is down or cannot be reached by Prometheus. Proxies fail over to the ' +
      'others, if there are any.',
    dashboard: 'firedrill-oncall',
  },
  {
    name: 'MeshControlPlaneNoLeader',
    expr: () => `sum(${m.leader}) == 0`,
    for: '5m',
    timing: 'A lease changes hands within 15 s; five minutes without one is no hand-over.',
    about: 'mesh',
    summary: 'No replica of the controller leads',
    description:
      'Statuses, events and webhook certificates are written by the leader alone, so they are ' +
      'not written now. Traffic ' +
      'and identities are not concerned.',
    dashboard: 'firedrill-oncall',
  },
  {
    name: 'MeshProxiesDisconnected',
    expr: () => `1 - sum(${m.controlConnected}) / sum(${m.controlConfigured}) > 0.25`,
    for: '2m',
    keepFiringFor: '5m',
    timing:
      'Reconnecting backs off to 10 s at most, so two minutes are a dozen attempts that ' +
      'failed. Kept for 5m over ' +
      'reconnects that do not last.',
    about: 'mesh',
    summary: '{{ $value | humanizePercentage }} of the proxies have lost the controller',
    description:
      'They serve by their last known good state: new endpoints, policies and certificates do not reach them.',
    dashboard: 'firedrill-oncall',
  },
  {
    name: 'MeshProxyDisconnected',
    expr: (t) =>
      `(time() - ${m.controlLastContact} > ${t.seconds('10m')})\n` +
      `and (${m.controlConnected} == 0)\nand (${m.controlConfigured} == 1)`,
    for: '5m',
    timing:
      'Ten minutes without a word are beyond every reconnect; five more spare a ticket for a ' +
      'pod that is going away.',
    about: 'mesh',
    summary: `The ${proxy} has not heard the controller for {{ $value | humanizeDuration }}`,
    description:
      'It serves by a state of that age. Its certificate is not renewed meanwhile. Others are ' +
      'connected, so look at ' +
      'its network first.',
    dashboard: 'firedrill-debug',
  },
  {
    name: 'MeshConfigPropagationSlow',
    expr: (t) =>
      `histogram_quantile(0.99, ${sumRate('le', `${m.propagationSeconds}_bucket`, t.range('10m'))}) > 2.5\n` +
      `or\nmax(${m.propagationOldest}) > 30`,
    for: '10m',
    timing:
      'M8 promises low seconds. Ten minutes leave out a burst of changes, such as a large rollout.',
    about: 'mesh',
    summary: 'Changes take {{ $value | humanizeDuration }} to reach the proxies',
    description:
      'Either one change in a hundred takes longer than 2.5 s until the last proxy has it, or ' +
      'one has been waiting ' +
      'for more than 30 s. Until then, proxies route by old endpoints and policies.',
    dashboard: 'firedrill-oncall',
  },
];
