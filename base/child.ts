/** Processes that never outlive the one that started them, even when that one is killed with SIGKILL. */
import { type ChildProcess, spawn, type SpawnOptions } from 'node:child_process';
import { createInterface } from 'node:readline';
import { eachLine } from './lines.js';
import { program } from './paths.js';

export { dieWithParent, outliveReaders } from './parent.js';

export interface Child {
  readonly name: string;
  readonly process: ChildProcess;
  readonly pid: number;
  /** The first line of standard output, parsed: how our programs say which ports they chose. Rejects on exit. */
  readonly ready: Promise<Record<string, unknown>>;
  readonly exited: Promise<number | null>;
  /** SIGTERM, then SIGKILL after `graceMs`. */
  stop(graceMs?: number): Promise<void>;
}

export interface ProgramOptions {
  env?: Record<string, string>;
  cwd?: string;
  onStderr?: (line: string) => void;
  /** Each line after the first, which is `ready`. */
  onStdout?: (line: string) => void;
}

/** Starts one of our own programs with `node`; it dies with this process, and its errors come out prefixed. */
export const startNode = (
  name: string,
  script: string,
  args: readonly string[],
  options: ProgramOptions & { nodeFlags?: readonly string[] } = {},
): Child =>
  startProgram(name, process.execPath, [...(options.nodeFlags ?? []), script, ...args], options);

/** Any program that says on its first line what it chose, and ends when its standard input does. */
export function startProgram(
  name: string,
  program: string,
  args: readonly string[],
  options: ProgramOptions = {},
): Child {
  const spawnOptions: SpawnOptions = {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: { ...process.env, ...options.env, FIREDRILL_DIE_WITH_PARENT: '1' },
    // Ctrl-C at a terminal is for its whole group: a child must not end before its parent has put things back.
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
  /** Of the guardian; the program is its child. */
  readonly pid: number;
  readonly exited: Promise<number | null>;
  /** The last lines that it said, for the error of a start that failed. */
  lastWords(): string;
  /** SIGTERM, then SIGKILL after `graceMs`. */
  stop(graceMs?: number): Promise<void>;
}

/** Of what others write, characters of a line that are kept. */
const maxLine = 64 * 1024;

/** Starts a program that is not ours (Prometheus, k6) under a guardian, so that it dies with this process too. */
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
  // The end of the pipe is the message; that nobody reads it any more is none.
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
