/** What scenarios must not get wrong, given the names of a system, its rules and its routing. */
import { UserError } from '../../base/errors.js';
import { readPages } from '../../runbooks/pages.js';
import type { RuleGroup } from '../../slo/index.js';
import { checkScenario } from '../scenarios/check.js';
import type { ReadScenario } from '../scenarios/read.js';
import type { SystemNames, World } from '../scenarios/world.js';

export function worldOf(
  system: SystemNames,
  groups: readonly RuleGroup[],
  receivers?: readonly string[],
): World {
  return {
    system,
    rules: groups.flatMap((g) => g.rules).filter((r) => r.kind === 'alert'),
    pages: new Set(readPages().keys()),
    ...(receivers && { receivers }),
  };
}

/** Throws a UserError with the place of everything that cannot work: before anything is touched. */
export function refuseImpossible(scenarios: readonly ReadScenario[], world: World): void {
  const problems = scenarios.flatMap((scenario) => checkScenario(scenario, world));
  if (problems.length > 0) throw new UserError(problems);
}
