/** What a scenario may speak of: the names that a system, its rules and its routing have, known before they run. */
import { pairName } from '../faults/points.js';
import type { AmConfig } from '../../alerts/routing/config.js';
import type { Strikable } from '../guard/blast-radius.js';
import type { AlertingRule } from '../../slo/rules/model.js';

export interface SystemNames {
  name: string;
  services: readonly { name: string; workloads: readonly string[]; counters?: readonly string[] }[];
  processes: readonly string[];
  /** What else can be struck: `controller`, `registry`. */
  parts: readonly string[];
  /** By the kind of target, where it is not as above: `relay`. */
  targets?: Readonly<Record<string, readonly string[]>>;
  /** By target: the kinds of faults on calls that it knows, where not all. */
  kindsOf?: Readonly<Record<string, readonly string[]>>;
  /** Kinds of faults that this machine cannot do, each with its reason. */
  impossible?: Readonly<Record<string, string>>;
  /** Of its own load. */
  routes?: readonly string[];
  /** Who is struck with a sidecar, a relay or a call; absent: services and workloads are all that is known. */
  strikable?: Strikable;
}

export interface World {
  system: SystemNames;
  /** Every alerting rule that is loaded. */
  rules: readonly AlertingRule[];
  /** Of the load; absent where it is not known before it runs. */
  routes?: readonly string[];
  /** Nobody measures what clients see: the load is one that is there anyway. */
  isClientUnseen?: boolean;
  /** Of the Alertmanager's configuration; absent where there is one receiver for all. */
  receivers?: readonly string[];
  /** The Alertmanager's configuration as it is written, if there is one. */
  routing?: AmConfig;
  /** The comments of the silences in force; absent if they are not known before the run. */
  silences?: readonly string[];
  /** The alerts of SLOs, for which there is a theory; absent if they are not known. */
  sloAlerts?: readonly string[];
  /** Runbook pages by name. */
  pages: ReadonlySet<string>;
}

export const strikableOf = ({ strikable, services }: SystemNames): Strikable =>
  strikable ?? {
    workloads: services.flatMap(({ name: service, workloads }) =>
      workloads.map((name) => ({ name, service })),
    ),
    relays: [],
  };

export const workloadsOf = ({ services }: SystemNames): string[] =>
  services.flatMap((s) => s.workloads);

const relayNames = ({ relays }: Strikable): string[] => [
  ...new Set(relays.flatMap((r) => [r.name, r.to])),
];

const pairNames = ({ workloads, relays }: Strikable): string[] => [
  ...new Set([
    ...workloads.flatMap(({ service, edges = [] }) => edges.map(({ to }) => pairName(service, to))),
    ...relays.map(({ from, to }) => pairName(from, to)),
  ]),
];

/** What a fault of that kind may name as its target; undefined where nobody knows before the system runs. */
export function targetsOf(system: SystemNames, targets: string): readonly string[] | undefined {
  const given = system.targets?.[targets];
  if (given) return given;
  switch (targets) {
    case 'process':
    case 'leaking':
      return system.processes;
    case 'service':
      return [...new Set([...workloadsOf(system), ...system.services.map((s) => s.name)])];
    case 'prometheus':
      return [targets];
    case 'command':
    case 'scaled':
    case 'pods':
    case 'limited':
    case 'throttled':
    case 'secret':
      return [];
    case 'disk':
      return [];
    case 'relay':
      return system.strikable && relayNames(system.strikable);
    case 'pair':
      return system.strikable && pairNames(system.strikable);
    case 'controller':
    case 'registry':
      return system.parts.filter((part) => part === targets);
    default:
      return undefined;
  }
}
