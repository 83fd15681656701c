/** Looks up a cluster's objects as discovery does, without an API server. */
import type { KubeObject } from '../../mesh/kubernetes/client/objects.js';
import {
  type Converted,
  convertService,
  type Lookup,
} from '../../mesh/kubernetes/discovery/destinations.js';
import { parentServices, profileService } from '../../mesh/kubernetes/discovery/store.js';
import type { EndpointSlice, Pod, Service } from '../../mesh/kubernetes/discovery/types.js';

const keyOf = ({ metadata }: KubeObject): string => `${metadata.namespace}/${metadata.name}`;

export function lookOf(objects: readonly KubeObject[]): Lookup {
  const of = <T>(kind: string, fits: (o: KubeObject) => boolean = () => true): T[] =>
    objects.filter((o) => o.kind === kind && fits(o)) as unknown as T[];
  const byKey = <T>(kind: string, key: string): T | undefined =>
    of<T>(kind, (o) => keyOf(o) === key)[0];
  const namedService = (o: KubeObject): string =>
    profileService(
      (o as { spec?: { service?: string } }).spec?.service ?? o.metadata.name,
      o.metadata.namespace ?? '',
    );
  return {
    trustDomain: 'cluster.local',
    clusterDomain: 'cluster.local',
    service: (key) => byKey<Service>('Service', key),
    server: (key) => byKey<KubeObject>('Server', key),
    namespace: () => undefined,
    slices: (key) =>
      of<EndpointSlice>(
        'EndpointSlice',
        (o) =>
          `${o.metadata.namespace}/${o.metadata.labels?.['kubernetes.io/service-name']}` === key,
      ),
    pod: (key) => byKey<Pod>('Pod', key),
    podAt: (ip) => of<Pod>('Pod', (o) => (o as unknown as Pod).status?.podIP === ip)[0],
    externalWorkloads: () => [],
    attached: (key) => ({
      profiles: of('ServiceProfile', (o) => namedService(o) === key),
      splits: of('TrafficSplit', (o) => namedService(o) === key),
      httpRoutes: of('HTTPRoute', (o) => parentServices(o as never).includes(key)),
      grpcRoutes: of('GRPCRoute', (o) => parentServices(o as never).includes(key)),
    }),
    isGranted: (from, to) =>
      of<{ metadata: { name: string }; spec: { from: string } }>(
        'Granted',
        (o) => o.metadata.namespace === to.namespace,
      ).some((g) => g.spec.from === from.namespace),
  };
}

export function convert(key: string, objects: readonly KubeObject[]): Converted {
  const look = lookOf(objects);
  const service = look.service(key);
  if (!service) throw new Error(`no service ${key}`);
  return convertService(service, look);
}
