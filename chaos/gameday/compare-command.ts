/** `firedrill gameday compare`: reports side by side. */
import type { Command } from 'commander';
import type { ComparedAlert } from './compare.js';
import { formatOption } from '../../base/format-option.js';

interface CompareFlags {
  modes?: boolean;
  format: string;
}

export function registerCompare(gameday: Command): void {
  gameday
    .command('compare')
    .description('Compare reports: regressions, and when each failure mode last passed')
    .argument('<folder...>', 'reports of game days, or their result.json')
    .option('--modes', 'list scenarios by failure mode, with the time of the last pass')
    .addOption(formatOption('text', 'json'))
    .addHelpText(
      'after',
      `
Exit code 1 where the newest is worse than one before it: a verdict, an alert, a detection half as slow again.

Example:
  firedrill gameday compare reports/2026-11 reports/2026-12
  firedrill gameday compare --modes reports/*`,
    )
    .action(async (folders: string[], flags: CompareFlags) => {
      process.exitCode = await compare(folders, flags);
    });
}

async function compare(folders: readonly string[], flags: CompareFlags): Promise<number> {
  const { exitCode, UserError } = await import('../../base/errors.js');
  const { formatTable } = await import('../../base/terminal.js');
  const { readRecord } = await import('../../runbooks/record-schema.js');
  const { resultOf } = await import('../../runbooks/report/result.js');
  const { compareDays } = await import('./compare.js');
  const { alertText } = await import('../../runbooks/words.js');
  if (flags.format !== 'text' && flags.format !== 'json') {
    throw new UserError({ message: `bad --format '${flags.format}'`, expected: 'text or json' });
  }
  if (folders.length < 2 && !flags.modes) {
    throw new UserError({ message: 'one report alone', expected: 'two or more, or --modes' });
  }
  const found = compareDays(folders.map((folder) => resultOf(readRecord(folder))));
  const code = found.regressions.length > 0 ? exitCode.failed : exitCode.ok;
  if (flags.format === 'json') {
    process.stdout.write(`${JSON.stringify(found, undefined, 2)}\n`);
    return code;
  }
  const day = (text: string | undefined): string => text?.slice(0, 16).replace('T', ' ') ?? 'never';
  if (flags.modes) {
    const rows = [...found.scenarios]
      .sort((a, b) => (a.failureMode < b.failureMode ? -1 : 1))
      .map((s) => {
        const runs = s.verdicts.filter((v) => v !== undefined);
        const passed = `${runs.filter((v) => v === 'PASS').length} of ${runs.length}`;
        return [s.failureMode || '-', s.id, day(s.lastPassed), passed, runs.at(-1) ?? ''];
      });
    const heads = ['MODE', 'SCENARIO', 'LAST PASSED', 'PASSED', 'NEWEST'];
    process.stdout.write(`${formatTable(heads, rows)}\n`);
  } else {
    const heads = ['', ...found.days.map((d) => `${day(d.startedAt)} (${d.timeScale})`)];
    const cells = ({ seconds, hidden }: ComparedAlert): string[] =>
      seconds.map((x, i) => (x === undefined ? (hidden[i] ?? '-') : `${x.toFixed(1)} s`));
    const rows = found.scenarios.flatMap((s) => [
      [s.id, ...s.verdicts.map((v) => v ?? 'not run')],
      ...s.alerts.map((a) => [`  ${alertText(a.alert, a.severity, a.labels)}`, ...cells(a)]),
    ]);
    process.stdout.write(`${formatTable(heads, rows)}\n`);
  }
  for (const text of found.regressions) process.stdout.write(`worse: ${text}\n`);
  if (found.regressions.length === 0 && found.days.length > 1) {
    process.stdout.write('nothing became worse\n');
  }
  return code;
}
