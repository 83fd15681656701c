/**
 * The one command line: every folder adds its commands here, and a user's mistake ends with a sentence, not a stack
 * trace.
 */
import type { Command } from 'commander';
import { exitCode, messageOf, UserError } from './base/errors.js';
import { oldRuntimeWarning } from './base/old-runtime.js';
import { inNewWords } from './base/old-spellings.js';
import { commandLine } from './command-line.js';

async function main(argv: string[]): Promise<number> {
  const words = inNewWords(argv.slice(2), (line) => process.stderr.write(`${line}\n`));
  const program = await commandLine(words);
  program.hook('preAction', (_, command) => {
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
  // An internal error: CI must not read it as a failed alert (exit code 1).
  const trace = process.env.FIREDRILL_DEBUG !== undefined && error instanceof Error;
  process.stderr.write(
    `firedrill itself failed: ${messageOf(error)}\n` +
      (trace ? `${error.stack}\n` : '(FIREDRILL_DEBUG=1 shows where)\n'),
  );
  return exitCode.environment;
}

// `firedrill … | head`: the reader has enough, and that is not an error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  process.exit(exitCode.ok);
});

process.exitCode = await main(process.argv);
