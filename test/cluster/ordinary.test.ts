/** The mesh on a whole node: pods under a kubelet, as in ordinary clusters. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { program } from '../../base/paths.js';
import { realClock } from '../../base/clock.js';
import { type AnyObject, resources } from '../../mesh/kubernetes/client/objects.js';
import type { Pod } from '../../mesh/kubernetes/discovery/types.js';
import { libraryGroups } from '../../alerts/library/library.js';
import { PrometheusClient } from '../../slo/budget/prometheus.js';
import { askPanels, emptyPanels } from '../../slo/dashboards/answers.js';
import { commonDashboards } from '../../slo/dashboards/dashboards.js';
import { until } from '../kubernetes/until.js';
import { testWith } from '../tools.js';
import { startPrometheus } from './prometheus.js';
import { image } from './mesh-install.js';
import { isRoot, limitMs, needsNode, possible, startMeshedNode } from './meshed.js';
import { type Node, nodeTools } from './node.js';

let node: Node;

const script = (text: string): Record<string, unknown> => ({
  name: 'app',
  image,
  imagePullPolicy: 'Never',
  command: ['node', '-e', text],
});
/** Serves its own name and the caller's, on ports that its pod does not declare. */
const echo = (...ports: number[]): string => `
for (const p of [${ports.join()}]) require('http').createServer((q, r) => r.end(
  process.env.HOSTNAME + ':' + p + ' ' + (q.headers['l5d-client-id'] || 'nobody'))).listen(p);`;
/** Sends a request to each address every second, and prints the answers. */
const asker = (...urls: string[]): string => `
const http = require('http');
for (const url of ${JSON.stringify(urls)}) setInterval(() => http.get(url, { timeout: 5000 }, (r) => {
  let body = '';
  r.on('data', (c) => body += c).on('end', () => console.log(url, r.statusCode, body));
}).on('error', (e) => console.log(url, e.code)), 1000);
${echo(8080)}`;

/** Makes objects of one namespace. */
const within = (namespace: string) => {
  const metadata = (name: string, annotations: Record<string, string> = {}) => ({
    name,
    namespace,
    labels: { app: name },
    annotations,
  });
  return {
    metadata,
    pod: (name: string, container: object, annotations?: Record<string, string>): AnyObject => ({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: metadata(name, annotations),
      spec: {
        serviceAccountName: 'app',
        terminationGracePeriodSeconds: 1,
        containers: [container],
      },
    }),
    service: (name: string, spec: object): AnyObject => ({
      apiVersion: 'v1',
      kind: 'Service',
      metadata: metadata(name),
      spec: { selector: { app: name }, ...spec },
    }),
  };
};

let made = 0;
/**
 * Each attempt has a namespace of its own. Nothing waits for the namespace: pods are created at once, as from one file.
 */
async function meshedNamespace(): Promise<string> {
  const name = `shop-${++made}`;
  const annotations = { 'mesh.firedrill.dev/inject': 'enabled' };
  await node.api.create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name, annotations } });
  const metadata = { name: 'app', namespace: name };
  await node.api.create({ apiVersion: 'v1', kind: 'ServiceAccount', metadata });
  return name;
}

interface PodStatus {
  status?: { phase?: string; conditions?: { type: string; status: string }[] };
}
async function isReady(namespace: string, name: string): Promise<boolean> {
  const found = await node.api.find<PodStatus>(resources.Pod, namespace, name);
  return found?.status?.conditions?.some((c) => c.type === 'Ready' && c.status === 'True') ?? false;
}

beforeAll(async () => {
  if (possible) node = await startMeshedNode();
}, limitMs);

afterAll(() => node?.stop(), limitMs);

needsNode(
  'pods work meshed as they did before, and speak mutual TLS',
  { timeout: limitMs },
  async () => {
    const { api } = node;
    const shop = await meshedNamespace();
    const { metadata, pod, service } = within(shop);
    const two = [
      { name: 'sql', port: 8080 },
      { name: 'gossip', port: 9090 },
    ];
    await api.create(service('db', { clusterIP: 'None', ports: two }));
    await api.create(service('web', { ports: [{ port: 80, targetPort: 8080 }] }));
    await api.create({
      apiVersion: 'apps/v1',
      kind: 'StatefulSet',
      metadata: metadata('db'),
      spec: {
        serviceName: 'db',
        selector: { matchLabels: { app: 'db' } },
        template: {
          metadata: {
            labels: { app: 'db' },
            // The kubelet has no identity; its probes must pass all the same.
            annotations: { 'mesh.firedrill.dev/default-inbound-policy': 'all-authenticated' },
          },
          spec: {
            serviceAccountName: 'app',
            terminationGracePeriodSeconds: 1,
            containers: [
              {
                ...script(echo(8080, 9090)),
                readinessProbe: { httpGet: { path: '/', port: 8080 }, periodSeconds: 1 },
              },
            ],
          },
        },
      },
    });
    const probe = { tcpSocket: { port: 8080 }, periodSeconds: 1 };
    // The app listens on nothing, so a probe that asked its proxy alone would pass.
    await api.create(
      pod('deaf', { ...script('setInterval(() => 0, 1000)'), readinessProbe: probe }),
    );
    const urls = [
      `http://web.${shop}/`,
      `http://db-0.db.${shop}.svc.cluster.local:8080/`,
      'http://db-0.db:9090/',
      'http://db:9090/',
      `http://quick.${shop}/`,
    ];
    await api.create(pod('web', { ...script(asker(...urls)), readinessProbe: probe }));
    const together = { 'mesh.firedrill.dev/start': 'together' };
    await api.create(service('quick', { ports: [{ port: 80, targetPort: 8080 }] }));
    await api.create(pod('quick', script(asker(`http://web.${shop}/`)), together));
    const identity = `app.${shop}.serviceaccount.identity.cluster.local`;
    const wanted = [
      // The web pod calls its own Service, of which it is the only endpoint.
      `http://web.${shop}/ 200 web:8080 ${identity}`,
      `http://db-0.db.${shop}.svc.cluster.local:8080/ 200 db-0:8080 ${identity}`,
      `http://db-0.db:9090/ 200 db-0:9090 ${identity}`,
      `http://db:9090/ 200 db-0:9090 ${identity}`,
      `http://quick.${shop}/ 200 quick:8080 ${identity}`,
    ];
    // The pod's proxy came without an init container.
    const made = await api.get<Pod>(resources.Pod, shop, 'quick');
    expect([made.spec.initContainers, made.spec.containers.map((c) => c.name)]).toEqual([
      undefined,
      ['firedrill-proxy', 'app'],
    ]);
    let said = '';
    await until(
      async () => {
        said = await node.logs(shop, 'web', 'app').catch(() => '');
        return wanted.every((line) => said.includes(line));
      },
      'every answer',
      120_000,
    ).catch(() => undefined);
    expect(
      wanted.filter((line) => !said.includes(line)),
      said.slice(-2000),
    ).toEqual([]);
    // The others' answers say nothing of when this pod's next request is due, or a kubelet's next probe.
    await until(
      async () => (await node.logs(shop, 'quick', 'app')).includes(wanted[0] ?? ''),
      'the answer of web to quick',
      60_000,
    );
    for (const name of ['db-0', 'web', 'quick'])
      await until(() => isReady(shop, name), `${name} ready`, 60_000);
    expect(await isReady(shop, 'deaf')).toBe(false);
    // The pod delays its proxy's end only until its app has ended.
    await api.remove(resources.Pod, shop, 'quick');
    await until(
      async () => (await api.find(resources.Pod, shop, 'quick')) === undefined,
      'the end of the pod',
      20_000,
    );
  },
);

needsNode('a Job ends when its app does', { timeout: limitMs }, async () => {
  const shop = await meshedNamespace();
  const { metadata, pod, service } = within(shop);
  await node.api.create(service('web', { ports: [{ port: 80, targetPort: 8080 }] }));
  const readinessProbe = { httpGet: { path: '/', port: 8080 }, periodSeconds: 1 };
  await node.api.create(pod('web', { ...script(echo(8080)), readinessProbe }));
  await until(() => isReady(shop, 'web'), 'a ready pod', 120_000);
  await node.api.create({
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: metadata('once'),
    spec: {
      backoffLimit: 0,
      template: {
        metadata: { labels: { app: 'once' } },
        spec: {
          serviceAccountName: 'app',
          restartPolicy: 'Never',
          containers: [
            script(
              `require('http').get('http://web/', (r) => process.exit(r.statusCode === 200 ? 0 : 1))`,
            ),
          ],
        },
      },
    },
  });
  await until(
    async () => {
      const job = await node.api.find<{ status?: { succeeded?: number; failed?: number } }>(
        resources.Job,
        shop,
        'once',
      );
      if (job?.status?.failed) throw new Error('the Job failed');
      return job?.status?.succeeded === 1;
    },
    'the end of the Job',
    120_000,
  );
});

/** A user who may only list pods of one namespace and reach them through the API server. */
async function observer(namespace: string): Promise<(...args: string[]) => string> {
  const name = 'on-call';
  const rbac = 'rbac.authorization.k8s.io';
  const metadata = { name, namespace };
  const rules = [
    { apiGroups: [''], resources: ['pods'], verbs: ['list'] },
    { apiGroups: [''], resources: ['pods/portforward'], verbs: ['get', 'create'] },
  ];
  const roleRef = { apiGroup: rbac, kind: 'Role', name };
  const subjects = [{ kind: 'ServiceAccount', name, namespace }];
  await node.api.create({ apiVersion: 'v1', kind: 'ServiceAccount', metadata });
  await node.api.create({ apiVersion: `${rbac}/v1`, kind: 'Role', metadata, rules });
  await node.api.create({
    apiVersion: `${rbac}/v1`,
    kind: 'RoleBinding',
    metadata,
    roleRef,
    subjects,
  });
  const path = `/api/v1/namespaces/${namespace}/serviceaccounts/${name}/token`;
  const { status } = (await node.api.call('POST', path, {
    apiVersion: 'authentication.k8s.io/v1',
    kind: 'TokenRequest',
    spec: { expirationSeconds: 3600 },
  })) as { status: { token: string } };
  const config = JSON.parse(readFileSync(node.kubeconfig, 'utf8')) as { users: { user: object }[] };
  config.users.forEach((u) => (u.user = { token: status.token }));
  const file = join(node.folder, `${name}.kubeconfig`);
  writeFileSync(file, JSON.stringify(config), { mode: 0o600 });
  return (...args) =>
    execFileSync(
      process.execPath,
      [program('cli'), ...args, '-n', namespace, '--kubeconfig', file],
      {
        encoding: 'utf8',
      },
    );
}

const observed = isRoot ? testWith(...nodeTools, 'prometheus-kubernetes') : test.skip;

observed(
  'a Prometheus finds the mesh by what install wrote, and answers every rule and dashboard',
  { timeout: limitMs },
  async () => {
    const shop = await meshedNamespace();
    const { pod, service } = within(shop);
    await node.api.create(service('web', { ports: [{ port: 80, targetPort: 8080 }] }));
    await node.api.create(pod('web', script(asker(`http://web.${shop}/`))));
    const prometheus = await startPrometheus(node);
    try {
      const client = new PrometheusClient(prometheus.url);
      const answer = (query: string) => client.query(query, realClock.nowMs()).catch(() => []);
      // A rate needs two scrapes with a request between them.
      await until(
        async () =>
          (await answer(`rate(request_total{workload="web",dst="web.${shop}"}[10s]) > 0`)).length >
          0,
        'the rate of requests',
        120_000,
      );
      const dashboards = commonDashboards().filter((d) => d.uid !== 'firedrill-fleet');
      const nowMs = realClock.nowMs();
      const times = { startMs: nowMs - 30_000, endMs: nowMs, rateIntervalMs: 10_000 };
      const empty = emptyPanels(dashboards, await askPanels(dashboards, client, times));
      // Budgets belong to SLOs, and this cluster has none yet.
      expect(empty.filter((title) => !/SLO|[Bb]udget|Burn/.test(title))).toEqual([]);
      const rules = libraryGroups({ scrapeIntervalMs: 30_000 }).flatMap((g) => g.rules);
      const firing: string[] = [];
      for (const rule of rules) {
        const found = await client.query(rule.expr, realClock.nowMs());
        if (rule.kind === 'alert' && found.length > 0) firing.push(rule.alert);
      }
      expect(firing).toEqual([]);
      const [all] = await answer('count(up == 1)');
      const jobs = await answer('count by (job) (up == 1)');
      expect(jobs.map((s) => s.labels.job).sort()).toEqual([
        'firedrill-controller',
        'firedrill-injector',
        'firedrill-proxy',
      ]);
      expect(all?.value).toBeGreaterThanOrEqual(3);
      const args = ['check', '--format', 'json', '--kubeconfig', node.kubeconfig];
      const said = execFileSync(process.execPath, [program('cli'), ...args], { encoding: 'utf8' });
      const { results } = JSON.parse(said) as { results: { id: string; result: string }[] };
      const bad = results.filter((r) => r.result !== 'success').map((r) => r.id);
      const asked = await observer(shop);
      await until(
        () => /rsp .*proxy=in .*:status=200/.test(asked('tap', 'pod/web', '--duration', '2s')),
        'a request in the tap',
      );
      expect(asked('stat', 'web', '--wait', '30s')).toMatch(
        new RegExp(`^web\\.${shop} +1/1 `, 'm'),
      );
      expect(() => asked('stat', 'deploy/cart')).toThrow(/no pod of deploy\/cart in namespace/);
      // The findings are true here: no Gateway API, an image called test, and one replica of each.
      expect(bad).toEqual(['gateway-api-crds', 'control-plane-version', 'ha-replicas']);
    } finally {
      prometheus.stop();
    }
  },
);
