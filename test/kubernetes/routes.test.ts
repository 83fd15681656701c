/** Which routes shape whose traffic, by which rules, and the resulting statuses of the objects (Gateway API, GAMMA). */
import { expect, test } from 'vitest';
import type { Destination } from '../../mesh/model.js';
import type { AnyObject, KubeObject } from '../../mesh/kubernetes/client/objects.js';
import { conditionOf } from '../../mesh/kubernetes/discovery/status.js';
import { httpRoutes } from '../../mesh/kubernetes/discovery/gateway-routes.js';
import { controllerName, parentStatuses } from '../../mesh/kubernetes/discovery/route-status.js';
import { splitShares } from '../../mesh/kubernetes/discovery/specs.js';
import { targetFinding } from '../../mesh/kubernetes/discovery/targets.js';
import type { Store } from '../../mesh/kubernetes/discovery/store.js';
import { problemsOfObject } from '../../mesh/kubernetes/inject/validate.js';
import { bench, carry, request, state } from '../mesh/proxy/flow-bench.js';
import { convert, lookOf } from './look.js';

const object = (kind: string, namespace: string, name: string, spec: unknown): AnyObject => ({
  apiVersion: 'v1',
  kind,
  metadata: { name, namespace },
  spec,
});
let last = 0;
const service = (namespace: string, name: string): KubeObject[] => [
  object('Service', namespace, name, { clusterIP: `10.96.0.${++last}`, ports: [{ port: 80 }] }),
  {
    ...object('EndpointSlice', namespace, name, {}),
    metadata: { name, namespace, labels: { 'kubernetes.io/service-name': name } },
    addressType: 'IPv4',
    ports: [{ port: 80 }],
    endpoints: [{ addresses: [`10.1.0.${last}`] }],
  } as KubeObject,
];
const cluster = [
  ...service('shop', 'echo'),
  ...service('shop', 'v1'),
  ...service('shop', 'v2'),
  ...service('other', 'far'),
  object('Service', 'shop', 'alias', {
    type: 'ExternalName',
    externalName: 'x.example',
    ports: [{ port: 80 }],
  }),
  object('Service', 'shop', 'dns', { ports: [{ port: 80, protocol: 'UDP' }] }),
];
const parent = { group: '', kind: 'Service', name: 'echo', port: 80 };
type Rule = Record<string, unknown>;
const route = (rules: Rule[], name = 'r', more: Rule = {}, namespace = 'shop'): AnyObject => {
  const made = object('HTTPRoute', namespace, name, { parentRefs: [parent], rules, ...more });
  return made;
};
const to = (name: string, more: Rule = {}): Rule[] => [{ name, port: 80, ...more }];
const prefix = (value: string) => ({ path: { type: 'PathPrefix', value } });

/** Returns the target of a request from a client in `namespace`: a backend's name, or the status of an own answer. */
function goes(path: string, objects: KubeObject[], namespace = 'shop'): string {
  const { destinations } = convert('shop/echo', [...cluster, ...objects]);
  const b = bench(state(destinations), { config: { workload: { name: 'client', namespace } } });
  const destination = b.gateway.outbound.destinationFor('echo.shop');
  const flow = b.gateway.outbound.begin(destination, request({ path, authority: 'echo.shop' }));
  let asked = '';
  const { status } = carry(b, flow, (address) => {
    asked = address;
    return { status: 200 };
  });
  if (asked === '') return String(status);
  const all = destinations.flatMap((d: Destination) => d.backends);
  return all.find((x) => x.endpoints.some((e) => e.address === asked))?.name.split('.')[0] ?? asked;
}

test('what no rule matches is answered 404: whoever restricts paths means it', () => {
  const only = route([{ matches: [prefix('/public')], backendRefs: to('v1') }]);
  expect([goes('/public/a', [only]), goes('/admin', [only]), goes('/admin', [])]).toEqual([
    'v1',
    '404',
    'echo',
  ]);
});

test('precedence goes across all routes of a service; age only breaks ties', () => {
  const old = route([{ matches: [prefix('/')], backendRefs: to('v1') }], 'old');
  const exact = { path: { type: 'Exact', value: '/x' } };
  const young = route([{ matches: [exact], backendRefs: to('v2') }], 'young');
  old.metadata.creationTimestamp = '2026-01-01T00:00:00Z';
  young.metadata.creationTimestamp = '2026-02-01T00:00:00Z';
  expect([goes('/x', [young, old]), goes('/y', [young, old])]).toEqual(['v2', 'v1']);
  const tie = route([{ matches: [prefix('/')], backendRefs: to('v2') }], 'a-tie');
  tie.metadata.creationTimestamp = '2026-03-01T00:00:00Z';
  expect(goes('/y', [tie, old])).toBe('v1');
});

test.each([
  ['all weights 0', to('v1', { weight: 0 })],
  ['no such service', to('nope')],
  ['no such port', [{ name: 'v1', port: 81 }]],
  ['a port of UDP', to('dns')],
  ['an ExternalName', to('alias')],
  ['a service of another namespace, without its grant', to('far', { namespace: 'other' })],
  ['a backend of another kind', [{ group: 'x.io', kind: 'ServiceImport', name: 'v1', port: 80 }]],
  ['a filter on the backend that is not done', to('v1', { filters: [{ type: 'URLRewrite' }] })],
])('%s: 500, and nothing else is kept from the proxy', (_, backendRefs) => {
  const bad = route([{ matches: [prefix('/bad')], backendRefs }, { backendRefs: to('v1') }]);
  expect([goes('/bad', [bad]), goes('/good', [bad])]).toEqual(['500', 'v1']);
});

test('a filter that is not done is never passed over: it may be what keeps people out', () => {
  const filters = [{ type: 'ExtensionRef', extensionRef: { group: 'x', kind: 'Auth', name: 'a' } }];
  const guarded = route([{ filters, backendRefs: to('v1') }]);
  expect(goes('/', [guarded])).toBe('500');
  const mirror = { type: 'RequestMirror', requestMirror: { backendRef: { name: 'v2', port: 80 } } };
  expect(goes('/', [route([{ filters: [mirror, mirror], backendRefs: to('v1') }])])).toBe('500');
  expect(goes('/', [route([{ sessionPersistence: {}, backendRefs: to('v1') }])])).toBe('500');
});

test('of a header in two spellings the first counts', () => {
  const headers = ['A', 'a'].map((name, i) => ({ name, value: String(i) }));
  const [match] = httpRoutes(
    { name: 'r', namespace: 'shop' },
    { rules: [{ matches: [{ headers }] }] },
  ).drafts;
  expect(match?.route.matches).toEqual([{ headers: [{ name: 'a', kind: 'exact', value: '0' }] }]);
});

test('a match that cannot be read matches nothing, instead of everything', () => {
  const bad = { path: { type: 'RegularExpression', value: '/(' } };
  expect(goes('/x', [route([{ matches: [bad], backendRefs: to('v2') }])])).toBe('404');
});

test('changes of headers of one backend are of its share alone', () => {
  const modify = (value: string): Rule => ({
    type: 'RequestHeaderModifier',
    requestHeaderModifier: { set: [{ name: 'X-A', value }] },
  });
  const [d] = convert('shop/echo', [
    ...cluster,
    route([
      {
        filters: [modify('rule')],
        backendRefs: [...to('v1', { filters: [modify('v1')] }), ...to('v2')],
      },
    ]),
  ]).destinations;
  const b = bench(state(d ? [d] : []));
  const seen = new Map<string, string | undefined>();
  for (let i = 0; i < 50; i++) {
    const flow = b.gateway.outbound.begin(
      b.gateway.outbound.destinationFor('echo.shop'),
      request({ authority: 'echo.shop' }),
    );
    const set = flow.requestHeaders?.set.map(([, value]) => value).join();
    carry(b, flow, (address) => {
      seen.set(address, set);
      return { status: 200 };
    });
  }
  expect([...seen.values()].sort()).toEqual(['rule', 'v1']);
});

test("a route, a profile and a split of another namespace shape that namespace's traffic and no other", () => {
  const parentRefs = [{ ...parent, namespace: 'shop' }];
  const thief = route([{ backendRefs: to('far') }], 'r', { parentRefs }, 'other');
  const profile = object('ServiceProfile', 'other', 'echo.shop.svc.cluster.local', {
    dstOverrides: [{ authority: 'far.other', weight: 1 }],
  });
  const split = object('TrafficSplit', 'other', 's', {
    service: 'echo.shop',
    backends: [{ service: 'far', weight: 1 }],
  });
  for (const evil of [thief, profile, split]) {
    expect([evil.kind, goes('/', [evil], 'shop'), goes('/', [evil], 'third')]).toEqual([
      evil.kind,
      'echo',
      'echo',
    ]);
    expect(goes('/', [evil], 'other')).toBe('far');
  }
  // The client's own routes precede those of the service.
  const producer = route([{ backendRefs: to('v1') }]);
  expect([goes('/', [thief, producer], 'other'), goes('/', [thief, producer], 'shop')]).toEqual([
    'far',
    'v1',
  ]);
});

test('a split of any version of SMI: weights as quantities; one with matches is not done, and says so', () => {
  const split = (spec: object): AnyObject =>
    object('TrafficSplit', 'shop', 's', { service: 'echo', ...spec });
  const backends = (...weights: (string | number)[]) => ({
    backends: weights.map((weight, i) => ({ service: `v${i + 1}`, weight })),
  });
  const shares = (...weights: (string | number)[]): number[] =>
    splitShares({ service: 'echo', ...backends(...weights) }).map((s) => s.weight);
  expect(shares(90, 10)).toEqual([90, 10]);
  expect(shares('90', '10')).toEqual([90, 10]);
  expect(shares('1', '500m')).toEqual([1000, 500]);
  expect(shares('0.5', 'much')).toEqual([500, 0]);
  expect(goes('/', [split(backends('0m', '1'))])).toBe('v2');
  const some = split({ ...backends(0, 1), matches: [{ kind: 'HTTPRouteGroup', name: 'some' }] });
  expect(goes('/', [some])).toBe('echo');
  expect(targetFinding(some, {} as Store)).toMatchObject({ reason: 'UnsupportedValue' });
});

test('a consumer route may send to the service that it hangs on, which its clients ask for anyway', () => {
  const parentRefs = [{ ...parent, namespace: 'shop' }];
  const rules = [{ backendRefs: to('echo', { namespace: 'shop' }) }];
  const consumer = route(rules, 'r', { parentRefs }, 'other');
  expect(goes('/', [consumer], 'other')).toBe('echo');
  const refs = parentStatuses(consumer, lookOf(cluster), '')?.[0]?.conditions.at(-1);
  expect(refs).toMatchObject({ type: 'ResolvedRefs', status: 'True' });
});

test('a grant of the other namespace lets a route send there', () => {
  const far = route([{ backendRefs: to('far', { namespace: 'other' }) }]);
  expect(goes('/', [far, object('Granted', 'other', 'g', { from: 'shop' })])).toBe('far');
});

test.each<[string, Rule[], Rule, [string, string][]]>([
  [
    'good',
    [{ backendRefs: to('v1') }],
    {},
    [
      ['True', 'Accepted'],
      ['True', 'ResolvedRefs'],
    ],
  ],
  [
    'no backend',
    [{ backendRefs: to('nope') }],
    {},
    [
      ['True', 'Accepted'],
      ['False', 'BackendNotFound'],
    ],
  ],
  [
    'no grant',
    [{ backendRefs: to('far', { namespace: 'other' }) }],
    {},
    [
      ['True', 'Accepted'],
      ['False', 'RefNotPermitted'],
    ],
  ],
  [
    'another kind',
    [{ backendRefs: [{ kind: 'Bucket', name: 'b' }] }],
    {},
    [
      ['True', 'Accepted'],
      ['False', 'InvalidKind'],
    ],
  ],
  [
    'no such port',
    [],
    { parentRefs: [{ ...parent, port: 81 }] },
    [
      ['False', 'NoMatchingParent'],
      ['True', 'ResolvedRefs'],
    ],
  ],
  [
    'a Service without its group, for which the API server puts the Gateway API',
    [],
    { parentRefs: [{ ...parent, group: 'gateway.networking.k8s.io' }] },
    [
      ['False', 'NoMatchingParent'],
      ['True', 'ResolvedRefs'],
    ],
  ],
  [
    'an ExternalName, and one as a backend',
    [{ backendRefs: to('alias') }],
    { parentRefs: [{ ...parent, name: 'alias' }] },
    [
      ['False', 'NoMatchingParent'],
      ['False', 'InvalidKind'],
    ],
  ],
  [
    'a filter that is not done',
    [{ filters: [{ type: 'CORS' }], backendRefs: to('v1') }],
    {},
    [
      ['False', 'UnsupportedValue'],
      ['True', 'ResolvedRefs'],
    ],
  ],
  [
    'one rule of two',
    [{ filters: [{ type: 'CORS' }], backendRefs: to('v1') }, { backendRefs: to('v1') }],
    {},
    [
      ['True', 'Accepted'],
      ['True', 'UnsupportedValue'],
      ['True', 'ResolvedRefs'],
    ],
  ],
])('status of a route: %s', (_, rules, more, wanted) => {
  const made = route(rules, 'r', more);
  const look = lookOf(cluster);
  const now = '2026-01-01T00:00:00Z';
  const gateway = { parentRef: { name: 'gw' }, controllerName: 'x.io/gw', conditions: [] };
  made.status = { parents: [gateway] };
  const parents = parentStatuses(made, look, now);
  // Another controller's entry must stay unchanged.
  expect(parents?.[0]).toEqual(gateway);
  expect(parents?.[1]).toMatchObject({ controllerName });
  expect(parents?.[1]?.conditions.map((c) => [c.status, c.reason])).toEqual(wanted);
  made.status = { parents };
  expect(parentStatuses(made, look, '2026-02-02T00:00:00Z')).toBeUndefined();
  // After the last parent of ours is gone, our entry is removed, and nothing else.
  made.spec = { parentRefs: [{ name: 'gw' }], rules };
  expect(parentStatuses(made, look, now)).toEqual([gateway]);
});

test('a route of a Gateway is its own controller’s business: never refused, never given a status', () => {
  const foreign = route(
    [{ filters: [{ type: 'CORS' }], backendRefs: [{ kind: 'InferencePool', name: 'p' }] }],
    'r',
    { parentRefs: [{ name: 'public-gw' }] },
  );
  expect(problemsOfObject(foreign)).toEqual([]);
  expect(parentStatuses(foreign, lookOf(cluster), '')).toBeUndefined();
  // A route of the mesh alone reports unsupported parts at once.
  const own = route([{ filters: [{ type: 'CORS' }], backendRefs: to('v1') }]);
  expect(problemsOfObject(own).map((p) => p.message)).toEqual(['filter CORS is not supported']);
});

test('a misspelt annotation of a route is refused, and told where it is there already', () => {
  const made = route([{ backendRefs: to('v1') }]);
  const key = (name: string): string => `mesh.firedrill.dev/${name}`;
  const said = (annotations: Record<string, string>): (string | undefined)[] => {
    made.metadata.annotations = annotations;
    const parents = parentStatuses(made, lookOf(cluster), '');
    return [
      problemsOfObject(made)[0]?.message,
      parents?.[0]?.conditions.find((c) => c.type === 'Accepted')?.message,
    ];
  };
  const wrong = 'mesh.firedrill.dev/hedge-afer: no such annotation; did you mean hedge-after?';
  expect(said({ [key('hedge-afer')]: '100ms' })).toEqual([wrong, `in force, but for ${wrong}`]);
  expect(said({ [key('hedge-after')]: '100ms', 'x.io/hedge': '1' })).toEqual([
    undefined,
    'in force',
  ]);
  made.kind = 'GRPCRoute';
  expect(said({ [key('hedge-after')]: '100ms' })[0]).toMatch(/hedge-after: no such annotation$/);
});

test('a split without a spec, as another definition may allow, harms nobody', () => {
  const odd = {
    apiVersion: 'split.smi-spec.io/v1alpha2',
    kind: 'TrafficSplit',
    metadata: { name: 'a', namespace: 'shop' },
  };
  const good = object('TrafficSplit', 'shop', 'b', {
    service: 'echo',
    backends: [{ service: 'echo', weight: 1 }],
  });
  const store = {
    Service: new Map([['shop/echo', { spec: {} }]]),
    TrafficSplit: new Map([odd, good].map((o) => [`shop/${o.metadata.name}`, o])),
  } as unknown as Store;
  expect(conditionOf(odd, store)).toMatchObject({ status: 'False', reason: 'TargetNotFound' });
  expect(conditionOf(good, store)).toMatchObject({ status: 'True', reason: 'Accepted' });
});

test('policy that targets nothing says so', () => {
  const spec = { podSelector: { matchLabels: { app: 'echo' } }, port: 80 };
  const server = object('Server', 'shop', 'http', spec);
  const empty = new Map();
  const store = {
    Service: new Map([['shop/echo', { spec: {} }]]),
    Server: new Map([['shop/http', server]]),
    Pod: empty,
    HTTPRoute: empty,
  } as unknown as Store;
  const policy = (name: string): AnyObject =>
    object('AuthorizationPolicy', 'shop', 'p', { targetRef: { kind: 'Server', name }, from: [] });
  expect(targetFinding(policy('http'), store)).toMatchObject({ status: 'True' });
  expect(targetFinding(policy('htp'), store)).toMatchObject({
    status: 'False',
    reason: 'TargetNotFound',
  });
  expect(targetFinding(server, store)).toMatchObject({ reason: 'NoPods' });
  const profile = object('ServiceProfile', 'evil', 'echo.shop.svc.cluster.local', {});
  expect(targetFinding(profile, store).message).toBe('in force for clients of namespace evil');
});

test('the CORS filter of an HTTPRoute; on a Server it is refused by name, as other filters of clients are', () => {
  const cors = {
    allowOrigins: ['https://*.shop.example'],
    allowCredentials: true,
    allowMethods: ['PUT'],
    maxAge: 60,
  };
  const made = route([{ filters: [{ type: 'CORS', cors }], backendRefs: to('v1') }]);
  expect(problemsOfObject(made)).toEqual([]);
  const { drafts } = httpRoutes(made.metadata, made.spec as never);
  const { maxAge, ...same } = cors;
  expect(drafts[0]?.route.cors).toEqual({ ...same, maxAgeSeconds: maxAge });
  const redirect = { type: 'RequestRedirect', requestRedirect: { hostname: 'other' } };
  const ofServer = route([{ filters: [redirect] }], 'r', {
    parentRefs: [{ kind: 'Server', group: 'mesh.firedrill.dev', name: 'http' }],
  });
  const look = { ...lookOf(cluster), server: () => ({ metadata: { name: 'http' } }) };
  const [status] = parentStatuses(ofServer, look as never, '') ?? [];
  expect(status?.conditions[0]).toMatchObject({
    status: 'False',
    reason: 'UnsupportedValue',
    message: expect.stringContaining('filter RequestRedirect is not supported on a Server'),
  });
});
