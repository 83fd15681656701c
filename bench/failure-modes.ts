/**
 * The failure modes F1 to F7, each provoked repeatedly on real Prometheus, Alertmanager and k6: on the example app
 * and on other people's systems behind the mesh. `npm run bench:failure-modes -- 20` runs each set until twenty
 * results are kept; --keep FOLDER names their folder (SET-N.json), so that an interrupted run can continue; --set
 * NAME runs one set. The table is bench/results/failure-modes.md.
 */
import { existsSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { makeFolder } from '../base/make-folder.js';
import { asset } from '../base/paths.js';
import { parseResult, type GameDayResult } from '../runbooks/report/result.js';
import { median } from './median.js';
import { oneDay } from './one-day.js';

interface DrillSet {
  name: string;
  /** Command-line arguments for the system and the scenarios. */
  args: readonly string[];
}

const ofShop = [
  'control-plane-outage',
  'proxy-memory-leak',
  'certificate-expiry',
  'retry-storm',
  'telemetry-loss',
  'misrouting',
  'network-throttling',
];
const ofOthers = (name: string): DrillSet => ({
  name,
  args: ['--drill', asset(`examples/systems/${name}/failure-modes.yaml`)],
});
const sets: DrillSet[] = [
  { name: 'shop', args: ['--scenarios', ofShop.join(',')] },
  ...['podinfo', 'hotrod'].filter((n) => existsSync(ofOthers(n).args[1] as string)).map(ofOthers),
];

const runLimitMs = 900_000;
/** The bar of the whole set. */
const barSeconds = 600;

const read = (file: string): GameDayResult => parseResult(file, readFileSync(file, 'utf8'));

type Scenario = GameDayResult['scenarios'][number];

/** One row for each failure mode: drills, verdicts, alerts in time, the last pass. */
function rowsOf({ name }: DrillSet, days: readonly GameDayResult[]): string[] {
  const all = days.flatMap((d) => d.scenarios);
  const ids = [...new Set(all.map((s) => s.id))];
  const rows = ids.map((id) =>
    rowOf(
      name,
      all.filter((s) => s.id === id),
    ),
  );
  return rows.sort((a, b) => a.mode.localeCompare(b.mode)).map((row) => row.text);
}

function rowOf(set: string, drills: readonly Scenario[]): { mode: string; text: string } {
  const [first] = drills as [Scenario];
  const count = (verdict: string): number => drills.filter((s) => s.verdict === verdict).length;
  const alerts = drills.flatMap((s) => s.expectedAlerts);
  const times = alerts.flatMap((a) => a.firedAfterSeconds ?? []);
  const unexpected = drills.reduce((n, s) => n + (s.pages?.unexpected ?? 0), 0);
  const last = drills.findLast((s) => s.verdict === 'PASS')?.startedAt;
  const slowest =
    times.length === 0 ? '-' : `${median(times).toFixed(1)} (${Math.max(...times).toFixed(1)})`;
  const cells = [
    first.failureMode ?? '',
    set,
    first.id,
    `${count('PASS')} of ${drills.length}`,
    `${count('FAIL')}`,
    `${count('INCONCLUSIVE')}`,
    `${alerts.filter((a) => a.inTime).length} of ${alerts.length}`,
    slowest,
    `${unexpected}`,
    last === undefined ? 'never' : `${last.slice(0, 16).replace('T', ' ')}`,
  ];
  return { mode: cells[0] as string, text: `| ${cells.join(' | ')} |` };
}

/** The results that did not pass, grouped by reason. */
function reasonsOf({ name }: DrillSet, days: readonly GameDayResult[]): string[] {
  const counts = new Map<string, number>();
  for (const s of days.flatMap((d) => d.scenarios)) {
    if (s.verdict === 'PASS') continue;
    const key = `${name}, ${s.id}, ${s.verdict}: ${(s.reasons[0] ?? 'no reason given').slice(0, 220)}`;
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  return [...counts].map(([text, n]) => `- ${n > 1 ? `${n} times: ` : ''}${text}`);
}

/** The results of each arm of the retry storm. */
function stormRows(days: readonly GameDayResult[]): string[] {
  const drills = days.flatMap((d) => d.scenarios).filter((s) => s.arms.length > 0);
  const names = [...new Set(drills.flatMap((s) => s.arms.map((a) => a.name)))];
  return names.map((name) => {
    const arms = drills.flatMap((s) => s.arms.filter((a) => a.name === name));
    const grown = arms.map((a) => a.amplificationDuring);
    const back = arms.flatMap((a) => a.recoveredAfterSeconds ?? []);
    const cells = [
      name,
      arms.length,
      `${median(grown).toFixed(2)} (${Math.max(...grown).toFixed(2)})`,
      `${arms.filter((a) => a.verdict === 'metastable').length}`,
      back.length === 0 ? '-' : `${median(back).toFixed(1)} (${Math.max(...back).toFixed(1)})`,
    ];
    return `| ${cells.join(' | ')} |`;
  });
}

function setRow({ name }: DrillSet, days: readonly GameDayResult[]): string {
  const lengths = days.map((d) => d.durationSeconds);
  const within = lengths.filter((s) => s <= barSeconds).length;
  const length =
    lengths.length === 0
      ? '-'
      : `${median(lengths).toFixed(0)} (${Math.max(...lengths).toFixed(0)})`;
  return `| ${name} | ${days.length} | ${length} | ${within} of ${days.length} |`;
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { keep: { type: 'string' }, set: { type: 'string' } },
});
const runs = Number(positionals[0] ?? 1);
const keep = values.keep ?? mkdtempSync(join(tmpdir(), 'firedrill-modes-results-'));
makeFolder(keep);
const fileOf = (set: DrillSet, run: number): string => join(keep, `${set.name}-${run}.json`);
const loads: number[] = [];
for (let run = 1; run <= runs; run++) {
  for (const set of sets) {
    if (existsSync(fileOf(set, run)) || (values.set ?? set.name) !== set.name) continue;
    await oneDay(set.args, fileOf(set, run), { limitMs: runLimitMs, stderr: 'inherit' });
    loads.push(loadavg()[1] as number);
    const said = existsSync(fileOf(set, run)) ? read(fileOf(set, run)).verdict : 'no result';
    process.stdout.write(`${set.name} ${run}: ${said}, load ${loads.at(-1)?.toFixed(1)}\n`);
  }
}
const kept = sets.map((set) => ({
  set,
  days: Array.from({ length: runs }, (_, i) => fileOf(set, i + 1))
    .filter((file) => existsSync(file))
    .map(read),
}));
const reasons = kept.flatMap(({ set, days }) => reasonsOf(set, days));
writeFileSync(
  asset('bench/results/failure-modes.md'),
  `# Failure modes, provoked again and again

Each failure mode on a real Prometheus and Alertmanager under load by k6, at 1/240 of production time
(\`npm run bench:failure-modes -- ${runs}\`), on two cores. INCONCLUSIVE: the machine was too busy to judge, or the
system was not steady. Seconds are from the moment at which the fault was seen to work to the receiver: the median, and
the slowest. Unexpected: pages that nobody had expected or allowed. Times are UTC.

| mode | system | drill | PASS | FAIL | INCONCLUSIVE | alerts in time | seconds | unexpected | last passed |
| --- | --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | --- |
${kept.flatMap(({ set, days }) => rowsOf(set, days)).join('\n')}

## How long a set takes

Seconds of the whole set, its start and end included: the median, and the slowest; the bar is ${barSeconds} s.

| system | sets | seconds | within the bar |
| --- | ---: | ---: | ---: |
${kept.map(({ set, days }) => setRow(set, days)).join('\n')}

## The retry storm

Tries for a request while the trigger is on: the median, and the largest. Seconds until goodput was back after the end
of the trigger, at 1/240: the median, and the slowest.

| arm | drills | tries for a request | stayed down | seconds to recover |
| --- | ---: | ---: | ---: | ---: |
${stormRows(kept.flatMap(({ days }) => days)).join('\n')}

## What did not pass

${reasons.length === 0 ? 'Everything passed.' : reasons.join('\n')}
`,
);
