/**
 * Detects the death of the parent process; in a file of its own, because a proxy need not load code that starts
 * children.
 */

/** Maximum time from the parent's death to the end of this process, in milliseconds. */
const dyingLimitMs = 5000;

/**
 * For a program that must end with its parent: standard input is a pipe that the parent never writes to, so its end
 * means that the parent died. The process ends `limitMs` later, whatever `onDeath` does. Does nothing unless the
 * parent set `FIREDRILL_DIE_WITH_PARENT=1`.
 */
export function dieWithParent(
  onDeath: () => void = () => process.exit(0),
  limitMs = dyingLimitMs,
): void {
  if (process.env.FIREDRILL_DIE_WITH_PARENT !== '1') return;
  outliveReaders();
  const die = (): void => {
    // The process ends even if it still waits for something, because nobody needs the result any more.
    setTimeout(() => process.exit(1), limitMs);
    onDeath();
  };
  process.stdin.once('end', die).once('error', die).resume();
}

/**
 * Ignores the error that a reader of this process's output has closed the pipe. Logging that error to the same closed
 * pipe would repeat it endlessly.
 */
export function outliveReaders(): void {
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined);
}
