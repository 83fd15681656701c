/** Pods in a namespace that enforces Pod Security's `restricted`, redirected by their node. */
import { afterAll, beforeAll, expect } from 'vitest';
import { pathOf, resources } from '../../mesh/kubernetes/client/objects.js';
import { until } from '../kubernetes/until.js';
import { image, installMesh } from './mesh-install.js';
import { limitMs, needsNode, possible } from './meshed.js';
import { type Node, startNode } from './node.js';

let node: Node;
beforeAll(async () => {
  if (!possible) return;
  node = await startNode();
  await installMesh(node, true);
}, limitMs);
afterAll(() => node?.stop(), limitMs);

const namespace = 'strict';
const script = (text: string) => ({
  name: 'app',
  image,
  imagePullPolicy: 'Never',
  command: ['node', '-e', text],
  securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } },
});
const pod = (name: string, text: string, annotations: Record<string, string> = {}) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace, labels: { app: name }, annotations },
  spec: {
    terminationGracePeriodSeconds: 1,
    securityContext: {
      runAsNonRoot: true,
      runAsUser: 1000,
      seccompProfile: { type: 'RuntimeDefault' },
    },
    containers: [script(text)],
  },
});
const serve = `require('http').createServer((q, r) => r.end(q.headers['l5d-client-id'] || 'nobody')).listen(8080);`;
/** Its very first request must pass the proxy already; the answer is the identity that the server saw. */
const ask = `require('http').get('http://web/', (r) => {
  r.on('data', (c) => console.log(String(c)));
}).on('error', (e) => console.log(e.code)); setInterval(() => 0, 1000);`;
const start = 'mesh.firedrill.dev/start';

const logOf = async (name: string): Promise<string> =>
  String(await node.api.call('GET', `${pathOf(resources.Pod, namespace, name)}/log?container=app`));

needsNode(
  'restricted pods are meshed from their first request on',
  { timeout: limitMs },
  async () => {
    const { api } = node;
    await api.create({
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: {
        name: namespace,
        annotations: {
          'mesh.firedrill.dev/inject': 'enabled',
          'mesh.firedrill.dev/default-inbound-policy': 'all-authenticated',
        },
        labels: { 'pod-security.kubernetes.io/enforce': 'restricted' },
      },
    });
    await api.create({
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'web', namespace },
      spec: { selector: { app: 'web' }, ports: [{ port: 80, targetPort: 8080 }] },
    });
    await api.create(pod('web', serve));
    interface Ready {
      status?: { conditions?: { type: string; status: string }[] };
    }
    await until(
      async () => {
        const found = await api.get<
          Ready & { apiVersion: string; kind: string; metadata: { name: string } }
        >(resources.Pod, namespace, 'web');
        return (
          found.status?.conditions?.some((c) => c.type === 'Ready' && c.status === 'True') ?? false
        );
      },
      'web ready',
      limitMs,
    );
    await api.create(pod('ordered', ask));
    await api.create(pod('together', ask, { [start]: 'together' }));
    for (const name of ['ordered', 'together']) {
      let log = '';
      await until(async () => (log = await logOf(name).catch(() => '')) !== '', name, limitMs);
      expect([name, log.trim()]).toEqual([
        name,
        'default.strict.serviceaccount.identity.cluster.local',
      ]);
    }
  },
);
