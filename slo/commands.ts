import type { Command } from 'commander';
import { registerBackfill, registerGenerate } from './rules/generate-command.js';
import { registerDashboards } from './dashboards/commands.js';
import { registerSpec } from './spec/commands.js';
import { registerBudget } from './budget/commands.js';
import { registerCost } from './cost/commands.js';

/** Adds `firedrill slo ...` and `firedrill dashboards ...`. */
export function registerSlo(program: Command): void {
  const slo = program
    .command('slo')
    .description('Compile SLOs to rules; explain them, budget them, gate releases');
  registerGenerate(slo);
  registerBackfill(slo);
  registerDashboards(program);
  registerSpec(slo);
  registerBudget(slo);
  registerCost(slo);
}
