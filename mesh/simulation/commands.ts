/** `firedrill mesh simulate`: simulates an incident against a configuration, before it is applied. */
import type { Command } from 'commander';
import { UserError } from '../../base/errors.js';
import { formatOption } from '../../base/format-option.js';

interface Flags {
  seed?: string;
  timeline?: boolean;
  format: string;
}

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
      const { readIncident } = await import('./spec.js');
      const { simulate } = await import('./run.js');
      const { summarize, summaryTable, timelineTable } = await import('./summary.js');
      const { Progress } = await import('../../base/terminal.js');
      const incident = readIncident(file);
      if (flags.seed !== undefined) {
        if (!/^\d{1,9}$/.test(flags.seed)) {
          throw new UserError({ message: `--seed ${flags.seed}`, expected: 'a whole number' });
        }
        incident.seed = Number(flags.seed);
      }
      const progress = new Progress();
      const runs = incident.compare.map((variant) => {
        progress.update(`${variant.name} …`);
        const run = simulate(incident, variant);
        return { name: variant.name, run, summary: summarize(run, incident) };
      });
      progress.clear();
      if (flags.format === 'json') {
        const variants = runs.map(({ name, run, summary }) => ({
          name,
          ...summary,
          seconds: run.seconds,
        }));
        process.stdout.write(`${JSON.stringify({ seed: incident.seed, variants }, null, 2)}\n`);
        return;
      }
      process.stdout.write(`${summaryTable(runs)}\n`);
      for (const { name, run } of flags.timeline ? runs : []) {
        process.stdout.write(`\n${timelineTable(name, run)}\n`);
      }
    });
}
