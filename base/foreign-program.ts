/** How a program of somebody else's is started: it dies with us where the kernel can be asked for it. */
import { existsSync } from 'node:fs';

const setpriv = ['/usr/bin/setpriv', '/bin/setpriv'].find((path) => existsSync(path));

/** The same command, which ends when this process is killed, however that came. */
export const dyingWithParent = (argv: readonly string[]): readonly string[] =>
  setpriv === undefined ? argv : [setpriv, '--pdeathsig', 'KILL', '--', ...argv];

/** Without the wish to end with standard input, which is for our own programs. */
export function inheritedEnvironment(): NodeJS.ProcessEnv {
  const { FIREDRILL_DIE_WITH_PARENT: _, ...inherited } = process.env;
  return inherited;
}
