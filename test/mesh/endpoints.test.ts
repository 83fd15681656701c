/** The endpoints of a Service that proxies receive, and the identity expected at each. */
import { expect, test } from 'vitest';
import {
  convertService,
  type Lookup,
  makeBackend,
} from '../../mesh/kubernetes/discovery/destinations.js';
import type { EndpointSlice, Pod, Service } from '../../mesh/kubernetes/discovery/types.js';

const service: Service = {
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: 'cart', namespace: 'retail' },
  spec: { ports: [{ name: 'http', port: 80, targetPort: 8080 }] },
};

const pod = (name: string, isMeshed: boolean): Pod => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace: 'retail' },
  spec: { containers: [{ name: 'app' }, ...(isMeshed ? [{ name: 'firedrill-proxy' }] : [])] },
});

function endpoints(pods: readonly Pod[], entries: EndpointSlice['endpoints']): unknown[] {
  const slice: EndpointSlice = {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name: 'cart-1', namespace: 'retail' },
    addressType: 'IPv4',
    endpoints: entries ?? [],
    ports: [{ name: 'http', port: 8080 }],
  };
  const none = (): [] => [];
  const look: Lookup = {
    trustDomain: 'test.local',
    clusterDomain: 'cluster.local',
    service: () => service,
    server: () => undefined,
    namespace: () => undefined,
    slices: () => [slice],
    pod: (key) => pods.find((p) => `retail/${p.metadata.name}` === key),
    podAt: (ip) => pods.find((p) => p.status?.podIP === ip),
    externalWorkloads: none,
    attached: () => ({ profiles: [], splits: [], httpRoutes: [], grpcRoutes: [] }),
    isGranted: () => false,
  };
  const [cart] = convertService(service, look).destinations;
  return (cart?.backends[0]?.endpoints ?? []).map((e) => [e.address, e.identity ?? 'plaintext']);
}

const at = (address: string, name?: string): NonNullable<EndpointSlice['endpoints']>[number] => ({
  addresses: [address],
  ...(name !== undefined && { targetRef: { kind: 'Pod', name, namespace: 'retail' } }),
});

test('sessionAffinity: ClientIP reaches the proxies, with its time; a headless service has none', () => {
  const kept = (spec: Partial<Service['spec']>): number | undefined =>
    makeBackend('cart', [], { ...service, spec: { ...service.spec, ...spec } }).balancer
      .affinitySeconds;
  const sessionAffinityConfig = { clientIP: { timeoutSeconds: 90 } };
  expect([
    kept({}),
    kept({ sessionAffinity: 'None' }),
    kept({ sessionAffinity: 'ClientIP' }),
    kept({ sessionAffinity: 'ClientIP', sessionAffinityConfig }),
    kept({ sessionAffinity: 'ClientIP', clusterIP: 'None' }),
  ]).toEqual([undefined, undefined, 10_800, 90, undefined]);
});

test('an endpoint whose pod is not known is left out: sending to it in plaintext undoes mTLS in silence', () => {
  const identity = 'default.retail.serviceaccount.identity.test.local';
  const entries = [at('10.0.0.1', 'a'), at('10.0.0.2', 'b'), at('10.0.0.3', 'c'), at('10.0.0.4')];
  expect(endpoints([pod('a', true), pod('c', false)], entries)).toEqual([
    ['10.0.0.1:8080', identity],
    // Known, and not meshed.
    ['10.0.0.3:8080', 'plaintext'],
    // No pod: an address that a person wrote.
    ['10.0.0.4:8080', 'plaintext'],
  ]);
  expect(endpoints([], entries)).toEqual([['10.0.0.4:8080', 'plaintext']]);
  // The address that a person wrote is a meshed pod's.
  const own = { ...pod('d', true), status: { podIP: '10.0.0.4' } };
  expect(endpoints([own], [at('10.0.0.4')])).toEqual([['10.0.0.4:8080', identity]]);
});
