/** Drills on a cluster without a cluster, and on an API server alone: names, rights, leases and their keepers. */
import { spawn } from 'node:child_process';
import { generateKeyPairSync, X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { SimulatedClock } from '../../base/clock.js';
import { program } from '../../base/paths.js';
import { findTool } from '../../base/tools.js';
import { askJson } from '../../chaos/system/ask.js';
import { clusterFault } from '../../chaos/system/kubernetes/cluster-faults.js';
import {
  findLease,
  leaseName,
  listLeases,
  removeLease,
  renewLease,
  takeBack,
  writeLease,
} from '../../chaos/system/kubernetes/cluster-lease.js';
import { Keeper } from '../../chaos/system/kubernetes/keeper.js';
import { kubernetesSchema } from '../../chaos/system/kubernetes/kubernetes-schema.js';
import {
  burnScript,
  cpuLimitedContainer,
  loopsFor,
  quantityCores,
} from '../../chaos/system/kubernetes/cpu-strain.js';
import { holdScript, quantityBytes } from '../../chaos/system/kubernetes/memory-strain.js';
import { namesFrom } from '../../chaos/system/kubernetes/names.js';
import { Pods } from '../../chaos/system/kubernetes/pods.js';
import { keeperNeeds, rbacObjectsOf, runnerNeeds } from '../../chaos/system/kubernetes/rbac.js';
import type { SystemDescription } from '../../chaos/system/model.js';
import { readDrill } from '../../chaos/system/drill-file.js';
import { keySigner } from '../../mesh/identity/issuing.js';
import { createCertificate } from '../../mesh/identity/x509.js';
import type { KubeApi } from '../../mesh/kubernetes/client/api.js';
import { type AnyObject, resources } from '../../mesh/kubernetes/client/objects.js';
import type { Pod } from '../../mesh/kubernetes/discovery/types.js';
import { type Cluster, startCluster } from '../kubernetes/cluster.js';
import { until } from '../kubernetes/until.js';
import { testWith } from '../tools.js';
import { drillFolder } from './drill.js';

const spec = kubernetesSchema.parse({
  kind: 'kubernetes',
  namespace: 'shop',
  calls: ['web/cart'],
  secrets: ['web-tls'],
});

const pod = (name: string, uid: string, workload: string, more: object = {}): Pod => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: {
    name,
    namespace: 'shop',
    uid,
    labels: { app: workload, 'pod-template-hash': 'abc' },
    ownerReferences: [{ apiVersion: 'apps/v1', kind: 'ReplicaSet', name: `${workload}-abc` }],
  },
  spec: { containers: [{ name: 'app', ports: [{ containerPort: 8080 }] }] },
  status: { phase: 'Running', podIP: '10.0.0.1' },
  ...more,
});
const names = (pods: Pods): (string | undefined)[][] =>
  pods.places.map((p) => [p.name, p.pod?.metadata.name]);

test('a pod that comes takes the place of the one that went', () => {
  const pods = new Pods(undefined as unknown as KubeApi, 'shop', undefined);
  pods.take([pod('web-abc-x', '1', 'web'), pod('web-abc-y', '2', 'web'), pod('db', '3', 'db')]);
  expect(names(pods)).toEqual([
    ['db-1', 'db'],
    ['web-1', 'web-abc-x'],
    ['web-2', 'web-abc-y'],
  ]);
  pods.take([pod('web-abc-y', '2', 'web'), pod('web-abc-a', '4', 'web')]);
  expect(names(pods)).toEqual([
    ['db-1', undefined],
    ['web-1', 'web-abc-a'],
    ['web-2', 'web-abc-y'],
  ]);
  expect(pods.of('web').map((p) => p.name)).toEqual(['web-1', 'web-2']);
});

test('scenarios may speak of pods by lasting names, of workloads, and of what can be struck there', () => {
  const pods = new Pods(undefined as unknown as KubeApi, 'shop', undefined);
  const resources = { limits: { memory: '64Mi', cpu: '1' } };
  const limits = { containers: [{ name: 'app', resources }] };
  const meshed = { containers: [{ name: 'app' }, { name: 'firedrill-proxy' }] };
  pods.take([
    pod('web-abc-x', '1', 'web', { spec: meshed }),
    pod('cart-abc-y', '2', 'cart', { spec: limits }),
  ]);
  const { targets, services, parts } = namesFrom('shop', spec, pods.places, true);
  expect(services.map((s) => s.name)).toEqual(['cart', 'web']);
  expect(parts).toEqual(['controller']);
  expect(targets).toEqual({
    service: ['web', 'web-1'],
    call: ['web/cart', 'cart'],
    scaled: ['cart', 'web', 'firedrill-controller', 'firedrill-injector'],
    pods: ['cart', 'cart-1', 'web', 'web-1'],
    limited: ['cart', 'cart-1'],
    throttled: ['cart', 'cart-1'],
    secret: ['web-tls'],
  });
});

test.each([
  ['128974848', 128_974_848],
  ['129e6', 129_000_000],
  ['129M', 129_000_000],
  ['123Mi', 128_974_848],
  ['500k', 500_000],
  ['4Ki', 4096],
  ['1.5Gi', 1_610_612_736],
  ['lots', undefined],
])('a quantity of memory: %s', (text, bytes) => expect(quantityBytes(text)).toBe(bytes));

/**
 * Starts the script in its own process group, waits until `count` sees that many children, and then for its end after
 * its input has ended.
 */
async function ends(script: string, count: (children: number[]) => number, wanted: number) {
  const child = spawn('sh', ['-c', script], { detached: true });
  const children = (): number[] =>
    readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8')
      .trim()
      .split(' ')
      .filter((word) => word !== '')
      .map(Number);
  try {
    await expect.poll(() => count(children()), { timeout: 10_000 }).toBe(wanted);
    child.stdin.end();
    await once(child, 'close');
  } finally {
    try {
      process.kill(-(child.pid ?? 0), 'SIGKILL');
    } catch {
      // All of its processes have ended.
    }
  }
}

test('what strains memory holds it until its standard input ends, and no longer', () => {
  const holding = (id: number): boolean =>
    Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${id}/status`, 'utf8'))?.[1]) > 1024;
  return ends(holdScript(6 * 1024 * 1024), (children) => children.filter(holding).length, 6);
});

test.each([
  ['500m', 0.5],
  ['2', 2],
  ['0.25', 0.25],
  ['2 cores', undefined],
])('a quantity of CPU: %s', (text, cores) => expect(quantityCores(text)).toBe(cores));

test('CPU is starved where there is a limit to use up, never that of the proxy', () => {
  const limited = (name: string, cpu: string) => ({ name, resources: { limits: { cpu } } });
  const container = (...containers: { name: string }[]) =>
    cpuLimitedContainer({ spec: { containers } });
  expect(container({ name: 'app' }, limited('firedrill-proxy', '1'))).toBeUndefined();
  expect(container(limited('app', '250m'))).toEqual({ name: 'app', cores: 0.25 });
  expect([loopsFor(0.25), loopsFor(2)]).toEqual([9, 18]);
});

// The two loops, and the process that limits their time.
test('busy loops end with their standard input, all of them', () =>
  ends(burnScript(2), (children) => children.length, 3));

const faults = [
  { kind: 'scale' as const, target: 'cart' },
  { kind: 'scale' as const, target: 'firedrill-injector' },
  { kind: 'partition' as const, target: 'web' },
];
const everyFault = [...faults, { kind: 'expired-secret' as const, target: 'web-tls' }];

test('rights are those of the faults, by name, and nothing cluster-wide', () => {
  const kinds = rbacObjectsOf(spec, faults, undefined).map(
    ({ kind, metadata }) => `${kind} ${metadata.namespace}/${metadata.name}`,
  );
  expect(kinds).toEqual([
    'ServiceAccount shop/firedrill-runner',
    'ServiceAccount shop/firedrill-keeper',
    'Role shop/firedrill-runner',
    'RoleBinding shop/firedrill-runner',
    'Role firedrill/firedrill-runner-of-shop',
    'RoleBinding firedrill/firedrill-runner-of-shop',
    'Role shop/firedrill-keeper',
    'RoleBinding shop/firedrill-keeper',
    'Role firedrill/firedrill-keeper-of-shop',
    'RoleBinding firedrill/firedrill-keeper-of-shop',
  ]);
  const only = runnerNeeds(spec, [{ kind: 'delay', target: 'web' }]);
  expect([only.own.map((r) => r.resources), only.control]).toEqual([
    [['pods'], ['pods/portforward']],
    [],
  ]);
  expect(keeperNeeds([{ kind: 'kill', target: 'web' }])).toEqual({ own: [], control: [] });
});

test('what cannot work in a cluster is refused with its place', () => {
  const folder = drillFolder();
  const file = join(folder, 'firedrill.yaml');
  const head =
    'apiVersion: firedrill.dev/v1\nkind: Drill\nname: shop\nsystem:\n  kind: kubernetes\n';
  writeFileSync(file, `${head}  namespace: Shop_1\n`);
  expect(() => readDrill(file)).toThrow(/yaml:6:14: .*expected a name of lower case/);
  writeFileSync(file, `${head}  namespace: shop\n`);
  expect(() => readDrill(file)).toThrow(/yaml:5:3: there is no url to send the load to/);
});

const needs = testWith('kube-apiserver', 'etcd');
let cluster: Cluster;
beforeAll(async () => {
  if (!findTool('kube-apiserver') || !findTool('etcd')) return;
  cluster = await startCluster();
  for (const name of ['shop', 'firedrill']) {
    await cluster.admin.create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
  }
  for (const object of rbacObjectsOf(spec, everyFault, undefined))
    await cluster.admin.create(object);
}, 60_000);
afterAll(() => cluster?.stop());

const deployment = (name: string): AnyObject => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name, namespace: 'shop' },
  spec: {
    replicas: 3,
    selector: { matchLabels: { app: name } },
    template: {
      metadata: { labels: { app: name } },
      spec: { containers: [{ name: 'app', image: 'none' }] },
    },
  },
});

async function certificate(): Promise<Record<string, string>> {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const made = await createCertificate(
    {
      publicKeyDer: publicKey.export({ type: 'spki', format: 'der' }),
      commonName: 'web',
      notBeforeMs: Date.now() - 1000,
      notAfterMs: Date.now() + 86_400_000,
      dnsNames: ['web.example', 'www.web.example'],
    },
    keySigner(privateKey, publicKey),
  );
  const key = privateKey.export({ type: 'pkcs8', format: 'pem' }) as string;
  const base64 = (text: string): string => Buffer.from(text).toString('base64');
  return { 'tls.crt': base64(made.toString()), 'tls.key': base64(key) };
}

/** Collects the calls of an account as `verb resource`, with the name where rights name objects. */
const recorded = (used: Set<string>) => (method: string, path: string) => {
  const [bare = '', query = ''] = path.split('?');
  const [plural = '', name, below] = bare.split('/namespaces/shop/')[1]?.split('/') ?? [];
  const verbs: Record<string, string> = { POST: 'create', PATCH: 'patch', DELETE: 'delete' };
  const reading = name !== undefined ? 'get' : query.includes('watch=true') ? 'watch' : 'list';
  const resource = below === undefined ? plural : `${plural}/${below}`;
  used.add(`${verbs[method] ?? reading} ${resource}${name?.endsWith('tls') ? ` ${name}` : ''}`);
};
const rightsIn = (rules: ReturnType<typeof runnerNeeds>['own']): string[] =>
  rules.flatMap(({ resources: kinds, verbs, resourceNames = [''] }) =>
    kinds.flatMap((kind) =>
      verbs.flatMap((verb) =>
        resourceNames.map((n) => `${verb} ${kind}${n.endsWith('tls') ? ` ${n}` : ''}`),
      ),
    ),
  );

needs(
  'what nobody renews is rolled back by the keeper, with the rights that rbac prints, each of them used',
  async () => {
    const { admin } = cluster;
    await admin.create(deployment('cart'));
    const tls = await certificate();
    await admin.create({
      apiVersion: 'v1',
      kind: 'Secret',
      type: 'kubernetes.io/tls',
      metadata: { name: 'web-tls', namespace: 'shop' },
      data: tls,
    });
    const pods = new Pods(admin, 'shop', undefined);
    pods.take([pod('cart-abc-1', '1', 'cart'), pod('web-abc-2', '2', 'web')]);
    const used = { runner: new Set<string>(), keeper: new Set<string>() };
    const runner = await cluster.as('shop', 'firedrill-runner', recorded(used.runner));
    const context = { api: runner, drill: 'shop', spec, pods };
    const clock = new SimulatedClock(0);
    const said: string[] = [];
    const api = await cluster.as('shop', 'firedrill-keeper', recorded(used.keeper));
    const parts = { api, namespace: 'shop', drill: 'shop', name: 'keeper-1', clock };
    const keeper = new Keeper({ ...parts, say: (line) => void said.push(line) });
    const leases = [];
    const faults: Awaited<ReturnType<typeof clusterFault>>[] = [];
    for (const [kind, target] of [
      ['scale', 'cart'],
      ['partition', 'web'],
      ['expired-secret', 'web-tls'],
    ] as const) {
      const fault = await clusterFault(kind, target, {}, context);
      const lease = { name: leaseName(`Run_1-${kind}`), namespace: 'shop', ttlMs: 6000 };
      await writeLease(runner, 'shop', { ...lease, steps: fault.steps });
      leases.push(lease);
      await fault.put();
      faults.push(fault);
    }
    const replicas = async (): Promise<unknown> =>
      (await admin.get<{ spec: { replicas: number } }>(resources.Deployment, 'shop', 'cart')).spec
        .replicas;
    const secret = async (): Promise<Record<string, string>> =>
      (await admin.get<{ data: Record<string, string> }>(resources.Secret, 'shop', 'web-tls')).data;
    const policy = (): Promise<AnyObject | undefined> =>
      admin.find(resources.NetworkPolicy, 'shop', 'firedrill-partition-web');
    expect(await replicas()).toBe(0);
    expect(await policy()).toBeDefined();
    const expired = new X509Certificate(Buffer.from((await secret())['tls.crt'] ?? '', 'base64'));
    expect([Date.parse(expired.validTo) < Date.now(), expired.subjectAltName]).toEqual([
      true,
      'DNS:web.example, DNS:www.web.example',
    ]);
    const ofSecret = faults.at(-1)!;
    expect(await ofSecret.effect()).toBe(1);
    // An issuer in the cluster may replace the certificate at once.
    const own = await secret();
    await admin.patch(resources.Secret, 'shop', 'web-tls', { data: { 'tls.crt': 'eA==' } });
    expect(await ofSecret.effect()).toBe(0);
    await admin.patch(resources.Secret, 'shop', 'web-tls', { data: own });
    expect(await keeper.look()).toBe(3);
    expect((await findLease(runner, leases[0]!))?.heldBy).toBe('keeper-1');
    clock.advance(5000);
    await renewLease(runner, leases[0]!, 1);
    expect(await keeper.look()).toBe(3);
    clock.advance(2000);
    // Renewed after five seconds: the lease lasts five seconds more.
    expect(await keeper.look()).toBe(1);
    expect([await replicas(), await policy(), await secret()]).toEqual([0, undefined, tls]);
    clock.advance(6000);
    expect(await keeper.look()).toBe(0);
    expect([await replicas(), said.length]).toEqual([3, 3]);
    expect(await renewLease(admin, leases[0]!, 2)).toBe(false);
    // A StatefulSet of the name may be meant; each target is one of both.
    const isOf = (right: string): boolean => !right.includes('statefulsets');
    expect([...used.keeper].sort()).toEqual(
      rightsIn(keeperNeeds(everyFault).own).filter(isOf).sort(),
    );
    // A runner undoes its faults itself while it lives.
    const last = { name: leases[1]!.name, namespace: 'shop', ttlMs: 6000 };
    for (const [kind, target] of [
      ['partition', 'web'],
      ['expired-secret', 'web-tls'],
    ] as const) {
      const fault = await clusterFault(kind, target, {}, context);
      await fault.put();
      await takeBack(runner, fault.steps);
    }
    await removeLease(runner, last);
    const ofPods = /pods|jobs/;
    expect([...used.runner].sort()).toEqual(
      rightsIn(runnerNeeds(spec, everyFault).own)
        .filter((right) => isOf(right) && !ofPods.test(right))
        .sort(),
    );
    runner.close();
    api.close();
  },
);

needs(
  'what is not a lease is left alone, and a fault is never rolled back twice to harm',
  async () => {
    const { admin } = cluster;
    const strange = {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: {
        name: 'strange',
        namespace: 'shop',
        labels: { 'mesh.firedrill.dev/chaos-lease': 'shop' },
      },
      data: { ttlMs: '1', renewal: '0', steps: '[{"do":"delete-namespace","name":"shop"}]' },
    };
    await admin.create(strange);
    const bad: string[] = [];
    expect(await listLeases(admin, 'shop', 'shop', (name) => bad.push(name))).toEqual([]);
    expect(bad).toEqual(['strange']);
    const gone = { namespace: 'shop', name: 'nothing' };
    await takeBack(admin, [
      { do: 'scale', kind: 'Deployment', ...gone, replicas: 3 },
      { do: 'delete-policy', ...gone },
      { do: 'restore-secret', ...gone, copy: 'nothing-either' },
    ]);
    await admin.remove(resources.ConfigMap, 'shop', 'strange');
  },
);

/** Does the work of a kubelet. */
async function runPod(name: string, workload: string): Promise<void> {
  const { metadata, spec: podSpec } = pod(name, '', workload);
  const { uid: _, ownerReferences = [], ...meta } = metadata;
  const owners = ownerReferences.map((o) => ({ ...o, uid: 'u', controller: true }));
  const containers = podSpec.containers.map((c) => ({ ...c, image: 'none' }));
  await cluster.admin.create({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { ...meta, ownerReferences: owners },
    spec: { containers },
  });
  const status = { phase: 'Running', podIP: '127.0.0.1' };
  await cluster.admin.patch(resources.Pod, 'shop', name, { status }, 'status');
}

needs(
  'kill -9 of the watcher in mid-fault: what stands in for the keeper’s pod takes it back',
  { timeout: 60_000 },
  async () => {
    const { admin } = cluster;
    const replicas = async (): Promise<number> =>
      (await admin.get<{ spec: { replicas: number } }>(resources.Deployment, 'shop', 'cart')).spec
        .replicas;
    await admin.apply(deployment('cart'), { manager: 'test', force: true });
    await runPod('cart-abc-1', 'cart');
    const folder = drillFolder();
    const kubeconfigOf = async (account: string): Promise<string> =>
      cluster.writeKubeconfig(`${account}.yaml`, await cluster.tokenOf('shop', account));
    const file = join(folder, 'firedrill.yaml');
    const system = {
      kind: 'kubernetes',
      namespace: 'shop',
      kubeconfig: await kubeconfigOf('firedrill-runner'),
      url: 'http://127.0.0.1:9',
      keeper: { image: 'none' },
    };
    const drill = { apiVersion: 'firedrill.dev/v1', kind: 'Drill', name: 'shop', system };
    writeFileSync(file, JSON.stringify(drill));
    const keep = ['gameday', 'keep', '--namespace', 'shop', '--drill', 'shop', '--kubeconfig'];
    const keeper = spawn(process.execPath, [
      program('cli'),
      ...keep,
      await kubeconfigOf('firedrill-keeper'),
    ]);
    const watcher = spawn(process.execPath, [program('chaos/system/kubernetes/main'), file]);
    try {
      const [line] = (await once(watcher.stdout, 'data')) as [Buffer];
      const url = `http://127.0.0.1:${(JSON.parse(line.toString()) as { admin: number }).admin}`;
      await until(async () => {
        const { ready, failure } = await askJson<SystemDescription>(`${url}/system`);
        if (failure !== undefined) throw new Error(failure);
        return ready;
      });
      const put = { id: 'Run-1', ttlMs: 3000, kind: 'scale', target: 'cart' };
      const lease = await askJson<{ effect: number }>(`${url}/faults`, {
        method: 'POST',
        body: put,
      });
      expect([lease.effect, await replicas()]).toEqual([3, 0]);
      // As if somebody had scaled it back, and its controller had followed.
      const status = (count: number) =>
        cluster.admin.patch(
          resources.Deployment,
          'shop',
          'cart',
          { status: { replicas: count } },
          'status',
        );
      await status(3);
      expect(await askJson(`${url}/faults`)).toMatchObject([
        { id: 'Run-1', effect: 3, trouble: 'it was undone in the cluster by somebody else' },
      ]);
      await status(0);
      await askJson(`${url}/faults/Run-1`, { method: 'DELETE' });
      expect(await replicas()).toBe(3);
      await askJson(`${url}/faults`, { method: 'POST', body: { ...put, id: 'Run-2' } });
      const denied = { ...put, id: 'Run-3', kind: 'kill' };
      await expect(askJson(`${url}/faults`, { method: 'POST', body: denied })).rejects.toThrow(
        /cannot delete resource/,
      );
      expect(await replicas()).toBe(0);
      watcher.kill('SIGKILL');
      await until(async () => (await replicas()) === 3, 'its undo', 15_000);
    } finally {
      watcher.kill('SIGKILL');
      keeper.kill('SIGKILL');
    }
  },
);
