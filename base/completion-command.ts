/** Shell completion: a line for a shell's start-up file that asks this program for candidates. */
import type { Command, Option } from 'commander';
import { UserError } from './errors.js';

/** A candidate for the next word; some shells also show the description. */
export interface Candidate {
  word: string;
  description: string;
}

/**
 * Known values of arguments and options, such as the names of scenarios. Keys are a command's name (`runbook show`),
 * or a command's and an option's (`gameday run --scenarios`).
 */
export type KnownValues = Readonly<Record<string, () => Promise<readonly Candidate[]>>>;

// Each line of the answer is a word, a tab, and a description.
const scripts: Record<string, string> = {
  bash: `_firedrill() {
  mapfile -t COMPREPLY < <(firedrill __complete -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null | cut -f1)
}
complete -o default -F _firedrill firedrill
`,
  zsh: `#compdef firedrill
_firedrill() {
  local -a found
  local line
  for line in "\${(@f)$(firedrill __complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)}"; do
    [[ -n $line ]] && found+=("\${\${line%%$'\\t'*}//:/\\\\:}:\${line#*$'\\t'}")
  done
  (( $#found )) && _describe firedrill found || _files
}
compdef _firedrill firedrill
# In a folder of fpath the first call loads this file, and has to complete, too.
if [[ $funcstack[1] = _firedrill ]]; then _firedrill "$@"; fi
`,
  fish: `function __firedrill
  firedrill __complete -- (commandline -opc)[2..-1] (commandline -ct) 2>/dev/null
end
complete -c firedrill -f -n 'count (__firedrill) >/dev/null' -a '(__firedrill)'
`,
};

/**
 * Candidates for the last of `words`: commands, options, an option's choices, or known values. Empty if only a file
 * fits.
 */
export async function completionsFor(
  program: Command,
  words: readonly string[],
  known: KnownValues = {},
): Promise<Candidate[]> {
  let command = program;
  const path: string[] = [];
  for (const word of words.slice(0, -1)) {
    const next = command.commands.find((c) => c.name() === word || c.aliases().includes(word));
    if (!next) continue;
    command = next;
    path.push(next.name());
  }
  const typed = words.at(-1) ?? '';
  const before = words.at(-2) ?? '';
  const option = command.options.find((o) => o.long === before || o.short === before);
  const found = await candidates(command, path.join(' '), option, typed, known);
  return found
    .filter(({ word }) => word !== '' && word.startsWith(typed))
    .toSorted((a, b) => (a.word < b.word ? -1 : a.word > b.word ? 1 : 0));
}

async function candidates(
  command: Command,
  path: string,
  option: Option | undefined,
  typed: string,
  known: KnownValues,
): Promise<readonly Candidate[]> {
  if (option !== undefined && (option.required || option.optional)) {
    if (option.argChoices) return option.argChoices.map(bare);
    return valuesOf(known[`${path} ${option.long}`], typed);
  }
  if (typed.startsWith('-')) {
    const shown = command.options.filter((o) => !o.hidden);
    return [
      ...shown.map((o) => ({ word: o.long ?? o.short ?? '', description: o.description })),
      { word: '--help', description: 'what this command does, with examples' },
    ];
  }
  const verbs = command.createHelp().visibleCommands(command);
  return [
    ...verbs
      .filter((c) => !c.name().startsWith('__') && c.name() !== 'help')
      .map((c) => ({ word: c.name(), description: c.description() })),
    ...command.registeredArguments.flatMap((a) => a.argChoices ?? []).map(bare),
    ...(await valuesOf(known[path], typed)),
  ];
}

const bare = (word: string): Candidate => ({ word, description: '' });

/** In a list with commas, the last part is completed. */
async function valuesOf(
  values: (() => Promise<readonly Candidate[]>) | undefined,
  typed: string,
): Promise<readonly Candidate[]> {
  if (values === undefined) return [];
  const done = typed.slice(0, typed.lastIndexOf(',') + 1);
  return (await values()).map((c) => ({ ...c, word: done + c.word }));
}

export function registerCompletion(program: Command, known: KnownValues): void {
  program
    .command('completion')
    .description('Print the completion script for a shell')
    .argument('<shell>', Object.keys(scripts).join(', '))
    .addHelpText(
      'after',
      `
Examples:
  firedrill completion bash >> ~/.bashrc
  firedrill completion zsh > ~/.zfunc/_firedrill
  firedrill completion fish > ~/.config/fish/completions/firedrill.fish`,
    )
    .action((shell: string) => {
      const script = scripts[shell];
      if (!script) {
        const expected = `one of ${Object.keys(scripts).join(', ')}`;
        throw new UserError({ message: `no completion for the shell '${shell}'`, expected });
      }
      process.stdout.write(script);
    });

  program
    .command('__complete', { hidden: true })
    .argument('[words...]')
    .allowUnknownOption()
    .action(async (words: string[]) => {
      const shells = () => Promise.resolve(Object.keys(scripts).map(bare));
      const found = await completionsFor(program, words, { ...known, completion: shells });
      for (const { word, description } of found) {
        process.stdout.write(`${word}\t${description.replaceAll(/\s+/g, ' ')}\n`);
      }
    });
}
