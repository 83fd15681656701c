/** Child processes that end with this process, even if it is killed with SIGKILL. */
import { type ChildProcess, type ChildProcessByStdio, spawn } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';
import { eachLine } from './lines.js';
import { flagsEnvironment } from './node-flags.js';
import { program } from './paths.js';

export { dieWithParent, outliveReaders } from './parent.js';

interface Ends {
  readonly exited: Promise<number | null>;
  /** SIGTERM, then SIGKILL after `graceMs`. */
  stop(graceMs?: number): Promise<void>;
}

export interface Child extends Ends {
  readonly name: string;
  readonly process: ChildProcess;
  readonly pid: number;
  /** The parsed first line of standard output, with the ports that the program chose. Rejects if the program exits. */
  readonly ready: Promise<Record<string, unknown>>;
}

/** Maximum length of a line from a program, in characters; the rest is dropped. */
const maxLine = 64 * 1024;

export interface ProgramOptions {
  env?: Record<string, string>;
  cwd?: string;
  onStderr?: (line: string) => void;
  /** Called with each line after the first, which is `ready`. */
  onStdout?: (line: string) => void;
}

/** Starts one of our own programs with `node`. It ends with this process, and its errors are printed with a prefix. */
export const startNode = (
  name: string,
  script: string,
  args: readonly string[],
  options: ProgramOptions & { nodeFlags?: readonly string[] } = {},
): Child => {
  const { nodeFlags = [] } = options;
  return startProgram(name, process.execPath, [...nodeFlags, script, ...args], {
    ...options,
    env: { ...options.env, ...flagsEnvironment(nodeFlags) },
  });
};

/** Starts a program that prints its choices on the first line, and that ends when its standard input is closed. */
export function startProgram(
  name: string,
  program: string,
  args: readonly string[],
  options: ProgramOptions = {},
): Child {
  const child = spawnPiped(program, args, options);
  const ends = endsOf(child);
  let errors = '';
  eachLine(child.stderr, maxLine, (line) => {
    errors = `${errors}${line}\n`.slice(-4000);
    options.onStderr?.(line);
  });
  const ready = new Promise<Record<string, unknown>>((resolve, reject) => {
    let isFirst = true;
    eachLine(child.stdout, maxLine, (line) => {
      if (!isFirst) return options.onStdout?.(line);
      isFirst = false;
      try {
        resolve(JSON.parse(line) as Record<string, unknown>);
      } catch {
        reject(new Error(`${name} said '${line}' where its ports were expected`));
      }
    });
    void ends.exited.then((code) =>
      reject(new Error(`${name} ended with ${code} before it was ready: ${errors.trim()}`)),
    );
  });
  ready.catch(() => undefined);
  return {
    name,
    process: child,
    pid: child.pid ?? -1,
    ready,
    ...ends,
  };
}

export interface GuardedChild extends Ends {
  readonly name: string;
  /** Process id of the guardian, whose child is the program. */
  readonly pid: number;
  /** The program's last lines, for the error of a failed start. */
  lastWords(): string;
}

/** Starts a program of others (Prometheus, k6) under a guardian, so that it also ends with this process. */
export function startGuarded(
  name: string,
  path: string,
  args: readonly string[],
  options: { env?: Record<string, string>; onLine?: (line: string) => void } = {},
): GuardedChild {
  const child = spawnPiped(process.execPath, [program('base/guardian'), path, ...args], options);
  // The end of the pipe is the signal to the guardian; an error because nobody reads the pipe does not matter.
  child.stdin.on('error', () => undefined);
  let words = '';
  for (const stream of [child.stdout, child.stderr]) {
    eachLine(stream, maxLine, (line) => {
      words = `${words}${line}\n`.slice(-4000);
      options.onLine?.(line);
    });
  }
  return {
    name,
    pid: child.pid ?? -1,
    lastWords: () => words.trim(),
    ...endsOf(child),
  };
}

type Piped = ChildProcessByStdio<Writable, Readable, Readable>;

function spawnPiped(
  program: string,
  args: readonly string[],
  { env, cwd }: Pick<ProgramOptions, 'env' | 'cwd'>,
): Piped {
  return spawn(program, args, {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: { ...process.env, ...env, FIREDRILL_DIE_WITH_PARENT: '1' },
    // Ctrl-C reaches the terminal's whole process group, but a child must not end before its parent has cleaned up.
    detached: true,
    ...(cwd !== undefined && { cwd }),
  });
}

/** Resolves to the code; to null after a signal, or if the program could not be started. */
export const exitOf = (child: ChildProcess): Promise<number | null> =>
  new Promise((resolve) => {
    child.on('exit', resolve);
    child.on('error', () => resolve(null));
  });

function endsOf(child: Piped): Ends {
  const exited = exitOf(child);
  return {
    exited,
    async stop(graceMs = 5000) {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill('SIGTERM');
      const timer = setTimeout(() => child.kill('SIGKILL'), graceMs);
      await exited;
      clearTimeout(timer);
    },
  };
}
