/** The names of the shop, asked of its own program before it runs, and what scenarios must not get wrong. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { exitCode, messageOf, UserError } from '../../base/errors.js';
import { program } from '../../base/paths.js';
import { readPages } from '../../runbooks/pages.js';
import type { RuleGroup } from '../../slo/index.js';
import { checkScenario } from '../scenarios/check.js';
import type { ReadScenario } from '../scenarios/read.js';
import type { SystemNames, World } from '../scenarios/world.js';

const limitMs = 20_000;

export async function shopNames(): Promise<SystemNames> {
  const run = promisify(execFile);
  const script = program('examples/retail/main');
  try {
    const { stdout } = await run(process.execPath, [script, '--names'], { timeout: limitMs });
    return JSON.parse(stdout) as SystemNames;
  } catch (error) {
    const text = `the shop does not say what it is made of: ${messageOf(error)}`;
    throw new UserError(text, exitCode.environment);
  }
}

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
