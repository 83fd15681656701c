/** Our own scripts in the test language; each eval is one test. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { packageRoot } from '../../../base/paths.js';
import { runScript } from '../../../slo/promql/testing/run.js';

const folder = join(packageRoot, 'test/slo/promql/cases');

describe.each(readdirSync(folder))('%s', (file) => {
  const outcomes = runScript(readFileSync(join(folder, file), 'utf8'));
  test('it has cases', () => expect(outcomes).not.toEqual([]));
  test.each(outcomes.map((o) => [`line ${o.line}: ${o.query}`, o] as const))('%s', (_, outcome) => {
    expect(outcome).toMatchObject({ status: 'passed' });
  });
});
