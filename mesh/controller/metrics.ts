/** The controller's metrics: plain numbers kept elsewhere, read at each scrape. */
import { Gauge, Histogram, Registry } from 'prom-client';
import type { Clock } from '../../base/clock.js';
import { packageVersion } from '../../base/paths.js';
import type { CertificateAuthority } from '../identity/authority.js';
import type { CertificateEvents } from '../identity/events.js';
import { isNewerVersion } from './versions.js';
import { notAfterMs } from '../identity/x509.js';
import { kinds } from './api/messages.js';
import type { Catalogue } from './catalogue.js';
import type { ControllerFaults } from './faults.js';
import type { Lease } from './lease.js';
import type { Propagation } from './propagation.js';
import type { Sessions } from './sessions.js';

export interface MetricSources {
  authority: CertificateAuthority;
  events: CertificateEvents;
  catalogue: Catalogue;
  sessions: Sessions;
  propagation: Propagation;
  faults: ControllerFaults;
  lease: Lease;
  clock: Clock;
}

const buckets = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

export function controllerMetrics(sources: MetricSources): Registry {
  const registry = new Registry();
  const seconds = new Histogram({
    name: 'firedrill_controller_propagation_seconds',
    help: 'Seconds from a change to the last acknowledgement of the proxies that it concerns.',
    buckets,
    registers: [registry],
  });
  const each = new Histogram({
    name: 'firedrill_controller_acknowledgement_seconds',
    help: 'Seconds from a change to the acknowledgement of each proxy that it concerns.',
    buckets,
    registers: [registry],
  });
  sources.propagation.onComplete = (s) => seconds.observe(s);
  sources.propagation.onAnswer = (s) => each.observe(s);
  for (const { name, help, read, labels } of [...processReadings(), ...readings(sources)]) {
    // Increasing values are declared counters; prom-client's own Counter cannot be set.
    const gauge = new Gauge({
      name,
      help,
      labelNames: labels ?? [],
      registers: [registry],
      collect() {
        this.reset();
        for (const [values, value] of read()) this.set(values, value);
      },
    });
    if (name.endsWith('_total')) asCounter(gauge);
  }
  return registry;
}

const ownVersion = packageVersion();
const isNewer = (version: string): boolean => isNewerVersion(version, ownVersion);

type Reading = [Record<string, string>, number];

interface Metric {
  name: string;
  help: string;
  labels?: string[];
  read(): Iterable<Reading>;
}

const one = (value: number): Reading[] => [[{}, value]];

/**
 * By the names of prom-client's default metrics, without those that look at each of thousands of connections: at each
 * scrape they took longer than a change to every proxy.
 */
function processReadings(): Metric[] {
  const memory = (
    name: string,
    help: string,
    field: 'rss' | 'heapTotal' | 'heapUsed' | 'external',
  ): Metric => ({ name, help, read: () => one(process.memoryUsage()[field]) });
  return [
    {
      name: 'process_cpu_seconds_total',
      help: 'User and system CPU time.',
      read: () => {
        const { user, system } = process.cpuUsage();
        return one((user + system) / 1e6);
      },
    },
    {
      name: 'process_start_time_seconds',
      help: 'When the process started, since the epoch.',
      read: () => one(performance.timeOrigin / 1000),
    },
    memory('process_resident_memory_bytes', 'Resident memory.', 'rss'),
    memory('nodejs_heap_size_total_bytes', 'Heap reserved.', 'heapTotal'),
    memory('nodejs_heap_size_used_bytes', 'Heap in use.', 'heapUsed'),
    memory('nodejs_external_memory_bytes', 'Memory outside the heap.', 'external'),
  ];
}

function readings(s: MetricSources): Metric[] {
  const issuer = () => s.authority.issuing.chain[0];
  return [
    {
      name: 'firedrill_identity_issuer_cert_ttl_seconds',
      help: "Seconds until the issuer's certificate expires.",
      read: () => one(issuer() ? (notAfterMs(issuer()!) - s.clock.nowMs()) / 1000 : 0),
    },
    {
      name: 'firedrill_identity_issuer_cert_expiration_timestamp_seconds',
      help: "When the issuer's certificate expires, seconds since the epoch.",
      read: () => one(issuer() ? notAfterMs(issuer()!) / 1000 : 0),
    },
    {
      name: 'firedrill_identity_trust_anchor_expiration_timestamp_seconds',
      help: 'When each trust anchor expires, seconds since the epoch.',
      labels: ['anchor'],
      read: () =>
        s.authority.issuing.anchors.map((a): Reading => [
          { anchor: a.fingerprint256.replaceAll(':', '').slice(0, 16).toLowerCase() },
          notAfterMs(a) / 1000,
        ]),
    },
    {
      name: 'firedrill_identity_certificates_issued_total',
      help: 'Workload certificates issued, by purpose: to join, or a renewal.',
      labels: ['reason'],
      read: () => Object.entries(s.authority.issued).map(([reason, n]): Reading => [{ reason }, n]),
    },
    {
      name: 'firedrill_identity_certificates_refused_total',
      help: 'Certificate requests refused, including renewals, by reason.',
      labels: ['reason'],
      read: () => [...s.authority.refused].map(([reason, n]): Reading => [{ reason }, n]),
    },
    {
      name: 'firedrill_identity_events_lost_total',
      help: 'Certificate events that could not be written to the event log.',
      read: () => one(s.events.lost),
    },
    {
      name: 'firedrill_controller_connected_proxies',
      help: 'Proxies with a stream.',
      read: () => one(s.sessions.size),
    },
    {
      name: 'firedrill_controller_owed_proxies',
      help: 'Connected proxies that have not acknowledged all their updates.',
      read: () =>
        one([...s.sessions.all()].filter((p) => p.owed > 0 || p.unacknowledgedSinceMs).length),
    },
    {
      name: 'firedrill_controller_newer_proxies',
      help: 'Connected proxies of a newer version than this controller.',
      read: () => one([...s.sessions.all()].filter((p) => isNewer(p.hello.proxyVersion)).length),
    },
    {
      name: 'firedrill_controller_config_version',
      help: 'The latest version; close to milliseconds since the epoch of the last change.',
      read: () => one(s.catalogue.version),
    },
    {
      name: 'firedrill_controller_propagation_oldest_seconds',
      help: 'Age of the oldest change that some proxy has not answered yet; 0: none.',
      read: () => one(s.propagation.oldestSeconds()),
    },
    {
      name: 'firedrill_controller_acks_total',
      help: 'Updates that proxies applied.',
      read: () => one(s.sessions.acks),
    },
    {
      name: 'firedrill_controller_nacks_total',
      help: 'Updates that proxies refused.',
      read: () => one(s.sessions.nacks),
    },
    {
      name: 'firedrill_controller_resources',
      help: 'Objects known, by kind.',
      labels: ['kind'],
      read: () =>
        Object.entries(kinds).map(([kind, number]): Reading => {
          let count = 0;
          for (const entry of s.catalogue.entries()) if (entry.kind === number) count++;
          return [{ kind }, count];
        }),
    },
    {
      name: 'firedrill_controller_proxy_clock_skew_seconds',
      help: "Largest difference (by size) of a connected proxy's clock to the controller's at its hello.",
      read: () => {
        let worst = 0;
        for (const p of s.sessions.all()) {
          const skew = (p.hello.timeMs - p.connectedAtMs) / 1000;
          if (Math.abs(skew) > Math.abs(worst)) worst = skew;
        }
        return one(worst);
      },
    },
    {
      name: 'firedrill_registry_errors_total',
      help: 'Failures of a discovery source (its last good state stays in force).',
      labels: ['source'],
      read: () => [...s.catalogue.problemsTotal].map(([source, n]): Reading => [{ source }, n]),
    },
    {
      name: 'firedrill_registry_problems',
      help: 'Current problems of a discovery source.',
      labels: ['source'],
      read: () =>
        [...s.catalogue.problems].map(([source, list]): Reading => [{ source }, list.length]),
    },
    {
      name: 'firedrill_controller_leader',
      help: '1 on the replica that leads.',
      read: () => one(s.lease.leading() ? 1 : 0),
    },
    {
      name: 'firedrill_controller_fault_effects_total',
      help: 'Effects of injected faults.',
      labels: ['kind'],
      read: () => [...s.faults.effects].map(([kind, n]): Reading => [{ kind }, n]),
    },
  ];
}

function asCounter(gauge: Gauge): void {
  const read = gauge.get.bind(gauge);
  gauge.get = async () => ({ ...(await read()), type: 'counter' as never });
}
