/** Checks a command line without running it: verbs, options, and required arguments. */
import type { Command, Option } from 'commander';

export interface CommandProblem {
  message: string;
  expected?: string;
}

/** `words` excludes the program's name. */
export function findCommandProblem(
  program: Command,
  words: readonly string[],
): CommandProblem | undefined {
  let command = program;
  let i = 0;
  for (; i < words.length; i++) {
    const word = words[i] as string;
    const next = command.commands.find((c) => c.name() === word || c.aliases().includes(word));
    if (!next) break;
    command = next;
  }
  const rest = words.slice(i);
  const [first] = rest;
  if (command.commands.length > 0 && first !== undefined && !first.startsWith('-')) {
    const shown = command.createHelp().visibleCommands(command);
    const names = shown.map((c) => c.name()).filter((n) => n !== 'help');
    return {
      message: `no command '${[...words.slice(0, i), first].join(' ')}'`,
      expected: names.join(', '),
    };
  }
  // A group mentioned in a text, such as `firedrill alerts`, is no command line.
  if (command.commands.length > 0) return undefined;
  return optionProblem(command, rest, words.slice(0, i).join(' '));
}

function optionProblem(
  command: Command,
  rest: readonly string[],
  name: string,
): CommandProblem | undefined {
  const given = new Set<Option>();
  let positional = 0;
  for (let i = 0; i < rest.length; i++) {
    const word = rest[i] as string;
    if (word === '--help' || word === '-h') return undefined;
    if (!/^-./.test(word)) {
      positional++;
      continue;
    }
    const [flag = ''] = word.split('=');
    const option = command.options.find((o) => o.long === flag || o.short === flag);
    if (!option) return { message: `'${name}' has no option '${flag}'` };
    given.add(option);
    if (word.includes('=') || !(option.required || option.optional)) continue;
    const takes = (at: number): boolean =>
      rest[at] !== undefined && !/^-./.test(rest[at] as string);
    if (!takes(i + 1) && option.required) return { message: `'${flag}' has no value` };
    if (takes(i + 1)) i++;
    while (option.variadic && takes(i + 1)) i++;
  }
  const missing = command.options.find(
    (o) => o.mandatory && !given.has(o) && o.defaultValue === undefined,
  );
  // A command mentioned in a text has neither options nor arguments.
  if (rest.length > 0 && missing)
    return { message: `'${name}' cannot do without '${missing.long}'` };
  const wanted = command.registeredArguments;
  const least = wanted.filter((a) => a.required).length;
  if (rest.length > 0 && positional < least) {
    return { message: `'${name}' cannot do without <${wanted[positional]?.name()}>` };
  }
  if (positional > wanted.length && !wanted.at(-1)?.variadic) {
    return { message: `'${name}' takes ${wanted.length} arguments, not ${positional}` };
  }
  return undefined;
}
