/**
 * A real Prometheus as a pod, with its own account; it finds the mesh by the scrape configuration of the installation.
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { mkdirSync } from 'node:fs';
import { parse } from 'yaml';
import { requireTool } from '../../base/tools.js';
import { type AnyObject, resources } from '../../mesh/kubernetes/client/objects.js';
import { addProgram, writeImage } from './image.js';
import type { Node } from './node.js';

const namespace = 'monitoring';
const image = 'firedrill-test/prometheus:1';
const account = { name: 'prometheus', namespace };
const rbac = 'rbac.authorization.k8s.io';

function buildImage(node: Node): void {
  const root = join(node.folder, 'prometheus');
  addProgram(root, requireTool('prometheus-kubernetes'), 'usr/bin/prometheus');
  mkdirSync(join(root, 'tmp'), { recursive: true });
  writeImage(root, join(node.folder, 'prometheus.tar'), image, {
    Entrypoint: ['/usr/bin/prometheus'],
  });
  node.importImage(join(node.folder, 'prometheus.tar'));
}

/**
 * The objects that a user provides: a namespace that may scrape, an account that may see pods, the ConfigMap's files.
 */
function objects(config: Record<string, string>): AnyObject[] {
  const scrape = { 'mesh.firedrill.dev/scrape': 'true' };
  const labels = { app: 'prometheus' };
  return [
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace, labels: scrape } },
    { apiVersion: 'v1', kind: 'ServiceAccount', metadata: account },
    {
      apiVersion: `${rbac}/v1`,
      kind: 'ClusterRole',
      metadata: { name: 'prometheus' },
      rules: [{ apiGroups: [''], resources: ['pods'], verbs: ['list', 'watch'] }],
    },
    {
      apiVersion: `${rbac}/v1`,
      kind: 'ClusterRoleBinding',
      metadata: { name: 'prometheus' },
      roleRef: { apiGroup: rbac, kind: 'ClusterRole', name: 'prometheus' },
      subjects: [{ kind: 'ServiceAccount', ...account }],
    },
    { apiVersion: 'v1', kind: 'ConfigMap', metadata: account, data: config },
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { ...account, labels },
      spec: { selector: labels, ports: [{ port: 9090 }] },
    },
    {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { ...account, labels },
      spec: {
        serviceAccountName: 'prometheus',
        terminationGracePeriodSeconds: 1,
        containers: [
          {
            name: 'prometheus',
            image,
            imagePullPolicy: 'Never',
            args: ['--config.file=/etc/prometheus/prometheus.yml', '--storage.tsdb.path=/tmp/data'],
            readinessProbe: { httpGet: { path: '/-/ready', port: 9090 }, periodSeconds: 1 },
            volumeMounts: [{ name: 'config', mountPath: '/etc/prometheus' }],
          },
        ],
        volumes: [{ name: 'config', configMap: { name: 'prometheus' } }],
      },
    },
  ];
}

/** Returns Prometheus's URL on loopback, through the API server. */
export async function startPrometheus(node: Node): Promise<{ url: string; stop(): void }> {
  const { api } = node;
  const written = await api.get<AnyObject & { data: Record<string, string> }>(
    resources.ConfigMap,
    'firedrill',
    'firedrill-prometheus',
  );
  buildImage(node);
  const rules = written.data['mesh-alerts.yaml'] ?? '';
  const prometheus = JSON.stringify({
    // A Prometheus since 2.43 names the file in scrape_config_files.
    ...(parse(written.data['scrape.yaml'] ?? '') as object),
    rule_files: ['/etc/prometheus/mesh-alerts.yaml'],
  });
  const config = { 'prometheus.yml': prometheus, 'mesh-alerts.yaml': rules };
  for (const object of objects(config)) await api.apply(object, { manager: 'test' });
  const below = `/api/v1/namespaces/${namespace}/services/prometheus:9090/proxy`;
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const body = Buffer.concat(chunks).toString();
      const path = `${below}${request.url}${body === '' ? '' : `?${body}`}`;
      api.call('GET', path).then(
        (answer) =>
          response
            .writeHead(200, { 'content-type': 'application/json' })
            .end(JSON.stringify(answer)),
        (error: unknown) => response.writeHead(502).end(String(error)),
      );
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    stop: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}
