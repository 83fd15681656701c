/** An installation on a real API server: server-side apply, least privilege, working webhooks (C5, C6, C9). */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { spawnSync } from 'node:child_process';
import { get } from 'node:https';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { realClock } from '../../base/clock.js';
import { asset } from '../../base/paths.js';
import { findTool, requireTool } from '../../base/tools.js';
import type { KubeApi } from '../../mesh/kubernetes/client/api.js';
import {
  type AnyObject,
  apiVersionOf,
  type Kind,
  resourceOf,
  resources,
} from '../../mesh/kubernetes/client/objects.js';
import { TokenReviewAttestor } from '../../mesh/kubernetes/attestor.js';
import { writeStatuses } from '../../mesh/kubernetes/discovery/status.js';
import { KubernetesSource } from '../../mesh/kubernetes/discovery/kubernetes-source.js';
import { injectOptionsOf } from '../../mesh/kubernetes/inject/config.js';
import { type Injector, startInjector } from '../../mesh/kubernetes/inject/injector.js';
import {
  applyAll,
  type ApplyReport,
  prune,
  removeAll,
  usersObjects,
} from '../../mesh/kubernetes/install/apply.js';
import { monitoringParts } from '../../alerts/library/monitoring.js';
import { chartFiles, writeChart } from '../../mesh/kubernetes/install/helm.js';
import { manifests } from '../../mesh/kubernetes/install/manifests.js';
import { names } from '../../mesh/kubernetes/install/names.js';
import {
  controllerClusterRules,
  controllerOwnRules,
  injectorClusterRules,
  injectorOwnRules,
  type Rule,
} from '../../mesh/kubernetes/install/rbac.js';
import { defaultValues, readValues } from '../../mesh/kubernetes/install/values.js';
import { denialsInSecret } from '../../mesh/kubernetes/secret-denials.js';
import { type Denial, withDenial } from '../../mesh/identity/denials.js';
import { PublishedIssuerStore } from '../../mesh/kubernetes/published-issuer.js';
import { SecretIssuerStore } from '../../mesh/kubernetes/secret-issuer.js';
import { testWith } from '../tools.js';
import { type Cluster, startCluster } from './cluster.js';
import { gatewayCrds } from './gateway-crds.js';
import { until } from './until.js';

const needs = testWith('kube-apiserver', 'etcd');
const values = defaultValues();
const objects = manifests(values)
  .filter((m) => m.when !== 'podDisruptionBudget.enabled')
  .map((m) => m.object);
let cluster: Cluster;
let controller: KubeApi;
let injectorApi: KubeApi;
let injector: Injector | undefined;

beforeAll(async () => {
  if (!findTool('kube-apiserver') || !findTool('etcd')) return;
  cluster = await startCluster();
  await applyAll(cluster.admin, [...gatewayCrds(), ...objects], () => undefined);
  controller = await cluster.as('firedrill', names.controller, record('controller'));
  injectorApi = await cluster.as('firedrill', names.injector, record('injector'));
});
afterAll(async () => {
  await injector?.stop();
  await cluster?.stop();
});

const silent = (): void => undefined;

/** Records every kind of call that an account made, such as `controller list pods`. */
const used = new Set<string>();
function record(who: string): (method: string, path: string) => void {
  return (method, path) => {
    const [bare = '', query = ''] = path.split('?');
    const parts = bare.split('/').slice(bare.startsWith('/api/') ? 3 : 4);
    const rest = parts[0] === 'namespaces' && parts.length > 2 ? parts.slice(2) : parts;
    const [plural = '', name, below] = rest;
    const reading = name !== undefined ? 'get' : query.includes('watch=true') ? 'watch' : 'list';
    const writing: Record<string, string> = { POST: 'create', PATCH: 'patch', DELETE: 'delete' };
    const verb = method === 'GET' ? reading : (writing[method] ?? method);
    used.add(`${who} ${verb} ${plural}${below ? `/${below}` : ''}`);
  };
}
const granted = (who: string, rules: Rule[]): string[] =>
  rules.flatMap((r) => r.resources.flatMap((p) => r.verbs.map((v) => `${who} ${v} ${p}`)));

/** Makes one object of each custom kind; the RateLimit limits nothing, and its status must say so. */
const sample = (kind: Kind, name: string, spec: object): AnyObject => ({
  apiVersion: apiVersionOf(resources[kind]),
  kind,
  metadata: { name, namespace: 'default' },
  spec,
});
const parentRefs = [{ group: '', kind: 'Service', name: 'cart' }];
const samples = [
  sample('Service', 'cart', { ports: [{ port: 80 }] }),
  sample('HTTPRoute', 'http', { parentRefs }),
  sample('GRPCRoute', 'grpc', { parentRefs }),
  sample('ServiceProfile', 'cart.default.svc.cluster.local', {}),
  sample('TrafficSplit', 'split', { service: 'cart', backends: [{ service: 'cart', weight: 1 }] }),
  sample('Server', 'web', { podSelector: {}, port: 8080 }),
  sample('AuthorizationPolicy', 'all', {
    targetRef: { kind: 'Server', name: 'web' },
    from: [{ identity: '*' }],
  }),
  sample('RateLimit', 'limit', { targetRef: { kind: 'Server', name: 'web' } }),
  sample('ExternalWorkload', 'vm', { workloadIPs: [{ ip: '192.0.2.1' }] }),
  sample('MultiClusterLink', 'west', {
    clusterName: 'west',
    gatewayAddress: '192.0.2.2:4143',
    gatewayIdentity: 'gateway.firedrill.serviceaccount.identity.west',
    credentialsSecret: 'west',
  }),
];

const issuer = (api: KubeApi): PublishedIssuerStore =>
  new PublishedIssuerStore(
    new SecretIssuerStore(api, {
      namespace: 'firedrill',
      secret: names.issuerSecret,
      trustDomain: 'test.local',
      clock: realClock,
      log: silent,
    }),
    api,
    { namespace: 'firedrill', configMap: names.bundle },
  );

/**
 * Changes of namespaces never reach this client's cache, as for a moment on any machine, and for long on a slow one.
 */
function deafToNamespaces(api: KubeApi): KubeApi {
  const watch = api.watch.bind(api);
  api.watch = (path, query, onEvent, rest) =>
    watch(path, query, path === '/api/v1/namespaces' ? silent : onEvent, rest);
  return api;
}

const startIt = (): Promise<Injector> =>
  startInjector(
    deafToNamespaces(injectorApi),
    realClock,
    {
      listen: { host: '127.0.0.1', port: 0 },
      namespace: 'firedrill',
      serviceName: names.injector,
      extraNames: ['localhost'],
      certificateSecret: names.webhookSecret,
      mutatingWebhook: names.mutatingWebhook,
      validatingWebhook: names.validatingWebhook,
      trustAnchorsConfigMap: names.bundle,
      certificateLifetimeMs: 86_400_000,
      replica: 'test',
      inject: injectOptionsOf(values),
    },
    silent,
  );

needs('applying twice changes nothing', async () => {
  const reports: ApplyReport[] = [];
  await applyAll(cluster.admin, objects, (r) => reports.push(r));
  expect(reports.filter((r) => r.done !== 'unchanged')).toEqual([]);
});

needs(
  'the controller does its work with its own account: issuer, bundle, discovery, tokens',
  async () => {
    const [first, second] = await Promise.all([
      issuer(controller).start(silent, silent),
      issuer(controller).start(silent, silent),
    ]);
    // Two replicas that start at once over an empty Secret agree on one issuer.
    expect(first.chain[0]?.fingerprint256).toBe(second.chain[0]?.fingerprint256);
    // Every controller applies the denials that identity deny --kubernetes writes.
    let denied: readonly Denial[] = [];
    const watching = issuer(controller);
    await watching.start((next) => (denied = next.denied ?? []), silent);
    const keeper = await denialsInSecret({
      kubeconfig: cluster.kubeconfig,
      namespace: 'firedrill',
    });
    await keeper.change((list) => withDenial(list, { serial: 'AB', until: 9e15 }, 0));
    await until(() => denied.length === 1, 'the denial');
    expect([await keeper.read(), denied]).toEqual([denied, [{ serial: 'AB', until: 9e15 }]]);
    await watching.stop();
    const source = new KubernetesSource(controller, { trustDomain: 'test.local' });
    writeStatuses(controller, source, { clock: realClock, leading: () => true, log: silent });
    for (const object of samples) await cluster.admin.create(object);
    let destinations = 0;
    let problems: readonly string[] = [];
    await source.start({
      replace: (s) => (destinations = s.destinations.length),
      update: silent,
      problems: (list) => (problems = list),
    });
    expect(destinations).toBeGreaterThan(0);
    await until(
      // The sample link has no Secret.
      () => problems.every((p) => p.startsWith('link west')),
      'an end of the problems',
    );
    interface Accepted extends AnyObject {
      status?: {
        conditions?: { status: string; message: string }[];
        parents?: { conditions: { status: string; message: string }[] }[];
      };
    }
    for (const { kind, metadata } of samples) {
      if (kind === 'Service') continue;
      const wanted = ['RateLimit', 'MultiClusterLink'].includes(kind) ? 'False' : 'True';
      await until(async () => {
        const found = await cluster.admin.get<Accepted>(resourceOf(kind), 'default', metadata.name);
        const [condition] = (found.status?.parents?.[0] ?? found.status)?.conditions ?? [];
        return condition?.status === wanted;
      }, `the status ${wanted} of ${kind}`);
    }
    await until(() => used.has('controller watch secrets') && used.has('controller watch pods'));
    await source.stop();
    const token = await cluster.tokenOf('firedrill', names.injector, ['identity.firedrill.dev']);
    const attestor = new TokenReviewAttestor(controller);
    const ask = (text: string) => attestor.attest({ token: text, publicKeyHash: '' });
    expect(await ask(token)).toEqual({ namespace: 'firedrill', serviceAccount: names.injector });
    // A token for the API server proves nothing to us, and a join token is another attestor's.
    await expect(ask(await cluster.tokenOf('firedrill', names.injector))).rejects.toThrow(
      /refused|not for/,
    );
    expect(await ask('join-token')).toBeUndefined();
  },
);

needs('the webhooks inject once, skip with an Event, and refuse what cannot work', async () => {
  const { admin } = cluster;
  const [mutating] = objects.filter((o) => o.kind === 'MutatingWebhookConfiguration');
  await admin.remove(resources.MutatingWebhookConfiguration, undefined, names.mutatingWebhook);
  injector = await startIt();
  const { port } = injector;
  const ready = (): Promise<number> =>
    new Promise((resolve, reject) => {
      get({ port, path: '/ready', rejectUnauthorized: false }, (r) => {
        r.resume();
        resolve(r.statusCode ?? 0);
      }).on('error', reject);
    });
  // The injector is not ready until the API server is configured to trust it.
  expect(await ready()).toBe(503);
  await applyAll(admin, mutating ? [mutating] : [], silent);
  await until(async () => (await ready()) === 200, 'readiness');
  const url = (path: string) => `https://localhost:${injector?.port}${path}`;
  for (const [kind, name, path] of [
    ['MutatingWebhookConfiguration', names.mutatingWebhook, '/inject'],
    ['ValidatingWebhookConfiguration', names.validatingWebhook, '/validate'],
  ] as const) {
    const found = (await admin.get(resources[kind], undefined, name)) as AnyObject & {
      webhooks: { clientConfig: { caBundle?: string } }[];
    };
    // The injector wrote its CA here with its own account.
    expect(found.webhooks[0]?.clientConfig.caBundle).toBeTruthy();
    await admin.patch(resources[kind], undefined, name, [
      { op: 'remove', path: '/webhooks/0/clientConfig/service' },
      { op: 'add', path: '/webhooks/0/clientConfig/url', value: url(path) },
      { op: 'replace', path: '/webhooks/0/failurePolicy', value: 'Fail' },
    ]);
  }
  // The pod is created a moment after its namespace.
  await admin.create({
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name: 'shop', annotations: { 'mesh.firedrill.dev/inject': 'enabled' } },
  });
  const pod = (
    name: string,
    extra: object = {},
    annotations?: Record<string, string>,
  ): AnyObject => ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'shop', ...(annotations ? { annotations } : {}) },
    spec: { serviceAccountName: 'default', containers: [{ name: 'app', image: 'app' }], ...extra },
  });
  interface Made {
    metadata: { annotations?: Record<string, string> };
    spec: { initContainers?: { name: string }[]; containers: { name: string }[] };
  }
  let made: Made | undefined;
  // Webhook configurations reach the API server's own cache a moment later.
  await until(async () => {
    made = await admin.create<Made>(pod(`cart-${Math.random().toString(36).slice(2, 8)}`));
    return made.spec.initContainers;
  }, 'the injection');
  expect(made?.spec.initContainers?.map((c) => c.name)).toEqual([
    'firedrill-init',
    'firedrill-proxy',
  ]);
  expect(made?.metadata.annotations?.['mesh.firedrill.dev/trust-anchors']).toContain(
    'BEGIN CERTIFICATE',
  );
  const host = await admin.create<Made>(pod('host', { hostNetwork: true }));
  expect(host.spec.initContainers).toBeUndefined();
  await until(async () => {
    const events = await admin.list<AnyObject & { note?: string; reason?: string }>(
      resources.Event,
      { namespace: 'shop' },
    );
    return events.items.some(
      (e) => e.reason === 'InjectionSkippedHostNetwork' && e.note?.includes('hostNetwork'),
    );
  }, 'the Event');
  const bad = {
    apiVersion: 'mesh.firedrill.dev/v1alpha1',
    kind: 'ServiceProfile',
    metadata: { name: 'cart.shop.svc.cluster.local', namespace: 'shop' },
    spec: { routes: [{ name: 'a', condition: { pathRegex: '/(' } }] },
  };
  await expect(admin.create(bad)).rejects.toThrow(
    /cannot work: spec\.routes\[0\]\.condition\.pathRegex/,
  );
});

needs('every permission is used, and nothing is allowed beyond them', async () => {
  const rules = [
    ...granted('controller', [...controllerClusterRules(), ...controllerOwnRules()]),
    ...granted('injector', [...injectorClusterRules(), ...injectorOwnRules()]),
  ];
  // The rights suffice: the tests above worked with these accounts. All are needed: calls of the tests used each one.
  expect([...new Set(rules)].sort().filter((line) => !used.has(line))).toEqual([]);
  for (const api of [controller, injectorApi]) {
    for (const [verb, plural] of [
      ['get', 'secrets'],
      ['list', 'secrets'],
      ['create', 'pods'],
      ['delete', 'pods'],
      ['create', 'pods/exec'],
      ['escalate', 'clusterroles'],
    ] as const) {
      expect([verb, plural, await allowed(api, verb, plural)]).toEqual([verb, plural, false]);
    }
  }
});

/** Asks RBAC for an account's own rights, for all namespaces. */
async function allowed(api: KubeApi, verb: string, plural: string): Promise<boolean> {
  const [resource, subresource] = plural.split('/');
  const review = await api.create<{ status: { allowed: boolean } }>({
    apiVersion: 'authorization.k8s.io/v1',
    kind: 'SelfSubjectAccessReview',
    metadata: { name: '' },
    spec: { resourceAttributes: { resource, verb, ...(subresource ? { subresource } : {}) } },
  });
  return review.status.allowed;
}

test('the chart is what the code makes, and --ha is an overlay of values', () => {
  for (const [name, text] of chartFiles(monitoringParts())) {
    expect(
      readFileSync(join(asset('charts/firedrill'), name), 'utf8'),
      `${name}: run install --output-helm`,
    ).toBe(text);
  }
  const ha = readValues({ ha: true });
  expect([
    ha.controller.replicas,
    ha.injector.failurePolicy,
    ha.podDisruptionBudget.enabled,
  ]).toEqual([3, 'Fail', true]);
  expect(() => readValues({ set: ['controller.replica=2'] })).toThrow(
    "unknown value 'controller.replica'",
  );
});

testWith('helm')(
  'helm renders the same objects as install: plain, and --ha with the Operator and the redirector',
  () => {
    const folder = mkdtempSync(join(tmpdir(), 'firedrill-chart-'));
    try {
      writeChart(folder, monitoringParts());
      for (const ha of [false, true]) {
        const set = [
          'monitoring.operator=true',
          'monitoring.release=kps',
          'redirector.enabled=true',
        ];
        const overlay = ha
          ? ['-f', join(folder, 'values-ha.yaml'), ...set.flatMap((s) => ['--set', s])]
          : [];
        const args = ['template', 'firedrill', folder, '--namespace', 'firedrill', ...overlay];
        const run = spawnSync(requireTool('helm'), args, { encoding: 'utf8' });
        expect(run.stderr).toBe('');
        const rendered = (parseAllDocuments(run.stdout) as { toJS(): AnyObject | null }[])
          .map((d) => d.toJS())
          .filter((o) => o !== null);
        const chosen = ha ? readValues({ ha, set }) : readValues({});
        const own = manifests(chosen, '', monitoringParts())
          .filter(({ when }) => ha || !/podDisruptionBudget|operator|redirector/.test(when ?? ''))
          .map((m) => m.object)
          // Helm makes the release's own namespace.
          .filter((o) => o.kind !== 'Namespace' || o.metadata.name !== 'firedrill');
        const byName = (list: AnyObject[]) =>
          Object.fromEntries(list.map((o) => [`${o.kind} ${o.metadata.name}`, parsedConfig(o)]));
        expect(byName(rendered)).toEqual(byName(own));
      }
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
);

/** Parses configuration files inside ConfigMaps, so that the comparison ignores differences in quoting. */
function parsedConfig(object: AnyObject): AnyObject {
  if (object.kind !== 'ConfigMap' || !object.data)
    return JSON.parse(JSON.stringify(object)) as AnyObject;
  const data = Object.entries(object.data as Record<string, string>).map(([name, text]) => [
    name,
    (parseAllDocuments(text) as { toJS(): unknown }[])[0]?.toJS(),
  ]);
  return { ...object, data: Object.fromEntries(data) as unknown };
}

needs('a canary is kept whole while a namespace follows it, and pruned whole after', async () => {
  const { admin } = cluster;
  const canary = manifests(values, 'canary').map((m) => m.object);
  await applyAll(admin, canary, silent);
  const metadata = { name: 'late', annotations: { 'mesh.firedrill.dev/revision': 'canary' } };
  await admin.create({ apiVersion: 'v1', kind: 'Namespace', metadata });
  const pruned = async (): Promise<string[]> => {
    const done: string[] = [];
    await prune(admin, objects, 'firedrill', (r) => done.push(`${r.kind}/${r.name} ${r.done}`));
    return done.sort();
  };
  const each = (done: string): string[] =>
    canary.map((o) => `${o.kind}/${o.metadata.name} ${done}`).sort();
  expect(each('').some((line) => line.startsWith('ConfigMap/'))).toBe(true);
  expect(await pruned()).toEqual(each('kept: namespace late follows revision canary'));
  await admin.patch(resources.Namespace, undefined, 'late', {
    metadata: { annotations: { 'mesh.firedrill.dev/revision': null } },
  });
  expect(await pruned()).toEqual(each('pruned'));
});

needs('uninstall takes away everything that install made', async () => {
  await injector?.stop();
  injector = undefined;
  const labels = { 'app.kubernetes.io/part-of': 'firedrill' };
  const metadata = { name: 'mine', namespace: 'default', labels };
  await cluster.admin.create({ apiVersion: 'v1', kind: 'ConfigMap', metadata, data: { a: '1' } });
  await prune(cluster.admin, [], 'elsewhere', () => undefined);
  const theirs = { name: 'theirs', namespace: 'firedrill' };
  await cluster.admin.create({ apiVersion: 'v1', kind: 'ConfigMap', metadata: theirs });
  // Users' own objects go with their definitions, so nobody deletes these by accident.
  expect(await usersObjects(cluster.admin)).toContain('Server default/web');
  const gone: string[] = [];
  const remove = () =>
    removeAll(cluster.admin, 'firedrill', (r) => gone.push(`${r.kind}/${r.name} ${r.done}`));
  await remove();
  expect(gone.filter((line) => !line.endsWith(' deleted'))).toEqual([
    "Namespace/firedrill kept: configmap/theirs in it is somebody else's",
  ]);
  await cluster.admin.remove(resources.ConfigMap, 'firedrill', 'theirs');
  await remove();
  // Everything is removed except SMI's definition, which others share, and a foreign object with a common label.
  const deleted = new Set(gone.filter((line) => line.endsWith(' deleted')));
  expect(deleted.size).toBe(objects.length - 1);
  expect(gone.filter((name) => /smi-spec|mine/.test(name))).toEqual([]);
  expect(await cluster.admin.find(resources.ConfigMap, 'default', 'mine')).toBeDefined();
});

needs('uninstall of nothing is no success', () => {
  const args = ['uninstall', '--apply', '-n', 'elsewhere', '--kubeconfig'];
  const file = cluster.kubeconfig;
  const { status, stderr } = spawnSync(process.execPath, [asset('dist/cli.js'), ...args, file], {
    encoding: 'utf8',
  });
  expect(status).toBe(1);
  expect(stderr).toContain('nothing to uninstall: no installation is in namespace elsewhere');
});
