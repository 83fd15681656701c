/** Adds `firedrill alerts ...`: each part registers its own verbs. */
import type { Command } from 'commander';
import { registerCoverage } from './coverage/command.js';
import { registerLibrary } from './library/commands.js';
import { registerLint } from './lint/commands.js';
import { registerRouting } from './routing/commands.js';
import { registerScale } from './scale/commands.js';
import { registerBacktest } from './proof/backtest/command.js';
import { registerPack } from './proof/pack/command.js';
import { registerPolicies } from './proof/policies/command.js';
import { registerMutate } from './proof/mutants/command.js';
import { registerDiff } from './change/command.js';
import { registerTest } from './proof/unit/command.js';

export function registerAlerts(program: Command): void {
  const alerts = program
    .command('alerts')
    .description('Generate, lint, test and route alerts, and prove that they fire');
  registerLibrary(alerts);
  registerLint(alerts);
  registerCoverage(alerts);
  registerRouting(alerts);
  registerScale(alerts);
  registerTest(alerts);
  registerMutate(alerts);
  registerPack(alerts);
  registerPolicies(alerts);
  registerBacktest(alerts);
  registerDiff(alerts);
}
