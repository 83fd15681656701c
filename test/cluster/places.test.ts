/** Two nodes, and Services that ask for endpoints near the client. */
import { join } from 'node:path';
import { afterAll, beforeAll, expect } from 'vitest';
import { type AnyObject, resources } from '../../mesh/kubernetes/client/objects.js';
import type { Pod } from '../../mesh/kubernetes/discovery/types.js';
import { until } from '../kubernetes/until.js';
import { limitMs, needsNode, possible, startMeshedNode } from './meshed.js';
import { image } from './mesh-install.js';
import type { Node } from './node.js';

let node: Node;
beforeAll(async () => {
  if (!possible) return;
  node = await startMeshedNode();
  const second = await node.join();
  second.importImage(join(node.folder, 'product.tar'));
}, 2 * limitMs);
afterAll(() => node?.stop(), limitMs);

const namespace = 'near';
const container = (text: string) => ({
  name: 'app',
  image,
  imagePullPolicy: 'Never',
  command: ['node', '-e', text],
});
const pod = (name: string, nodeName: string, text: string, app = name): AnyObject => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace, labels: { app } },
  spec: { nodeName, terminationGracePeriodSeconds: 1, containers: [container(text)] },
});
const service = (name: string, spec: object): AnyObject => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name, namespace },
  spec: { selector: { app: 'web' }, ports: [{ port: 80, targetPort: 8080 }], ...spec },
});
const serve = `require('http').createServer((q, r) => r.end(
  process.env.HOSTNAME + ' ' + (q.headers['l5d-client-id'] || 'nobody'))).listen(8080)`;
const ask = (...urls: string[]): string => `
const http = require('http');
for (const url of ${JSON.stringify(urls)}) setInterval(() => http.get(url, { timeout: 5000, agent: false }, (r) => {
  let body = '';
  r.on('data', (c) => body += c).on('end', () => console.log(url, r.statusCode, body.split('\\n')[0]));
}).on('error', (e) => console.log(url, e.code)), 100)`;

needsNode(
  'a client is sent to its own node or zone, and is known at every address',
  { timeout: limitMs },
  async () => {
    const { api } = node;
    const zones = { node1: 'a', node2: 'b' };
    for (const [name, zone] of Object.entries(zones)) {
      const labels = { 'topology.kubernetes.io/zone': zone };
      await api.patch(resources.Node, undefined, name, { metadata: { labels } });
    }
    const annotations = { 'mesh.firedrill.dev/inject': 'enabled' };
    await api.create({
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name: namespace, annotations },
    });
    await api.create(service('local', { internalTrafficPolicy: 'Local' }));
    await api.create(service('zone', { trafficDistribution: 'PreferClose' }));
    await api.create(pod('web-1', 'node1', serve, 'web'));
    await api.create(pod('web-2', 'node2', serve, 'web'));
    const ipOf = async (name: string): Promise<string | undefined> =>
      (await api.get<Pod>(resources.Pod, namespace, name)).status?.podIP;
    const isReady = async (name: string): Promise<boolean> =>
      (await api.get<Pod>(resources.Pod, namespace, name)).status?.conditions?.some(
        (c) => c.type === 'Ready' && c.status === 'True',
      ) ?? false;
    for (const name of ['web-1', 'web-2'])
      await until(
        async () => (await isReady(name)) && (await ipOf(name)) !== undefined,
        name,
        limitMs,
      );
    const far = `http://${await ipOf('web-2')}:8080/`;
    await api.create(pod('client', 'node1', ask('http://local/', 'http://zone/', far)));
    const lines = async (): Promise<string[]> => {
      const path = `/api/v1/namespaces/${namespace}/pods/client/log?container=app&tailLines=60`;
      return String(await api.call('GET', path).catch(() => ''))
        .trim()
        .split('\n');
    };
    const me = '200 ID default.near.serviceaccount.identity.cluster.local';
    const all = async (...wanted: string[]): Promise<boolean> => {
      const last = await lines();
      return (
        last.length === 60 &&
        wanted.every((w) => last.includes(w)) &&
        last.every((l) => wanted.includes(l))
      );
    };
    const of = (url: string, name: string): string => `${url} ${me.replace('ID', name)}`;
    await until(
      () => all(of('http://local/', 'web-1'), of('http://zone/', 'web-1'), of(far, 'web-2')),
      'near',
      limitMs,
    );
    await api.remove(resources.Pod, namespace, 'web-1');
    // A Local Service has no answer from elsewhere; a preference is no condition.
    await until(
      async () => {
        const last = await lines();
        return (
          last.some((l) => l.startsWith('http://local/ 503')) &&
          last.includes(of('http://zone/', 'web-2'))
        );
      },
      'none near',
      limitMs,
    );
    expect((await lines()).filter((l) => l === of('http://local/', 'web-2'))).toEqual([]);
  },
);
