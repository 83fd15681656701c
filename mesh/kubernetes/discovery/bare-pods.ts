/**
 * Meshed pods of a workload to which no Service sends, since none selects them, none of its ports is TCP, or they are
 * not ready: a client that dials a pod's address gets the pod's identity.
 */
import { isIPv6 } from 'node:net';
import type { Destination, Endpoint } from '../../model.js';
import { ports } from '../annotations.js';
import { makeBackend, meshedAs, withPort } from './destinations.js';
import type { Pod } from './types.js';
import { explicitPort, hasEnded, podLabels } from './workload.js';

/** The objects in the API server that surround the workload. */
export interface Surroundings {
  /** The names of the pods that are endpoints of a Service. */
  served: ReadonlySet<string>;
  trustDomain: string;
}

/** The destination has no name and no address. Undefined if Services send to all pods, or no pod has an address yet. */
export function convertBarePods(
  workload: string,
  namespace: string,
  pods: readonly Pod[],
  { served, trustDomain }: Surroundings,
): Destination | undefined {
  const name = `${workload}.${namespace}:pods`;
  const endpoints = pods.flatMap((pod): Endpoint[] => {
    const { podIP } = pod.status ?? {};
    // In explicit mode an app's own port does not lead to the proxy.
    if (!podIP || isIPv6(podIP) || hasEnded(pod)) return [];
    if (explicitPort(pod) !== undefined || served.has(pod.metadata.name)) return [];
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
