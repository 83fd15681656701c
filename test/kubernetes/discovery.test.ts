/** Objects in the API server become the state that proxies use, one change at a time (C3, C6, D8, D9). */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { findTool } from '../../base/tools.js';
import type { Destination } from '../../mesh/model.js';
import type { SourceChange, WorkloadServers } from '../../mesh/controller/discovery/source.js';
import type { AnyObject } from '../../mesh/kubernetes/client/objects.js';
import { resources } from '../../mesh/kubernetes/client/objects.js';
import { customResources } from '../../mesh/kubernetes/crds/definitions.js';
import { KubernetesSource } from '../../mesh/kubernetes/discovery/kubernetes-source.js';
import { grpcRoutes, httpRoutes } from '../../mesh/kubernetes/discovery/gateway-routes.js';
import { profileRoutes } from '../../mesh/kubernetes/discovery/service-profile.js';
import { problemsOfObject } from '../../mesh/kubernetes/inject/validate.js';
import { testWith } from '../tools.js';
import { type Cluster, startCluster } from './cluster.js';
import { until } from './until.js';

const needs = testWith('kube-apiserver', 'etcd');
let cluster: Cluster;

beforeAll(async () => {
  if (!findTool('kube-apiserver') || !findTool('etcd')) return;
  cluster = await startCluster();
  for (const crd of customResources()) await cluster.admin.apply(crd, { manager: 'test' });
  await until(async () => {
    const listed = customResources().map((crd) =>
      cluster.admin.find(resources.CustomResourceDefinition, undefined, crd.metadata.name),
    );
    const found = (await Promise.all(listed)) as {
      status?: { conditions?: { type: string; status: string }[] };
    }[];
    return found.every((c) =>
      c.status?.conditions?.some((x) => x.type === 'Established' && x.status === 'True'),
    );
  }, 'the CRDs');
  await cluster.admin.create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'retail' } });
});
afterAll(() => cluster?.stop());

const ours = (kind: string, name: string, spec: unknown, namespace = 'retail'): AnyObject => ({
  apiVersion: 'mesh.firedrill.dev/v1alpha1',
  kind,
  metadata: { name, namespace },
  spec,
});

const service = (name: string, port = 80): AnyObject => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name, namespace: 'retail' },
  spec: {
    ports: [{ name: 'http', port, targetPort: 8080, protocol: 'TCP' }],
    selector: { app: name },
  },
});

const slice = (name: string, ips: string[], ready = true): AnyObject => ({
  apiVersion: 'discovery.k8s.io/v1',
  kind: 'EndpointSlice',
  metadata: {
    name: `${name}-1`,
    namespace: 'retail',
    labels: { 'kubernetes.io/service-name': name },
  },
  addressType: 'IPv4',
  endpoints: ips.map((ip, i) => ({
    addresses: [ip],
    conditions: { ready },
    zone: 'zone-a',
    targetRef: { kind: 'Pod', name: `${name}-${i}`, namespace: 'retail' },
  })),
  ports: [{ name: 'http', port: 8080, protocol: 'TCP' }],
});

const pod = (name: string, app: string, meshed: boolean): AnyObject => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace: 'retail', labels: { app } },
  spec: {
    serviceAccountName: 'cart',
    containers: [
      { name: 'app', image: 'app', ports: [{ name: 'http', containerPort: 8080 }] },
      ...(meshed ? [{ name: 'firedrill-proxy', image: 'proxy' }] : []),
    ],
  },
});

needs('services, slices, pods, routes and policy arrive as deltas', async () => {
  const { admin } = cluster;
  await admin.create(service('cart'));
  await admin.create(slice('cart', ['10.0.0.1', '10.0.0.2']));
  await admin.create(pod('cart-0', 'cart', true));
  const destinations = new Map<string, Destination>();
  const servers = new Map<string, WorkloadServers>();
  const take = (change: SourceChange): void => {
    for (const d of change.destinations ?? []) destinations.set(d.name, d);
    for (const name of change.removedDestinations ?? []) destinations.delete(name);
    for (const s of change.servers ?? []) servers.set(s.key, s);
    for (const key of change.removedServers ?? []) servers.delete(key);
  };
  const source = new KubernetesSource(admin, { trustDomain: 'test.local' });
  await source.start({ replace: take, update: take, problems: () => undefined });
  const cart = (): Destination => destinations.get('cart.retail') as Destination;
  expect(cart().hosts).toEqual(['cart.retail', 'cart.retail.svc', 'cart.retail.svc.cluster.local']);
  expect(cart().addresses[0]).toMatch(/^10\.96\.\d+\.\d+:80$/);
  const known = cart().backends[0]?.endpoints ?? [];
  expect(known).toEqual([
    {
      address: '10.0.0.1:8080',
      identity: 'cart.retail.serviceaccount.identity.test.local',
      zone: 'zone-a',
      labels: { pod: 'cart-0' },
      plainPorts: [4191],
    },
  ]);
  expect(servers.get('retail/cart-0')?.servers[0]).toMatchObject({
    port: 8080,
    defaultPolicy: 'all-unauthenticated',
  });

  // A workload's pods decide which identity may claim the workload; without pods no claim can be refused.
  const claim = (workload: string, account: string) =>
    source.whyNot(`${account}.retail.serviceaccount.identity.test.local`, {
      namespace: 'retail',
      workload,
    });
  expect(claim('cart-0', 'cart')).toBeUndefined();
  expect(claim('cart-0', 'thief')).toMatch(/no pod of cart-0 in retail has the identity thief/);
  expect(claim('nobody', 'thief')).toBeUndefined();

  // An endpoint whose pod is unknown is left out, and never sent as a plaintext one.
  await admin.create(pod('cart-1', 'cart', true));
  await until(
    () => cart().backends[0]?.endpoints.filter((e) => e.identity).length === 2,
    'cart-1 with its identity',
  );

  await admin.create(service('cart-v2'));
  const backends = [
    { service: 'cart', weight: 90 },
    { service: 'cart-v2', weight: 10 },
  ];
  await admin.create({
    apiVersion: 'split.smi-spec.io/v1alpha4',
    kind: 'TrafficSplit',
    metadata: { name: 'canary', namespace: 'retail' },
    spec: { service: 'cart', backends },
  });
  await until(() => cart().routes.length === 1, 'the split');
  expect(cart().routes[0]?.split).toEqual([
    { backend: 'cart.retail', weight: 90 },
    { backend: 'cart-v2.retail', weight: 10 },
  ]);
  // The backend's endpoints belong to another service, whose changes must arrive too.
  await admin.create(pod('cart-v2-0', 'cart-v2', false));
  await admin.create(slice('cart-v2', ['10.0.0.9']));
  await until(
    () => cart().backends.find((b) => b.name === 'cart-v2.retail')?.endpoints.length === 1,
    'v2',
  );

  await admin.create(
    ours('ServiceProfile', 'cart.retail.svc.cluster.local', {
      routes: [
        {
          name: 'add',
          condition: { method: 'POST', pathRegex: '/cart/[^/]+' },
          isRetryable: true,
          timeout: '2s',
        },
      ],
    }),
  );
  await until(() => cart().routes[0]?.name === 'add', 'the profile');
  expect(cart().routes[0]).toMatchObject({
    timeouts: { requestMs: 2000 },
    retry: { unsafeMethods: true, limit: 1 },
    split: [
      { backend: 'cart.retail', weight: 90 },
      { backend: 'cart-v2.retail', weight: 10 },
    ],
  });

  await admin.create(
    ours('Server', 'cart-http', { podSelector: { matchLabels: { app: 'cart' } }, port: 'http' }),
  );
  await admin.create(
    ours('AuthorizationPolicy', 'checkout', {
      targetRef: { kind: 'Server', name: 'cart-http' },
      from: [{ serviceAccount: 'checkout' }],
    }),
  );
  // It came past the webhook: sent to a proxy, it would block everything else of the update.
  await admin.create(
    ours('AuthorizationPolicy', 'broken', {
      targetRef: { kind: 'Server', name: 'cart-http' },
      from: [{ network: '10.0.0.0/' }],
    }),
  );
  await admin.create(
    ours('RateLimit', 'cart', {
      targetRef: { kind: 'Server', name: 'cart-http' },
      identity: { requestsPerSecond: 7 },
    }),
  );
  await until(() => servers.get('retail/cart-0')?.servers[0]?.rateLimit, 'the policy');
  expect(servers.get('retail/cart-0')?.servers[0]).toMatchObject({
    name: 'cart-http',
    defaultPolicy: 'deny',
    authorizations: [
      {
        name: 'checkout',
        identities: ['checkout.retail.serviceaccount.identity.test.local'],
        unauthenticated: false,
      },
    ],
    rateLimit: { requestsPerSecond: 7, burst: 7, per: 'identity' },
  });

  await admin.create(ours('ExternalWorkload', 'vm-1', { workloadIPs: [{ ip: '192.0.2.7' }] }));
  await admin.patch(resources.ExternalWorkload, 'retail', 'vm-1', {
    metadata: { labels: { app: 'cart' } },
  });
  await until(
    () => cart().backends[0]?.endpoints.some((e) => e.address === '192.0.2.7:8080'),
    'the VM',
  );

  // During an outage of the API server the last known good state stays.
  await cluster.stopApiServer();
  expect(cart().backends[0]?.endpoints).toHaveLength(3);
  await cluster.startApiServer();
  await admin.remove(resources.Service, 'retail', 'cart');
  await until(() => !destinations.has('cart.retail'), 'the removal');
  await source.stop();
});

needs('a meshed pod is known by its address while no Service sends to it', async () => {
  const { admin } = cluster;
  await admin.create(service('late'));
  await admin.create(pod('late-0', 'late', true));
  const status = { phase: 'Running', podIP: '10.0.0.77', podIPs: [{ ip: '10.0.0.77' }] };
  await admin.patch(resources.Pod, 'retail', 'late-0', { status }, 'status');
  await admin.create(slice('late', ['10.0.0.77'], false));
  const known = new Set<string>();
  const take = ({ destinations = [], removedDestinations = [] }: SourceChange): void => {
    for (const d of destinations)
      if (d.backends[0]?.endpoints.length) known.add(d.name);
      else known.delete(d.name);
    for (const name of removedDestinations) known.delete(name);
  };
  const source = new KubernetesSource(admin, { trustDomain: 'test.local' });
  await source.start({ replace: take, update: take, problems: () => undefined });
  const [bare, served] = ['late-0.retail:pods', 'late.retail'];
  const only = (wanted: string, other: string) => () => known.has(wanted) && !known.has(other);
  await until(only(bare, served), 'the pod that is not ready');
  const { endpoints } = slice('late', ['10.0.0.77']) as { endpoints?: unknown };
  await admin.patch(resources.EndpointSlice, 'retail', 'late-1', { endpoints });
  await until(only(served, bare), 'the endpoint');
  await admin.remove(resources.Service, 'retail', 'late');
  await until(only(bare, served), 'the pod whose Service is gone');
  await source.stop();
});

needs('a slice of bare addresses leads to a meshed pod by its identity, in any order', async () => {
  const { admin } = cluster;
  const { spec, ...manual } = service('manual');
  await admin.create({ ...manual, spec: { ports: (spec as { ports: unknown }).ports } });
  const bare = slice('manual', ['10.0.0.88']) as unknown as { endpoints: { targetRef?: object }[] };
  for (const endpoint of bare.endpoints) delete endpoint.targetRef;
  await admin.create(bare as unknown as AnyObject);
  let shown: string | undefined;
  const take = ({ destinations = [] }: SourceChange): void => {
    const own = destinations.find((d) => d.name === 'manual.retail');
    const [endpoint] = own?.backends[0]?.endpoints ?? [];
    if (endpoint) shown = endpoint.identity ?? 'plaintext';
  };
  const source = new KubernetesSource(admin, { trustDomain: 'test.local' });
  await source.start({ replace: take, update: take, problems: () => undefined });
  await until(() => shown === 'plaintext', 'an address of nobody');
  await admin.create(pod('by-hand', 'by-hand', true));
  const status = { phase: 'Running', podIP: '10.0.0.88', podIPs: [{ ip: '10.0.0.88' }] };
  await admin.patch(resources.Pod, 'retail', 'by-hand', { status }, 'status');
  await until(
    () => shown === 'cart.retail.serviceaccount.identity.test.local',
    'the identity of the pod at the address',
  );
  await source.stop();
});

test('HTTPRoute rules are ordered by the precedence of the Gateway API', () => {
  const { drafts, problems } = httpRoutes(
    { name: 'r', namespace: 'retail' },
    {
      rules: [
        { name: 'any' },
        { name: 'prefix', matches: [{ path: { type: 'PathPrefix', value: '/cart' } }] },
        {
          name: 'header',
          matches: [{ path: { value: '/cart' }, headers: [{ name: 'X-User', value: 'qa' }] }],
        },
        { name: 'exact', matches: [{ path: { type: 'Exact', value: '/cart' } }] },
      ],
    },
  );
  expect(problems).toEqual([]);
  expect(drafts.map((d) => d.route.name)).toEqual(['exact', 'header', 'prefix', 'any']);
});

test.each([
  [{ service: 'a.b.C' }, '^/(?:a\\.b\\.C)/(?:[^/]+)$'],
  [{ method: 'Get' }, '^/(?:[^/]+)/(?:Get)$'],
  [{ type: 'RegularExpression', service: 'a.b' }, '^/(?:a.b)/(?:[^/]+)$'],
])('a GRPCRoute for %o takes the names as they are written', (method, value) => {
  const { drafts } = grpcRoutes(
    { name: 'r', namespace: 'shop' },
    { rules: [{ matches: [{ method }] }] },
  );
  expect(drafts[0]?.route.matches).toEqual([{ path: { kind: 'regex', value } }]);
});

test('an HTTPRoute is hedged by its annotation, and a wrong time is named with its place', () => {
  const hedged = (after: string) => {
    const annotations = { 'mesh.firedrill.dev/hedge-after': after };
    return httpRoutes({ name: 'r', namespace: 'retail', annotations }, {});
  };
  const { drafts, problems } = hedged('150ms');
  expect([drafts.map((d) => d.route.hedge), problems]).toEqual([[{ afterMs: 150 }], []]);
  const wrong = hedged('soon');
  expect(wrong.drafts.map((d) => d.route.hedge)).toEqual([undefined]);
  expect(wrong.problems).toEqual([
    {
      path: 'metadata.annotations[mesh.firedrill.dev/hedge-after]',
      message: "'soon' is no duration such as 300ms, 10s or 1m30s",
    },
  ]);
});

test('conditions become alternatives; what cannot work is named with its place', () => {
  const { drafts } = profileRoutes(
    {
      routes: [
        {
          name: 'read',
          condition: {
            all: [{ any: [{ method: 'GET' }, { method: 'HEAD' }] }, { pathRegex: '/a' }],
          },
        },
      ],
    },
    'retail',
  );
  expect(drafts[0]?.route.matches).toEqual([
    { method: 'GET', path: { kind: 'regex', value: '^(?:/a)$' } },
    { method: 'HEAD', path: { kind: 'regex', value: '^(?:/a)$' } },
  ]);
  const bad = ours('ServiceProfile', 'cart', {
    routes: [
      { name: 'a', condition: { pathRegex: '/(' }, timeout: 'soon' },
      { name: 'a', condition: { not: { method: 'GET' } } },
    ],
  });
  expect(problemsOfObject(bad).map((p) => p.path)).toEqual([
    'spec.routes[0].timeout',
    'spec.routes[0].condition.pathRegex',
    'spec.routes[1].name',
    'spec.routes[1].condition.not',
    'metadata.name',
  ]);
});

test.each([
  ['AuthorizationPolicy', {}, 'spec'],
  ['ExternalWorkload', {}, 'spec'],
  ['TrafficSplit', { service: 'cart', backends: null }, 'spec'],
  ['AuthorizationPolicy', { from: [null] }, 'spec'],
  ['Server', { port: 1.5 }, 'spec.port'],
  ['Server', { port: 0 }, 'spec.port'],
  ['Server', {}, 'spec.port'],
] as const)('an object that lacks what its kind needs is refused: %s %j', (kind, spec, path) => {
  expect(problemsOfObject(ours(kind, 'cart', spec)).map((p) => p.path)).toEqual([path]);
});

test.each([
  ['none', undefined, undefined],
  ['5xx is no failure', [[500, 599, false]], []],
  ['from 400 on', [[400, undefined, true]], [[400, 599]]],
  [
    'up to 299',
    [[undefined, 299, true]],
    [
      [100, 299],
      [500, 599],
    ],
  ],
  [
    'the first decides',
    [
      [503, 503, false],
      [500, 599, true],
    ],
    [
      [500, 502],
      [504, 599],
    ],
  ],
  [
    '404 as well',
    [[404, 404, true]],
    [
      [404, 404],
      [500, 599],
    ],
  ],
] as const)("C6: a profile's response classes: %s", (_, classes, statuses) => {
  const responseClasses = classes?.map(([min, max, isFailure]) => ({
    condition: { status: { ...(min && { min }), ...(max && { max }) } },
    isFailure,
  }));
  const { drafts, problems } = profileRoutes(
    {
      routes: [{ name: 'r', condition: {}, ...(responseClasses && { responseClasses }) }],
    },
    'retail',
  );
  expect(problems).toEqual([]);
  expect(drafts[0]?.route.failure?.statuses).toEqual(statuses);
});

test('C6: a response class by anything but a status is a problem, and decides nothing', () => {
  const { drafts, problems } = profileRoutes(
    {
      routes: [{ name: 'r', condition: {}, responseClasses: [{ condition: {}, isFailure: true }] }],
    },
    'retail',
  );
  expect(problems.map((p) => p.path)).toEqual(['spec.routes[0].responseClasses[0].condition']);
  expect(drafts[0]?.route.failure?.statuses).toEqual([[500, 599]]);
});
