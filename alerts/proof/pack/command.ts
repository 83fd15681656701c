/** `firedrill alerts pack`. */
import type { Command } from 'commander';
import { eachOf } from '../../../base/choice-option.js';
import type { PackFlags } from './run.js';

const example = `
Writes rules.yaml (the alerts that fired), test.yaml (for promtool test rules and alerts test: the series that these
alerts read, and when they fired), labels.yaml (for alerts backtest and alerts diff), story.yaml (where a generated SLO
burned) and, with --fault and --target, scenario.yaml (for gameday run). Exits 1 where the alerts do not come back in
the same order.

Examples:
  firedrill alerts pack --prometheus http://localhost:9090 --from 3h -o incidents/cart
  firedrill alerts pack --prometheus http://localhost:9090 --from 2026-11-28T14:00:00Z --to 2026-11-28T16:00:00Z \\
    --name "cart down" --fault slow-service --target cart --set latencyMs=300 -o incidents/cart`;

export function registerPack(alerts: Command): void {
  alerts
    .command('pack')
    .description('Turn an incident into a unit test, a label, a story and a scenario')
    .requiredOption('--prometheus <url>', 'Prometheus that evaluated the rules')
    .requiredOption('--from <time>', 'start: a time, or a duration before the end')
    .option('--to <time>', 'end (default: now)')
    .option('--alert <name...>', 'only these alerts', eachOf)
    .option('--name <text>', 'name of the incident', 'incident')
    .option(
      '--fault <kind>',
      'the kind of fault behind it; together with --target, writes a scenario',
    )
    .option('--target <name>', 'target of the fault')
    .option('--set <name=value...>', 'settings of the fault, such as latencyMs=300')
    .option('-o, --out <folder>', 'folder for the files', 'incident')
    .addHelpText('after', example)
    .action(async (flags: PackFlags) => {
      const { runPack } = await import('./run.js');
      await runPack(flags);
    });
}
