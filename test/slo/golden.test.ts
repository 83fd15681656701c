/** Golden folders: in.yaml (and options.json) to rules.yaml; UPDATE=1 rewrites them. */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { packageRoot } from '../../base/paths.js';
import { findTool } from '../../base/tools.js';
import { compileSlos, ruleFileText, readSlos } from '../../slo/index.js';
import { testWith } from '../tools.js';

const root = join(packageRoot, 'test/slo/golden');

describe.each(readdirSync(root).sort())('golden %s', (name) => {
  const folder = join(root, name);
  const rules = join(folder, 'rules.yaml');

  test('S2: the same definition gives the same bytes', () => {
    const optionsFile = join(folder, 'options.json');
    const options = existsSync(optionsFile) ? JSON.parse(readFileSync(optionsFile, 'utf8')) : {};
    const text = ruleFileText(compileSlos(readSlos([join(folder, 'in.yaml')]), options));
    if (process.env.UPDATE === '1') writeFileSync(rules, text);
    expect(text).toBe(readFileSync(rules, 'utf8'));
  });

  testWith('promtool')('S2: promtool accepts the rules', () => {
    const run = spawnSync(findTool('promtool') as string, ['check', 'rules', rules]);
    expect(`${run.stdout}${run.stderr}`).toContain('SUCCESS');
    expect(run.status).toBe(0);
  });
});
