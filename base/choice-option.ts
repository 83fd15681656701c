/** Options with a few allowed words, and options with many values, read alike in every command. */
import { Option } from 'commander';
import { UserError } from './errors.js';

/** An option that takes one of `choices`. Another word is refused with a list of them, and shells complete them. */
export function choiceOption(
  flags: string,
  description: string,
  choices: readonly string[],
): Option {
  const option = new Option(flags, description).choices(choices);
  return option.argParser((value: string) => {
    if (choices.includes(value)) return value;
    throw new UserError({
      message: `${option.long} ${value}`,
      expected: `one of ${choices.join(', ')}`,
    });
  });
}

/** Parses an option that may be repeated and takes commas: `-i a,b -i c`. */
export function eachOf(value: string, before: readonly string[] = []): string[] {
  return [...before, ...value.split(',').filter((part) => part !== '')];
}

/** Parses an option that may be repeated, and whose values may contain commas. */
export function eachWhole(value: string, before: readonly string[] = []): string[] {
  return [...before, value];
}
