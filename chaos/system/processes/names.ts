/** What scenarios may speak of in a `system: processes`, known from its file alone. */
import type { SystemNames } from '../../scenarios/world.js';
import type { ProcessesSpec } from '../drill-schema.js';
import { hasSidecar, protocolOf, relayProcess, sidecarName, workloadNames } from './layout.js';

export function processNames(name: string, spec: ProcessesSpec): SystemNames {
  const services = Object.entries(spec.services).map(([service, own]) => ({
    name: service,
    workloads: workloadNames(service, own),
    counters: [],
  }));
  const sidecars = services
    .filter((s) => hasSidecar(spec, s.name))
    .flatMap((s) => s.workloads.map(sidecarName));
  const calls = Object.entries(spec.services).flatMap(([from, { calls: own }]) =>
    Object.entries(own).map(([call, to]) => ({
      from,
      edge: `${from}/${call}`,
      to: (to.service ?? to.dependency) as string,
      isTcp: protocolOf(spec, to) === 'tcp',
      relay: relayProcess(from, call),
    })),
  );
  const edges = [...new Set(calls.flatMap((c) => [c.edge, c.to]))];
  return {
    name,
    services,
    processes: [
      ...(spec.mesh === 'mtls' ? ['controller'] : []),
      ...services.flatMap((s) => s.workloads),
      ...sidecars,
      ...new Set(calls.filter((c) => c.isTcp).map((c) => c.relay)),
    ],
    parts: spec.mesh === 'mtls' ? ['controller'] : [],
    strikable: {
      workloads: services.flatMap(({ name: service, workloads }) =>
        workloads.map((workload) => ({
          name: workload,
          service,
          ...(hasSidecar(spec, service) && { proxy: sidecarName(workload) }),
          edges: calls
            .filter((c) => c.from === service && !c.isTcp)
            .map(({ edge, to }) => ({ name: edge, to })),
        })),
      ),
      relays: calls
        .filter((c) => c.isTcp)
        .map(({ edge, from, to, relay }) => ({ name: edge, from, to, process: relay })),
    },
    targets: {
      call: edges,
      service: [...new Set([...services.flatMap((s) => [...s.workloads, s.name]), ...edges])],
    },
  };
}
