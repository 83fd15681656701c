/** `firedrill chaos check`: whether scenarios can work in the system that they are for. */
import { exitCode } from '../../base/errors.js';
import { counted } from '../../base/terminal.js';
import { findDrill } from '../system/bundled.js';
import { namesOf } from '../system/names.js';
import { readSlos } from '../../slo/index.js';
import { readScenarios } from '../scenarios/read.js';
import { groupsOf } from './gameday.js';
import { defaultAllowanceMs, defaultTimeScale, timingOf } from './options.js';
import { refuseImpossible, worldOf } from './world.js';

export async function checkCommand(names: string[], slos: string[]): Promise<number> {
  const scenarios = readScenarios(names);
  const timing = timingOf(defaultTimeScale, defaultAllowanceMs);
  const drill = findDrill();
  const files = slos.length > 0 ? slos : drill.slos;
  const groups = groupsOf(readSlos(files), timing, drill.library);
  refuseImpossible(scenarios, worldOf(await namesOf(drill), groups));
  for (const { scenario, file } of scenarios) {
    const alerts = counted(scenario.expect.mustFire.length, 'alert');
    process.stdout.write(`${file}: ${scenario.id}, well formed; ${alerts} must fire\n`);
  }
  return exitCode.ok;
}
