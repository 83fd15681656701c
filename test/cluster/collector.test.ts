/** The DaemonSet that `collector --manifests` prints, on a node: it takes spans, and reads the proxies' logs. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect } from 'vitest';
import { findTool, requireTool } from '../../base/tools.js';
import { type AnyObject, resources } from '../../mesh/kubernetes/client/objects.js';
import type { Pod } from '../../mesh/kubernetes/discovery/types.js';
import { collectorObjects } from '../../mesh/kubernetes/install/collector.js';
import { until } from '../kubernetes/until.js';
import { testWith } from '../tools.js';
import { addProgram, writeImage } from './image.js';
import { limitMs, possible } from './meshed.js';
import { image, installMesh } from './mesh-install.js';
import { type Node, nodeTools, startNode } from './node.js';

const place = { namespace: 'firedrill-telemetry', image: 'otelcol/otelcol:test' };
const isPossible = possible && findTool('otelcol') !== undefined;
let node: Node;

beforeAll(async () => {
  if (!isPossible) return;
  node = await startNode();
  await installMesh(node, false, `http://firedrill-collector.${place.namespace}:4318`);
  const root = join(node.folder, 'otelcol');
  mkdirSync(join(root, 'tmp'), { recursive: true });
  addProgram(root, requireTool('otelcol'), 'otelcol');
  const file = join(node.folder, 'otelcol.tar');
  writeImage(root, file, place.image, { Entrypoint: ['/otelcol'] });
  node.importImage(file);
}, limitMs);
afterAll(() => node?.stop(), limitMs);

const namespace = 'traced';
const serve = `require('http').createServer((q, r) => r.end('ok')).listen(8080)`;
const ask = `setInterval(() => require('http').get('http://web/', (r) => r.resume()).on('error', () => 0), 200)`;
const pod = (name: string, script: string): AnyObject => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace, labels: { app: name } },
  spec: {
    terminationGracePeriodSeconds: 1,
    containers: [{ name: 'app', image, imagePullPolicy: 'Never', command: ['node', '-e', script] }],
  },
});

testWith(...nodeTools, 'otelcol')(
  'spans and log lines of meshed pods come to it',
  { timeout: limitMs },
  async () => {
    const { api } = node;
    for (const object of collectorObjects({}, place)) await api.create(object);
    const annotations = {
      'mesh.firedrill.dev/inject': 'enabled',
      'mesh.firedrill.dev/access-log': 'stdout',
      'mesh.firedrill.dev/trace-sampling': '1',
    };
    await api.create({
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name: namespace, annotations },
    });
    await api.create({
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'web', namespace },
      spec: { selector: { app: 'web' }, ports: [{ port: 80, targetPort: 8080 }] },
    });
    await api.create(pod('web', serve));
    await api.create(pod('client', ask));
    const collector = async (): Promise<string> => {
      const { items } = await api.list<Pod>(resources.Pod, { namespace: place.namespace });
      const name = items[0]?.metadata.name ?? '';
      return node.logs(place.namespace, name, 'collector').catch(() => '');
    };
    const counted = (log: string, what: string): number =>
      [...log.matchAll(new RegExp(`"${what}": (\\d+)`, 'g'))].reduce(
        (sum, [, n]) => sum + Number(n),
        0,
      );
    let log = '';
    await until(
      async () => {
        log = await collector();
        return counted(log, 'spans') > 10 && counted(log, 'log records') > 10;
      },
      'spans and log records',
      limitMs,
    );
    expect(log).not.toMatch(/permission denied|error\t/);
  },
);
