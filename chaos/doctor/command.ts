/** `firedrill doctor` lists the abilities and gaps of this machine, each gap with its remedy. */
import type { Command } from 'commander';
import { exitCode } from '../../base/errors.js';
import { formatOption } from '../../base/format-option.js';

export function registerDoctor(program: Command): void {
  program
    .command('doctor')
    .description('Check what this machine can do: runtime, rights, tools, kill switch, leftovers')
    .addOption(formatOption('text', 'json'))
    .option('--state <folder>', 'folder of the journal and the kill switch', '.firedrill')
    .addHelpText(
      'after',
      `
Exit code 0 where nothing failed, warnings or not; 5 where something did. A cluster is checked by firedrill check.

Examples:
  firedrill doctor
  firedrill doctor --format json`,
    )
    .action(async ({ format, state }: { format: string; state: string }) => {
      const { examine, thisMachine } = await import('./checks.js');
      const { styleFor, printable } = await import('../../base/terminal.js');
      const findings = await examine(thisMachine(state));
      if (findings.some((f) => f.status === 'fail')) process.exitCode = exitCode.environment;
      if (format === 'json') {
        process.stdout.write(`${JSON.stringify(findings, undefined, 2)}\n`);
        return;
      }
      const style = styleFor(process.stdout);
      const marks = {
        ok: style.green('ok  '),
        warn: style.yellow('warn'),
        fail: style.red('fail'),
      };
      for (const { status, message, fix } of findings) {
        process.stdout.write(`${marks[status]}  ${printable(message)}\n`);
        if (fix !== undefined)
          process.stdout.write(`      ${style.dim('fix:')} ${printable(fix)}\n`);
      }
    });
}
