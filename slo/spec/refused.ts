/** Reports input that is valid in its own format but not supported here, while all other input is processed. */
import { exitCode, formatProblem, type Problem } from '../../base/errors.js';

/** Prints the problems on standard error, and sets the exit code. */
export function sayRefused(refused: readonly Problem[]): void {
  if (refused.length === 0) return;
  for (const problem of refused) process.stderr.write(`refused: ${formatProblem(problem)}\n`);
  process.exitCode = exitCode.usage;
}
