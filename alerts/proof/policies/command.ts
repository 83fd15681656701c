/** `firedrill alerts policies`: compares widely used alert policies over the same stories. */
import type { Command } from 'commander';
import { UserError } from '../../../base/errors.js';
import { formatOption } from '../../../base/format-option.js';
import { formatTable, Progress } from '../../../base/terminal.js';

interface Flags {
  stories: string;
  seed: string;
  format: string;
  plot?: string;
}

const example = `
Each story is a service of some traffic over 60 days, noise with memory, and one of eight kinds of incident. Google's
Workbook, Sloth, Pyrra, kube-prometheus, dynamic burn rates and Firedrill's are played over the same counters.

Examples:
  firedrill alerts policies --stories 40
  firedrill alerts policies --seed 7 --format markdown --plot policies.svg`;

export function registerPolicies(alerts: Command): void {
  alerts
    .command('policies')
    .description('Compare common alert policies over the same incident stories')
    .option('--stories <count>', 'number of stories', '200')
    .option('--seed <number>', 'seed of the stories; equal seeds give equal bytes', '1')
    .addOption(formatOption('text', 'markdown', 'json'))
    .option('--plot <file>', 'write a plot as SVG')
    .addHelpText('after', example)
    .action(run);
}

const whole = (text: string, flag: string, least: number, most: number): number => {
  const value = Number(text);
  if (Number.isInteger(value) && value >= least && value <= most) return value;
  throw new UserError({
    message: `${flag} ${text}`,
    expected: `a whole number, ${least} to ${most}`,
  });
};

async function run(flags: Flags): Promise<void> {
  const count = whole(flags.stories, '--stories', 8, 10_000);
  const seed = whole(flags.seed, '--seed', 0, 1_000_000);
  const { playAll } = await import('./run.js');
  const { markdownTable, tablesOf } = await import('./table.js');
  const progress = new Progress(process.stderr);
  const { comparison } = playAll({
    stories: count,
    seed,
    onProgress: (done, of) => progress.update(`${done} of ${of} stories`),
  });
  progress.clear();
  const tables = tablesOf(comparison);
  if (flags.format === 'json') process.stdout.write(`${JSON.stringify(comparison, null, 2)}\n`);
  else if (flags.format === 'markdown')
    process.stdout.write(`${tables.map(markdownTable).join('\n')}\n`);
  else {
    const texts = tables.map((t) => `${t.title}\n\n${formatTable(t.header, t.rows)}\n`);
    process.stdout.write(`${texts.join('\n')}\n`);
  }
  if (flags.plot === undefined) return;
  const { policyPlot } = await import('./plot.js');
  const { writeFileWhole } = await import('../../../base/write-file.js');
  writeFileWhole(flags.plot, policyPlot(comparison));
}
