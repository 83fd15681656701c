/** The blast radius of a scenario, compared with the guard's ceilings: before the run, and at each injection. */
import { percentText } from '../../runbooks/words.js';
import type { GuardSpec } from './guard-schema.js';

/** The parts of a system that decide which workloads a target strikes; taken from a running system or from its file. */
export interface Strikable {
  workloads: readonly {
    name: string;
    service: string;
    /** The name of its sidecar's process. */
    proxy?: string;
    edges?: readonly { name: string; to: string }[];
  }[];
  relays: readonly { name: string; from: string; to: string; process?: string }[];
}

/** Monitoring programs, which are not workloads of the system. */
const outside: readonly string[] = ['prometheus'];

/**
 * Returns the workloads that a target strikes. A target of no workload, such as the controller, counts as all of them.
 */
export function struckBy(system: Strikable, target: string): string[] {
  if (outside.includes(target)) return [];
  const all = system.workloads;
  // A partition strikes the workloads on both sides.
  if (target.includes('|')) {
    const two = target.split('|').flatMap((t) => struckBy(system, t));
    return [...new Set(two)];
  }
  const own = all.filter((w) => [w.name, w.service, w.proxy].includes(target));
  if (own.length > 0) return own.map((w) => w.name);
  const callers = new Set(
    system.relays.filter((r) => [r.name, r.to, r.process].includes(target)).map(({ from }) => from),
  );
  const calling = all.filter(
    (w) =>
      callers.has(w.service) ||
      (w.edges ?? []).some((edge) => edge.name === target || edge.to === target),
  );
  return (calling.length > 0 ? calling : all).map((w) => w.name);
}

/** Returns the names of the struck services, each once. */
export function servicesStruck(system: Strikable, targets: readonly string[]): string[] {
  const struck = new Set(targets.flatMap((target) => struckBy(system, target)));
  return [...new Set(system.workloads.filter((w) => struck.has(w.name)).map((w) => w.service))];
}

export interface Excess {
  field: 'maxServices' | 'maxWorkloads' | 'maxPercent';
  /** For example `3 services are struck (a, b, c), and 2 are allowed`. */
  text: string;
}

/** Returns the first ceiling that these targets together exceed. */
export function excessOf(
  guard: GuardSpec,
  system: Strikable,
  targets: readonly string[],
): Excess | undefined {
  const struck = [...new Set(targets.flatMap((target) => struckBy(system, target)))];
  const services = servicesStruck(system, targets);
  const { maxServices, maxWorkloads, maxPercent } = guard;
  if (maxServices !== undefined && services.length > maxServices) {
    return { field: 'maxServices', text: tooMany('service', services, `${maxServices}`) };
  }
  if (maxWorkloads !== undefined && struck.length > maxWorkloads) {
    return { field: 'maxWorkloads', text: tooMany('workload', struck, `${maxWorkloads}`) };
  }
  const share = struck.length / Math.max(1, system.workloads.length);
  if (maxPercent !== undefined && share * 100 > maxPercent) {
    const all = `${struck.length} of ${system.workloads.length} workloads (${percentText(share)})`;
    return {
      field: 'maxPercent',
      text: `${all} are struck (${shown(struck)}), and ${maxPercent}% are allowed`,
    };
  }
  return undefined;
}

const shown = (names: readonly string[]): string =>
  `${names.slice(0, 5).join(', ')}${names.length > 5 ? ', ...' : ''}`;

const tooMany = (what: string, names: readonly string[], allowed: string): string =>
  `${names.length} ${what}s are struck (${shown(names)}), and ${allowed} ${allowed === '1' ? 'is' : 'are'} allowed`;
