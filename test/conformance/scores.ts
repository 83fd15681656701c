/** The scores of public suites: one row each, kept in bench/results; the newest run of each suite counts. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { packageRoot } from '../../base/paths.js';

export interface Score {
  suite: string;
  /** The commit or version of the suite. */
  version: string;
  what: string;
  passed: number;
  of: number;
  /** The failed tests, or those that are counted separately. */
  note?: string;
}

const file = join(packageRoot, 'bench/results/conformance.json');
const page = join(packageRoot, 'bench/results/conformance.md');

export function keepScore(score: Score): void {
  const before = existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Score[]) : [];
  const all = [...before.filter((s) => s.suite !== score.suite), score].sort((a, b) =>
    a.suite < b.suite ? -1 : 1,
  );
  writeFileSync(file, `${JSON.stringify(all, null, 2)}\n`);
  writeFileSync(page, pageOf(all));
}

function pageOf(scores: readonly Score[]): string {
  const rows = scores.map(
    ({ suite, version, what, passed, of, note = '' }) =>
      `| ${suite} | ${version.slice(0, 12)} | ${what} | ${passed} of ${of} | ${note} |`,
  );
  return [
    '# The proxy by the suites of others',
    '',
    'Each suite is had from where it is published and run from outside; nothing of it is a part of this project.',
    'How: [test/conformance](../../test/conformance/README.md).',
    '',
    '| suite | version | what | score | note |',
    '| --- | --- | --- | --- | --- |',
    ...rows,
    '',
    'Repeat with `npm run conformance`.',
    '',
  ].join('\n');
}
