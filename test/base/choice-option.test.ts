/** Options with several values: a value that names nothing is refused, since a check of nothing passes. */
import { spawnSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { eachOf } from '../../base/choice-option.js';
import { program } from '../../base/paths.js';

test('parts are joined with those before, and empty ones between them do not count', () => {
  expect(eachOf('b,,c', ['a'])).toEqual(['a', 'b', 'c']);
  for (const nothing of ['', ',']) expect(() => eachOf(nothing, ['a'])).toThrow('It names nothing');
});

test.each([
  ['slo', 'gate', '-i', 'examples/slo/retail.yaml', '--slo', ''],
  ['gameday', 'plan', '--scenarios', ','],
  ['diagnostics', '--proxies', ','],
])('%s %s: the choice of nothing is a mistake, and no open gate', (...words) => {
  const { status, stdout } = spawnSync(process.execPath, [program('cli'), ...words], {
    encoding: 'utf8',
  });
  expect([status, stdout]).toEqual([2, '']);
});
