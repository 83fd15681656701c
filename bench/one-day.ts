/** Runs one game day on real Prometheus, Alertmanager and k6, in a folder of its own, for benches that repeat it. */
import { spawn } from 'node:child_process';
import { copyFileSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { program } from '../base/paths.js';

/**
 * `args` select the system and the scenarios. The result is copied to `keepAs`, unless the day ended before it had
 * one. After `limitMs` the day is interrupted.
 */
export function oneDay(
  args: readonly string[],
  keepAs: string,
  { limitMs, stderr }: { limitMs: number; stderr: 'ignore' | 'inherit' },
): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'firedrill-day-'));
  const real = ['--prometheus', 'real', '--load', 'k6', '--state', join(folder, 'state')];
  const child = spawn(process.execPath, [program('cli'), 'gameday', 'run', ...args, ...real], {
    cwd: folder,
    stdio: ['ignore', 'ignore', stderr],
  });
  const timer = setTimeout(() => child.kill('SIGINT'), limitMs);
  return new Promise((resolve) => {
    child.on('exit', () => {
      clearTimeout(timer);
      const result = join(folder, 'gameday-report', 'result.json');
      if (existsSync(result)) copyFileSync(result, keepAs);
      rmSync(folder, { recursive: true, force: true });
      resolve();
    });
  });
}
