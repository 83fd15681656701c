/**
 * The configuration of an OpenTelemetry Collector that takes the proxies' spans by OTLP and reads their access logs,
 * and the objects that run it on each node. Names of components are those that every Collector of its time knows.
 */
import { createHash } from 'node:crypto';
import { stringify } from 'yaml';
import { labels, proxyContainer } from '../annotations.js';
import type { AnyObject } from '../client/objects.js';

export interface CollectorOptions {
  /** An OTLP/HTTP address without `/v1/...`; undefined: they are only counted in the Collector's own log. */
  tracesTo?: string | undefined;
  logsTo?: string | undefined;
  /** Patterns of files with a JSON object a line, on this machine; undefined: the proxies' logs on a node. */
  files?: readonly string[] | undefined;
}

const collectorName = 'firedrill-collector';
const httpPort = 4318;
const grpcPort = 4317;
const podLogs = '/var/log/pods';
const memoryMiB = 160;

/** Kubernetes makes a pod's name of its workload's and an ending of these letters and digits, or a number. */
const safe = '[bcdfghj-np-tv-xz24-9]';
const workloadOfPod = `^(?P<workload>.+?)(?:(?:-${safe}{8,10}|-[0-9]{8,10})?-${safe}{5}|-[0-9]+)?$`;

/** The text of the configuration. Each `$` is doubled, because the Collector fills in what follows a single one. */
export function collectorText({ tracesTo, logsTo, files }: CollectorOptions): string {
  const host = files === undefined ? '0.0.0.0' : '127.0.0.1';
  const receiver = {
    include: (files ?? [`${podLogs}/*/${proxyContainer}/*.log`]).map(literal),
    // Of a file that appears later, every line is read.
    start_at: 'end',
    include_file_path: true,
    operators: operatorsOf(files === undefined),
  };
  const [traces, tracesName] = exporterOf('traces', tracesTo);
  const [logs, logsName] = exporterOf('logs', logsTo);
  const pipeline = (receivers: string[], exporter: string): object => ({
    receivers,
    processors: ['memory_limiter', 'batch'],
    exporters: [exporter],
  });
  return stringify(
    {
      receivers: {
        otlp: {
          protocols: {
            grpc: { endpoint: `${host}:${grpcPort}` },
            http: { endpoint: `${host}:${httpPort}` },
          },
        },
        'filelog/firedrill': receiver,
      },
      processors: {
        memory_limiter: { check_interval: '1s', limit_mib: memoryMiB, spike_limit_mib: 40 },
        batch: {},
      },
      exporters: { ...traces, ...logs },
      service: {
        pipelines: {
          traces: pipeline(['otlp'], tracesName),
          logs: pipeline(['otlp', 'filelog/firedrill'], logsName),
        },
      },
    },
    { lineWidth: 0 },
  );
}

const literal = (text: string): string => text.replaceAll('$', '$$$$');

function exporterOf(signal: string, to: string | undefined): [object, string] {
  if (to === undefined) return [{ debug: {} }, 'debug'];
  const name = `otlphttp/${signal}`;
  return [{ [name]: { endpoint: literal(to) } }, name];
}

/** An access log's line, and an event of a game day, become records with their own time, trace and severity. */
function operatorsOf(pods: boolean): object[] {
  const has = (field: string): string => `attributes["${field}"] != nil`;
  const field = (name: string): { parse_from: string } => ({ parse_from: `attributes.${name}` });
  const pod = 'resource["k8s.pod.name"]';
  return [
    ...(pods ? [{ type: 'container' }] : []),
    { type: 'json_parser', if: 'body startsWith "{"', on_error: 'send_quiet' },
    { type: 'time_parser', if: has('time'), ...field('time'), layout: '%Y-%m-%dT%H:%M:%S.%LZ' },
    { type: 'time_parser', if: has('atMs'), ...field('atMs'), layout_type: 'epoch', layout: 'ms' },
    {
      type: 'trace_parser',
      if: has('traceId'),
      trace_id: field('traceId'),
      span_id: field('spanId'),
    },
    {
      type: 'severity_parser',
      if: has('classification'),
      ...field('classification'),
      mapping: { error: 'failure', info: 'success' },
    },
    ...(pods
      ? [
          // The names that the spans of the same pod have.
          { type: 'regex_parser', parse_from: pod, regex: literal(workloadOfPod) },
          { type: 'move', from: 'attributes.workload', to: 'resource["service.name"]' },
          {
            type: 'copy',
            from: 'resource["k8s.namespace.name"]',
            to: 'resource["service.namespace"]',
          },
        ]
      : []),
  ];
}

/** Runs the Collector on each node, since each reads its own node's logs; a Service takes the spans. */
export function collectorObjects(
  options: CollectorOptions,
  place: { namespace: string; image: string },
): AnyObject[] {
  const { namespace, image } = place;
  const local = { name: collectorName, namespace, labels: { [labels.partOf]: 'firedrill' } };
  const app = { app: collectorName };
  const config = collectorText(options);
  const listening = { 'otlp-grpc': grpcPort, 'otlp-http': httpPort };
  const checksum = createHash('sha256').update(config).digest('hex').slice(0, 16);
  return [
    {
      apiVersion: 'v1',
      kind: 'Namespace',
      // A folder of the node is what Pod Security's other levels refuse.
      metadata: { name: namespace, labels: { [labels.podSecurity]: 'privileged' } },
    },
    { apiVersion: 'v1', kind: 'ConfigMap', metadata: local, data: { 'collector.yaml': config } },
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: local,
      spec: {
        selector: app,
        ports: Object.entries(listening).map(([name, port]) => ({ name, port })),
      },
    },
    {
      apiVersion: 'apps/v1',
      kind: 'DaemonSet',
      metadata: local,
      spec: {
        selector: { matchLabels: app },
        template: {
          // Pods are replaced when their configuration changes.
          metadata: { labels: app, annotations: { 'mesh.firedrill.dev/config': checksum } },
          spec: podSpec(image, listening),
        },
      },
    },
  ];
}

const podSpec = (image: string, listening: Record<string, number>): object => ({
  automountServiceAccountToken: false,
  tolerations: [{ operator: 'Exists' }],
  containers: [
    {
      name: 'collector',
      image,
      args: ['--config=/etc/collector/collector.yaml'],
      ports: Object.entries(listening).map(([name, containerPort]) => ({ name, containerPort })),
      readinessProbe: { tcpSocket: { port: 'otlp-http' } },
      resources: { requests: { cpu: '50m', memory: '128Mi' }, limits: { memory: '256Mi' } },
      securityContext: {
        // The kubelet's log files belong to root, and only root reads them.
        runAsUser: 0,
        readOnlyRootFilesystem: true,
        allowPrivilegeEscalation: false,
        capabilities: { drop: ['ALL'] },
        seccompProfile: { type: 'RuntimeDefault' },
      },
      volumeMounts: [
        { name: 'config', mountPath: '/etc/collector', readOnly: true },
        { name: 'logs', mountPath: podLogs, readOnly: true },
      ],
    },
  ],
  volumes: [
    { name: 'config', configMap: { name: collectorName } },
    { name: 'logs', hostPath: { path: podLogs } },
  ],
});
