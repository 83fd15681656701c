/** Options as version 0.1 spelled them: they work, and the answer names the new spelling. */
import { type Command, Option } from 'commander';

/** Words of version 0.1 for what people read; the word is `text` now. */
const textWords: ReadonlySet<string> = new Set(['table', 'lines']);

/** Adds `--output`, hidden, to each command that has `--format` with choices; `-o` too where it means no file. */
export function withOldSpellings(program: Command): void {
  for (const command of program.commands) {
    withOldSpellings(command);
    const format = command.options.find((o) => o.long === '--format');
    const taken = command.options.some((o) => o.long === '--output');
    if (format?.argChoices === undefined || taken) continue;
    const file = command.options.some((o) => o.short === '-o');
    command.addOption(new Option(`${file ? '' : '-o, '}--output <format>`).hideHelp());
    command.on('option:output', (value: string) => {
      const word = textWords.has(value) ? (format.argChoices?.[0] as string) : value;
      process.stderr.write(`--output is called --format now: --format ${word}\n`);
      command.setOptionValue('format', format.parseArg?.(word, undefined));
    });
  }
}
