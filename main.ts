/**
 * The one command line: every folder adds its commands here, and a user's mistake ends with a sentence, not a stack
 * trace.
 */
import type { Command } from 'commander';
import { exitCode, messageOf, UserError } from './base/errors.js';
import { machineFault } from './base/machine-fault.js';
import { oldRuntimeWarning } from './base/old-runtime.js';
import { inNewWords } from './base/old-spellings.js';
import { guardTerminal } from './base/terminal.js';
import { commandLine } from './command-line.js';

async function main(argv: string[]): Promise<number> {
  const words = inNewWords(argv.slice(2), (line) => process.stderr.write(`${line}\n`));
  const program = await commandLine(words);
  program.hook('preAction', (_, command) => {
    isEndless = endless.has(nameOf(command)) || command.opts().watch === true;
    if (!stays.has(nameOf(command))) return;
    const warning = oldRuntimeWarning(process.versions.node);
    if (warning !== undefined) process.stderr.write(`${warning}\n`);
  });
  try {
    await program.parseAsync(words, { from: 'user' });
    return typeof process.exitCode === 'number' ? process.exitCode : exitCode.ok;
  } catch (error) {
    return report(error);
  }
}

/**
 * Long-running commands, for which the runtime's version matters. A proxy prints its own warning, after its first
 * line.
 */
const stays = new Set(['gameday run']);

/** Commands that write until somebody stops them; so do those with `--watch`. */
const endless = new Set(['tap', 'top', 'mesh tap', 'mesh top', 'gameday replay']);
let isEndless = false;

/** `gameday run`, without the program's own name. */
function nameOf(command: Command): string {
  const { parent } = command;
  return parent?.parent ? `${nameOf(parent)} ${command.name()}` : command.name();
}

function report(error: unknown): number {
  if (error instanceof UserError) {
    process.stderr.write(`${error.message}\n`);
    return error.exitCode;
  }
  if (error instanceof Error && 'code' in error && String(error.code).startsWith('commander.')) {
    const code = (error as { exitCode?: number }).exitCode ?? 1;
    return code === 0 ? exitCode.ok : exitCode.usage;
  }
  const fault = machineFault(error);
  if (fault !== undefined) {
    process.stderr.write(`${fault}\n`);
    return exitCode.environment;
  }
  // An internal error: CI must not read it as a failed alert (exit code 1).
  const trace = process.env.FIREDRILL_DEBUG !== undefined && error instanceof Error;
  process.stderr.write(
    `firedrill itself failed: ${messageOf(error)}\n` +
      (trace ? `${error.stack}\n` : '(FIREDRILL_DEBUG=1 shows where)\n'),
  );
  return exitCode.environment;
}

// `firedrill … | head`: the reader has enough, and that is not an error. The command goes on to its own exit code: a
// check that failed does not pass because nobody reads on.
let isLost = false;
const lost = (error: NodeJS.ErrnoException): void => {
  if (error.code === 'EPIPE') {
    if (isEndless) process.exit(exitCode.ok);
    return;
  }
  process.exitCode = exitCode.environment;
  if (isLost) return;
  isLost = true;
  process.stderr.write(`the output cannot be written: ${messageOf(error)}\n`);
};
guardTerminal(process.stdout);
guardTerminal(process.stderr);
process.stdout.on('error', lost);
process.stderr.on('error', lost);

const code = await main(process.argv);
process.exitCode = isLost ? exitCode.environment : code;
