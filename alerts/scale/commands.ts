/** Command line of `firedrill alerts scale`. */
import type { Command } from 'commander';

export interface ScaleFlags {
  timeScale: string;
  scrapeInterval: string;
  subqueryStep: string;
  out: string;
  prove: boolean;
  seed: string;
}

export function registerScale(alerts: Command): void {
  alerts
    .command('scale')
    .description('Rewrite rule files to a time scale, and name anything that cannot be scaled')
    .argument('<files...>', 'rule files')
    .option(
      '--time-scale <scale>',
      'such as 1/240; auto chooses by the rules and this machine',
      'auto',
    )
    .option('--scrape-interval <duration>', "production's scrape interval", '15s')
    .option('--subquery-step <duration>', "Prometheus's global evaluation interval", '1m')
    .option('-o, --out <file>', 'a file, or - for standard output', '-')
    .option(
      '--prove',
      'compare firings of scaled and original rules on invented series; writes no file',
      false,
    )
    .option('--seed <number>', 'seed of the invented series', '1')
    .addHelpText(
      'after',
      '\nExamples:\n  firedrill alerts scale rules.yaml --time-scale 1/60 -o scaled.yaml' +
        '\n  firedrill alerts scale rules/*.yaml --prove',
    )
    .action(async (files: string[], flags: ScaleFlags) =>
      (await import('./run.js')).scaleCommand(files, flags),
    );
}
