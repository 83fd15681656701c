/** Runs a user's command to its end within a time limit, as a process group that is killed at the limit. */
import { spawn } from 'node:child_process';
import { dyingWithParent, inheritedEnvironment } from '../../base/foreign-program.js';

export interface CommandRun {
  /** A program and its arguments. */
  argv: readonly string[];
  /** The working folder of the command. */
  folder: string;
  /** Time limit in milliseconds; the command is then killed. */
  limitMs: number;
  env?: Readonly<Record<string, string>>;
  /** Called with the process group's id once the command runs. */
  onStart?: (pid: number) => void;
  /** Kills the command early. */
  signal?: AbortSignal;
  /** If the kernel supports it, the command dies when this process is killed. */
  dieWithParent?: boolean;
  /** Number of bytes kept from the end of the output; default 4,000. */
  keptBytes?: number;
}

export interface CommandEnd {
  /** Undefined if the command was killed, or could not be started. */
  code: number | undefined;
  /** The reason for a missing code: `not over after 10 s`, `spawn x ENOENT`, `ended by SIGSEGV`. */
  trouble?: string;
  stdout: string;
  stderr: string;
}

const keptByDefault = 4000;
const lastWordsMs = 300;

/** A single text is a command for sh. */
export const argvOf = (command: string | readonly string[]): string[] =>
  typeof command === 'string' ? ['/bin/sh', '-c', command] : [...command];

/** Never rejects. */
export function runCommand(run: CommandRun): Promise<CommandEnd> {
  const argv = run.dieWithParent ? dyingWithParent(run.argv) : run.argv;
  return new Promise((resolve) => {
    const child = spawn(argv[0] as string, argv.slice(1), {
      cwd: run.folder,
      env: { ...inheritedEnvironment(), ...run.env },
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    });
    const kept = { stdout: '', stderr: '' };
    const keep = (which: 'stdout' | 'stderr') => (chunk: Buffer) =>
      void (kept[which] = (kept[which] + chunk.toString()).slice(
        -(run.keptBytes ?? keptByDefault),
      ));
    child.stdout.on('data', keep('stdout'));
    child.stderr.on('data', keep('stderr'));
    let trouble: string | undefined;
    const kill = (why: string): void => {
      trouble ??= why;
      try {
        process.kill(-(child.pid as number), 'SIGKILL');
      } catch {
        // The process ended meanwhile.
      }
    };
    const timer = setTimeout(() => kill(`not over after ${run.limitMs / 1000} s`), run.limitMs);
    const stopped = (): void => kill('stopped');
    run.signal?.addEventListener('abort', stopped, { once: true });
    let over = false;
    const end = (code: number | undefined, why?: string): void => {
      if (over) return;
      over = true;
      clearTimeout(timer);
      run.signal?.removeEventListener('abort', stopped);
      child.stdout.destroy();
      child.stderr.destroy();
      const reason = trouble ?? why;
      const found = reason === undefined ? {} : { trouble: reason };
      resolve({ code: trouble === undefined ? code : undefined, ...found, ...kept });
    };
    child.on('error', (error) => end(undefined, error.message));
    const ended = (code: number | null, signal: string | null): void =>
      end(code ?? undefined, signal === null ? undefined : `ended by ${signal}`);
    // Its last output is read first; background processes may hold its output open for ever.
    child.on('close', ended);
    child.on('exit', (code, signal) => void setTimeout(() => ended(code, signal), lastWordsMs));
    if (child.pid !== undefined) run.onStart?.(child.pid);
    if (run.signal?.aborted) stopped();
  });
}

/** The reason why a command failed; undefined if it ended with 0. */
export function failureOf({ code, trouble, stdout, stderr }: CommandEnd): string | undefined {
  if (code === 0) return undefined;
  const how = trouble ?? `exit code ${code}`;
  const words = (stderr.trim() || stdout.trim()).split('\n').at(-1) ?? '';
  return words === '' ? how : `${how}: ${words.slice(0, 300)}`;
}
