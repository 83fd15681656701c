/**
 * Checks the runbook of each scenario of the example app: which questions of the page get another answer under the
 * fault, and whether the page alone, followed command by command, ends the symptom. `npm run bench:runbooks --
 * FOLDER` keeps each day's result there, so that an interrupted run can continue; `--scenarios A,B` runs only these,
 * and the table has all kept results: bench/results/runbooks.md.
 */
import { existsSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { makeFolder } from '../base/make-folder.js';
import { asset } from '../base/paths.js';
import { ownScenarios } from '../chaos/scenarios/read.js';
import { parseResult, type GameDayResult } from '../runbooks/report/result.js';
import { oneDay } from './one-day.js';

const limitMs = 180_000;
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { scenarios: { type: 'string' } },
});
const keep = positionals[0] ?? mkdtempSync(join(tmpdir(), 'firedrill-runbooks-'));
const wanted = values.scenarios?.split(',') ?? ownScenarios();
makeFolder(keep);

const fileOf = (id: string): string => join(keep, `${id}.json`);
for (const id of ownScenarios()) {
  if (existsSync(fileOf(id)) || !wanted.includes(id)) continue;
  const args = ['--scenarios', id, '--prove-runbooks'];
  await oneDay(args, fileOf(id), { limitMs, stderr: 'inherit' });
}

type Scenario = GameDayResult['scenarios'][number];
const drills = ownScenarios().flatMap((id): Scenario[] =>
  existsSync(fileOf(id)) ? parseResult(id, readFileSync(fileOf(id), 'utf8')).scenarios : [],
);

function rowOf({ id, verdict, runbook }: Scenario): string {
  if (!runbook) return `| ${id} | ${verdict} | - | - | - | - | was not asked |`;
  const { page, asked, answeredOtherwise, steps, endedAfterSeconds, why, pages = [] } = runbook;
  const ended = endedAfterSeconds === null ? 'no' : `${endedAfterSeconds.toFixed(1)} s`;
  const note = [why, pages.length > 0 && `it paged itself: ${pages.join(', ')}`];
  const cells = [
    id,
    verdict,
    page,
    `${answeredOtherwise} of ${asked}`,
    steps.length,
    ended,
    note.filter((text) => text).join('; '),
  ];
  return `| ${cells.join(' | ')} |`;
}

const told = drills.filter((s) => (s.runbook?.answeredOtherwise ?? 0) > 0).length;
const ended = drills.filter((s) => typeof s.runbook?.endedAfterSeconds === 'number').length;
writeFileSync(
  asset('bench/results/runbooks.md'),
  `# Runbooks held against their incidents

Each scenario of the shop with \`--prove-runbooks\`, on a real Prometheus and Alertmanager under load by k6, at 1/240 of
production time (\`npm run bench:runbooks\`). A question is a query or a command of the page's Diagnosis; it is asked
twice before the fault and once under it. Steps are the page's own commands; while they run, the fault's leases are
still renewed. Seconds are from the first step on until every expected alert had ended and the system was steady.

${told} of ${drills.length} pages told the fault from the time before it; ${ended} of them ended its symptom.

| scenario | verdict | page | answered otherwise | steps | symptom ended after | |
| --- | --- | --- | ---: | ---: | ---: | --- |
${drills.map(rowOf).join('\n')}
`,
);
