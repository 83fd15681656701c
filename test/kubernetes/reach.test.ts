/** The endpoints for a client by its place: `internalTrafficPolicy: Local`, and the hints of EndpointSlices. */
import { expect, test } from 'vitest';
import type { DiscoverySink } from '../../mesh/controller/discovery/source.js';
import { seenFrom } from '../../mesh/controller/seen-from.js';
import { servedPods } from '../../mesh/kubernetes/discovery/destinations.js';
import { Places } from '../../mesh/kubernetes/discovery/reach.js';
import type {
  EndpointSlice,
  Pod,
  Service,
  SliceEndpoint,
} from '../../mesh/kubernetes/discovery/types.js';
import type { Destination, Place } from '../../mesh/model.js';
import {
  clientIn,
  controllerIn,
  eventually,
  folder,
  tokenFor,
} from '../mesh/controller/bench-mesh.js';
import { convert } from './look.js';

const ports = [{ name: 'http', port: 80 }];
const service = (spec: Partial<Service['spec']>): Service => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: 'web', namespace: 'retail' },
  spec: { ports, ...spec },
});
const slice = (...endpoints: Partial<SliceEndpoint>[]): EndpointSlice => ({
  apiVersion: 'discovery.k8s.io/v1',
  kind: 'EndpointSlice',
  metadata: {
    name: 'web-1',
    namespace: 'retail',
    labels: { 'kubernetes.io/service-name': 'web' },
  },
  addressType: 'IPv4',
  ports: [{ name: 'http', port: 8080 }],
  endpoints: endpoints.map((e, i) => ({ addresses: [`10.0.0.${i + 1}`], ...e })),
});
const made = (of: Service, endpoints: EndpointSlice): Destination =>
  convert('retail/web', [of, endpoints]).destinations[0] as Destination;
const at = (d: Destination, place: Place | undefined): string[] =>
  (seenFrom(d, place).backends[0]?.endpoints ?? []).map((e) => e.address.slice(7, 8));

const ends = { ready: false, serving: true, terminating: true };
const local = { internalTrafficPolicy: 'Local' };
const [n1, n2] = [{ nodeName: 'n1' }, { nodeName: 'n2' }];
const zones = (...names: string[]): Pick<SliceEndpoint, 'hints'> => ({
  hints: { forZones: names.map((name) => ({ name })) },
});
const both = (node: string, zone: string): Pick<SliceEndpoint, 'hints'> => ({
  hints: { forNodes: [{ name: node }], forZones: [{ name: zone }] },
});

test.each<[string, Partial<Service['spec']>, Partial<SliceEndpoint>[], Place | undefined, string]>([
  ['Local: the own node alone', local, [n1, n2, n1], { node: 'n1' }, '1,3'],
  ['Local: none on the node is none at all', local, [n1, n2], { node: 'n3' }, ''],
  ['Local: an endpoint without a node is nobody’s', local, [{}, n1], { node: 'n1' }, '2'],
  [
    'Local: an ending one, of a node whose others are gone',
    local,
    [{ ...n1, conditions: ends }, n2],
    { node: 'n1' },
    '1',
  ],
  [
    'Local: an ending one, beside a ready one of its node',
    local,
    [{ ...n1, conditions: ends }, n1],
    { node: 'n1' },
    '2',
  ],
  ['Local: a client whose place is not known', local, [n1, n2], undefined, '1,2'],
  [
    'Local means nothing for a headless service',
    { ...local, clusterIP: 'None' },
    [n1, n2],
    { node: 'n1' },
    '1,2',
  ],
  [
    'hints: the own zone',
    {},
    [zones('a'), zones('b', 'a'), zones('b')],
    { node: 'n', zone: 'a' },
    '1,2',
  ],
  [
    'hints: no endpoint for the zone',
    {},
    [zones('a'), zones('b')],
    { node: 'n', zone: 'c' },
    '1,2',
  ],
  ['hints: a zone that is not known', {}, [zones('a'), zones('b')], { node: 'n' }, '1,2'],
  ['hints: one endpoint has none', {}, [zones('a'), {}], { node: 'n', zone: 'a' }, '1,2'],
  [
    'hints: one that is not ready has none',
    {},
    [zones('a'), zones('b'), { conditions: ends }],
    { node: 'n', zone: 'a' },
    '1',
  ],
  [
    'hints: the own node before the zone',
    {},
    [both('n1', 'a'), both('n2', 'a'), both('n3', 'b')],
    { node: 'n1', zone: 'a' },
    '1',
  ],
  [
    'hints: a node without an endpoint, its zone',
    {},
    [both('n1', 'a'), both('n2', 'a'), both('n3', 'b')],
    { node: 'n4', zone: 'a' },
    '1,2',
  ],
  [
    'hints: only ending ones',
    {},
    [
      { ...zones('a'), conditions: ends },
      { ...zones('b'), conditions: ends },
    ],
    { node: 'n', zone: 'a' },
    '1,2',
  ],
  ['neither', {}, [n1, n2], { node: 'n1', zone: 'a' }, '1,2'],
])('%s', (_what, spec, endpoints, place, expected) => {
  expect(at(made(service(spec), slice(...endpoints)), place).join()).toBe(expected);
});

test('a proxy gets nothing of the choice but its result', () => {
  const text = JSON.stringify(seenFrom(made(service(local), slice(n1, n2)), { node: 'n1' }));
  expect(text).not.toMatch(/reach|places|n1/);
});

test('pods that some clients do not get are spoken to by their addresses as who they are', () => {
  const pods = slice({ ...n1, targetRef: { kind: 'Pod', name: 'web-0' } });
  expect(servedPods(service({}), [pods])).toEqual(['web-0']);
  expect(servedPods(service(local), [pods])).toEqual([]);
});

test('a node’s zone is that of any endpoint on it, and a pod’s place that of its address', () => {
  const pod = (nodeName: string, podIP: string, hostNetwork = false): Pod => ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: podIP, namespace: 'retail' },
    spec: { containers: [], hostNetwork },
    status: { podIP },
    nodeName,
  });
  const pods = new Map(
    [pod('n1', '10.1.0.1'), pod('n2', '10.2.0.1'), pod('n2', '10.2.0.2', true)].map((p) => [
      p.metadata.name,
      p,
    ]),
  );
  // A finished Job keeps in its status the address that another pod has by now.
  const ended = pod('n2', '10.1.0.1');
  pods.set('ended', { ...ended, status: { podIP: '10.1.0.1', phase: 'Succeeded' } });
  const places = new Places(pods);
  expect(places.at('10.1.0.1')).toEqual({ node: 'n1' });
  expect([...places.tookSlice(slice({ ...n1, zone: 'a' }, n2))]).toEqual(['n1']);
  expect([...places.tookSlice(slice({ ...n1, zone: 'a' }))]).toEqual([]);
  expect(places.addressesOn(new Set(['n1']))).toEqual(['10.1.0.1']);
  expect(['10.1.0.1', '10.2.0.1', '10.2.0.2', '10.9.9.9', ''].map((ip) => places.at(ip))).toEqual([
    { node: 'n1', zone: 'a' },
    { node: 'n2' },
    undefined,
    undefined,
    undefined,
  ]);
});

test('a proxy whose place becomes known later is sent what is for it, and again after a new connection', async () => {
  const path = folder();
  let place: Place | undefined;
  let sink: DiscoverySink | undefined;
  const source = {
    name: 'places',
    placeOf: (address: string) => (address === '127.0.0.1' ? place : undefined),
    start: (given: DiscoverySink) => {
      sink = given;
      given.replace({ destinations: [made(service(local), slice(n1, n2))], servers: [] });
      return Promise.resolve();
    },
    stop: () => Promise.resolve(),
  };
  const registry = JSON.stringify({ services: [] });
  const { address, controller } = await controllerIn(path, { registry, sources: [source] });
  tokenFor(path, 'cart');
  const { client, states } = clientIn(path, 'cart', [address]);
  const seen = (): string =>
    (states.at(-1)?.destinations[0]?.backends[0]?.endpoints ?? [])
      .map((e) => e.address.slice(7, 8))
      .join();
  await client.start(10_000);
  expect(seen()).toBe('1,2');
  place = { node: 'n2' };
  sink?.moved?.(new Set(['10.9.9.9']));
  sink?.moved?.(new Set(['127.0.0.1']));
  await eventually(() => seen() === '2');
  // It knows the same version, but of another place.
  place = { node: 'n1' };
  controller.faults.onToggle('stream-refuse', true);
  await eventually(() => seen() === '1');
});
