/**
 * Reads and checks a drill and its scenarios: `firedrill/gameday`. Reads the given firedrill.yaml, or the example
 * app's.
 */
import { findDrill, readScenarios } from 'firedrill/gameday';

const drill = findDrill(process.argv[2]);
for (const { scenario } of readScenarios(drill.scenarios)) {
  const expected = scenario.expect.mustFire.map((alert) => alert.alert).join(', ');
  process.stdout.write(`${scenario.id}: ${expected || 'no alert'}\n`);
}
