/** Finds the injection points for a fault of a service or of one call: the sidecar, its side, or the relay. */
import type { System, WorkloadDescription } from '../system/model.js';
import type { Undo } from './undo.js';

export interface FaultPoint {
  /** `http://127.0.0.1:4711`. */
  url: string;
  /** The struck target, for people: `payment`, `checkout-proxy`. */
  target: string;
  /** The lease without `id` and `ttlMs`. */
  body: Record<string, unknown>;
  /** The undo, if the fault does not end by itself when its holder is gone. */
  undo?: Undo;
}

interface Strike {
  ratio: unknown;
  match: Record<string, unknown>;
  effect: Record<string, unknown>;
}

/**
 * The service's own sidecars; if its requests do not pass through one, its callers' sidecars on their outbound side. A
 * call (`front/back`) or a dependency is always struck at the callers' sidecars.
 */
export function proxyPoints(
  system: System,
  target: string,
  { side, ...strike }: Strike & { side: unknown },
): FaultPoint[] {
  const own = system.workloads(target);
  if (own.length === 0) return edgePoints(system, target, strike);
  const withSide = own.filter(
    ({ ports }) => (side === 'inbound' ? ports.inbound : ports.outbound) !== undefined,
  );
  if (withSide.length === 0) {
    return side === 'inbound' ? edgePoints(system, target, strike) : [];
  }
  return withSide.flatMap((workload) => point(system, workload, { side, ...strike }) ?? []);
}

/** The callers' sidecars: all callers of the target, or those of the one call of that name. */
export function edgePoints(system: System, target: string, strike: Strike): FaultPoint[] {
  return system.description.workloads.flatMap((workload) =>
    (workload.edges ?? [])
      .filter((edge) => edge.name === target || edge.to === target)
      .flatMap(({ destination }) => {
        const match = { ...strike.match, destination };
        return point(system, workload, { ...strike, side: 'outbound', match }) ?? [];
      }),
  );
}

export const relayPoints = (
  system: System,
  target: string,
  body: Record<string, unknown>,
): FaultPoint[] =>
  system
    .relays(target)
    .filter(({ kinds }) => kinds === undefined || kinds.includes(String(body.kind)))
    .map(({ name, url, undo }) => ({ url, target: name, body, ...(undo && { undo }) }));

/** `front|back`: both directions. */
export const pairName = (from: string, to: string): string => `${from}|${to}`;

/** Every two services that call each other, the caller first. */
export function pairsOf({
  workloads,
  relays,
}: Pick<System['description'], 'workloads' | 'relays'>): string[] {
  const calls = [
    ...workloads.flatMap(({ service, edges = [] }) => edges.map(({ to }) => pairName(service, to))),
    ...relays.map(({ from, to }) => pairName(from, to)),
  ];
  return [...new Set(calls)].sort();
}

/** Every call between two services, in either direction. */
export function betweenPoints(
  system: System,
  pair: string,
  fault: {
    proxy: { ratio: unknown; effect: Record<string, unknown> };
    relay: Record<string, unknown>;
  },
): FaultPoint[] {
  const [one = '', other = ''] = pair.split('|');
  const isBetween = (from: string, to: string): boolean =>
    (from === one && to === other) || (from === other && to === one);
  const { workloads, relays } = system.description;
  const { ratio, effect } = fault.proxy;
  return [
    ...workloads.flatMap((workload) =>
      (workload.edges ?? []).flatMap(({ to, destination }) => {
        if (!isBetween(workload.service, to)) return [];
        const strike = { ratio, match: { destination }, effect };
        return point(system, workload, { ...strike, side: 'outbound' }) ?? [];
      }),
    ),
    ...relays
      .filter(({ from, to }) => isBetween(from, to))
      .flatMap(({ name }) => relayPoints(system, name, fault.relay)),
  ];
}

/** A fault by commands, held by the system's watcher. */
export const commandPoints = ({ admin, description }: System, target: string): FaultPoint[] =>
  (description.commands ?? [])
    .filter(({ name }) => name === target)
    .map(({ undo }) => ({ url: admin, target, body: { kind: 'command', target }, undo }));

function point(
  system: System,
  workload: WorkloadDescription,
  { side, ratio, match, effect }: Strike & { side: unknown },
): FaultPoint | undefined {
  const url = system.proxyAdmin(workload);
  if (url === undefined) return undefined;
  const some = Object.values(match).some((value) => value !== undefined);
  return {
    url,
    target: workload.proxy ?? workload.name,
    body: { side, ratio, ...(some && { match }), ...effect },
  };
}
