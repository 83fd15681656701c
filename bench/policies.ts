/**
 * The table of alert policies, over 200 stories; the same bytes for the same seed. `promtool test rules` checks fifty
 * random cells of it. Run by `npm run bench:policies`; `--stories 16 --cells 8` for a quick look, which writes no
 * table.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Policy } from '../alerts/proof/policies/policies.js';
import { policyPlot } from '../alerts/proof/policies/plot.js';
import { playAll } from '../alerts/proof/policies/run.js';
import { stories } from '../alerts/proof/policies/stories.js';
import { markdownTable, tablesOf } from '../alerts/proof/policies/table.js';
import { formatDurationMs } from '../base/duration.js';
import { packageRoot } from '../base/paths.js';
import { seededRandom } from '../base/random.js';
import { requireTool } from '../base/tools.js';
import { option } from './option.js';
import { cellOf } from './policy-cells.js';

const count = Number(option('stories', '200'));
const cells = Number(option('cells', '50'));
const seed = Number(option('seed', '1'));

const promtool = requireTool('promtool');
const version =
  /version (\S+?)[,+]/.exec(spawnSync(promtool, ['--version'], { encoding: 'utf8' }).stdout)?.[1] ??
  'of a build that names no version';

/** Checks random cells with promtool, each in a test file of its own; returns promtool's output for all of them. */
function checked(all: readonly Policy[]): { equal: number; pages: number; said: string } {
  const folder = mkdtempSync(join(tmpdir(), 'firedrill-cells-'));
  const random = seededRandom(seed + 99);
  const told = [...stories(count, seed)];
  let pages = 0;
  const wrong: string[] = [];
  try {
    const files = Array.from({ length: cells }, (_, i) => {
      const story = told[random.below(told.length)] as (typeof told)[number];
      const policy = all[random.below(all.length)] as Policy;
      const cell = cellOf(story, policy, `rules-${i}.yaml`, /^[12]\./.test(version));
      pages += cell.pages;
      writeFileSync(join(folder, `rules-${i}.yaml`), cell.rules);
      const file = join(folder, `cell-${i}.yaml`);
      writeFileSync(file, cell.tests);
      return { file, name: `${story.story.file} under ${policy.name}` };
    });
    for (const { file, name } of files) {
      const result = spawnSync(promtool, ['test', 'rules', file], { encoding: 'utf8' });
      if (result.status !== 0)
        wrong.push(`${name}: ${(result.stdout + result.stderr).slice(0, 1500)}`);
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  return { equal: cells - wrong.length, pages, said: wrong.join('\n') };
}

const began = performance.now();
const { comparison, policies, tuned } = playAll({ stories: count, seed });
const seconds = Math.round((performance.now() - began) / 1000);
const cpu = process.cpuUsage();
const cpuSeconds = Math.round((cpu.user + cpu.system) / 1e6);
const digest = createHash('sha256').update(JSON.stringify(comparison)).digest('hex').slice(0, 16);
const check = checked(policies);
if (check.said !== '') console.error(check.said);

const windows = tuned
  .map(
    (p) =>
      `${p.factor} times over ${formatDurationMs(p.longMs)} and ${formatDurationMs(p.shortMs)}`,
  )
  .join(', ');
const sources = policies.map((p) => `- ${p.name}: ${p.source}`);
const text = `# Alert policies over the same incidents

${count} stories by seed ${seed}: a service of 20 events an hour to 500 a second, with day and night; noise with
memory (what is
busy or bad stays so for some twenty minutes); objectives of 99% to 99.9% over 30 days; half of the budget spent at most
while nothing happens. After 30 days in which windows fill, 30 are judged, with one incident of eight kinds: outages
(30% to
100% for 10 minutes and more), brown-outs (20 to 60 times the budget's pace, slowly), flapping, slow burns (1.5 to
2.8 times),
and four that should wake nobody: deploys of a minute or three, little traffic, surges, gaps in the data.
Rules are evaluated every 30 s, and scraped every 30 s. Medians; a number in brackets says how many were found, where
not all.

Wald's bound is the least mean time of any rule that pages for nothing once a year: one that knows the traffic, the
usual
share of bad events and the incident's shape. A rule that pages more often for nothing can be sooner, and is, at 20
an hour.
False pages are those outside of an incident that asks for one and the seven hours after it, over
${comparison.years.toFixed(1)} years.

![Median time until a page against false pages a year](policies.svg)

${tablesOf(comparison).map(markdownTable).join('\n')}
Sources:

${sources.join('\n')}

The Workbook and Sloth page alike: they differ in tickets only. Tuned on 40 other stories, ours pages at ${windows}.

Result ${digest} (the same bytes for the same seed). ${seconds} s of wall clock on a busy machine of two cores,
${cpuSeconds} s of CPU on one.
${check.equal} of ${cells} random cells equal \`promtool test rules\` ${version} at every evaluation (${check.pages}
pages in them).
Repeat with \`npm run bench:policies\`, or any seed with \`firedrill alerts policies --seed 7\`.
`;
if (process.argv.length > 2) console.log(text);
else {
  writeFileSync(join(packageRoot, 'bench/results/policies.md'), text);
  writeFileSync(join(packageRoot, 'bench/results/policies.svg'), policyPlot(comparison));
}
if (check.equal < cells) process.exitCode = 1;
