/** W1 as a scenario: its file fits the example shop, and states what W1 asks for. */
import { expect, test } from 'vitest';
import { asset } from '../../base/paths.js';
import { plannedDay } from '../../chaos/gameday/command.js';
import { readScenarios } from '../../chaos/scenarios/read.js';

const file = asset('examples/retail/transient-failures.yaml');

test('W1: with retries shoppers see 40% less of the failures than without them, and nobody pays twice', () => {
  const [read] = readScenarios([file]);
  const { arms, checks } = read!.scenario;
  const [without, within] = arms!.runs;
  expect(within!.seenAtMost! / without!.seenAtLeast!).toBeLessThanOrEqual(0.6 + 1e-9);
  expect(checks.map((c) => c.counter)).toEqual([{ service: 'payment', name: 'doubleCharges' }]);
});

test('W1: every name in it is one of the shop, and every time fits', async () => {
  const common = {
    input: [],
    rules: [],
    load: 'auto',
    prometheus: 'auto',
    out: 'x',
    format: 'text',
    state: 'x',
  };
  const plan = await plannedDay({ ...common, scenarios: [file], allowance: '2s' } as never);
  expect(plan.scenarios).toHaveLength(1);
});
