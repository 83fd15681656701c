/** The status of an object says whether it governs nothing, a part, or less than another object before it. */
import { expect, test } from 'vitest';
import type { AnyObject, KubeObject } from '../../mesh/kubernetes/client/objects.js';
import { convertInbound } from '../../mesh/kubernetes/discovery/inbound.js';
import { parentStatuses } from '../../mesh/kubernetes/discovery/route-status.js';
import { type Store, storeKinds } from '../../mesh/kubernetes/discovery/store.js';
import { targetFinding } from '../../mesh/kubernetes/discovery/targets.js';
import type { Pod } from '../../mesh/kubernetes/discovery/types.js';
import { problemsOfObject } from '../../mesh/kubernetes/inject/validate.js';
import { lookOf } from './look.js';

const object = (kind: string, name: string, spec: unknown): AnyObject => ({
  apiVersion: 'v1',
  kind,
  metadata: { name, namespace: 'shop', labels: { app: name } },
  spec,
});
const web = object('Pod', 'web', {
  containers: [
    { name: 'app', ports: [{ name: 'http', containerPort: 8080 }] },
    { name: 'firedrill-proxy' },
  ],
});
const server = (name: string, port: number | string, app = 'web'): AnyObject =>
  object('Server', name, { podSelector: { matchLabels: { app } }, port });
const route = (name: string, ...parentRefs: object[]): AnyObject =>
  object('HTTPRoute', name, { parentRefs });
const ofServer = { group: 'mesh.firedrill.dev', kind: 'Server', name: 'a' };
const policy = (kind: string, name: string, from: unknown[] = [{ identity: '*' }]): AnyObject =>
  object('AuthorizationPolicy', 'p', { targetRef: { kind, name }, from });
const limit = (name: string): AnyObject =>
  object('RateLimit', name, { targetRef: { kind: 'Server', name: 'a' }, total: {} });
const split = (name: string, ...services: string[]): AnyObject =>
  object('TrafficSplit', name, {
    service: 'web',
    backends: services.map((service) => ({ service, weight: 1 })),
  });
const service = (name: string): AnyObject => object('Service', name, { selector: { app: name } });
const alias = (name: string): AnyObject => object('Service', name, { type: 'ExternalName' });
const link = (name: string, clusterName: string): AnyObject =>
  object('MultiClusterLink', name, {
    clusterName,
    gatewayAddress: '192.0.2.9:4143',
    gatewayIdentity: 'gateway.firedrill.serviceaccount.identity.west.local',
  });
const profile = (authority: string): AnyObject =>
  object('ServiceProfile', 'web.shop.svc.cluster.local', {
    dstOverrides: [{ authority, weight: 1 }],
  });

const storeOf = (objects: AnyObject[]): Store =>
  Object.fromEntries(
    storeKinds.map((kind) => {
      const own = objects.filter((o) => o.kind === kind);
      return [kind, new Map(own.map((o) => [`shop/${o.metadata.name}`, o as KubeObject]))];
    }),
  ) as unknown as Store;

test('a target of another mesh is refused', () => {
  const problems = (kind: string, group?: string) =>
    problemsOfObject(
      object('AuthorizationPolicy', 'p', {
        targetRef: { kind, name: 'shop', ...(group !== undefined && { group }) },
        from: [{ identity: '*' }],
      }),
    ).map((p) => p.path);
  expect(problems('Server', 'policy.linkerd.io')).toEqual(['spec.targetRef.group']);
  expect(problems('HTTPRoute', 'policy.linkerd.io')).toEqual(['spec.targetRef.group']);
  for (const [kind, group] of [
    ['Server', 'mesh.firedrill.dev'],
    ['HTTPRoute', 'gateway.networking.k8s.io'],
    ['Namespace', ''],
    ['Server', undefined],
  ] as const)
    expect(problems(kind, group)).toEqual([]);
});

test.each<[string, AnyObject, AnyObject[], string, RegExp]>([
  ['its own namespace', policy('Namespace', 'shop'), [], 'Accepted', /in force/],
  ['another namespace', policy('Namespace', 'bank'), [], 'TargetNotFound', /bank is not its own/],
  ['a route of nothing', policy('HTTPRoute', 'r'), [], 'TargetNotFound', /no HTTPRoute r/],
  ['a route of a Service', policy('HTTPRoute', 'r'), [route('r')], 'TargetNotFound', /no parent/],
  [
    'a route of a Server',
    policy('HTTPRoute', 'r'),
    [route('r', ofServer), server('a', 8080)],
    'Accepted',
    /in force/,
  ],
  ['a Server', server('a', 'http'), [web], 'Accepted', /in force/],
  ['no pod', server('a', 8080, 'cart'), [web], 'NoPods', /selects no meshed pod/],
  ['no such port', server('a', 'grpc'), [web], 'TargetNotFound', /no container .* named grpc/],
  [
    'the port of another Server, by its name',
    server('b', 'http'),
    [web, server('a', 8080)],
    'Conflicted',
    /Server a is in force for port http/,
  ],
  ['another port', server('b', 9090), [web, server('a', 8080)], 'Accepted', /in force/],
  ['a limit', limit('l1'), [server('a', 8080), limit('l2')], 'Accepted', /in force/],
  ['a second limit', limit('l2'), [server('a', 8080), limit('l1')], 'Conflicted', /RateLimit l1/],
  ['a split', split('s', 'web'), [service('web')], 'Accepted', /^in force$/],
  ['a second split', split('t', 'web'), [service('web'), split('s')], 'Conflicted', /Split s/],
  ['a split to nobody', split('s', 'v2'), [service('web')], 'BackendNotFound', /shop\/v2: its/],
  ['a split to an alias', split('s', 'a'), [service('web'), alias('a')], 'BackendNotFound', /503/],
  ['a split of an alias', split('s', 'web'), [alias('web')], 'TargetNotFound', /an ExternalName/],
  ['a link', link('a', 'west'), [link('b', 'west')], 'Accepted', /^in force$/],
  ['another link of its cluster', link('b', 'w'), [link('a', 'w')], 'Conflicted', /Link a is in/],
  ['a link of another cluster', link('b', 'w'), [link('a', 'x')], 'Accepted', /^in force$/],
  [
    'overrides to nobody',
    profile('v2:80'),
    [service('web')],
    'BackendNotFound',
    /Service shop\/v2/,
  ],
  ['a VM', object('ExternalWorkload', 'web', {}), [service('web')], 'Accepted', /in force/],
  ['a VM of nobody', object('ExternalWorkload', 'vm', {}), [service('web')], 'NoService', /labels/],
])('%s', (_what, governing, others, reason, message) => {
  const found = targetFinding(governing, storeOf([governing, ...others]));
  expect([found.reason, found.status]).toEqual([
    reason,
    /Conflicted|NotFound/.test(reason) && reason !== 'BackendNotFound' ? 'False' : 'True',
  ]);
  expect(found.message).toMatch(message);
});

test('a policy of one namespace that names another opens neither', () => {
  const admitted = (target: string): number => {
    const { servers } = convertInbound('web', [web as unknown as Pod], {
      trustDomain: 'cluster.local',
      defaultPolicy: 'deny',
      namespace: () => undefined,
      servers: () => [],
      authorizations: () => [policy('Namespace', target) as never],
      rateLimits: () => [],
      serverRoutes: () => [],
    });
    return servers.flatMap((s) => s.authorizations).length;
  };
  expect([admitted('shop'), admitted('bank')]).toEqual([2, 0]);
  expect(problemsOfObject(policy('Namespace', 'bank')).map((p) => p.path)).toEqual([
    'spec.targetRef.name',
  ]);
});

test.each<[unknown, string]>([
  [{}, 'admits nobody'],
  [{ unauthenticated: false }, 'admits nobody'],
  [{ network: '10.0.0.0/8', unauthenticated: false }, 'admits nobody'],
  [{ identity: 'web' }, "'web' is no identity"],
  [{ identity: 'web.*' }, '* stands only first'],
  [{ identity: '*', namespace: 'shop' }, 'write two entries'],
  [{ serviceAccount: '*' }, "'*' is no name"],
  [{ namespace: 'shop.bank' }, "'shop.bank' is no name"],
  [{ network: '10.0.0.0/33' }, 'is no CIDR'],
  [{ identity: '*.shop.serviceaccount.identity.cluster.local' }, ''],
  [{ identity: 'web.shop.serviceaccount.identity.west.local' }, ''],
  [{ serviceAccount: 'web.v2', namespace: 'shop' }, ''],
  [{ unauthenticated: true }, ''],
  [{ network: 'fd00::/8' }, ''],
])('a client %j of an AuthorizationPolicy: %s', (from, message) => {
  const problems = problemsOfObject(policy('Server', 'a', [from])).map((p) => p.message);
  expect(problems).toEqual(message === '' ? [] : [expect.stringContaining(message)]);
});

test('a number in quotes is no port of a Server', () => {
  const said = problemsOfObject(server('a', '8080')).map((p) => p.message);
  expect(said).toEqual([expect.stringContaining('a number has no quotes')]);
  expect(problemsOfObject(server('a', 'http-2'))).toEqual([]);
});

test('a route of a Server says whether it is in force; one of another mesh gets no status of ours', () => {
  const statusOf = (made: AnyObject): (string | undefined)[] =>
    (parentStatuses(made, lookOf([server('a', 8080)]), '') ?? []).map(
      (p) => p.conditions[0]?.message,
    );
  expect(statusOf(route('r', { kind: 'Server', name: 'a' }))).toEqual(['in force']);
  expect(statusOf(route('r', { ...ofServer, name: 'b' }))).toEqual(['there is no Server shop/b']);
  expect(statusOf(route('r', { ...ofServer, namespace: 'bank' }))).toEqual([
    'Server bank/a is of another namespace',
  ]);
  expect(statusOf({ ...route('r', ofServer), kind: 'GRPCRoute' })).toEqual([
    'Servers take HTTPRoutes',
  ]);
  expect(statusOf(route('r', { ...ofServer, group: 'policy.linkerd.io' }))).toEqual([]);
});
