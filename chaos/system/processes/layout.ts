/** The processes and ports of a `system: processes`: decided once, before any of them runs. */
import type { CallSpec, ProcessesSpec, Protocol, ServiceSpec } from '../drill-schema.js';
import { calledAt, loopback, type Network, networkOf, type NetworkPlan } from './network.js';

export interface WorkloadLayout {
  /** `back-2`, or the service's name if it has one replica. */
  name: string;
  service: string;
  /** The number of the replica, from 1. */
  replica: number;
  spec: ServiceSpec;
  ports: Record<string, number>;
  /** Undefined if neither the workload's inbound nor its outbound traffic passes a sidecar. */
  sidecar?: { name: string; admin: number; outbound: number; inbound?: number };
  calls: CallLayout[];
  /** Undefined if the workload uses the machine's network. */
  network?: Network;
}

export interface CallLayout {
  /** The name in templates: `calls.<name>.url`. */
  name: string;
  /** The service or dependency. */
  to: string;
  protocol: Protocol;
  /** The host to which the service connects, or is redirected. */
  host: string;
  port: number;
  /** The destination in the mesh: `back`, `back-grpc` for a port that is not the first, or the dependency. */
  destination: string;
  /** One of the callee's ports; undefined for a dependency. */
  calleePort?: string;
}

export interface RelayLayout {
  /** The service and its call, such as `front/redis`. */
  name: string;
  process: string;
  from: string;
  to: string;
  host: string;
  port: number;
  admin: number;
  upstreams: string[];
}

export interface Layout {
  name: string;
  spec: ProcessesSpec;
  workloads: WorkloadLayout[];
  relays: RelayLayout[];
  controller?: { grpc: number; admin: number };
  entry: string;
}

/** The host of a service's ports, without its sidecar. */
export const hostOf = ({ network }: WorkloadLayout): string => network?.address ?? loopback;

export const hasNetworks = ({ services }: ProcessesSpec): boolean =>
  Object.values(services).some((service) => service.network === 'own');

const entryOf = (spec: ProcessesSpec): string =>
  spec.entry ?? (Object.keys(spec.services)[0] as string);

export const firstPort = (service: ServiceSpec): string => Object.keys(service.ports)[0] as string;

export const workloadNames = (name: string, { replicas }: ServiceSpec): string[] =>
  replicas === 1 ? [name] : Array.from({ length: replicas }, (_, i) => `${name}-${i + 1}`);

export const sidecarName = (workload: string): string => `${workload}-proxy`;
/** The process that holds the workload's network, if the workload has its own. */
export const networkProcess = (workload: string): string => `${workload}-network`;
export const relayProcess = (from: string, call: string): string => `${from}-to-${call}-relay`;

/** Sidecars receive every protocol except plain TCP; without a mesh, only the entry has an inbound sidecar. */
export const hasInbound = (spec: ProcessesSpec, service: string): boolean =>
  spec.services[service]?.protocol !== 'tcp' &&
  (spec.mesh !== 'relays' || service === entryOf(spec));

export function protocolOf(spec: ProcessesSpec, call: CallSpec): Protocol {
  if (call.protocol) return call.protocol;
  if (call.dependency !== undefined) return spec.dependencies[call.dependency]?.protocol ?? 'tcp';
  return spec.services[call.service ?? '']?.protocol ?? 'http';
}

export const hasSidecar = (spec: ProcessesSpec, service: string): boolean =>
  hasInbound(spec, service) ||
  Object.values(spec.services[service]?.calls ?? {}).some((c) => protocolOf(spec, c) !== 'tcp');

/** `port` returns a new free port each time; `networks` is given if a service has its own network. */
export function layOut(
  name: string,
  spec: ProcessesSpec,
  port: () => number,
  networks?: NetworkPlan,
): Layout {
  const relayPorts = new Map<string, number>();
  /** All replicas of a caller share a relay. */
  const portOf = (service: string, call: string, to: CallSpec): number => {
    const name = `${service}/${call}`;
    const chosen = relayPorts.get(name) ?? port();
    if (protocolOf(spec, to) === 'tcp') relayPorts.set(name, chosen);
    return chosen;
  };
  const workloads = Object.entries(spec.services).flatMap(([service, own]) =>
    workloadNames(service, own).map((workload, i): WorkloadLayout => {
      const ports = Object.fromEntries(
        Object.entries(own.ports).map(([key, wanted]) => [
          key,
          wanted === 'auto' ? port() : wanted,
        ]),
      );
      return {
        name: workload,
        service,
        replica: i + 1,
        spec: own,
        ports,
        ...(hasSidecar(spec, service) && {
          sidecar: {
            name: sidecarName(workload),
            admin: port(),
            outbound: port(),
            ...(hasInbound(spec, service) && { inbound: port() }),
          },
        }),
        calls: Object.entries(own.calls).map(([call, to]) =>
          callOf(spec, call, to, portOf(service, call, to)),
        ),
      };
    }),
  );
  const layout: Layout = { name, spec, workloads, relays: [], entry: entryOf(spec) };
  if (networks) joinNetworks(layout, networks, port);
  layout.relays = relaysOf(layout, port);
  if (spec.mesh === 'mtls') layout.controller = { grpc: port(), admin: port() };
  return layout;
}

function callOf(spec: ProcessesSpec, name: string, call: CallSpec, port: number): CallLayout {
  const protocol = protocolOf(spec, call);
  if (call.dependency !== undefined) {
    const { dependency } = call;
    return { name, to: dependency, protocol, host: loopback, port, destination: dependency };
  }
  const to = call.service as string;
  const first = firstPort(spec.services[to] as ServiceSpec);
  const calleePort = call.port ?? first;
  const destination = calleePort === first ? to : `${to}-${calleePort}`;
  return { name, to, protocol, host: loopback, port, destination, calleePort };
}

/** Calls of a service with its own network are served at its gateway. */
function joinNetworks({ spec, workloads }: Layout, plan: NetworkPlan, port: () => number): void {
  const own = workloads.filter((workload) => workload.spec.network === 'own');
  for (const [n, workload] of own.entries()) {
    const calls = workload.calls.flatMap(({ name, port }) => {
      const at = addressMeant(spec, workload.spec.calls[name] as CallSpec);
      return at === undefined ? [] : [{ at: calledAt(at), to: port }];
    });
    workload.network = networkOf(plan, n, calls, port());
    for (const call of workload.calls) call.host = workload.network.gateway;
  }
}

/** Returns the address that the service itself calls; undefined if neither the call nor its dependency names one. */
export const addressMeant = (
  spec: ProcessesSpec,
  { at, dependency }: CallSpec,
): string | undefined =>
  at ?? (dependency === undefined ? undefined : spec.dependencies[dependency]?.address);

/** One relay for each call over plain TCP; all replicas of the caller share it. */
function relaysOf(layout: Layout, port: () => number): RelayLayout[] {
  const relays = new Map<string, RelayLayout>();
  for (const workload of layout.workloads) {
    for (const call of workload.calls) {
      if (call.protocol !== 'tcp') continue;
      const name = `${workload.service}/${call.name}`;
      if (relays.has(name)) continue;
      relays.set(name, {
        name,
        process: relayProcess(workload.service, call.name),
        from: workload.service,
        to: call.to,
        host: call.host,
        port: call.port,
        admin: port(),
        upstreams: upstreamsOf(layout, call),
      });
    }
  }
  return [...relays.values()];
}

/** Returns the callee's own listening addresses, without its sidecars. */
export function upstreamsOf({ spec, workloads }: Layout, call: CallLayout): string[] {
  const { calleePort } = call;
  if (calleePort === undefined) return [spec.dependencies[call.to]?.address as string];
  return workloads
    .filter((w) => w.service === call.to)
    .map((w) => `${hostOf(w)}:${w.ports[calleePort] as number}`);
}

/** Returns the URL that the load calls: the inbound port of the entry's sidecar, or the entry's own first port. */
export function entryUrl({ workloads, entry }: Layout): string {
  const workload = workloads.find((w) => w.service === entry) as WorkloadLayout;
  const own = workload.ports[firstPort(workload.spec)] as number;
  const inbound = workload.sidecar?.inbound;
  return inbound === undefined
    ? `http://${hostOf(workload)}:${own}`
    : `http://${loopback}:${inbound}`;
}
