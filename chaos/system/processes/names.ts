/** The names for scenarios in a `system: processes`, known from its file alone. */
import { whyNoDisk } from '../../faults/disk.js';
import { dnsKinds } from '../../faults/dns.js';
import { limitsImpossibleHere } from '../../faults/process-fault.js';
import type { SystemNames } from '../../scenarios/world.js';
import type { ProcessesSpec } from '../drill-schema.js';
import { sidecarCounters } from '../sidecar-counters.js';
import {
  addressMeant,
  hasInbound,
  hasSidecar,
  protocolOf,
  relayProcess,
  sidecarName,
  workloadNames,
} from './layout.js';
import { calledAt, literalOf } from './network.js';

/** Faults that only supervisors and services with support for them can hold; foreign programs have none. */
const ofSupervisors = ['version', 'slow-service', 'failing-service', 'ballast'];

/** Kinds of faults that are impossible here, each with its reason. */
function impossibleHere(): Record<string, string> {
  const strange = ofSupervisors.map((kind) => [kind, 'only a supervisor that knows it does it']);
  const all = [...limitsImpossibleHere(), ['disk-full', whyNoDisk()], ...strange];
  return Object.fromEntries(all.flatMap(([kind, why]) => (why === undefined ? [] : [[kind, why]])));
}

/** The names of the service's calls; literal addresses are not looked up. */
function namesLookedUp(spec: ProcessesSpec, service: string): string[] {
  const calls = Object.values(spec.services[service]?.calls ?? {});
  const hosts = calls.flatMap((call) => {
    const meant = addressMeant(spec, call);
    return meant === undefined ? [] : [calledAt(meant).host];
  });
  return [...new Set(hosts.filter((host) => literalOf(host) === undefined))];
}

/** Services with a sidecar of their own or of a caller, and such calls; a relay knows no requests. */
function struckByRequest(
  spec: ProcessesSpec,
  services: SystemNames['services'],
  calls: readonly { edge: string; to: string; isTcp: boolean }[],
): string[] {
  const own = services
    .filter(({ name }) => hasSidecar(spec, name))
    .flatMap(({ name, workloads }) => [...workloads, name]);
  const called = calls.filter((c) => !c.isTcp).flatMap((c) => [c.edge, c.to]);
  return [...new Set([...own, ...called])];
}

export function processNames(name: string, spec: ProcessesSpec): SystemNames {
  const services = Object.entries(spec.services).map(([service, own]) => ({
    name: service,
    workloads: workloadNames(service, own),
    counters: hasInbound(spec, service) ? sidecarCounters : [],
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
  const ours = [
    ...(spec.mesh === 'mtls' ? ['controller'] : []),
    ...sidecars,
    ...new Set(calls.filter((c) => c.isTcp).map((c) => c.relay)),
  ];
  const lookedUp = Object.fromEntries(
    services
      .filter((s) => spec.services[s.name]?.network === 'own')
      .flatMap((s) => {
        const names = namesLookedUp(spec, s.name);
        return names.length === 0 ? [] : [s.name, ...s.workloads].map((target) => [target, names]);
      }),
  );
  const noNames = 'no service looks up a name in a network of its own (network: own)';
  return {
    name,
    services,
    lookedUp,
    processes: [...services.flatMap((s) => s.workloads), ...ours],
    impossible: {
      ...impossibleHere(),
      ...(Object.keys(lookedUp).length === 0 &&
        Object.fromEntries(Object.keys(dnsKinds).map((kind) => [kind, noNames]))),
    },
    parts: spec.mesh === 'mtls' ? ['controller', 'registry'] : [],
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
      leaking: ours,
      disk: services
        .filter((s) => spec.services[s.name]?.disk !== undefined)
        .flatMap((s) => s.workloads),
      resolver: Object.keys(lookedUp),
      service: struckByRequest(spec, services, calls),
    },
  };
}
