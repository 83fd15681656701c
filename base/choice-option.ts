/** Options with a few allowed words, and options with many values, read alike in every command. */
import { InvalidArgumentError, Option } from 'commander';
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

/**
 * Parses an option that may be repeated and takes commas: `-i a,b -i c`. A value without any part, such as an unset
 * variable of a shell, is refused: a choice of nothing would be a check of nothing, which passes.
 */
export function eachOf(value: string, before: readonly string[] = []): string[] {
  const parts = value.split(',').filter((part) => part !== '');
  if (parts.length === 0) throw new InvalidArgumentError('It names nothing.');
  return [...before, ...parts];
}

/** Parses an option that may be repeated, and whose values may contain commas. */
export function eachWhole(value: string, before: readonly string[] = []): string[] {
  return [...before, value];
}
