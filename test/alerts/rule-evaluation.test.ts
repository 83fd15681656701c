/** Firings in `alerts diff` against Prometheus's own rule manager; all 1,000 cases are in bench/results. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'vitest';
import { requireTool } from '../../base/tools.js';
import { ruleCases } from '../../bench/rule-cases.js';
import { testWith } from '../tools.js';

testWith('promtool')(
  'random rules over random series fire at the same minutes with the same labels',
  async () => {
    const folder = mkdtempSync(join(tmpdir(), 'firedrill-rule-manager-'));
    try {
      const made = await ruleCases(2, 0, 30, 'rules.yaml');
      expect(made.firings).toBeGreaterThan(50);
      writeFileSync(join(folder, 'rules.yaml'), made.rules);
      const tests = join(folder, 'tests.yaml');
      writeFileSync(tests, made.tests);
      const run = () =>
        spawnSync(requireTool('promtool'), ['test', 'rules', tests], {
          encoding: 'utf8',
          maxBuffer: 1e9,
        });
      const same = run();
      expect(`${same.stdout}${same.stderr}`).not.toContain('FAILED');
      expect(same.status).toBe(0);
      // promtool reports one missing firing, so the comparison can fail.
      writeFileSync(tests, made.tests.replace(/\n {10}- \{ labels: 'ALERTS[^\n]*/, ''));
      expect(run().status).toBe(1);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
  60_000,
);
