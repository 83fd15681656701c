/** The option `--format` of every command that prints for people and for programs. */
import type { Option } from 'commander';
import { choiceOption } from './choice-option.js';

/** `--format <format>`, one of `formats`; the first is the default. */
export function formatOption(...formats: [string, ...string[]]): Option {
  return choiceOption('--format <format>', 'how to print it', formats).default(formats[0]);
}
