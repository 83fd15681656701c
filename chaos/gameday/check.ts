/** `firedrill gameday check`: whether scenarios can work in their system. */
import { exitCode } from '../../base/errors.js';
import { counted } from '../../base/terminal.js';
import { findDrill } from '../system/bundled.js';
import type { Drill } from '../system/drill-file.js';
import { namesOf } from '../system/names.js';
import { type ReadScenario, readScenarios } from '../scenarios/read.js';
import { judgingOf } from './judging.js';
import { defaultAllowanceMs, defaultTimeScale } from './options.js';
import { guardOf, refuseImpossible, worldOf } from './world.js';

export async function checkCommand(names: string[], slos: string[]): Promise<number> {
  const scenarios = readScenarios(names);
  await refuseIn(findDrill(), scenarios, slos);
  for (const { scenario, file } of scenarios) {
    const alerts = counted(scenario.expect.mustFire.length, 'alert');
    process.stdout.write(`${file}: ${scenario.id}, well formed; ${alerts} must fire\n`);
  }
  return exitCode.ok;
}

/** Throws a UserError with the place of everything that cannot work in the drill. */
export async function refuseIn(
  drill: Drill,
  scenarios: readonly ReadScenario[],
  slos: readonly string[] = [],
): Promise<void> {
  const judging = judgingOf({
    drill,
    slos: slos.length > 0 ? slos : drill.slos,
    rules: drill.rules,
    ...(drill.alertmanager !== undefined && { alertmanager: drill.alertmanager }),
    ...(drill.silences !== undefined && { silences: drill.silences }),
    timeScale: defaultTimeScale,
    allowanceMs: defaultAllowanceMs,
  });
  const world = worldOf(await namesOf(drill), judging, drill.load);
  refuseImpossible(scenarios, world, guardOf({ drill }, judging, scenarios));
}
