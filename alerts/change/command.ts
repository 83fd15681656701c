/** `firedrill alerts diff`. */
import type { Command } from 'commander';
import type { DiffFlags } from './run.js';
import { formatOption } from '../../base/format-option.js';

const example = `
Each side is a rule file, an alertmanager.yml, or a folder of both.

Examples:
  firedrill alerts diff main/rules branch/rules --prometheus http://localhost:9090 --from 30d
  firedrill alerts diff old.yaml new.yaml --history month.om --incidents labels.yaml
  firedrill alerts diff old/ new/ --history month.om --format markdown -o change.md --fail`;

export function registerDiff(alerts: Command): void {
  alerts
    .command('diff')
    .description(
      'Compare two versions of rules and routes over history: notifications gained and lost',
    )
    .argument('<old>', 'current rules and routes')
    .argument('<new>', 'changed rules and routes')
    .option('--history <file...>', 'series with times: OpenMetrics, or CSV')
    .option('--prometheus <url>', 'read the history of a Prometheus by its API')
    .option('--from <time>', 'start of the history: a time, or a duration before the end', '30d')
    .option('--to <time>', 'end of the history; default now, or the end of the files')
    .option('--step <duration>', 'resolution, at most the shortest interval of the groups', '1m')
    .option('--incidents <file>', 'labelled incidents, to show which would be lost or gained')
    .addOption(formatOption('text', 'markdown', 'json'))
    .option('-o, --out <file>', 'file, or - for standard output', '-')
    .option('--fail', 'exit with 1 if an incident would be lost')
    .addHelpText('after', example)
    .action(async (old: string, now: string, flags: DiffFlags) => {
      const { runDiff } = await import('./run.js');
      await runDiff(old, now, flags);
    });
}
