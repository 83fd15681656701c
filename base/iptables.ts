/** Sets iptables rules in one transaction; tries the kinds of iptables until the kernel accepts one. */
import { spawnSync } from 'node:child_process';

/** Includes folders that only root's PATH has, because system programs are there. */
export const rootPath = `${process.env.PATH ?? ''}:/usr/sbin:/sbin`;

const environment = {
  ...process.env,
  PATH: rootPath,
  // The root file system may be read-only; iptables-legacy wants a file to lock.
  XTABLES_LOCKFILE: '/dev/shm/xtables.lock',
};

const kinds = ['iptables', 'iptables-nft', 'iptables-legacy'];

/** Whether that kind of iptables accepts these arguments; with `-C`, whether the rule exists. */
export type Holds = (args: readonly string[]) => boolean;

/**
 * Applies `rules`, a text for `iptables-restore --noflush`. `within` are the words before each command, such as those
 * of nsenter. Throws an Error with the failure of each kind.
 */
export function putRules(rules: (holds: Holds) => string, within: readonly string[] = []): void {
  const failures: string[] = [];
  for (const kind of kinds) {
    const run = (args: readonly string[], input = ''): { ok: boolean; said: string } => {
      const [command, ...more] = [...within, ...args] as [string, ...string[]];
      const { status, error, stderr } = spawnSync(command, more, {
        env: environment,
        input,
        encoding: 'utf8',
      });
      return { ok: status === 0, said: error?.message ?? stderr.trim() };
    };
    const text = rules((args) => run([kind, '-w', ...args]).ok);
    const done = run([`${kind}-restore`, '-w', '--noflush'], text);
    if (done.ok) return;
    failures.push(`${kind}-restore: ${done.said}`);
  }
  throw new Error(failures.join('; '));
}
