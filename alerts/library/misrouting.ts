/** F6: requests that reach the wrong place or none; wrong discovery and policy. */
import { meshMetrics as m } from '../../slo/spec/mesh-metrics.js';
import { type LibraryEntry, proxy, sumRate } from './entry.js';

export const misroutingAlerts: LibraryEntry[] = [
  {
    name: 'MeshMisrouting',
    expr: (t) => {
      const missed = sumRate('dst', `${m.routeMismatches}{direction="outbound"}`, t.range('5m'));
      const requests = sumRate('dst', `${m.requests}{direction="outbound"}`, t.range('5m'));
      return `${missed}\n/ ${requests} > 0.1\nand ${missed} > 0.1`;
    },
    for: '2m',
    keepFiringFor: '5m',
    timing:
      'One request in ten over 5m is no crawler; two minutes leave out the moment between a ' +
      'new profile and the new ' +
      'version that it is for.',
    about: 'dst',
    summary:
      '{{ $value | humanizePercentage }} of the requests to {{ $labels.dst }} match none of its routes',
    description:
      'They take the default route: without their retries and timeouts, and to the wrong ' +
      'version where routes split ' +
      'traffic. A profile was changed, or is out of date with the service.',
    dashboard: 'firedrill-oncall',
  },
  {
    name: 'MeshUnknownDestinations',
    expr: (t) => {
      const nowhere = `${m.outboundErrors}{error=~"unknown|loop"}`;
      return `${sumRate('instance', nowhere, t.range('10m'))} > 0.1`;
    },
    for: '10m',
    timing: 'Ten minutes of it are no typing mistake at a console, and no rollout.',
    about: 'mesh',
    summary:
      `The ${proxy} refuses {{ $value | printf "%.2f" }} requests a second ` +
      'for want of a destination',
    description:
      'Somebody calls a name that the mesh does not know, or the proxy itself: a spelling, a service that was ' +
      'deleted, a namespace left out.',
    dashboard: 'firedrill-debug',
  },
  {
    name: 'MeshDiscoveryFailing',
    expr: () => `${m.registryProblems} > 0`,
    for: '5m',
    timing: 'A half-written registry file is whole again in seconds; five minutes are a mistake.',
    about: 'mesh',
    summary: 'The controller cannot use its source of discovery {{ $labels.source }}',
    description:
      'Its last good state stays in force: endpoints go stale. What is wrong, with file and ' +
      'line: GET /state of the ' +
      'controller.',
    dashboard: 'firedrill-oncall',
  },
  {
    name: 'MeshUpdatesRejected',
    expr: (t) => `increase(${m.rejectedUpdates}[${t.range('10m')}]) > 0`,
    for: '0s',
    keepFiringFor: '30m',
    timing:
      'A refused update is not sent again until something changes, so it is said at once and ' +
      'kept for half an hour.',
    about: 'mesh',
    summary: `The ${proxy} refuses what the controller tells it`,
    description:
      'It serves by the last state that it could take, while others serve by the new one. Its ' +
      'log says what it could ' +
      'not take; versions that differ are the usual cause.',
    dashboard: 'firedrill-debug',
  },
  {
    name: 'MeshPolicyLockout',
    expr: (t) => {
      const denied = sumRate('instance', m.denials, t.range('5m'));
      const requests = sumRate('instance', `${m.requests}{direction="inbound"}`, t.range('5m'));
      return `${denied}\n/ (${denied} + (${requests} or 0 * ${denied})) > 0.25\nand ${denied} > 0.1`;
    },
    for: '2m',
    keepFiringFor: '5m',
    timing:
      'A quarter of all requests over 5m is no scanner; two minutes are time to roll back a ' +
      'policy that was just applied.',
    about: 'mesh',
    summary: `The ${proxy} turns away {{ $value | humanizePercentage }} of its requests`,
    description:
      'A policy locks out callers that should be let in, or one moved to another identity. The ' +
      'audit log names them.',
    dashboard: 'firedrill-oncall',
  },
];
