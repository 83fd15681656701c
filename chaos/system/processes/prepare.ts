/**
 * The preparation steps before a system starts: builds, installations. Each has a time limit, and a failure reports the
 * step's own output.
 */
import { messageOf } from '../../../base/errors.js';
import { signalGroup, startForeign } from './foreign.js';

const limitMs = 600_000;

export async function prepare(
  commands: readonly (string | readonly string[])[],
  folder: string,
  say: (line: string) => void,
  onStart: (started: { name: string; pid: number; group: boolean }) => void,
): Promise<void> {
  for (const command of commands) {
    const text = typeof command === 'string' ? command : command.join(' ');
    say(`preparing: ${text}`);
    let words = '';
    const child = startForeign(
      'prepare',
      {
        command,
        cwd: folder,
        env: {},
        // The step's end is awaited.
        ready: { kind: 'log', pattern: /(?!)/ },
        readyLimitMs: limitMs,
        stop: { signal: 'SIGTERM', withinMs: 5000 },
      },
      (line) => (words = `${words}${line}\n`.slice(-2000)),
    );
    onStart({ name: text, pid: child.pid, group: true });
    const late = setTimeout(() => signalGroup(child.pid, 'SIGKILL'), limitMs);
    const code = await child.exited;
    clearTimeout(late);
    const failed = await child.ready.catch((error: unknown) => messageOf(error));
    if (code !== 0) {
      const why = words.trim() || (typeof failed === 'string' ? failed : '');
      throw new Error(`prepare: '${text}' ended with ${code ?? 'a signal'}: ${why}`);
    }
  }
}
