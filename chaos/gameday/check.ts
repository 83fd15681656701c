/** `firedrill chaos check`: whether scenarios can work in the system that they are for. */
import { exitCode } from '../../base/errors.js';
import { counted } from '../../base/terminal.js';
import { asset } from '../../base/paths.js';
import { readSlos } from '../../slo/index.js';
import { readScenarios } from '../scenarios/read.js';
import { groupsOf } from './gameday.js';
import { defaultAllowanceMs, defaultTimeScale, timingOf } from './options.js';
import { refuseImpossible, shopNames, worldOf } from './world.js';

export async function checkCommand(names: string[], slos: string[]): Promise<number> {
  const scenarios = readScenarios(names);
  const timing = timingOf(defaultTimeScale, defaultAllowanceMs);
  const files = slos.length > 0 ? slos : [asset('examples/slo/retail.yaml')];
  refuseImpossible(scenarios, worldOf(await shopNames(), groupsOf(readSlos(files), timing)));
  for (const { scenario, file } of scenarios) {
    const alerts = counted(scenario.expect.mustFire.length, 'alert');
    process.stdout.write(`${file}: ${scenario.id}, well formed; ${alerts} must fire\n`);
  }
  return exitCode.ok;
}
