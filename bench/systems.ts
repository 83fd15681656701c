/**
 * Repeats the drills of examples/systems on real Prometheus, Alertmanager and k6: verdicts, and the detection time of
 * each alert beside the expected band. `npm run bench:systems -- 10` runs each until ten results are kept; --keep
 * FOLDER names their folder (NAME-N.json), so that an interrupted run can continue. The table is
 * bench/results/systems.md.
 */
import { existsSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { makeFolder } from '../base/make-folder.js';
import { asset } from '../base/paths.js';
import { type GameDayResult, resultSchema } from '../runbooks/report/result.js';
import { median } from './median.js';
import { oneDay } from './one-day.js';

const names = ['podinfo', 'etcd', 'hotrod', 'miniflux', 'unleash'] as const;
const runLimitMs = 300_000;

const read = (file: string): GameDayResult =>
  resultSchema.parse(JSON.parse(readFileSync(file, 'utf8')));

function rowsOf(name: string, results: readonly GameDayResult[]): string[] {
  const [first] = results;
  if (!first) return [`| ${name} | not run | | | | | |`];
  return first.scenarios.map(({ id }) => {
    const scenarios = results.flatMap((r) => r.scenarios.filter((s) => s.id === id));
    const count = (verdict: string): number =>
      scenarios.filter((s) => s.verdict === verdict).length;
    const alerts = scenarios.flatMap((s) => s.expectedAlerts);
    const times = alerts.flatMap((a) => a.firedAfterSeconds ?? []);
    const theories = alerts.flatMap((a) => a.theory ?? []);
    const byTheory =
      theories.length === 0
        ? 'none declared'
        : `${theories.filter((t) => t.within).length} of ${theories.length}`;
    const cells = [
      name,
      id,
      `${count('PASS')} of ${scenarios.length}`,
      `${count('INCONCLUSIVE')}`,
      `${alerts.filter((a) => a.inTime).length} of ${alerts.length}`,
      times.length === 0 ? '-' : `${median(times).toFixed(1)} (${Math.max(...times).toFixed(1)})`,
      byTheory,
    ];
    return `| ${cells.join(' | ')} |`;
  });
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { keep: { type: 'string' } },
});
const runs = Number(positionals[0] ?? 3);
const keep = values.keep ?? mkdtempSync(join(tmpdir(), 'firedrill-systems-results-'));
makeFolder(keep);
const fileOf = (name: string, run: number): string => join(keep, `${name}-${run}.json`);
for (let run = 1; run <= runs; run++) {
  for (const name of names) {
    if (existsSync(fileOf(name, run))) continue;
    const drill = asset(`examples/systems/${name}/firedrill.yaml`);
    await oneDay(['--drill', drill], fileOf(name, run), {
      limitMs: runLimitMs,
      stderr: 'ignore',
    });
    const said = existsSync(fileOf(name, run)) ? read(fileOf(name, run)).verdict : 'no result';
    process.stdout.write(`${name} ${run}: ${said}\n`);
  }
}
const numbers = Array.from({ length: runs }, (_, i) => i + 1);
const rows = names.flatMap((name) =>
  rowsOf(
    name,
    numbers
      .map((run) => fileOf(name, run))
      .filter((file) => existsSync(file))
      .map(read),
  ),
);
writeFileSync(
  asset('bench/results/systems.md'),
  `# Systems of others, drilled ${runs} times each

Each folder of examples/systems, three scenarios, on a real Prometheus and Alertmanager under load by k6, at 1/240 of
production time (\`npm run bench:systems -- ${runs}\`), on two cores. INCONCLUSIVE: the machine was too busy to judge,
or the system was not steady. Seconds are from the moment at which the fault was seen to work to the receiver: the
median, and the slowest. By theory: alerts that fired within one evaluation interval of what the rule's arithmetic says,
of those whose scenario declares a theory.

| system | scenario | PASS | INCONCLUSIVE | alerts in time | seconds | by theory |
| --- | --- | ---: | ---: | ---: | ---: | ---: |
${rows.join('\n')}
`,
);
process.stdout.write(`${rows.join('\n')}\n`);
