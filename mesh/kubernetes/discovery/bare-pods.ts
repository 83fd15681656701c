/** Meshed pods of a workload that no Service selects: a client that dials a pod's address gets the pod's identity. */
import type { Destination, Endpoint } from '../../model.js';
import { ports } from '../annotations.js';
import { makeBackend, meshedAs, withPort } from './destinations.js';
import type { Pod, Service } from './types.js';
import { explicitPort, podLabels, selects } from './workload.js';

/** The objects in the API server that surround the workload. */
export interface Surroundings {
  services: readonly Service[];
  trustDomain: string;
}

/** The destination has no name and no address. Undefined if Services select all pods, or no pod has an address yet. */
export function convertBarePods(
  workload: string,
  namespace: string,
  pods: readonly Pod[],
  { services, trustDomain }: Surroundings,
): Destination | undefined {
  const isSelected = ({ metadata }: Pod): boolean =>
    services.some(({ spec: { selector } }) => {
      const isManual = !selector || Object.keys(selector).length === 0;
      return !isManual && selects({ matchLabels: selector }, metadata.labels);
    });
  const name = `${workload}.${namespace}:pods`;
  const endpoints = pods.flatMap((pod): Endpoint[] => {
    const { podIP, phase } = pod.status ?? {};
    // In explicit mode an app's own port does not lead to the proxy.
    if (!podIP || phase === 'Succeeded' || phase === 'Failed') return [];
    if (explicitPort(pod) !== undefined || isSelected(pod)) return [];
    const meshed = meshedAs(pod, ports.inbound, trustDomain);
    return [{ address: withPort(podIP, ports.inbound), ...meshed, labels: podLabels(pod) }];
  });
  if (endpoints.length === 0) return undefined;
  return {
    name,
    service: workload,
    namespace,
    hosts: [],
    addresses: [],
    protocol: 'detect',
    routes: [],
    backends: [makeBackend(name, endpoints)],
  };
}
