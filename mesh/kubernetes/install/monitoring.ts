/**
 * Lets a Prometheus scrape and evaluate the mesh: a scrape configuration for a plain one, PodMonitors and rules for its
 * Operator, dashboards for Grafana's sidecar. The labels are those that the rules and dashboards use.
 */
import { dirname, join } from 'node:path';
import { stringify } from 'yaml';
import { makeFolder } from '../../../base/make-folder.js';
import { writeFileWhole } from '../../../base/write-file.js';
import { meshJobs } from '../../jobs.js';
import { proxyContainer } from '../annotations.js';
import type { AnyObject } from '../client/objects.js';
import { apiVersionOf, resources } from '../client/objects.js';
import type { Manifest } from './manifests.js';
import type { Values } from './values.js';

/** Made by the folders of rules and dashboards, and passed in: the mesh imports neither. */
export interface MonitoringParts {
  /** A rule file of Prometheus. */
  rules: string;
  /** The same as `spec` of a PrometheusRule. */
  ruleSpec: Record<string, unknown>;
  /** Grafana's JSON by uid. */
  dashboards: ReadonlyMap<string, string>;
}

/** One relabelling step, in Prometheus' terms. */
interface Step {
  source?: string[];
  regex?: string;
  target?: string;
  replacement?: string;
  action?: 'keep' | 'drop';
}

interface Job {
  name: string;
  /** Absent: of all namespaces. */
  namespace?: string;
  matchLabels: Record<string, string>;
  container: string;
  port: string;
  scheme: 'http' | 'https';
}

const meta = (name: string): string => `__meta_kubernetes_pod_${name}`;

const jobsOf = (namespace: string): Job[] => [
  {
    name: meshJobs.proxy,
    matchLabels: {},
    container: proxyContainer,
    port: 'fd-admin',
    scheme: 'http',
  },
  {
    name: meshJobs.controller,
    namespace,
    matchLabels: {},
    container: 'main',
    port: 'admin',
    scheme: 'http',
  },
  {
    name: meshJobs.injector,
    namespace,
    matchLabels: { app: 'firedrill-injector' },
    container: 'main',
    port: 'webhook',
    scheme: 'https',
  },
];

/** `cart` for the pods of Deployment cart: names of ReplicaSets and Jobs without their generated suffixes. */
const workloadSteps: readonly Step[] = [
  { source: [meta('name')], target: 'workload' },
  { source: [meta('controller_name')], regex: '(.+)', target: 'workload' },
  {
    source: [meta('controller_kind'), meta('controller_name')],
    regex: 'ReplicaSet;(.+)-[a-z0-9]+',
    target: 'workload',
  },
  {
    source: [meta('controller_kind'), meta('controller_name')],
    regex: 'Job;(.+)-[0-9]{8,10}',
    target: 'workload',
  },
];

const stepsOf = (job: Job): Step[] => [
  {
    source: [meta('container_name'), meta('container_port_name')],
    regex: `${job.container};${job.port}`,
    action: 'keep',
  },
  ...Object.entries(job.matchLabels).map(([label, value]): Step => ({
    source: [meta(`label_${label}`)],
    regex: value,
    action: 'keep',
  })),
  // Ended pods have no port any more.
  { source: [meta('phase')], regex: 'Succeeded|Failed', action: 'drop' },
  { source: ['__meta_kubernetes_namespace'], target: 'namespace' },
  { source: [meta('name')], target: 'pod' },
  { source: [meta('container_name')], target: 'container' },
  ...workloadSteps,
];

const plain = ({ source, target, ...step }: Step): Record<string, unknown> => ({
  ...(source ? { source_labels: [...source] } : {}),
  ...(target ? { target_label: target } : {}),
  ...step,
});

const operators = ({ source, target, ...step }: Step): Record<string, unknown> => ({
  ...(source ? { sourceLabels: [...source] } : {}),
  ...(target ? { targetLabel: target } : {}),
  ...step,
});

/** `scrape_configs` for prometheus.yml, or a file of `scrape_config_files` (Prometheus 2.43). */
function scrapeConfigs(namespace: string, interval: string): Record<string, unknown>[] {
  return jobsOf(namespace).map((job) => ({
    job_name: job.name,
    scrape_interval: interval,
    scheme: job.scheme,
    // The webhook's certificate has its own CA, which is renewed every week.
    ...(job.scheme === 'https' ? { tls_config: { insecure_skip_verify: true } } : {}),
    kubernetes_sd_configs: [
      { role: 'pod', ...(job.namespace ? { namespaces: { names: [job.namespace] } } : {}) },
    ],
    relabel_configs: stepsOf(job).map(plain),
  }));
}

const scrapeHeader =
  '# Where Prometheus finds the mesh: a file for scrape_config_files, or entries for scrape_configs.\n' +
  '# Its account must be allowed to list and watch pods; its namespace needs the label\n' +
  '# mesh.firedrill.dev/scrape: "true", or the NetworkPolicy keeps it from the controller.\n';

const scrapeText = (namespace: string, interval: string): string =>
  scrapeHeader +
  stringify({ scrape_configs: scrapeConfigs(namespace, interval) }, { lineWidth: 0 });

function podMonitor(job: Job, values: Values): AnyObject {
  const { namespace, monitoring } = values;
  return {
    apiVersion: apiVersionOf(resources.PodMonitor),
    kind: 'PodMonitor',
    metadata: { name: job.name, namespace, labels: { release: monitoring.release } },
    spec: {
      selector: { matchLabels: job.matchLabels },
      namespaceSelector: job.namespace ? { matchNames: [job.namespace] } : { any: true },
      podMetricsEndpoints: [
        {
          port: job.port,
          path: '/metrics',
          scheme: job.scheme,
          interval: monitoring.interval,
          ...(job.scheme === 'https' ? { tlsConfig: { insecureSkipVerify: true } } : {}),
          relabelings: [
            ...stepsOf(job).map(operators),
            // Replaces NAMESPACE/NAME of this object.
            { targetLabel: 'job', replacement: job.name },
          ],
        },
      ],
    },
  };
}

/** The values `monitoring` select the objects. */
export function monitoringObjects(values: Values, parts: MonitoringParts): Manifest[] {
  const { namespace, monitoring } = values;
  const configMap = (name: string, data: Record<string, string>, labels = {}): Manifest => ({
    when: 'monitoring.enabled',
    object: { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace, labels }, data },
  });
  const rule: AnyObject = {
    apiVersion: apiVersionOf(resources.PrometheusRule),
    kind: 'PrometheusRule',
    metadata: { name: 'firedrill-mesh', namespace, labels: { release: monitoring.release } },
    spec: parts.ruleSpec,
  };
  return [
    configMap('firedrill-prometheus', {
      'scrape.yaml': scrapeText(namespace, monitoring.interval),
      'mesh-alerts.yaml': parts.rules,
    }),
    ...[...parts.dashboards].map(([uid, json]) =>
      configMap(`dashboard-${uid}`, { [`${uid}.json`]: json }, { grafana_dashboard: '1' }),
    ),
    ...[...jobsOf(namespace).map((job) => podMonitor(job, values)), rule].map((object) => ({
      when: 'monitoring.operator',
      object,
    })),
  ];
}

/** For a plain Prometheus and Grafana; returns the files' paths. */
export function writePrometheusFiles(
  folder: string,
  { namespace, monitoring }: Values,
  parts: MonitoringParts,
): string[] {
  const files = new Map([
    ['scrape.yaml', scrapeText(namespace, monitoring.interval)],
    ['mesh-alerts.yaml', parts.rules],
    ...[...parts.dashboards].map(([uid, json]): [string, string] => [
      `dashboards/${uid}.json`,
      json,
    ]),
  ]);
  return [...files].map(([name, text]) => {
    const file = join(folder, name);
    makeFolder(dirname(file));
    writeFileWhole(file, text);
    return file;
  });
}
