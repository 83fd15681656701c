/** The services whose endpoints a bench of the controller moves: in one registry file, or in a cluster. */
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { writeFileWhole } from '../base/write-file.js';
import { proxyContainer } from '../mesh/kubernetes/annotations.js';
import { KubeApi } from '../mesh/kubernetes/client/api.js';
import { findCredentials } from '../mesh/kubernetes/client/credentials.js';
import { type AnyObject, resources } from '../mesh/kubernetes/client/objects.js';

export const services = 2000;
export const endpointsEach = 5;
const namespace = 'retail';
const port = 8080;

/** Service 0 is the one to which every proxy subscribes. */
export const nameOf = (service: number): string => (service === 0 ? 'shared' : `s${service}`);

export interface Registry {
  /** For the controller's configuration. */
  discovery: object;
  fill(): Promise<void>;
  /** Gives the first endpoint of a service another address. */
  move(service: number, ip: string): Promise<void>;
  close(): void;
}

const addressOf = (service: number, endpoint: number): string =>
  `10.${service >> 8}.${service & 255}.${endpoint + 1}`;

export function fileRegistry(folder: string): Registry {
  const addresses = Array.from({ length: services }, (_, i) =>
    Array.from({ length: endpointsEach }, (_e, k) => addressOf(i, k)),
  );
  const write = (): Promise<void> => {
    const list = addresses.map((ips, i) => ({
      name: nameOf(i),
      namespace,
      endpoints: ips.map((ip) => ({ address: `${ip}:${port}` })),
    }));
    writeFileWhole(join(folder, 'registry.yaml'), JSON.stringify({ services: list }));
    return Promise.resolve();
  };
  return {
    discovery: { kind: 'file', path: 'registry.yaml' },
    fill: write,
    move: (service, ip) => {
      (addresses[service] as string[])[0] = ip;
      return write();
    },
    close: () => undefined,
  };
}

const atOnce = 32;

/**
 * The objects remain, for the next run. A cluster without nodes is enough: the pods are never started, and the bench
 * writes their EndpointSlices itself.
 */
export async function clusterRegistry(kubeconfig: string): Promise<Registry> {
  const api = new KubeApi(await findCredentials({ kubeconfig }));
  const create = async (objects: readonly AnyObject[]): Promise<void> => {
    const left = [...objects];
    const work = async (): Promise<void> => {
      for (let object = left.pop(); object; object = left.pop()) await api.create(object);
    };
    await Promise.all(Array.from({ length: atOnce }, work));
  };
  return {
    discovery: { kind: 'kubernetes', kubeconfig },
    fill: async () => {
      // An earlier run has filled this cluster.
      if (await api.find(resources.Namespace, undefined, namespace)) return;
      await api.create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } });
      const all = Array.from({ length: services }, (_, i) => i);
      await create(all.flatMap((i) => [...podsOf(i), serviceOf(i), sliceOf(i)]));
    },
    move: async (service, ip) => {
      const path = '/endpoints/0/addresses/0';
      const change = [{ op: 'replace', path, value: ip }];
      await api.patch(resources.EndpointSlice, namespace, nameOf(service), change);
    },
    close: () => api.close(),
  };
}

const hash = '5d8f6c7b9';
const podName = (service: number, endpoint: number): string => `${nameOf(service)}-${endpoint}`;

const podsOf = (service: number): AnyObject[] =>
  Array.from({ length: endpointsEach }, (_, k) => ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: podName(service, k),
      namespace,
      labels: { app: nameOf(service), 'pod-template-hash': hash },
      ownerReferences: [
        {
          apiVersion: 'apps/v1',
          kind: 'ReplicaSet',
          name: `${nameOf(service)}-${hash}`,
          uid: randomUUID(),
          controller: true,
        },
      ],
    },
    spec: {
      // No node of this name exists, so that nothing schedules or starts the pod.
      nodeName: 'none',
      containers: [proxyContainer, 'app'].map((name) => ({ name, image: 'none' })),
    },
  }));

const serviceOf = (service: number): AnyObject => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: nameOf(service), namespace },
  spec: { clusterIP: 'None', selector: { app: nameOf(service) }, ports: [{ port }] },
});

const sliceOf = (service: number): AnyObject => ({
  apiVersion: 'discovery.k8s.io/v1',
  kind: 'EndpointSlice',
  metadata: {
    name: nameOf(service),
    namespace,
    labels: { 'kubernetes.io/service-name': nameOf(service) },
  },
  addressType: 'IPv4',
  ports: [{ port, protocol: 'TCP' }],
  endpoints: Array.from({ length: endpointsEach }, (_, k) => ({
    addresses: [addressOf(service, k)],
    conditions: { ready: true },
    targetRef: { kind: 'Pod', name: podName(service, k), namespace },
  })),
});
