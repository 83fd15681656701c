/** The parts of pods and slices that discovery keeps are all that it reads, and no more. */
import { expect, test } from 'vitest';
import { annotations } from '../../mesh/kubernetes/annotations.js';
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
  expect(podIdentity(kept, 'west')).toBe(podIdentity(whole, 'west'));
  expect(isMeshed(kept)).toBe(true);
  expect(kept.metadata).toMatchObject({
    name: 'cart-5d8-x',
    namespace: 'shop',
    resourceVersion: '7',
  });
  expect(kept.spec.containers).toEqual([{ name: 'app', ports: [{ containerPort: 80 }] }]);
  expect(kept.status).toEqual({ podIP: '10.0.0.1', phase: 'Running' });
  expect(JSON.stringify(kept)).not.toMatch(/managedFields|uid|creationTimestamp|volumes|nodeName/);
});

test('of annotations, a pod keeps our own short ones', () => {
  const own = { [annotations.mode]: 'explicit', [annotations.proxyConfig]: 'x'.repeat(600) };
  const kept = trimPod(pod({ annotations: { ...own, 'checksum/config': 'c' } }));
  expect(kept.metadata.annotations).toEqual({ [annotations.mode]: 'explicit' });
  expect(
    trimPod(pod({ annotations: { 'checksum/config': 'c' } })).metadata.annotations,
  ).toBeUndefined();
});

test('a slice keeps addresses, conditions, pods and zones', () => {
  const endpoint = {
    addresses: ['10.0.0.1'],
    conditions: { ready: true, serving: true, terminating: false },
    targetRef: { kind: 'Pod', name: 'cart-1', namespace: 'shop' },
    zone: 'a',
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
      { ...endpoint, nodeName: 'n', hints: {}, targetRef: { ...endpoint.targetRef, uid: 'u' } },
      { addresses: ['10.0.0.2'], nodeName: 'n' },
    ],
  };
  expect(trimSlice(whole as EndpointSlice)).toEqual(slice);
});
