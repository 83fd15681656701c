/**
 * One SLO over 30 days at 1 minute: firedrill's backtest beside `promtool test rules` on the same series and the same
 * generated rules, both with the same expected firing intervals; then a thousand SLOs. `--days 3` for a quick look.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeFolder } from '../base/make-folder.js';
import { History, type Firing } from '../alerts/proof/backtest/evaluate.js';
import { type Counters, stepsOf } from '../alerts/proof/backtest/events.js';
import { readStory, type Story } from '../alerts/proof/backtest/incidents.js';
import { synthesize } from '../alerts/proof/backtest/synthesize.js';
import { asset, packageRoot, program } from '../base/paths.js';
import { requireTool } from '../base/tools.js';
import { compileSlos, readSloText, ruleFileText } from '../slo/index.js';
import * as names from '../slo/rules/names.js';
import { planOf } from '../slo/rules/plan.js';
import { median } from './median.js';
import { option } from './option.js';

const minuteMs = 60_000;
const days = Number(option('days', '30'));
const many = Number(option('slos', '1000'));
const runs = 7;

interface Run {
  wallMs: number;
  /** User and system time of the process and its children. */
  cpuMs: number;
  peakMb: number;
  status: number;
  errors: string;
}

function run(command: string, args: string[]): Run {
  const script =
    'import os,sys,time,subprocess\nt=time.monotonic()\n' +
    'p=subprocess.Popen(sys.argv[1:],stdout=subprocess.DEVNULL,stderr=subprocess.PIPE)\n' +
    'e=p.stderr.read()\n_,s,u=os.wait4(p.pid,0)\nw=time.monotonic()-t\n' +
    'sys.stderr.write(e.decode()[:4000])\nprint(w*1000,(u.ru_utime+u.ru_stime)*1000,u.ru_maxrss/1024,s)';
  const result = spawnSync('python3', ['-c', script, command, ...args], {
    encoding: 'utf8',
    maxBuffer: 1e8,
  });
  const [wallMs = 0, cpuMs = 0, peakMb = 0, status = 1] = result.stdout
    .trim()
    .split(' ')
    .map(Number);
  return { wallMs, cpuMs, peakMb, status, errors: result.stderr };
}

const backtest = (...args: string[]): Run =>
  run(process.execPath, [program('cli'), 'alerts', 'backtest', '--format', 'json', ...args]);

const sloText = (service: string): string => `apiVersion: firedrill.dev/v1
service: ${service}
owner: team-bench
slos:
  - name: availability
    objective: 99.9
    sli: {events: {bad: errors_total, total: requests_total}}
`;

/**
 * Tests the firing alerts at each minute of a change and the minute before, and the number of firing minutes in all.
 */
function unitTests(rules: string, groups: string[], counters: Counters, firings: Firing[]): string {
  const values = (of: Float64Array): string =>
    Array.from(of, (v) => (Number.isNaN(v) ? '_' : v)).join(' ');
  const last = counters.total.length - 1;
  const minuteOf = (ms: number): number => (ms - counters.startMs) / minuteMs;
  const lines = [
    `rule_files: [${rules}]`,
    'evaluation_interval: 1m',
    `group_eval_order: [${groups.join(', ')}]`,
    'tests:',
    '- interval: 1m',
    '  input_series:',
    `  - {series: 'requests_total{job="a",instance="x"}', values: '${values(counters.total)}'}`,
    `  - {series: 'errors_total{job="a",instance="x"}', values: '${values(counters.bad)}'}`,
    '  promql_expr_test:',
  ];
  const sample = (alert: string, severity: string, value: number): string =>
    `{labels: '{alertname="${alert}",severity="${severity}"}', value: ${value}}`;
  const expect = (expr: string, minute: number, samples: string[]): void => {
    lines.push(`  - {expr: '${expr}', eval_time: ${minute}m, exp_samples: [${samples.join(',')}]}`);
  };
  const by = 'by (alertname, severity)';
  const moments = new Set([last]);
  const minutes = new Map<string, number>();
  for (const f of firings) {
    const from = minuteOf(f.firedMs);
    const to = f.resolvedMs === undefined ? last + 1 : minuteOf(f.resolvedMs);
    for (const m of [from - 1, from, to - 1, to]) if (m >= 0 && m <= last) moments.add(m);
    const key = `${f.alert} ${f.severity}`;
    minutes.set(key, (minutes.get(key) ?? 0) + to - from);
  }
  for (const minute of moments) {
    const on = firings.filter((f) => {
      const to = f.resolvedMs === undefined ? last + 1 : minuteOf(f.resolvedMs);
      return minuteOf(f.firedMs) <= minute && minute < to;
    });
    const samples = on.map((f) => sample(f.alert, f.severity, 1));
    expect(`count ${by} (ALERTS{alertstate="firing"})`, minute, samples);
  }
  const counts = [...minutes].map(([key, count]) => {
    const [alert, severity] = key.split(' ') as [string, string];
    return sample(alert, severity, count);
  });
  expect(`sum ${by} (count_over_time(ALERTS{alertstate="firing"}[60d]))`, last, counts);
  return `${lines.join('\n')}\n`;
}

function oneSlo(story: Story, folder: string) {
  const [slo] = readSloText('bench.yaml', sloText('pay'));
  if (!slo) throw new Error('no SLO');
  const compile = { stepMs: minuteMs };
  const plan = planOf(slo, compile);
  const counters = synthesize(story, plan.budget, slo.id, minuteMs);
  const version = spawnSync(requireTool('promtool'), ['--version'], { encoding: 'utf8' }).stdout;
  const bothEnds = /version [12]\./.test(version);
  const evaluate = (): Firing[] =>
    new History(plan, stepsOf(counters, bothEnds), { coarseMs: minuteMs }).firings();
  const firings = evaluate();
  const times: number[] = [];
  for (let i = 0; i < runs; i++) {
    const began = performance.now();
    evaluate();
    times.push(performance.now() - began);
  }
  // promtool refuses more than 10,000 samples in a query, so it cannot evaluate the period's own window.
  const period = [
    names.errorRatio(plan.periodMs),
    names.periodBurnMetric,
    names.budgetRemainingMetric,
  ];
  const groups = compileSlos([slo], compile).map((group) => ({
    ...group,
    rules: group.rules.filter((r) => r.kind !== 'record' || !period.includes(r.record)),
  }));
  const rules = join(folder, 'rules.yaml');
  const tests = join(folder, 'tests.yaml');
  writeFileSync(rules, ruleFileText(groups));
  // promtool's clock begins at 0.
  const order = groups.map((g) => g.name);
  writeFileSync(tests, unitTests(rules, order, counters, firings));
  const spec = join(folder, 'slo.yaml');
  writeFileSync(spec, sloText('pay'));
  const whole = Array.from({ length: 3 }, () =>
    backtest('-i', spec, ...(days === 30 ? [] : ['--incidents', shortened(folder)])),
  );
  process.stderr.write(`promtool test rules over ${days} days…\n`);
  const peer = run(requireTool('promtool'), ['test', 'rules', tests]);
  return {
    version: version.split('\n')[0] ?? '',
    firings: firings.length,
    insideMs: median(times),
    wholeCpuMs: median(whole.map((r) => r.cpuMs)),
    wholeWallMs: median(whole.map((r) => r.wallMs)),
    wholeMb: median(whole.map((r) => r.peakMb)),
    peer,
  };
}

function shortened(folder: string): string {
  const file = join(folder, 'short.yaml');
  const head = `apiVersion: firedrill.dev/v1\nkind: Incidents\ndays: ${days}\n`;
  writeFileSync(file, `${head}incidents:\n  - {kind: outage, at: 1d, for: 20m}\n`);
  return file;
}

function manySlos(folder: string): Run {
  const spec = join(folder, 'many.yaml');
  const texts = Array.from({ length: many }, (_, i) => sloText(`service-${i}`));
  writeFileSync(spec, texts.join('---\n'));
  return backtest('-i', spec, '--threads', '2');
}

const folder = mkdtempSync(join(tmpdir(), 'firedrill-bench-backtest-'));
try {
  const story = readStory(
    days === 30 ? asset('alerts/proof/backtest/standard.yaml') : shortened(folder),
  );
  const one = oneSlo(story, folder);
  const all = manySlos(folder);
  const ms = (x: number): string =>
    x >= 10_000 ? `${(x / 1000).toFixed(1)} s` : `${x.toFixed(0)} ms`;
  const agreed = one.peer.status === 0;
  const row = (cells: string[]): string => `| ${cells.join(' | ')} |`;
  const times = (a: number, b: number): string => `${(a / b).toFixed(0)} x`;
  const { peer } = one;
  const same =
    'the same in both to the minute (promtool passes a test of each beginning and end, and of the minutes in all)';
  const text = [
    `# Backtest of one SLO, ${days} days at 1 minute, and of ${many}`,
    '',
    'Rules as `slo generate --step 1m` writes them (page, ticket, no data; without the ratio of the whole period, ' +
      'for which promtool would need more than the 10,000 samples that it allows a query), ' +
      `${one.version}. Firing intervals: ${one.firings}, ${agreed ? same : 'NOT the same'}.`,
    '',
    row(['', 'CPU time', 'wall', 'peak memory']),
    row(['---', '---:', '---:', '---:']),
    row(['promtool test rules', ms(peer.cpuMs), ms(peer.wallMs), `${peer.peakMb.toFixed(0)} MB`]),
    row([
      'firedrill alerts backtest, the whole process, its story told on the way',
      ms(one.wholeCpuMs),
      ms(one.wholeWallMs),
      `${one.wholeMb.toFixed(0)} MB`,
    ]),
    row([`the evaluation inside (median of ${runs})`, '', ms(one.insideMs), '']),
    row([
      'promtool over the whole process (bar: 100)',
      times(peer.cpuMs, one.wholeCpuMs),
      times(peer.wallMs, one.wholeWallMs),
      '',
    ]),
    row(['promtool over the evaluation', '', times(peer.wallMs, one.insideMs), '']),
    '',
    `${many} SLOs over 30 days on two threads: ${ms(all.wallMs)} (bar: 5 min), ` +
      `${ms(all.cpuMs)} of CPU, ${all.peakMb.toFixed(0)} MB (bar: 2 GB).`,
    '',
    'Compare the CPU times: their ratio holds from machine to machine, busy or not.',
    '',
    'Repeat with `npm run bench:backtest`.',
    '',
  ].join('\n');
  process.stdout.write(text);
  if (!agreed) process.stderr.write(`${one.peer.errors}\n`);
  if (days === 30 && agreed && process.argv.includes('--write')) {
    makeFolder(join(packageRoot, 'bench/results'));
    writeFileSync(join(packageRoot, 'bench/results/backtest.md'), text);
  }
  if (!agreed) process.exitCode = 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}
