/** Inputs that are right in their own formats and cannot be done here: named, while all others are done. */
import { exitCode, formatProblem, type Problem } from '../../base/errors.js';

/** Names them on standard error, and the command does not end well. */
export function sayRefused(refused: readonly Problem[]): void {
  if (refused.length === 0) return;
  for (const problem of refused) process.stderr.write(`refused: ${formatProblem(problem)}\n`);
  process.exitCode = exitCode.usage;
}
