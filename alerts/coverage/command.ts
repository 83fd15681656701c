/** `firedrill alerts coverage`: which alerts have been proven to fire by the drills so far. */
import type { Command } from 'commander';
import { exitCode, UserError } from '../../base/errors.js';
import type { CoverageRun } from './model.js';
import { formatOption } from '../../base/format-option.js';

interface CoverageOptions {
  state: string;
  system?: string;
  format: string;
  failUnder?: string;
}

export function registerCoverage(alerts: Command): void {
  alerts
    .command('coverage')
    .description('Show which alerts game days proved to fire, and which they did not')
    .option('--state <folder>', 'folder in which game days record the coverage', '.firedrill')
    .option('--system <name>', 'system, if several were drilled here (default: the last)')
    .addOption(formatOption('text', 'json', 'markdown'))
    .option('--fail-under <percent>', 'exit with 1 if a smaller share was proven')
    .addHelpText('after', '\nExample:\n  firedrill gameday run && firedrill alerts coverage')
    .action(async (options: CoverageOptions) => {
      process.exitCode = await coverageCommand(options);
    });
}

async function coverageCommand(options: CoverageOptions): Promise<number> {
  const { coverageMarkdown, coverageText } = await import('./table.js');
  const bound = options.failUnder === undefined ? undefined : Number(options.failUnder);
  if (bound !== undefined && !(bound >= 0 && bound <= 100)) {
    throw new UserError({
      message: `bad --fail-under '${options.failUnder}'`,
      expected: '0 to 100',
    });
  }
  if (!['text', 'json', 'markdown'].includes(options.format)) {
    const expected = 'text, json or markdown';
    throw new UserError({ message: `bad --format '${options.format}'`, expected });
  }
  const run = await newestRun(options.state, options.system);
  if (options.format === 'json') process.stdout.write(`${JSON.stringify(run, undefined, 2)}\n`);
  else if (options.format === 'markdown') process.stdout.write(coverageMarkdown(run));
  else process.stdout.write(coverageText(run));
  const proven = run.alerts.filter((a) => a.state === 'proven').length;
  if (bound === undefined) return exitCode.ok;
  // Of no alerts at all, nothing was proven.
  const isEnough = run.alerts.length > 0 && 100 * proven >= bound * run.alerts.length;
  return isEnough ? exitCode.ok : exitCode.failed;
}

async function newestRun(stateFolder: string, wanted: string | undefined): Promise<CoverageRun> {
  const { coverageFile, readCoverage, standNow } = await import('./history.js');
  const runs = readCoverage(stateFolder);
  const system = wanted ?? runs.at(-1)?.system;
  const run = system === undefined ? undefined : standNow(runs, system);
  if (run) return run;
  const known = [...new Set(runs.map((r) => r.system))].join(', ');
  throw new UserError({
    message: `${coverageFile(stateFolder)}: nothing was proven yet${wanted === undefined ? '' : ` of ${wanted}`}`,
    expected: known === '' ? 'a game day first: firedrill gameday run' : `one of ${known}`,
  });
}
