/** Makes a first SLO file from options, from questions, or from the metrics of a running Prometheus. */
import { stringify } from 'yaml';
import type { PrometheusClient } from '../budget/prometheus.js';
import { type KnownCounter, knownCounters } from './known-slis.js';
import { selectorOf } from './query.js';
import { ownApiVersion } from './own-schema.js';

export interface InitAnswers {
  service: string;
  owner: string;
  objective: number;
  /** Selectors of bad and total events; absent: the mesh's success rate of the service. */
  bad?: string;
  total?: string;
  /** A classic histogram of the same requests. */
  latency?: { histogram: string; threshold: string };
}

/** The text of the file, which `validate` accepts unchanged. */
export function initText(answers: InitAnswers): string {
  const { service, owner, objective, bad, total } = answers;
  const match = `dst=${JSON.stringify(service)}`;
  const availability =
    bad !== undefined && total !== undefined
      ? { events: { bad, total } }
      : { mesh: { sli: 'M1', match } };
  const slos: unknown[] = [
    {
      name: 'availability',
      description: `${service} answers its callers without failing.`,
      objective,
      sli: availability,
    },
  ];
  if (bad === undefined) {
    slos.push({
      name: 'latency',
      description: `${service} answers its callers within 300 ms.`,
      objective: 95,
      sli: { mesh: { sli: 'M2', match, threshold: '300ms' } },
    });
  }
  if (answers.latency) {
    const { histogram, threshold } = answers.latency;
    slos.push({
      name: 'latency',
      description: `${service} answers its callers within ${threshold}.`,
      objective: 95,
      sli: { latency: { histogram, threshold } },
    });
  }
  const file = {
    apiVersion: ownApiVersion,
    service: service.replaceAll(/[^A-Za-z0-9._-]/g, '-'),
    owner,
    window: '30d',
    runbook: `https://runbooks.example/${encodeURIComponent(service)}`,
    // One false page a year is allowed; with much traffic this changes nothing.
    alerting: { falsePagesPerYear: 1 },
    slos,
  };
  const head = '# Check: firedrill slo validate <file>; in words: firedrill slo explain <file>\n';
  return head + stringify(file, { lineWidth: 0 });
}

export interface Candidate {
  service: string;
  /** Absent for a service of the mesh. */
  bad?: string;
  total?: string;
  /** The program whose metrics these are. */
  of?: string;
  latency?: InitAnswers['latency'];
}

/** Labels that hold a status: the values by which it is known as one, and those of failures. */
const statuses: { label: string; values: string; bad: string }[] = [
  ...['code', 'status', 'status_code', 'http_status'].map((label) => ({
    label,
    values: '[1-5]..',
    bad: '5..',
  })),
  { label: 'classification', values: 'success|failure', bad: 'failure' },
  ...['result', 'outcome'].map((label) => ({
    label,
    values: 'success|ok|error|failure',
    bad: 'error|failure',
  })),
];

/** Further services are left out, because a list of thousands offers no choice. */
const servicesMax = 200;

async function servicesOf(known: KnownCounter, prometheus: PrometheusClient): Promise<Candidate[]> {
  const { metric, service, total, bad, latency, of } = known;
  const all = await prometheus.labelValues(service, selectorOf(metric));
  return all.slice(0, servicesMax).map((name) => {
    const own = `${service}=${JSON.stringify(name)}`;
    return {
      service: name,
      of,
      total: selectorOf(metric, own, total),
      bad: selectorOf(metric, own, total, bad),
      ...(latency
        ? { latency: { ...latency, histogram: selectorOf(latency.histogram, own, total) } }
        : {}),
    };
  });
}

/** Services of the mesh and of other known programs, and counters with a label that marks failures. */
export async function discover(prometheus: PrometheusClient, nowMs: number): Promise<Candidate[]> {
  const candidates: Candidate[] = [];
  const names = await prometheus.metricNames();
  if (names.includes('response_total')) {
    for (const dst of await prometheus.labelValues('dst', 'response_total')) {
      candidates.push({ service: dst });
    }
  }
  const known = knownCounters.filter((k) => names.includes(k.metric));
  for (const counter of known) candidates.push(...(await servicesOf(counter, prometheus)));
  const taken = new Set(known.map((k) => k.metric));
  const seen = new Set<string>();
  for (const { label, values, bad } of statuses) {
    const counters = `__name__=~".+(_total|_duration_seconds_count)",job!="",${label}=~"${values}"`;
    const found = await prometheus.query(`count by (__name__, job) ({${counters}})`, nowMs);
    for (const { labels } of found.slice(0, servicesMax)) {
      const { __name__: name = '', job = '' } = labels;
      const total = selectorOf(name, `job=${JSON.stringify(job)}`);
      if (taken.has(name) || seen.has(total)) continue;
      seen.add(total);
      const own = `${label}=~${JSON.stringify(bad)}`;
      const ofBad = selectorOf(name, `job=${JSON.stringify(job)}`, own);
      candidates.push({ service: job, total, bad: ofBad });
    }
  }
  return candidates;
}
