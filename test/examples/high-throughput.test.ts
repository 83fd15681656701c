/**
 * The high-throughput example runs: two settings under load, with their costs and the SLO. Its figures are not judged.
 */
import { spawnSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { program } from '../../base/paths.js';

const run = (...args: string[]) =>
  spawnSync(process.execPath, [program('examples/high-throughput/main'), ...args], {
    encoding: 'utf8',
  });

test('W4: both settings serve, are costed by the request, and only one writes logs', () => {
  const args = ['--rate', '40', '--seconds', '2', '--rounds', '1', '--format', 'json'];
  const { stdout, stderr } = run(...args);
  const answer = JSON.parse(stdout || `"${stderr}"`) as Record<
    'observed' | 'lean',
    { requests: number; perQps: number; logBytes: number; spansPerSecond: number }
  >;
  expect(answer.observed.requests).toBeGreaterThan(20);
  expect(answer.lean.requests).toBeGreaterThan(20);
  expect(answer.observed.logBytes).toBeGreaterThan(1000);
  expect(answer.lean.logBytes).toBe(0);
  expect(answer.observed.perQps).toBeGreaterThan(0);
}, 90_000);

test('bad input: a rate that is none', () => {
  const { status, stderr } = run('--rate', 'fast');
  expect([status, stderr.trim()]).toEqual([2, '--rate fast; expected a number above 0']);
});
