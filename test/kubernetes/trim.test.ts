/** The parts of pods and slices that discovery keeps are all that it reads, and no more. */
import { setFlagsFromString } from 'node:v8';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { annotations } from '../../mesh/kubernetes/annotations.js';
import { Index } from '../../mesh/kubernetes/discovery/store.js';
import {
  type EndpointSlice,
  type Pod,
  trimPod,
  trimSlice,
} from '../../mesh/kubernetes/discovery/types.js';
import { isMeshed, podIdentity, workloadOf } from '../../mesh/kubernetes/discovery/workload.js';

const noise = { managedFields: [{ manager: 'kubelet' }], uid: 'u', creationTimestamp: '2026' };

const pod = (metadata: object): Pod =>
  ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: 'cart-5d8-x',
      namespace: 'shop',
      resourceVersion: '7',
      ...noise,
      ...metadata,
    },
    spec: {
      serviceAccountName: 'cart',
      nodeName: 'n',
      volumes: [{ name: 'v' }],
      containers: [{ name: 'app', image: 'i', env: [], ports: [{ containerPort: 80 }] }],
      initContainers: [{ name: 'firedrill-proxy', image: 'p' }],
    },
    status: { podIP: '10.0.0.1', phase: 'Running', containerStatuses: [{ name: 'app' }] },
  }) as unknown as Pod;

const owner = (kind: string, name: string, controller?: boolean) => ({
  apiVersion: 'apps/v1',
  kind,
  name,
  uid: 'o',
  blockOwnerDeletion: true,
  ...(controller === undefined ? {} : { controller }),
});

test.each([
  [
    'a Deployment',
    {
      labels: { 'pod-template-hash': '5d8' },
      ownerReferences: [owner('ReplicaSet', 'cart-5d8', true)],
    },
  ],
  [
    'a Rollout',
    {
      labels: { 'rollouts-pod-template-hash': '5d8' },
      ownerReferences: [owner('ReplicaSet', 'cart-5d8', true)],
    },
  ],
  [
    'a second owner',
    { ownerReferences: [owner('Node', 'n', false), owner('StatefulSet', 'cart', true)] },
  ],
  ['a Job without the field controller', { ownerReferences: [owner('Job', 'cart-28000000')] }],
  ['nobody', {}],
  ['a generated name', { generateName: 'cart-' }],
])('a pod of %s has the same workload and identity, trimmed', (_name, metadata) => {
  const whole = pod(metadata);
  const kept = trimPod(whole);
  expect(workloadOf(kept)).toEqual(workloadOf(whole));
  if ('labels' in metadata) expect(workloadOf(kept).name).toBe('cart');
  expect(podIdentity(kept, 'west')).toBe(podIdentity(whole, 'west'));
  expect(isMeshed(kept)).toBe(true);
  expect(kept.metadata).toMatchObject({
    name: 'cart-5d8-x',
    namespace: 'shop',
    resourceVersion: '7',
  });
  expect(kept.spec.containers).toEqual([{ name: 'app', ports: [{ containerPort: 80 }] }]);
  expect(kept.status).toEqual({ podIP: '10.0.0.1', phase: 'Running' });
  expect(JSON.stringify(kept)).not.toMatch(/managedFields|uid|creationTimestamp|volumes/);
});

test('of annotations, a pod keeps our own short ones', () => {
  const own = { [annotations.mode]: 'explicit', [annotations.proxyConfig]: 'x'.repeat(600) };
  const kept = trimPod(pod({ annotations: { ...own, 'checksum/config': 'c' } }));
  expect(kept.metadata.annotations).toEqual({ [annotations.mode]: 'explicit' });
  expect(
    trimPod(pod({ annotations: { 'checksum/config': 'c' } })).metadata.annotations,
  ).toBeUndefined();
});

test('a slice keeps addresses, conditions, pods, nodes, zones and hints', () => {
  const endpoint = {
    addresses: ['10.0.0.1'],
    conditions: { ready: true, serving: true, terminating: false },
    targetRef: { kind: 'Pod', name: 'cart-1', namespace: 'shop' },
    zone: 'a',
    nodeName: 'n',
    hints: { forZones: [{ name: 'a' }] },
  };
  const slice = {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name: 'cart-1', namespace: 'shop', resourceVersion: '7', labels: { a: 'b' } },
    addressType: 'IPv4',
    ports: [{ name: 'http', port: 80, protocol: 'TCP' }],
    endpoints: [endpoint, { addresses: ['10.0.0.2'] }],
  };
  const whole = {
    ...slice,
    metadata: { ...slice.metadata, ...noise, generation: 3 },
    endpoints: [
      { ...endpoint, hostname: 'h', targetRef: { ...endpoint.targetRef, uid: 'u' } },
      { addresses: ['10.0.0.2'], hostname: 'h' },
    ],
  };
  expect(trimSlice(whole as EndpointSlice)).toEqual(slice);
});

test('the pods of one workload share the parts that they have alike, and nobody else does', () => {
  const of = (name: string, app: string): Pod => {
    const whole = pod({ name, labels: { app }, ownerReferences: [owner('ReplicaSet', app, true)] });
    delete whole.status?.podIP;
    return trimPod(whole);
  };
  const [a, b, other] = [of('a', 'cart'), of('b', 'cart'), of('c', 'web')];
  expect(b.metadata.labels).toBe(a.metadata.labels);
  expect(b.metadata.ownerReferences).toBe(a.metadata.ownerReferences);
  expect(b.spec).toBe(a.spec);
  expect(b.status).toBe(a.status);
  expect([other.metadata.name, other.metadata.labels]).toEqual(['c', { app: 'web' }]);
  expect(other.metadata.ownerReferences).not.toBe(a.metadata.ownerReferences);
  // After many others a part is made anew, so that what was once seen is not kept for ever.
  for (let i = 0; i < 2000; i++) of('x', `other-${i}`);
  expect(of('d', 'cart').metadata.labels).toEqual(a.metadata.labels);
  expect(of('d', 'cart').metadata.labels).not.toBe(a.metadata.labels);
});

test('kept pods and slices have one hidden class, whichever fields they have', () => {
  setFlagsFromString('--allow-natives-syntax');
  const haveSameMap = new Function('a', 'b', 'return %HaveSameMap(a, b)') as (
    a: object,
    b: object,
  ) => boolean;
  const [bare, full] = [
    trimPod(pod({})),
    trimPod(pod({ labels: { a: 'b' }, ownerReferences: [owner('Job', 'j')] })),
  ];
  expect(haveSameMap(bare.metadata, full.metadata)).toBe(true);
  const slice = (endpoint: object): EndpointSlice =>
    trimSlice({
      metadata: { name: 's' },
      addressType: 'IPv4',
      endpoints: [endpoint],
    } as unknown as EndpointSlice);
  const [few, many] = [
    slice({ addresses: ['10.0.0.1'] }),
    slice({ addresses: ['10.0.0.1'], zone: 'a', targetRef: { kind: 'Pod', name: 'p' } }),
  ];
  expect(haveSameMap(few.endpoints?.[0] ?? {}, many.endpoints?.[0] ?? {})).toBe(true);
});

test('an index has the objects of each group as they are, by name, after any changes', () => {
  const change = fc.record({
    name: fc.constantFrom('a', 'b', 'c', 'd'),
    groups: fc.option(fc.uniqueArray(fc.constantFrom('x', 'y', 'z')), { nil: undefined }),
  });
  fc.assert(
    fc.property(fc.array(change, { maxLength: 30 }), (changes) => {
      const index = new Index<Pod>((p) => Object.keys(p.metadata.labels ?? {}));
      const all = new Map<string, Pod>();
      for (const { name, groups } of changes) {
        const labels = groups && Object.fromEntries(groups.map((group) => [group, '']));
        const now = groups && pod({ name, labels });
        const before = all.get(name);
        const touched = index.change(now, before);
        const keys = Object.keys({ ...before?.metadata.labels, ...labels });
        expect(touched.toSorted()).toEqual(keys.toSorted());
        if (now) all.set(name, now);
        else all.delete(name);
      }
      for (const group of ['x', 'y', 'z']) {
        const of = [...all.values()].filter((p) => p.metadata.labels?.[group] === '');
        of.sort((a, b) => a.metadata.name.localeCompare(b.metadata.name));
        expect(index.get(group)).toEqual(of);
      }
    }),
  );
});
