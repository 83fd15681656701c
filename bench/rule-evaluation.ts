/**
 * The firings that `alerts diff` finds in a history, beside those of Prometheus's own rule manager (`promtool test
 * rules`), at every minute: 1,000 random rules over random series. Run by `npm run bench:rule-evaluation`.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { packageRoot } from '../base/paths.js';
import { requireTool } from '../base/tools.js';
import { ruleCases } from './rule-cases.js';

const cases = 1000;
const batch = 50;
const seed = 1;

const promtool = requireTool('promtool');
const version =
  spawnSync(promtool, ['--version'], { encoding: 'utf8' }).stdout.split('\n')[0] ?? '';
const folder = mkdtempSync(join(tmpdir(), 'firedrill-rule-manager-'));
const began = performance.now();
let [equal, firings, silent] = [0, 0, 0];
try {
  for (let from = 0; from < cases; from += batch) {
    const made = await ruleCases(seed, from, from + batch, 'rules.yaml');
    writeFileSync(join(folder, 'rules.yaml'), made.rules);
    writeFileSync(join(folder, 'tests.yaml'), made.tests);
    const ran = spawnSync(promtool, ['test', 'rules', join(folder, 'tests.yaml')], {
      encoding: 'utf8',
      maxBuffer: 1e9,
    });
    firings += made.firings;
    silent += made.silent;
    if (ran.status === 0) equal += batch;
    else
      console.error(
        `cases ${from} to ${from + batch}: ${(ran.stdout + ran.stderr).slice(0, 3000)}`,
      );
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
const seconds = ((performance.now() - began) / 1000).toFixed(0);
const text = `# Firings of \`alerts diff\` beside Prometheus's rule manager

${cases} random alerting rules (thresholds, aggregations, ranges, offsets, \`and\`, \`or\`, \`unless\`, \`absent\`,
arithmetic; \`for\`,
\`keep_firing_for\`) over random series of an hour (gaps, ends, counter resets), seed ${seed}. At each of 60 minutes
the alerts
that fire, with their labels, are those of \`promtool test rules\` (${version.replace(/\s+/g, ' ')}).

| | |
| --- | ---: |
| cases that are equal at every minute | ${equal} of ${cases} |
| firings in them | ${firings} |
| cases in which nothing fires | ${silent} |

${seconds} s. Repeat with \`npm run bench:rule-evaluation\`.
`;
console.log(text);
writeFileSync(join(packageRoot, 'bench/results/rule-evaluation.md'), text);
if (equal < cases) process.exitCode = 1;
