/** Rules of iptables, put in one transaction. Which of its kinds a kernel takes is found out by trying. */
import { spawnSync } from 'node:child_process';

/** With folders that only root's PATH has; programs of the system's own are looked for there too. */
export const rootPath = `${process.env.PATH ?? ''}:/usr/sbin:/sbin`;

const environment = {
  ...process.env,
  PATH: rootPath,
  // The root file system may be read-only; iptables-legacy wants a file to lock.
  XTABLES_LOCKFILE: '/dev/shm/xtables.lock',
};

const kinds = ['iptables', 'iptables-nft', 'iptables-legacy'];

/** Whether that kind of iptables takes these arguments: with `-C`, whether it has the rule. */
export type Holds = (args: readonly string[]) => boolean;

/**
 * Puts `rules`, a text for `iptables-restore --noflush`. `within` are the words before each command, such as those of
 * nsenter. Throws an Error that tells how each kind failed.
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
