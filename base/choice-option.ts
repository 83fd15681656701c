/** Options that take one of a few words, and options that take many: one rule for both in every command. */
import { Option } from 'commander';
import { UserError } from './errors.js';

/** An option that takes one of `choices`. A wrong word is refused with the choices, and shells complete them. */
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

/** The parser of an option that may be said again and again, and takes commas: `-i a,b -i c`. */
export function eachOf(value: string, before: readonly string[] = []): string[] {
  return [...before, ...value.split(',').filter((part) => part !== '')];
}

/** The parser of an option that may be said again and again, and whose values may hold commas. */
export function eachWhole(value: string, before: readonly string[] = []): string[] {
  return [...before, value];
}
