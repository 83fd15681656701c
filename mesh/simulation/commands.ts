/** `firedrill mesh simulate`: simulates an incident against a configuration, before it is applied. */
import type { Command } from 'commander';
import { formatOption } from '../../base/format-option.js';
import type { Flags } from './command.js';

export function registerSimulation(program: Command): void {
  program
    .command('mesh')
    .description('All mesh commands in one place; the short names do the same')
    .command('simulate')
    .description('Simulate an incident against a configuration, offline')
    .argument('<file>', 'the incident, YAML (mesh/simulation/README.md)')
    .option('--seed <number>', "seed instead of the file's")
    .option('--timeline', 'also show each second')
    .addOption(formatOption('text', 'json'))
    .addHelpText(
      'after',
      `
Example:
  firedrill mesh simulate examples/simulate/retry-storm.yaml
  firedrill mesh simulate incident.yaml --seed 8 --format json`,
    )
    .action(async (file: string, flags: Flags) => {
      (await import('./command.js')).replay(file, flags);
    });
}
