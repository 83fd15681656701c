/**
 * `--format` of every command that prints for programs as well as for people. A wrong word is refused with the
 * choices, and shells complete them.
 */
import { Option } from 'commander';
import { UserError } from './errors.js';

/** `--format <format>`, one of `formats`; the first is the default. */
export function formatOption(...formats: [string, ...string[]]): Option {
  return new Option('--format <format>', 'for people, or for programs')
    .choices(formats)
    .argParser((value: string) => {
      if (formats.includes(value)) return value;
      throw new UserError({
        message: `--format ${value}`,
        expected: `one of ${formats.join(', ')}`,
      });
    })
    .default(formats[0]);
}
