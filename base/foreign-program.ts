/** Starts programs of others so that they end with this process, where the kernel supports that. */
import { existsSync } from 'node:fs';

const begin = '[ "$PPID" = "$0" ] && exec "$@"';
const setpriv = ['/usr/bin/setpriv', '/bin/setpriv'].find((path) => existsSync(path));

/**
 * The command, changed so that the program ends when this process is killed. A process that is killed between the start
 * and the request for that signal would leave the program behind, so the program begins only if its parent is still
 * this process.
 */
export const dyingWithParent = (argv: readonly string[]): readonly string[] =>
  setpriv === undefined
    ? argv
    : [setpriv, '--pdeathsig', 'KILL', '--', '/bin/sh', '-c', begin, String(process.pid), ...argv];

/** The environment without the flag that makes our own programs end with their standard input. */
export function inheritedEnvironment(): NodeJS.ProcessEnv {
  const { FIREDRILL_DIE_WITH_PARENT: _, ...inherited } = process.env;
  return inherited;
}
