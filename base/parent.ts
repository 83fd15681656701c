/** Whether the process that started this one is still there: apart, for a proxy need not load what starts others. */

/** From the parent's death to its own at the latest. */
const dyingLimitMs = 5000;

/**
 * Called by a program that must die with its parent: standard input is a pipe that the parent never writes to, so its
 * end is the parent's death; `limitMs` later the process ends, whatever `onDeath` does. Does nothing unless the parent
 * asked for it (`FIREDRILL_DIE_WITH_PARENT=1`).
 */
export function dieWithParent(
  onDeath: () => void = () => process.exit(0),
  limitMs = dyingLimitMs,
): void {
  if (process.env.FIREDRILL_DIE_WITH_PARENT !== '1') return;
  outliveReaders();
  const die = (): void => {
    // Whatever it waits for, nobody is there any more for whom it could matter.
    setTimeout(() => process.exit(1), limitMs);
    onDeath();
  };
  process.stdin.once('end', die).once('error', die).resume();
}

/**
 * Whoever read this process's output may go away before it does: that is no error, and must not become one again and
 * again when it is logged to where nobody reads.
 */
export function outliveReaders(): void {
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined);
}
