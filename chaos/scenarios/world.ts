/** The names that a scenario may use: those of a system, its rules and its routing, known before the run. */
import { pairName } from '../faults/points.js';
import type { AmConfig } from '../../alerts/routing/config.js';
import type { Strikable } from '../guard/blast-radius.js';
import type { AlertingRule } from '../../slo/rules/model.js';

export interface SystemNames {
  name: string;
  services: readonly { name: string; workloads: readonly string[]; counters?: readonly string[] }[];
  processes: readonly string[];
  /** Other targets: `controller`, `registry`. */
  parts: readonly string[];
  /** By the kind of target, if the lists above do not apply: `relay`. */
  targets?: Readonly<Record<string, readonly string[]>>;
  /** By target: the supported kinds of faults on calls, if not all are supported. */
  kindsOf?: Readonly<Record<string, readonly string[]>>;
  /** By target of a fault of DNS: the names that its services look up. */
  lookedUp?: Readonly<Record<string, readonly string[]>>;
  /** Kinds of faults that this machine cannot inject, each with its reason. */
  impossible?: Readonly<Record<string, string>>;
  /** The routes of the system's own load. */
  routes?: readonly string[];
  /** The workloads behind sidecars, relays and calls; absent: only services and workloads are known. */
  strikable?: Strikable;
}

export interface World {
  system: SystemNames;
  /** Every loaded alerting rule. */
  rules: readonly AlertingRule[];
  /** The routes of the load; absent if they are unknown before the load runs. */
  routes?: readonly string[];
  /** True if the load exists already, so that no client is measured. */
  isClientUnseen?: boolean;
  /** The receivers of the Alertmanager's configuration; absent if one receiver gets all alerts. */
  receivers?: readonly string[];
  /** The Alertmanager's configuration as written, if there is one. */
  routing?: AmConfig;
  /** The comments of the silences in force; absent if they are unknown before the run. */
  silences?: readonly string[];
  /** The alerts of SLOs, for which a theoretical detection time exists; absent if they are unknown. */
  sloAlerts?: readonly string[];
  /** The runbook pages by name. */
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

/**
 * Returns the names that faults of this kind of target may use; undefined if they are unknown before the system runs.
 */
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
    case 'resolver':
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
