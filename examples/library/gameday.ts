/** A drill and its scenarios, read and checked: `firedrill/gameday`. Give a firedrill.yaml, or the shop's is read. */
import { findDrill, readScenarios } from 'firedrill/gameday';

const drill = findDrill(process.argv[2]);
for (const { scenario } of readScenarios(drill.scenarios)) {
  const expected = scenario.expect.mustFire.map((alert) => alert.alert).join(', ');
  process.stdout.write(`${scenario.id}: ${expected || 'no alert'}\n`);
}
