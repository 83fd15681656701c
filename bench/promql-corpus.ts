/**
 * Runs scripts in Prometheus' test language through firedrill's engine: `node dist/bench/promql-corpus.js FOLDER`.
 * Prometheus' own scripts are in `promql/promqltest/testdata` of its repository; only names and counts are recorded
 * here.
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { asset } from '../base/paths.js';
import { fileResult, totalsOf } from '../slo/promql/testing/report.js';
import { runScript } from '../slo/promql/testing/run.js';

const [folder, version = 'main'] = process.argv.slice(2);
if (folder === undefined) throw new Error('usage: promql-corpus FOLDER [VERSION]');

const results = readdirSync(folder)
  .filter((file) => file.endsWith('.test'))
  .sort()
  .map((file) => fileResult(file, runScript(readFileSync(join(folder, file), 'utf8'))));
const totals = totalsOf(results);
const all = totals.passed + totals.failed + totals.unsupported;
const row = (name: string, r: typeof totals): string =>
  `| ${name} | ${r.passed} | ${r.failed} | ${r.unsupported} |`;
const problems = results.flatMap(({ file, outcomes }) =>
  outcomes
    .filter((o) => o.status !== 'passed')
    .map((o) => `- ${file}, line ${o.line}: ${o.reason?.split('; got')[0] ?? ''}`),
);

const text = `# Prometheus' test scripts, run through our engine

The scripts of Prometheus' repository (${version}). An eval statement counts as passed only where values, order,
errors, warnings and infos are as expected, and, for instant queries, also with every selector fixed by ${'`@`'}
and asked at other times, and as a step of a range query.

| file | passed | failed | unsupported |
| --- | ---: | ---: | ---: |
${results.map((r) => row(r.file, r)).join('\n')}
${row('**all**', totals)}

${((100 * totals.passed) / all).toFixed(2)}% of ${all} eval statements pass (bar: 95%).
${problems.length === 0 ? '' : `\nWhat does not:\n\n${problems.join('\n')}\n`}
Repeat with ${'`node dist/bench/promql-corpus.js FOLDER`'}.
`;
writeFileSync(join(asset('bench/results'), 'promql-corpus.md'), text);
process.stdout.write(text);
