/** Processes of the system that ended by themselves during a scenario: a finding, whatever the alerts did. */
import type { DeathRecord } from '../../runbooks/record.js';
import type { Scenario } from '../scenarios/schema.js';
import type { ProcessEvent, WorkloadDescription } from '../system/model.js';
import type { Stretch } from './measure.js';

/**
 * One entry for each process: its first end within the stretch, unless the scenario expects the end or its fault causes
 * it.
 */
export function deathsOf(
  events: readonly ProcessEvent[],
  { startMs, endMs }: Stretch,
  scenario: Scenario,
  workloads: readonly WorkloadDescription[],
): DeathRecord[] {
  const foretold = foretoldBy(scenario, workloads);
  const deaths = new Map<string, DeathRecord>();
  for (const { process, event, atMs, detail } of events) {
    if (event !== 'exited' || atMs < startMs || atMs > endMs) continue;
    if (foretold.has(process) || deaths.has(process)) continue;
    deaths.set(process, { name: process, atMs, ...(detail !== undefined && { how: detail }) });
  }
  return [...deaths.values()];
}

/** Keeps one entry for each name: the exit of a process says more than its lack of an answer. */
export function addDeaths(known: DeathRecord[], found: readonly DeathRecord[]): void {
  for (const death of found) {
    const at = known.findIndex((d) => d.name === death.name);
    if (at < 0) known.push(death);
    else if (death.how !== undefined) known[at] = death;
  }
}

function foretoldBy(
  { expect, faults }: Scenario,
  workloads: readonly WorkloadDescription[],
): Set<string> {
  const names = new Set(expect.mayEnd.map((e) => e.process));
  for (const { notBefore } of expect.mustFire) {
    if (notBefore && 'exit' in notBefore) names.add(notBefore.exit);
  }
  // The kernel is expected to kill the process.
  for (const { target } of faults.filter((f) => f.kind === 'memory')) names.add(target);
  // A leak makes a process end by itself; faults that kill are reported as kills.
  for (const { target } of faults.filter((f) => f.kind === 'leak')) {
    for (const w of workloads.filter((w) => w.name === target || w.service === target)) {
      names.add(w.proxy ?? w.name);
    }
  }
  return names;
}
