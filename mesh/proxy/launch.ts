/** How a proxy is started: the program, and the flags of Node that measured best for it (bench/results/proxy.md). */
import { spawn } from 'node:child_process';
import { exitCode } from '../../base/errors.js';
import { program } from '../../base/paths.js';

export const proxyProgram = program('mesh/proxy/main');

/**
 * A small young generation, a heap that grows little by little, no baseline code, one helper thread, collections when
 * there is something to collect (heap-trim.ts): 5 MB less than without, at the same CPU time a request.
 */
export const proxyNodeFlags: readonly string[] = [
  '--max-semi-space-size=1',
  '--optimize-for-size',
  '--no-sparkplug',
  '--v8-pool-size=1',
  '--expose-gc',
];

/** The C library gives each thread an arena of its own otherwise. */
export const proxyEnvironment: Readonly<Record<string, string>> = { MALLOC_ARENA_MAX: '1' };

/** In the foreground; signals are passed on. Resolves to its exit code. */
export function runProxy(file: string): Promise<number> {
  const child = spawn(process.execPath, [...proxyNodeFlags, proxyProgram, '--config', file], {
    stdio: ['pipe', 'inherit', 'inherit'],
    env: { ...process.env, ...proxyEnvironment, FIREDRILL_DIE_WITH_PARENT: '1' },
  });
  const pass = (signal: NodeJS.Signals): void => void child.kill(signal);
  process.on('SIGTERM', pass);
  // A terminal sends SIGINT to both.
  process.on('SIGINT', (signal) => {
    if (!process.stdin.isTTY) pass(signal);
  });
  return new Promise((resolve) => {
    child.on('error', () => resolve(exitCode.environment));
    child.on('exit', (code) => resolve(code ?? exitCode.environment));
  });
}
