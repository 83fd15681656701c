/** Shell completion: one line for a shell's start-up file, which asks this program what may come next. */
import type { Command } from 'commander';
import { UserError } from './errors.js';

const scripts: Record<string, string> = {
  bash: `_firedrill() {
  mapfile -t COMPREPLY < <(firedrill __complete -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -o default -F _firedrill firedrill
`,
  zsh: `#compdef firedrill
_firedrill() {
  local -a found
  found=("\${(@f)$(firedrill __complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)}")
  compadd -a found || _files
}
compdef _firedrill firedrill
`,
  fish: `complete -c firedrill -a '(firedrill __complete -- (commandline -opc)[2..-1] (commandline -ct) 2>/dev/null)'
`,
};

/** The commands and options that may stand in place of the last of `words`; empty where only a file can. */
export function completionsFor(program: Command, words: readonly string[]): string[] {
  let command = program;
  for (const word of words.slice(0, -1)) {
    const next = command.commands.find((c) => c.name() === word || c.aliases().includes(word));
    if (next) command = next;
  }
  const typed = words.at(-1) ?? '';
  const candidates = typed.startsWith('-')
    ? [...command.options.map((o) => o.long ?? o.short ?? ''), '--help']
    : command.commands.map((c) => c.name()).filter((name) => !name.startsWith('__'));
  return candidates.filter((c) => c !== '' && c.startsWith(typed)).toSorted();
}

export function registerCompletion(program: Command): void {
  program
    .command('completion')
    .description('print the completion script of a shell')
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
    .action((words: string[]) => {
      const found = completionsFor(program, words);
      if (found.length > 0) process.stdout.write(`${found.join('\n')}\n`);
    });
}
