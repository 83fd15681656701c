/** Drills on pods of a real node: sidecars, Deployments, memory; and no fault stays, whichever process dies. */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { asset, program } from '../../base/paths.js';
import { askJson } from '../../chaos/system/ask.js';
import type { SystemDescription } from '../../chaos/system/model.js';
import { type AnyObject, resources } from '../../mesh/kubernetes/client/objects.js';
import type { Pod } from '../../mesh/kubernetes/discovery/types.js';
import { drillFolder, firedrill } from '../chaos/drill.js';
import { until } from '../kubernetes/until.js';
import { image } from './mesh-install.js';
import { limitMs, needsNode, possible, startMeshedNode } from './meshed.js';
import type { Node } from './node.js';

const namespace = 'drilled';
let node: Node;

/** The server listens at once, so that its TCP probe passes as soon as it can serve. */
const backend = `require('http').createServer((q, r) => r.end('back')).listen(8080)`;
const front = `
const http = require('http');
const agent = new http.Agent({ keepAlive: true });
http.createServer((q, r) => {
  const end = (status) => { if (!r.headersSent) r.writeHead(status).end(); };
  const answered = (a) => a.resume().on('end', () => end(a.statusCode === 200 ? 200 : 502));
  http.get('http://back/', { agent, timeout: 500 }, answered)
    .on('timeout', function () { this.destroy(new Error('late')); }).on('error', () => end(502));
}).listen(8080)`;

function deployment(name: string, script: string, replicas: number): AnyObject {
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name, namespace },
    spec: {
      replicas,
      selector: { matchLabels: { app: name } },
      template: {
        metadata: { labels: { app: name } },
        spec: {
          terminationGracePeriodSeconds: 1,
          containers: [
            {
              name: 'app',
              image,
              imagePullPolicy: 'Never',
              command: ['node', '-e', script],
              ports: [{ containerPort: 8080 }],
              resources: { limits: { memory: '128Mi' } },
              readinessProbe: { tcpSocket: { port: 8080 }, periodSeconds: 1 },
            },
          ],
        },
      },
    },
  };
}

const service = (name: string, spec: object): AnyObject => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name, namespace },
  spec: { selector: { app: name }, ...spec },
});

interface Scaled {
  spec: { replicas: number };
  status?: { readyReplicas?: number };
}
const deployed = (name: string): Promise<Scaled> =>
  node.api.get<Scaled>(resources.Deployment, namespace, name);
const pods = async (name: string): Promise<Pod[]> =>
  (await node.api.list<Pod>(resources.Pod, { namespace, labelSelector: `app=${name}` })).items;

/** Writes the drill's files, and a kubeconfig of an account with only the rights that `gameday rbac` prints. */
async function drillHere(...more: { kind: string; target: string }[]): Promise<string> {
  const folder = drillFolder();
  cpSync(asset('test/cluster/drill'), folder, { recursive: true });
  const text = readFileSync(join(folder, 'scenarios/back-scaled-away.yaml'), 'utf8');
  for (const { kind, target } of more) {
    const other = text.replace('kind: scale, target: back', `kind: ${kind}, target: ${target}`);
    expect(other).not.toBe(text);
    writeFileSync(join(folder, `scenarios/${kind}.yaml`), other.replace(/^id: .*/m, `id: ${kind}`));
  }
  const args = [program('cli'), 'gameday', 'rbac', join(folder, 'firedrill.yaml')];
  const printed = execFileSync(process.execPath, args, { encoding: 'utf8' });
  for (const document of parseAllDocuments(printed)) {
    const object = document.toJS() as AnyObject;
    await node.api.apply(object, { manager: 'test', force: true });
  }
  const path = `/api/v1/namespaces/${namespace}/serviceaccounts/firedrill-runner/token`;
  const { status } = (await node.api.call('POST', path, {
    apiVersion: 'authentication.k8s.io/v1',
    kind: 'TokenRequest',
    spec: { expirationSeconds: 3600 },
  })) as { status: { token: string } };
  const config = JSON.parse(readFileSync(node.kubeconfig, 'utf8')) as { users: { user: object }[] };
  config.users.forEach((u) => (u.user = { token: status.token }));
  writeFileSync(join(folder, 'runner.kubeconfig'), JSON.stringify(config), { mode: 0o600 });
  return folder;
}

/** Returns the objects of a drill that are still in its namespace. */
async function leftOvers(): Promise<string[]> {
  const all = await Promise.all(
    (['ConfigMap', 'NetworkPolicy', 'Job', 'Secret'] as const).map(async (kind) =>
      (await node.api.list(resources[kind], { namespace })).items.map((o) => o.metadata.name),
    ),
  );
  return all.flat().filter((name) => name.startsWith('firedrill-') && !name.includes('token'));
}

beforeAll(async () => {
  if (!possible) return;
  node = await startMeshedNode();
  const annotations = { 'mesh.firedrill.dev/inject': 'enabled' };
  const metadata = { name: namespace, annotations };
  await node.api.create({ apiVersion: 'v1', kind: 'Namespace', metadata });
  const port = { port: 80, targetPort: 8080 };
  for (const object of [
    deployment('back', backend, 2),
    deployment('front', front, 1),
    service('back', { ports: [port] }),
    service('front', { type: 'NodePort', ports: [{ ...port, nodePort: 30_080 }] }),
  ]) {
    await node.api.create(object);
  }
  await until(
    async () =>
      (await deployed('back')).status?.readyReplicas === 2 &&
      (await deployed('front')).status?.readyReplicas === 1,
    'ready pods',
    90_000,
  );
}, limitMs);

afterAll(() => node?.stop(), limitMs);

needsNode('a game day of three scenarios on pods', { timeout: limitMs }, async () => {
  const folder = await drillHere();
  const callers: [string, boolean][] = [['CallersFail', true]];
  const drill = firedrill(
    folder,
    'gameday',
    'run',
    '--prometheus',
    'embedded',
    '--load',
    'embedded',
  );
  const { code, output } = await drill.ended;
  const { scenarios } = drill.record();
  const shown = scenarios.map(({ id, faults, expectations }) => [
    id,
    faults.map((f) => [f.effect > 0, f.undo]),
    expectations.map((e) => [e.name, e.inTime]),
  ]);
  // Exit code 3 is allowed: the drill may find this machine too busy to judge.
  expect([0, 3], output.slice(-4000)).toContain(code);
  expect(shown, output.slice(-4000)).toEqual([
    ['back-aborts', [[true, 'done']], callers.concat([['BackFails', true]])],
    ['back-scaled-away', [[true, 'done']], callers],
    ['front-out-of-memory', [[true, 'done']], callers],
  ]);
  expect(await leftOvers()).toEqual([]);
});

needsNode(
  'what outlives the runner is rolled back in the cluster; a policy that nobody enforces is refused',
  { timeout: limitMs },
  async () => {
    const kinds = [
      { kind: 'kill', target: 'back-1' },
      { kind: 'partition', target: 'front' },
    ];
    const folder = await drillHere(...kinds);
    const main = program('chaos/system/kubernetes/main');
    const watcher = spawn(process.execPath, [main, join(folder, 'firedrill.yaml')]);
    try {
      const [line] = (await once(watcher.stdout, 'data')) as [Buffer];
      const { admin } = JSON.parse(line.toString()) as { admin: number };
      const url = `http://127.0.0.1:${admin}`;
      let system: SystemDescription | undefined;
      await until(async () => {
        system = await askJson<SystemDescription>(`${url}/system`);
        if (system.failure !== undefined) throw new Error(system.failure);
        return system.ready;
      });
      expect(system?.workloads.map((w) => w.name)).toEqual(['back-1', 'back-2', 'front-1']);
      const put = (id: string, kind: string, target: string): Promise<{ effect: number }> =>
        askJson(`${url}/faults`, {
          method: 'POST',
          body: { id, ttlMs: 6000, kind, target },
          timeoutMs: 15_000,
        });
      const before = (await pods('back')).map((p) => p.metadata.uid);
      expect((await put('one', 'kill', 'back-1')).effect).toBe(1);
      await until(async () => (await deployed('back')).status?.readyReplicas === 2, 'two again');
      const after = (await pods('back')).map((p) => p.metadata.uid);
      expect(before.filter((uid) => after.includes(uid))).toHaveLength(1);
      await expect(put('two', 'partition', 'front')).rejects.toThrow(
        /nothing in this cluster enforces NetworkPolicies/,
      );
      expect(await leftOvers()).not.toContain('firedrill-partition-front');
      await put('three', 'scale', 'back');
      await until(async () => (await pods('back')).length === 0, 'no pod of the back');
      watcher.kill('SIGKILL');
      await until(async () => (await deployed('back')).spec.replicas === 2, 'its undo', 15_000);
    } finally {
      watcher.kill('SIGKILL');
    }
    await until(async () => (await deployed('back')).status?.readyReplicas === 2, 'two again');
    // The keeper waits a while for another run, and then exits.
    await until(
      async () => (await leftOvers()).every((name) => name === 'firedrill-keeper-pods'),
      'the leases to go',
      40_000,
    );
  },
);
