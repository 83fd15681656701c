/** `firedrill check` on a real API server: all checks pass after an installation, and each fault is named (C8). */
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { realClock } from '../../base/clock.js';
import { type Child, startNode } from '../../base/child.js';
import { asset, program } from '../../base/paths.js';
import { ensurePki, pkiFiles } from '../../mesh/identity/pki-files.js';
import { findTool } from '../../base/tools.js';
import {
  apiChecks,
  installedChecks,
  preChecks,
} from '../../mesh/kubernetes/check/cluster-checks.js';
import { identityChecks } from '../../mesh/kubernetes/check/identity-checks.js';
import { redirectionChecks } from '../../mesh/kubernetes/check/redirection-checks.js';
import { scrapeChecks, whyNotScraped } from '../../mesh/kubernetes/check/scrape-checks.js';
import { proxyChecks, whyNotReady } from '../../mesh/kubernetes/check/proxy-checks.js';
import type { Check, CheckContext, CheckResult } from '../../mesh/kubernetes/check/model.js';
import { exitCodeOf, renderResults, runChecks } from '../../mesh/kubernetes/check/run.js';
import { ApiError } from '../../mesh/kubernetes/client/api.js';
import { type AnyObject, resources } from '../../mesh/kubernetes/client/objects.js';
import type { Pod } from '../../mesh/kubernetes/discovery/types.js';
import { names } from '../../mesh/kubernetes/install/names.js';
import { testWith } from '../tools.js';
import { type Cluster, startCluster } from './cluster.js';
import { gatewayCrds } from './gateway-crds.js';
import { until } from './until.js';

const needs = testWith('kube-apiserver', 'etcd');
let cluster: Cluster;
const children: Child[] = [];

beforeAll(async () => {
  if (findTool('kube-apiserver') && findTool('etcd')) cluster = await startCluster();
});
afterAll(async () => {
  await Promise.all(children.map((c) => c.stop()));
  await cluster?.stop();
});

function cli(...args: string[]): Promise<{ code: number | null; out: string; err: string }> {
  const child = spawn(process.execPath, [
    program('cli'),
    ...args,
    ...(args.includes('--kubeconfig') ? [] : ['--kubeconfig', cluster.kubeconfig]),
  ]);
  let out = '';
  let err = '';
  child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (err += chunk.toString()));
  return new Promise((resolve) => child.on('close', (code) => resolve({ code, out, err })));
}

async function check(
  ...args: string[]
): Promise<{ code: number | null; results: Map<string, CheckResult> }> {
  const { code, out, err } = await cli('check', '--format', 'json', ...args);
  if (!out) throw new Error(err);
  const { results } = JSON.parse(out) as { results: CheckResult[] };
  return { code, results: new Map(results.map((r) => [r.id, r])) };
}
const bad = (results: Map<string, CheckResult>): string[] =>
  [...results.values()].filter((r) => r.result !== 'success').map((r) => r.id);

/** Writes the status that the cluster's own controllers would write for a Deployment whose pods run. */
async function markAvailable(name: string): Promise<void> {
  const at = new Date().toISOString();
  const condition = { type: 'Available', status: 'True', reason: 'MinimumReplicasAvailable' };
  const conditions = [
    { ...condition, lastTransitionTime: at, lastUpdateTime: at, message: 'stand-in' },
  ];
  const counts = { replicas: 3, updatedReplicas: 3, readyReplicas: 3, availableReplicas: 3 };
  // Also of changes to come.
  const status = { ...counts, observedGeneration: 1000, conditions };
  await cluster.admin.patch(resources.Deployment, 'firedrill', name, { status }, 'status');
}

async function runFromCluster(
  account: string,
  config: string,
  script: string,
  args: string[],
): Promise<void> {
  const map = await cluster.admin.get<AnyObject & { data: Record<string, string> }>(
    resources.ConfigMap,
    'firedrill',
    config,
  );
  const kubeconfig = cluster.writeKubeconfig(
    `${account}.yaml`,
    await cluster.tokenOf('firedrill', account),
  );
  const [text = ''] = Object.values(map.data);
  const file = join(cluster.folder, `${config}.yaml`);
  // The process runs as in its pod, but on loopback and free ports, with a kubeconfig instead of the pod's token.
  const local = text
    .replace(/host: 0\.0\.0\.0/g, 'host: 127.0.0.1')
    .replace(/port: \d+/g, 'port: 0');
  writeFileSync(file, local);
  const child = startNode(account, script, [...args, '--config', file], {
    env: { KUBECONFIG: kubeconfig },
  });
  children.push(child);
  await child.ready;
}

needs(
  'a user of one namespace learns of it alone, and nothing unseen is called good',
  { timeout: 60_000 },
  async () => {
    const metadata = { name: 'own', annotations: { 'mesh.firedrill.dev/inject': 'enabled' } };
    await cluster.admin.create({ apiVersion: 'v1', kind: 'Namespace', metadata });
    const account = { name: 'dev', namespace: 'own' };
    await cluster.admin.create({ apiVersion: 'v1', kind: 'ServiceAccount', metadata: account });
    const rbac = 'rbac.authorization.k8s.io';
    const all = { apiGroups: ['*'], resources: ['*'], verbs: ['get', 'list'] };
    const kind = 'Role';
    await cluster.admin.create({ apiVersion: `${rbac}/v1`, kind, metadata: account, rules: [all] });
    await cluster.admin.create({
      apiVersion: `${rbac}/v1`,
      kind: 'RoleBinding',
      metadata: account,
      roleRef: { apiGroup: rbac, kind: 'Role', name: 'dev' },
      subjects: [{ kind: 'ServiceAccount', ...account }],
    });
    const spec = { containers: [{ name: 'app', image: 'x' }] };
    const bare = { name: 'bare', namespace: 'own' };
    await cluster.admin.create({ apiVersion: 'v1', kind: 'Pod', metadata: bare, spec });
    const file = cluster.writeKubeconfig('dev.yaml', await cluster.tokenOf('own', 'dev'));
    const own = ['--proxy', '--proxy-namespace', 'own', '--kubeconfig', file];
    const { code, results } = await check(...own);
    const of = (id: string): string | undefined => results.get(id)?.result;
    expect([code, of('k8s-api-version'), of('config-namespace'), of('proxy-ready')]).toEqual([
      1,
      'success',
      'unknown',
      'error',
    ]);
    expect(results.get('proxy-injected')?.reason).toBe('without a proxy: own/bare');
    const unseen = [...results.values()].filter((r) => r.result === 'unknown');
    expect(unseen.length).toBeGreaterThan(10);
    expect(unseen.every((r) => /forbidden/.test(r.reason ?? ''))).toBe(true);
    const found = await cli('diagnostics', '--cluster', '--kubeconfig', file);
    expect([found.code, found.out]).toEqual([3, 'nothing found\n']);
    expect(found.err).toMatch(/^\? network-policy-blocks-proxy: you may not list .*NetworkPolicy/m);
    const { out } = await cli('readiness', 'pre-production', '--kubeconfig', file);
    expect(out).not.toContain('√');
    expect(out).toContain('? network policies let the proxies work');
    await cluster.admin.remove(resources.Pod, 'own', 'bare');
    await cluster.admin.remove(resources.Namespace, undefined, 'own');
  },
);

needs(
  'green before and after an installation, with the real controller and injector',
  { timeout: 90_000 },
  async () => {
    for (const crd of gatewayCrds()) await cluster.admin.create(crd);
    const before = await check('--pre');
    expect(bad(before.results)).toEqual([]);

    const bare = await check();
    expect(bare.code).toBe(1);
    expect(bare.results.get('config-namespace')).toMatchObject({
      result: 'error',
      fix: expect.stringContaining('install'),
    });
    expect(bare.results.get('identity-issuer-valid')?.result).toBe('skipped');

    const installed = await cli('install', '--apply', '--no-wait', '--ha');
    expect([installed.code, installed.err]).toEqual([0, '']);
    await runFromCluster(
      names.controller,
      `${names.controller}-config`,
      program('mesh/controller/main'),
      [],
    );
    await runFromCluster(names.injector, `${names.injector}-config`, program('cli'), ['injector']);
    await markAvailable(names.controller);
    await markAvailable(names.injector);
    let last: Map<string, CheckResult> = new Map();
    await until(async () => {
      last = (await check()).results;
      return bad(last).length === 2;
    }, 'green').catch(() => undefined);
    // This cluster has no node that routes the webhook's Service, and no Prometheus: test/cluster has all checks green.
    expect([...last.values()].filter((r) => r.result !== 'success')).toMatchObject([
      { id: 'injection-works', result: 'error', reason: expect.stringMatching(/failed to call/) },
      { id: 'metrics-scraped', result: 'warning' },
    ]);
    // A check of proxies without any proxy has looked at nothing, and must not pass.
    const none = await check('--proxy');
    expect([none.code, bad(none.results)]).toEqual([
      1,
      ['injection-works', 'metrics-scraped', 'proxy-ready'],
    ]);
    expect(none.results.get('proxy-ready')?.reason).toMatch(/^no pod has a proxy/);
  },
);

needs('each fault is found by its check', async () => {
  const { admin } = cluster;
  const encode = (text: string): string => Buffer.from(text).toString('base64');
  await Promise.all(children.splice(0).map((c) => c.stop()));
  const secret = (await admin.get(
    resources.Secret,
    'firedrill',
    names.issuerSecret,
  )) as AnyObject & { data: object };
  await admin.patch(resources.Secret, 'firedrill', names.issuerSecret, {
    data: { 'tls.crt': encode('junk') },
  });
  expect(bad((await check()).results)).toContain('identity-issuer-valid');
  await admin.patch(resources.Secret, 'firedrill', names.issuerSecret, { data: secret.data });

  await admin.patch(resources.MutatingWebhookConfiguration, undefined, names.mutatingWebhook, [
    {
      op: 'replace',
      path: '/webhooks/0/clientConfig/caBundle',
      value: secret.data['ca.crt' as never],
    },
  ]);
  await admin.remove(resources.ClusterRoleBinding, undefined, names.controller);
  await admin.remove(resources.CustomResourceDefinition, undefined, 'servers.mesh.firedrill.dev');
  await admin.create({
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name: 'shop', annotations: { 'mesh.firedrill.dev/inject': 'enabled' } },
  });
  await admin.patch(resources.MutatingWebhookConfiguration, undefined, names.mutatingWebhook, [
    { op: 'replace', path: '/webhooks/0/failurePolicy', value: 'Ignore' },
  ]);
  // A pod lacks its proxy if the webhook cannot be reached and its failure is ignored.
  await until(
    () =>
      admin
        .create({
          apiVersion: 'v1',
          kind: 'Pod',
          metadata: { name: 'bare', namespace: 'shop' },
          spec: { containers: [{ name: 'app', image: 'app' }] },
        })
        .then(
          () => true,
          () => false,
        ),
    'a pod without a proxy',
  );
  const { code, results } = await check('--proxy');
  expect(code).toBe(1);
  expect(bad(results).sort()).toEqual([
    'config-accounts',
    'crds-established',
    'injection-works',
    'metrics-scraped',
    'proxy-injected',
    'proxy-ready',
    'webhook-ca-bundle',
  ]);
  expect(results.get('proxy-injected')?.reason).toContain('shop/bare');
});

needs('a namespace that refuses the redirection is named, until the nodes redirect', async () => {
  const { admin } = cluster;
  await admin.create({
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: {
      name: 'strict',
      annotations: { 'mesh.firedrill.dev/inject': 'enabled' },
      labels: { 'pod-security.kubernetes.io/enforce': 'baseline' },
    },
  });
  const before = (await check()).results;
  expect(before.get('pod-security')).toMatchObject({
    result: 'warning',
    reason: expect.stringMatching(/refused in strict$/),
    fix: expect.stringContaining('redirector.enabled=true'),
  });
  expect(before.get('redirector-on-every-node')?.result).toBe('success');
  const set = (enabled: boolean): Promise<{ code: number | null; out: string; err: string }> =>
    cli('upgrade', '--set', `redirector.enabled=${enabled}`, '--apply', '--no-wait');
  expect(await set(true)).toMatchObject({ code: 0, err: '' });
  const after = (await check()).results;
  expect(after.get('pod-security')?.result).toBe('success');
  // This cluster has no controllers that would start the DaemonSet's pods.
  expect(after.get('redirector-on-every-node')).toMatchObject({
    result: 'error',
    reason: expect.stringContaining('it is being created'),
  });
  const gone = await set(false);
  expect(gone.out).toContain('daemonset/firedrill-redirector pruned');
  expect(gone.out).toContain('serviceaccount/firedrill-redirector pruned');
});

needs(
  'a wrong namespace, credentials that are not accepted and missing rights are said',
  async () => {
    const nowhere = await cli('stat', '-n', 'shpo');
    expect([nowhere.code, nowhere.err]).toEqual([1, 'there is no namespace shpo\n']);
    const stranger = await cli(
      'stat',
      '--kubeconfig',
      cluster.writeKubeconfig('bad.yaml', 'wrong'),
    );
    expect([stranger.code, stranger.err]).toEqual([
      5,
      expect.stringMatching(
        /^Unauthorized: the API server does not accept these credentials; log in/,
      ),
    ]);
    const metadata = { name: 'low', namespace: 'default' };
    await cluster.admin.create({ apiVersion: 'v1', kind: 'ServiceAccount', metadata });
    const token = await cluster.tokenOf('default', 'low');
    const low = await cli('version', '--kubeconfig', cluster.writeKubeconfig('low.yaml', token));
    expect(low.code).toBe(0);
    expect(low.out).toMatch(
      /^client: .+\nkubernetes: v1\..+\ncontrol plane: deployments.apps is forbidden/,
    );
    expect(low.out).toMatch(/\nproxies: pods is forbidden/);
  },
);

test('a check that may not look is unknown, ends no other, and is not success', async () => {
  const base = { category: 'c', description: 'd' };
  const refused = () => Promise.reject(new ApiError(403, '', 'secrets is forbidden'));
  const checks: Check[] = [
    { ...base, id: 'a', fatal: true, run: refused },
    { ...base, id: 'b', run: () => Promise.resolve(undefined) },
  ];
  const results = await runChecks(checks, {} as CheckContext);
  expect(results.map((r) => r.result)).toEqual(['unknown', 'success']);
  expect([exitCodeOf(results), exitCodeOf(results.slice(1))]).toEqual([3, 0]);
  expect(renderResults(results)).toMatch(
    /\? d\n +secrets is forbidden\n[^]*results are \?: 1 checks/,
  );
});

test('with Vault the anchors are those of the bundle, and nobody looks for an issuer', async () => {
  const anchor = await ensureAnchor();
  const api = {
    get: () => Promise.resolve({ data: {} }),
    find: (_kind: object, _namespace: string, name: string) => {
      const values = 'identity: { vault: { enabled: true } }';
      const data = name === names.bundle ? { 'ca.crt': anchor } : { 'controller.yaml': values };
      return Promise.resolve({ data });
    },
  };
  const context = { api, namespace: 'firedrill', clock: realClock } as unknown as CheckContext;
  const own = identityChecks.filter((c) => c.id.startsWith('identity-'));
  const results = await runChecks(own, context);
  expect(results.map((r) => [r.id.slice(9), r.result])).toEqual([
    ['anchors-valid', 'success'],
    ['anchors-lasting', 'success'],
    ['issuer-valid', 'skipped'],
    ['issuer-lasting', 'skipped'],
    ['issuer-chained', 'skipped'],
    ['bundle-published', 'skipped'],
  ]);
  expect(exitCodeOf(results)).toBe(0);
});

/** A trust anchor, as PEM. */
async function ensureAnchor(): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'firedrill-anchor-'));
  await ensurePki(folder, { trustDomain: 'test.local' });
  const pem = readFileSync(pkiFiles(folder).trustAnchorsFile, 'utf8');
  rmSync(folder, { recursive: true });
  return pem;
}

test('webhook configurations without a webhook trust nothing', async () => {
  const run = identityChecks.find((c) => c.id === 'webhook-ca-bundle')?.run;
  const api = {
    get: ({ kind }: { kind: string }) =>
      Promise.resolve(kind === 'Secret' ? { data: { 'ca.crt': 'eA==' } } : { webhooks: [] }),
  };
  expect(await run?.({ api, namespace: 'firedrill' } as never)).toMatchObject({
    reason: expect.stringMatching(/has no webhook/),
  });
});

test('no cluster is a failed check with what to do, in JSON too', async () => {
  const run = (file: string) =>
    new Promise<{ code: number | null; out: string }>((resolve) => {
      const args = [program('cli'), 'check', '--format', 'json', '--kubeconfig', file];
      const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
      let out = '';
      child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
      child.on('close', (code) => resolve({ code, out }));
    });
  const absent = await run('/nowhere/config');
  expect(absent.code).toBe(1);
  const { results } = JSON.parse(absent.out) as { results: CheckResult[] };
  expect(results[0]).toMatchObject({
    id: 'k8s-config',
    result: 'error',
    reason: expect.stringContaining('/nowhere/config not found'),
    fix: expect.stringContaining('--kubeconfig'),
  });
  expect(new Set(results.slice(1).map((r) => r.result))).toEqual(new Set(['skipped']));
});

test('what is not scraped has its reason', () => {
  const wanted = { job: 'firedrill-proxy', namespace: 'shop', pod: 'cart-1' };
  const target = (job: string, pod: string, health: 'up' | 'down' = 'up') => ({
    labels: { job, namespace: 'shop', pod },
    discoveredLabels: {},
    health,
    lastError: health === 'down' ? 'connection refused' : '',
  });
  const why = (...targets: ReturnType<typeof target>[]) => whyNotScraped(wanted, targets);
  expect(why(target('firedrill-proxy', 'cart-1'))).toBeUndefined();
  expect(why(target('firedrill-proxy', 'cart-1', 'down'))).toMatch(/connection refused/);
  expect(why(target('pods', 'cart-1'))).toMatch(/as job pods, and rules ask for firedrill-proxy/);
  expect(why(target('firedrill-proxy', 'web-1'))).toMatch(/not discovered/);
  expect(why(target('pods', 'web-1'))).toMatch(/has no job firedrill-proxy/);
});

test('a proxy that is not ready is named with what holds it up, be it the init container before it', () => {
  const crash = {
    ready: false,
    restartCount: 7,
    state: { waiting: { reason: 'CrashLoopBackOff' } },
  };
  const waits = { name: 'firedrill-proxy', state: { waiting: { reason: 'PodInitializing' } } };
  const done = {
    name: 'firedrill-init',
    state: { terminated: { exitCode: 0, reason: 'Completed' } },
  };
  const failed = { terminated: { exitCode: 2, reason: 'Error' } };
  const pod = (status: object) =>
    whyNotReady({
      metadata: { name: 'cart', namespace: 'shop' },
      spec: { containers: [] },
      status: { conditions: [], ...status },
    } as never);
  const sidecar = { name: 'firedrill-proxy', ...crash, lastState: failed };
  expect(pod({ initContainerStatuses: [done, sidecar] })).toBe(
    'shop/cart (CrashLoopBackOff, 7 restarts, last Error)',
  );
  expect(pod({ containerStatuses: [{ name: 'firedrill-proxy', ...crash }] })).toBe(
    'shop/cart (CrashLoopBackOff, 7 restarts)',
  );
  expect(pod({ initContainerStatuses: [{ name: 'firedrill-init', ...crash }, waits] })).toBe(
    'shop/cart (CrashLoopBackOff, 7 restarts)',
  );
  expect(pod({ initContainerStatuses: [{ name: 'firedrill-init', state: failed }, waits] })).toBe(
    'shop/cart (Error)',
  );
  expect(pod({ initContainerStatuses: [done, waits] })).toBe('shop/cart (PodInitializing)');
  expect(pod({})).toBe('shop/cart (not started)');
  expect(pod({ initContainerStatuses: [done, { ...waits, ready: true }] })).toBeUndefined();
});

test('a control plane scaled to nothing is not available, whatever its condition says', async () => {
  const available = installedChecks.find((c) => c.id === 'control-plane-available');
  const conditions = [{ type: 'Available', status: 'True', message: 'minimum availability' }];
  const run = (replicas: number, updatedReplicas = 1) => {
    const counts = { replicas: 1, availableReplicas: 1, observedGeneration: 2, updatedReplicas };
    const found = { metadata: { generation: 2 }, spec: { replicas } };
    const api = { find: () => Promise.resolve({ ...found, status: { conditions, ...counts } }) };
    return available?.run({ api, namespace: 'firedrill' } as never);
  };
  expect(await run(1)).toBeUndefined();
  // The version before keeps it available, while no pod of the new one starts.
  expect(await run(1, 0)).toMatchObject({
    warning: true,
    reason: expect.stringContaining('firedrill-controller: 0 of 1 pods are of the present version'),
  });
  expect(await run(0)).toMatchObject({ reason: expect.stringMatching(/scaled to 0 replicas/) });
});

test('what passes a proxy by is named', async () => {
  const at = (name: string, ip: string, container = 'firedrill-proxy'): Pod => ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'shop' },
    spec: { containers: [{ name: container }] },
    status: { phase: 'Running', podIPs: [{ ip: '10.1.0.1' }, { ip }] },
  });
  const lists: Record<string, unknown[]> = {
    pods: [at('web', 'fd00::1'), at('bare', 'fd00::2', 'app'), at('four', '10.1.0.2')],
  };
  const api = {
    list: ({ plural }: { plural: string }) => Promise.resolve({ items: lists[plural] }),
  };
  const reasonOf = async (id: string): Promise<string | undefined> => {
    const found = proxyChecks.find((c) => c.id === id);
    return (await found?.run({ api } as unknown as CheckContext))?.reason;
  };
  const at6 = 'neither mutual TLS nor policy at the IPv6 address of shop/web';
  expect(await reasonOf('proxy-ipv6')).toBe(at6);
  lists.pods = [at('four', '10.1.0.2')];
  expect(await reasonOf('proxy-ipv6')).toBeUndefined();
});

test('a misspelt annotation of a namespace or a service is named; a misspelt inject is asked for', async () => {
  const name = (key: string): string => `mesh.firedrill.dev/${key}`;
  const shop = { metadata: { name: 'shop', annotations: { [name('inject')]: 'enabeld' } } };
  const service = (named: string, annotations: Record<string, string>) => ({
    metadata: { namespace: 'shop', name: named, annotations },
  });
  const pod = {
    metadata: { namespace: 'shop', name: 'bare' },
    spec: { containers: [] },
    status: { phase: 'Running' },
  };
  const lists: Record<string, unknown[]> = {
    namespaces: [shop],
    services: [
      service('a', { [name('opaque-port')]: '80' }),
      service('b', { [name('opaque-ports')]: 'eighty' }),
      service('c', { [name('breaker-consecutive-failures')]: '0' }),
      service('d', { [name('trace-context')]: 'in-message', 'other.io/x': 'y' }),
    ],
    pods: [pod],
  };
  const api = { list: (of: { plural: string }) => Promise.resolve({ items: lists[of.plural] }) };
  const reasonOf = async (id: string): Promise<string | undefined> => {
    const found = proxyChecks.find((c) => c.id === id);
    return (await found?.run({ api } as unknown as CheckContext))?.reason;
  };
  const reason = await reasonOf('annotations-readable');
  expect(reason).toContain('shop/a: mesh.firedrill.dev/opaque-port: no such annotation; did you');
  expect(reason).toMatch(/shop\/b: \S+: 'eighty'; expected ports.*shop\/c: \S+: '0'; expected/);
  expect(reason).not.toContain('shop/d');
  expect(await reasonOf('proxy-injected')).toBe('without a proxy: shop/bare');
  (lists.services as unknown[]).length = 0;
  shop.metadata.annotations = { [name('injekt')]: 'enabled' };
  expect(await reasonOf('annotations-readable')).toMatch(/^namespace shop: \S+injekt: no such/);
  shop.metadata.annotations = { [name('inject')]: 'disabled' };
  expect(await reasonOf('annotations-readable')).toBeUndefined();
  expect(await reasonOf('proxy-injected')).toBeUndefined();
});

test('every check is documented under its id', () => {
  const text = readFileSync(asset('mesh/kubernetes/check/README.md'), 'utf8');
  const all = [
    ...apiChecks,
    ...preChecks,
    ...installedChecks,
    ...redirectionChecks,
    ...identityChecks,
    ...scrapeChecks,
    ...proxyChecks,
  ];
  const anchors = new Set([...text.matchAll(/^### (.+)$/gm)].map((m) => m[1]));
  const ids = all.map((c) => (c.id.startsWith('pre-can-create-') ? 'pre-can-create' : c.id));
  expect([...new Set(ids)].filter((id) => !anchors.has(id))).toEqual([]);
  expect(new Set(all.map((c) => c.id)).size).toBe(all.length);
});
