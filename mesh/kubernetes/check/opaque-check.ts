/** Whether the client's proxy and the server's proxy both look at the bytes of a Service's port, or both do not. */
import { annotations, defaultOpaquePorts, parsePorts } from '../annotations.js';
import type { Namespace, Pod, Service } from '../discovery/types.js';
import { hasEnded, isMeshed, selects } from '../discovery/workload.js';

type Annotated = { metadata: { annotations?: Record<string, string> } } | undefined;

/** The list of the object itself, or of its namespace, or the usual one; undefined if it cannot be read. */
const listOf = (own: Annotated, namespace: Annotated): readonly number[] | undefined => {
  const text = [own, namespace].map((o) => o?.metadata.annotations?.[annotations.opaquePorts]);
  const told = text[0] ?? text[1];
  return told === undefined ? defaultOpaquePorts : parsePorts(told);
};

/** The ports of Services for which one side was told otherwise: `shop/db:3306`. */
export function tornPorts(
  services: readonly Service[],
  pods: readonly Pod[],
  namespaces: readonly Namespace[],
): string[] {
  return services.flatMap((service) => {
    const { namespace, name } = service.metadata;
    const matchLabels = service.spec.selector;
    if (!matchLabels || Object.keys(matchLabels).length === 0) return [];
    const space = namespaces.find((n) => n.metadata.name === namespace);
    const ofService = listOf(service, space);
    const own = pods.filter(
      (p) =>
        p.metadata.namespace === namespace &&
        isMeshed(p) &&
        !hasEnded(p) &&
        selects({ matchLabels }, p.metadata.labels),
    );
    const isTold = [service, ...own].some((o) => o.metadata.annotations?.[annotations.opaquePorts]);
    if (!isTold || !ofService) return [];
    return (service.spec.ports ?? [])
      .filter((port) => (port.protocol ?? 'TCP') === 'TCP')
      .filter((port) =>
        own.some((pod) => {
          const number = numberAt(pod, port.targetPort ?? port.port);
          const ofPod = listOf(pod, space);
          if (number === undefined || !ofPod) return false;
          return ofPod.includes(number) !== ofService.includes(port.port);
        }),
      )
      .map((port) => `${namespace}/${name}:${port.port}`);
  });
}

const numberAt = ({ spec }: Pod, target: number | string): number | undefined =>
  typeof target === 'number'
    ? target
    : [...spec.containers, ...(spec.initContainers ?? [])]
        .flatMap((c) => c.ports ?? [])
        .find((p) => p.name === target)?.containerPort;
