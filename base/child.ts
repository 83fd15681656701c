/** Child processes that end with this process, even if it is killed with SIGKILL. */
import { type ChildProcess, spawn, type SpawnOptions } from 'node:child_process';
import { createInterface } from 'node:readline';
import { eachLine } from './lines.js';
import { flagsEnvironment } from './node-flags.js';
import { program } from './paths.js';

export { dieWithParent, outliveReaders } from './parent.js';

export interface Child {
  readonly name: string;
  readonly process: ChildProcess;
  readonly pid: number;
  /** The parsed first line of standard output, with the ports that the program chose. Rejects if the program exits. */
  readonly ready: Promise<Record<string, unknown>>;
  readonly exited: Promise<number | null>;
  /** SIGTERM, then SIGKILL after `graceMs`. */
  stop(graceMs?: number): Promise<void>;
}

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
  const spawnOptions: SpawnOptions = {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: { ...process.env, ...options.env, FIREDRILL_DIE_WITH_PARENT: '1' },
    // Ctrl-C reaches the terminal's whole process group, but a child must not end before its parent has cleaned up.
    detached: true,
    ...(options.cwd !== undefined && { cwd: options.cwd }),
  };
  const child = spawn(program, args, spawnOptions);
  const exited = new Promise<number | null>((resolve) => {
    child.on('exit', (code) => resolve(code));
    child.on('error', () => resolve(null));
  });
  let errors = '';
  if (child.stderr) {
    createInterface({ input: child.stderr }).on('line', (line) => {
      errors = `${errors}${line}\n`.slice(-4000);
      options.onStderr?.(line);
    });
  }
  const ready = new Promise<Record<string, unknown>>((resolve, reject) => {
    if (child.stdout) {
      const lines = createInterface({ input: child.stdout });
      lines.once('line', (line) => {
        try {
          resolve(JSON.parse(line) as Record<string, unknown>);
        } catch {
          reject(new Error(`${name} said '${line}' where its ports were expected`));
        }
        if (options.onStdout) lines.on('line', options.onStdout);
      });
    }
    void exited.then((code) =>
      reject(new Error(`${name} ended with ${code} before it was ready: ${errors.trim()}`)),
    );
  });
  ready.catch(() => undefined);
  return {
    name,
    process: child,
    pid: child.pid ?? -1,
    ready,
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

export interface GuardedChild {
  readonly name: string;
  /** Process id of the guardian, whose child is the program. */
  readonly pid: number;
  readonly exited: Promise<number | null>;
  /** The program's last lines, for the error of a failed start. */
  lastWords(): string;
  /** SIGTERM, then SIGKILL after `graceMs`. */
  stop(graceMs?: number): Promise<void>;
}

/** Maximum length of a line from other programs, in characters; the rest is dropped. */
const maxLine = 64 * 1024;

/** Starts a program of others (Prometheus, k6) under a guardian, so that it also ends with this process. */
export function startGuarded(
  name: string,
  path: string,
  args: readonly string[],
  options: { env?: Record<string, string>; onLine?: (line: string) => void } = {},
): GuardedChild {
  const child = spawn(process.execPath, [program('base/guardian'), path, ...args], {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: { ...process.env, ...options.env, FIREDRILL_DIE_WITH_PARENT: '1' },
    detached: true,
  });
  const exited = new Promise<number | null>((resolve) => {
    child.on('exit', (code) => resolve(code));
    child.on('error', () => resolve(null));
  });
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
    exited,
    lastWords: () => words.trim(),
    async stop(graceMs = 5000) {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill('SIGTERM');
      const timer = setTimeout(() => child.kill('SIGKILL'), graceMs);
      await exited;
      clearTimeout(timer);
    },
  };
}
