/** Ordinary clusters' objects, and the state that proxies get from them: no API server, only objects. */
import { expect, test } from 'vitest';
import type { Destination, InboundServer } from '../../mesh/model.js';
import { convertBarePods } from '../../mesh/kubernetes/discovery/bare-pods.js';
import { servedPods } from '../../mesh/kubernetes/discovery/destinations.js';
import {
  convertInbound,
  convertWorkload,
  type InboundLookup,
} from '../../mesh/kubernetes/discovery/inbound.js';
import type { EndpointSlice, Pod, Service } from '../../mesh/kubernetes/discovery/types.js';
import { bench, state } from '../mesh/proxy/flow-bench.js';
import { convert as convertOf } from './look.js';

const meta = (name: string): { name: string; namespace: string } => ({ name, namespace: 'shop' });
const service = (spec: Service['spec'], name = 'db'): Service => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: meta(name),
  spec,
});
const pod = (name: string, annotations: Record<string, string> = {}): Pod => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { ...meta(name), annotations },
  spec: { serviceAccountName: 'db', containers: [{ name: 'firedrill-proxy' }] },
});
const slice = (ports: { name: string; port: number }[], pods: Record<string, string>) =>
  ({
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { ...meta('db-1'), labels: { 'kubernetes.io/service-name': 'db' } },
    addressType: 'IPv4',
    ports,
    endpoints: Object.entries(pods).map(([name, address]) => ({
      addresses: [address],
      targetRef: { kind: 'Pod', name },
    })),
  }) as EndpointSlice;

const convert = (of: Service, slices: EndpointSlice[], pods: Pod[]): Destination[] =>
  convertOf(`shop/${of.metadata.name}`, [of, ...slices, ...pods]).destinations;

const identity = 'db.shop.serviceaccount.identity.cluster.local';
const two = [
  { name: 'sql', port: 8080 },
  { name: 'gossip', port: 9090 },
];
const headless = service({
  clusterIP: 'None',
  ports: [
    { name: 'sql', port: 8080 },
    { name: 'gossip', port: 9090 },
  ],
});
const peers = { 'db-0': '10.1.0.1', 'db-1': '10.1.0.2' };
const destinations = convert(headless, [slice(two, peers)], [pod('db-0'), pod('db-1')]);

test('an alias in DNS is no destination: what the app connected to is where it wants to go', () => {
  const alias = service({
    type: 'ExternalName',
    externalName: 'db.example.com',
    ports: [{ port: 80 }],
  });
  expect(convert(alias, [], [])).toEqual([]);
});

test('an endpoint whose pod is not known is left out: plaintext to it would be a silent loss', () => {
  const [sql] = convert(headless, [slice(two, peers)], [pod('db-1')]);
  expect(sql?.backends[0]?.endpoints.map((e) => [e.address, e.identity])).toEqual([
    ['10.1.0.2:8080', identity],
  ]);
});

test('a port that the redirection leaves alone is spoken to in plaintext, and only that one', () => {
  const skips = pod('db-0', { 'mesh.firedrill.dev/skipped-inbound-ports': '9090' });
  const made = convert(headless, [slice(two, { 'db-0': '10.1.0.1' })], [skips]);
  expect(made.map((d) => d.backends[0]?.endpoints[0]?.identity)).toEqual([identity, undefined]);
});

test.each([
  // One name serves two ports, and the dialled address distinguishes them.
  ['db.shop:8080', '10.1.0.1:8080', 'db.shop', ['10.1.0.1:8080', '10.1.0.2:8080']],
  ['db.shop.svc:9090', '10.1.0.1:9090', 'db.shop:9090', ['10.1.0.1:9090', '10.1.0.2:9090']],
  // A client that uses a pod's own name, a short name or its address reaches that pod and no other.
  ['db-1.db.shop.svc.cluster.local:9090', '10.1.0.2:9090', 'db.shop:9090', ['10.1.0.2:9090']],
  ['db-0.db:8080', '10.1.0.1:8080', 'db.shop', ['10.1.0.1:8080']],
  ['10.1.0.2:8080', '10.1.0.2:8080', 'db.shop', ['10.1.0.2:8080']],
  // A port of the pod that no service names.
  ['10.1.0.2:7000', '10.1.0.2:7000', 'db.shop:9090', ['10.1.0.2:7000']],
])('headless: %s at %s', (authority, dialled, name, endpoints) => {
  const { gateway } = bench(state(destinations));
  const { source } = gateway.outbound.destinationFor(authority, dialled) as unknown as {
    source: Destination;
  };
  expect(source.name).toBe(name);
  const found = source.backends[0]?.endpoints ?? [];
  expect(found.map((e) => e.address)).toEqual(endpoints);
  expect(found.map((e) => e.identity)).toEqual(found.map(() => identity));
});

test('an address that a pod has no more is forgotten as such: whoever has it now may have no proxy', () => {
  const { gateway } = bench(state(destinations));
  const identityOf = (): string | undefined =>
    (
      gateway.outbound.destinationFor('10.1.0.2:8080', '10.1.0.2:8080') as unknown as {
        source: Destination;
      }
    ).source.backends[0]?.endpoints[0]?.identity;
  expect(identityOf()).toBe(identity);
  const left = convert(headless, [slice(two, { 'db-0': '10.1.0.1' })], [pod('db-0')]);
  gateway.apply(state(left));
  expect(identityOf()).toBeUndefined();
});

const look: InboundLookup = {
  trustDomain: 'cluster.local',
  defaultPolicy: 'all-unauthenticated',
  namespace: () => undefined,
  servers: () => [],
  authorizations: () => [],
  rateLimits: () => [],
  serverRoutes: () => [],
};
const inbound = (of: Pod): InboundServer[] => convertInbound('db', [of], look).servers;

test('every port is served: of containers and native sidecars by name, any other by one server', () => {
  const of = pod('db-0', { 'mesh.firedrill.dev/default-inbound-policy': 'all-authenticated' });
  of.spec.containers.push({ name: 'app', ports: [{ containerPort: 8080 }] });
  of.spec.initContainers = [{ name: 'cache', ports: [{ containerPort: 6000 }] }];
  expect(inbound(of).map((s) => [s.name, s.port, s.defaultPolicy])).toEqual([
    ['port-6000', 6000, 'all-authenticated'],
    ['port-8080', 8080, 'all-authenticated'],
    ['undeclared', 0, 'all-authenticated'],
  ]);
});

test('a policy that cannot be read closes: it was meant to', () => {
  const of = pod('db-0', { 'mesh.firedrill.dev/default-inbound-policy': 'deni' });
  expect(inbound(of).map((s) => s.defaultPolicy)).toEqual(['deny']);
});

test('half of a roll-out: each template has its own policy, an offline proxy that of the first pod', () => {
  const key = 'mesh.firedrill.dev/default-inbound-policy';
  const of = (name: string, labels: Record<string, string>, policy?: string): Pod => {
    const made = pod(name, policy === undefined ? {} : { [key]: policy });
    made.metadata.labels = labels;
    return made;
  };
  const servers = (...pods: Pod[]) =>
    convertWorkload('db', pods, look).map(({ key: at, labels, without, servers: [one] }) => [
      at,
      labels?.['pod-template-hash'],
      without !== undefined,
      one?.defaultPolicy,
    ]);
  const [old, young] = [{ 'pod-template-hash': 'a' }, { 'pod-template-hash': 'b' }];
  const alike = ['shop/db', undefined, false, 'all-unauthenticated'];
  expect(servers()).toEqual([]);
  expect(servers(of('db-1', {}), of('db-2', {}))).toEqual([alike]);
  expect(servers(of('db-1', old), of('db-2', young))).toEqual([alike]);
  expect(servers(of('db-1', old), of('db-2', young, 'deny'), of('db-3', young))).toEqual([
    ['shop/db@a', 'a', false, 'all-unauthenticated'],
    ['shop/db@b', 'b', false, 'deny'],
    ['shop/db', undefined, true, 'all-unauthenticated'],
  ]);
  // Pods of no template stand for themselves alone.
  expect(servers(of('db-1', {}), of('db-2', young, 'deny'))).toEqual([
    ['shop/db@b', 'b', false, 'deny'],
    ['shop/db', undefined, true, 'all-unauthenticated'],
  ]);
});

test('in a state, a port that no server names is served at the address that was dialled, each by itself', () => {
  const { gateway } = bench({ ...state([]), servers: inbound(pod('db-0')) });
  const at = (dialled: string): string | undefined =>
    gateway.inbound.serverFor(Number(dialled.split(':')[1]), dialled)?.target.address;
  expect(at('10.1.0.1:9090')).toBe('10.1.0.1:9090');
  expect(at('10.1.0.1:9091')).toBe('10.1.0.1:9091');
  // A database whose server speaks first is opaque, declared or not.
  expect(gateway.inbound.serverFor(3306, '10.1.0.1:3306')?.protocol).toBe('opaque');
  // In explicit mode the wanted port of an undeclared call is unknown, so it is not served.
  expect(gateway.inbound.serverFor(15001)).toBeUndefined();
});

test('kube-proxy’s rules: ready endpoints, or those that end and still serve while none is ready', () => {
  const ordinary = service({ ports: [{ name: 'sql', port: 80 }] });
  const withConditions = (
    ...conditions: NonNullable<EndpointSlice['endpoints']>
  ): EndpointSlice => ({
    ...slice(two, {}),
    endpoints: conditions,
  });
  const ends = (address: string, serving = true) => ({
    addresses: [address],
    conditions: { ready: false, serving, terminating: true },
  });
  const starts = { addresses: ['10.1.0.3'], conditions: { ready: false, serving: false } };
  const at = (...slices: EndpointSlice[]): string[] =>
    convert(ordinary, slices, []).flatMap(
      (d) => d.backends[0]?.endpoints.map((e) => e.address) ?? [],
    );
  const ending = withConditions(ends('10.1.0.1'), ends('10.1.0.2', false), starts);
  expect(at(ending)).toEqual(['10.1.0.1:8080']);
  // One ready endpoint in another slice is enough; the same address twice is one endpoint.
  const ready = withConditions({ addresses: ['10.1.0.4'] });
  expect(at(ending, ready, ready)).toEqual(['10.1.0.4:8080']);
  expect(at(withConditions(starts))).toEqual([]);
});

test('two families: IPv4 is used; an address of IPv6 is never spoken to with TLS, for the app answers there', () => {
  const ordinary = service({ ports: [{ name: 'sql', port: 80 }] });
  const six = { ...slice(two, { 'db-0': 'fd00::1' }), addressType: 'IPv6' };
  const names = { ...slice(two, { 'db-0': 'db.example.com' }), addressType: 'FQDN' };
  const four = slice(two, { 'db-0': '10.1.0.1' });
  const at = (...slices: EndpointSlice[]) =>
    convert(ordinary, slices, [pod('db-0')]).flatMap(
      (d) => d.backends[0]?.endpoints.map((e) => [e.address, e.identity]) ?? [],
    );
  expect(at(six, four, names)).toEqual([['10.1.0.1:8080', identity]]);
  expect(at(six)).toEqual([['[fd00::1]:8080', undefined]]);
});

test('a pod to which no Service sends is spoken to by its address as who it is', () => {
  const at = (name: string, podIP: string, phase = 'Running'): Pod => ({
    ...pod(name, { 'mesh.firedrill.dev/skipped-inbound-ports': '9200' }),
    status: { podIP, phase },
  });
  const pods = [at('w-0', '10.1.0.7'), at('w-1', '10.1.0.8')];
  const served = new Set(['w-1']);
  const convertPods = (of: Pod[]) =>
    convertBarePods('worker', 'shop', of, { served, trustDomain: 'cluster.local' });
  const made = convertPods(pods);
  expect(made?.backends[0]?.endpoints.map((e) => e.address)).toEqual(['10.1.0.7:4143']);
  const { gateway } = bench(state([...destinations, made as Destination]));
  const peer = (address: string): string | undefined => {
    const { source } = gateway.outbound.destinationFor(address, address) as unknown as {
      source: Destination;
    };
    return source.backends[0]?.endpoints[0]?.identity;
  };
  expect(['10.1.0.7:8080', '10.1.0.7:9200', '10.1.0.7:4191', '10.1.0.8:8080'].map(peer)).toEqual([
    identity,
    undefined,
    undefined,
    undefined,
  ]);
  // These pods belong to a Service, have ended, have no address yet, or have one that is not redirected.
  const ended = at('w-2', '10.1.0.9', 'Succeeded');
  const others = [at('w-1', '10.1.0.8'), ended, pod('w-3'), at('w-4', 'fd00::4')];
  expect(convertPods(others)).toBeUndefined();
});

test('a Service sends to no pod that is not ready, and over no port that is not of TCP', () => {
  const ports = [{ name: 'sql', port: 8080 }];
  const unready = slice(two, peers);
  for (const entry of unready.endpoints ?? [])
    if (entry.targetRef?.name === 'db-1') entry.conditions = { ready: false };
  expect(servedPods(service({ ports }), [unready])).toEqual(['db-0']);
  expect(servedPods(service({ ports: [] }), [slice([], peers)])).toEqual([]);
  const udp = [{ name: 'sql', port: 8080, protocol: 'UDP' }];
  expect(servedPods(service({ ports: udp }), [slice(two, peers)])).toEqual([]);
  expect(servedPods(service({ ports, type: 'ExternalName' }), [slice(two, peers)])).toEqual([]);
});
