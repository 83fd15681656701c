/** Processes of the system that ended by themselves while a scenario ran: a finding, whatever the alerts did. */
import type { DeathRecord } from '../../runbooks/record.js';
import type { Scenario } from '../scenarios/schema.js';
import type { ProcessEvent, WorkloadDescription } from '../system/model.js';
import type { Stretch } from './measure.js';

/** One entry a process: its first end within the stretch, unless the scenario foretells it or its fault takes it. */
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

/** One entry a name: how it ended says more than that it does not answer. */
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
  // The kernel is to kill it.
  for (const { target } of faults.filter((f) => f.kind === 'memory')) names.add(target);
  // It makes a process end by itself; those that kill are told as killed.
  for (const { target } of faults.filter((f) => f.kind === 'leak')) {
    for (const w of workloads.filter((w) => w.name === target || w.service === target)) {
      names.add(w.proxy ?? w.name);
    }
  }
  return names;
}
