/** How a proxy is started: the program, and the flags of Node that measured best for it (bench/results/proxy.md). */
import { exitCode } from '../../base/errors.js';
import { flagsEnvironment } from '../../base/node-flags.js';
import { program } from '../../base/paths.js';

export const proxyProgram = program('mesh/proxy/main');

/**
 * A small young generation, a heap that grows in small steps, no baseline code, one helper thread, and collections
 * when there is garbage (heap-trim.ts): 5 MB less than without, at the same CPU time per request.
 */
export const proxyNodeFlags: readonly string[] = [
  '--max-semi-space-size=1',
  '--optimize-for-size',
  '--no-sparkplug',
  '--v8-pool-size=1',
  '--expose-gc',
];

/** Without this the C library gives each thread an arena of its own. */
export const proxyEnvironment: Readonly<Record<string, string>> = { MALLOC_ARENA_MAX: '1' };

/**
 * Replaces this process by the proxy, so that only one process runs. If the system cannot do that, the proxy runs as
 * a child and gets the signals. Resolves to its exit code.
 */
export async function runProxy(file: string): Promise<number> {
  const args = [process.execPath, ...proxyNodeFlags, proxyProgram, '--config', file];
  const env = { ...process.env, ...proxyEnvironment, ...flagsEnvironment(proxyNodeFlags) };
  await become(args, env);
  return runAsChild(args, env);
}

/** F_SETFD of fcntl(2). */
const setDescriptorFlags = 2;

/** Returns only if the replacement failed. */
async function become(args: readonly string[], env: NodeJS.ProcessEnv): Promise<void> {
  const given = Object.entries(env).filter((e): e is [string, string] => e[1] !== undefined);
  const { execve } = process as {
    execve?: (file: string, args: readonly string[], env: Record<string, string>) => never;
  };
  if (process.platform !== 'linux') return;
  try {
    // Newer versions of Node warn that execve is experimental; on standard error that would look like a problem.
    process.removeAllListeners('warning');
    if (execve) execve.call(process, process.execPath, args, Object.fromEntries(given));
    const { default: koffi } = await import('koffi');
    const library = koffi.load(null);
    const fcntl = library.func('int fcntl(int fd, int command, ...)') as (
      ...args: unknown[]
    ) => number;
    const exec = library.func(
      'int execve(const char *file, const char **args, const char **env)',
    ) as (
      file: string,
      args: readonly (string | null)[],
      env: readonly (string | null)[],
    ) => number;
    // Node has set close-on-exec on these descriptors.
    for (const stdio of [0, 1, 2]) fcntl(stdio, setDescriptorFlags, 'int', 0);
    exec(process.execPath, [...args, null], [...given.map(([k, v]) => `${k}=${v}`), null]);
  } catch {
    // Replacement failed: the caller starts a child instead.
  }
}

async function runAsChild(
  [command = '', ...args]: readonly string[],
  env: NodeJS.ProcessEnv,
): Promise<number> {
  const { spawn } = await import('node:child_process');
  const child = spawn(command, args, {
    stdio: ['pipe', 'inherit', 'inherit'],
    env: { ...env, FIREDRILL_DIE_WITH_PARENT: '1' },
  });
  const pass = (signal: NodeJS.Signals): void => void child.kill(signal);
  process.on('SIGTERM', pass);
  // A terminal sends SIGINT to both processes.
  process.on('SIGINT', (signal) => {
    if (!process.stdin.isTTY) pass(signal);
  });
  return new Promise((resolve) => {
    child.on('error', () => resolve(exitCode.environment));
    child.on('exit', (code) => resolve(code ?? exitCode.environment));
  });
}
