/** The backtest agrees with promtool at every minute, and reports on stories, files and a Prometheus. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { type Counters, Running, stepsOf } from '../../alerts/proof/backtest/events.js';
import { type Firing, History } from '../../alerts/proof/backtest/evaluate.js';
import { intervalsOf } from '../../alerts/proof/backtest/firings.js';
import { historyOf } from '../../alerts/proof/backtest/history-api.js';
import { readStory } from '../../alerts/proof/backtest/incidents.js';
import { runJob } from '../../alerts/proof/backtest/run.js';
import { synthesize, trafficAt } from '../../alerts/proof/backtest/synthesize.js';
import { realClock } from '../../base/clock.js';
import { asset, program } from '../../base/paths.js';
import { seededRandom } from '../../base/random.js';
import { findTool } from '../../base/tools.js';
import { compileSlos, readSlos, readSloText, ruleFileText } from '../../slo/index.js';
import { decodeSnappy } from '../../slo/promql/data/write-request.js';
import { planOf } from '../../slo/rules/plan.js';
import { testWith } from '../tools.js';

const folder = mkdtempSync(join(tmpdir(), 'firedrill-backtest-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const minuteMs = 60_000;
const write = (name: string, text: string): string => {
  writeFileSync(join(folder, name), text);
  return join(folder, name);
};

const sloText = (
  more: string,
  sli = 'events: {bad: errors_total, total: requests_total}',
): string =>
  `apiVersion: firedrill.dev/v1
service: pay
slos:
  - name: availability
    objective: 99.9
    sli: {${sli}}
    ${more}
`;

/** Counters that burn at times, with a gap that is bridged, one that is not, and a restart. */
function troubled(minutes: number, seed: number): Counters {
  const random = seededRandom(seed);
  const total = new Float64Array(minutes);
  const bad = new Float64Array(minutes);
  let [sumTotal, sumBad, level, left] = [0, 0, 0, 0];
  for (let i = 0; i < minutes; i++) {
    if (left-- <= 0) {
      left = random.below(150) + 10;
      level = random.next() < 0.5 ? 0 : [0.002, 0.004, 0.01, 0.02, 0.1, 1][random.below(6)]!;
    }
    if (i === 700) [sumTotal, sumBad] = [0, 0];
    const events = Math.round(600 + 300 * Math.sin((i / 1440) * 2 * Math.PI));
    sumTotal += events;
    sumBad += Math.round(events * level);
    const gone = (i >= 300 && i < 303) || (i >= 500 && i < 530);
    total[i] = gone ? NaN : sumTotal;
    bad[i] = gone ? NaN : sumBad;
  }
  return { startMs: 0, stepMs: minuteMs, bad, total };
}

/** A file of unit tests that states the firing alerts of every minute; promtool must agree with all of it. */
function everyMinute(
  rules: string,
  groups: string[],
  counters: Counters,
  firings: Firing[],
): string {
  const values = (of: Float64Array): string =>
    Array.from(of, (v) => (Number.isNaN(v) ? '_' : v)).join(' ');
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
  for (let minute = 0; minute < counters.total.length; minute++) {
    const atMs = minute * minuteMs;
    const now = firings.filter((f) => f.firedMs <= atMs && !((f.resolvedMs ?? Infinity) <= atMs));
    const samples = now.map(
      (f) => `{labels: '{alertname="${f.alert}",severity="${f.severity}"}', value: 1}`,
    );
    const expr = 'count by (alertname, severity) (ALERTS{alertstate="firing"})';
    lines.push(`  - {expr: '${expr}', eval_time: ${minute}m, exp_samples: [${samples.join(',')}]}`);
  }
  return `${lines.join('\n')}\n`;
}

describe('fires at the very minutes at which promtool says its rules fire', () => {
  const kinds: [string, string, number][] = [
    ['as generated', '', 1],
    [
      'guards, for and keep_firing_for',
      'alerting: {lowTraffic: {minBadEvents: 50, minEvents: 5000}, page: {for: 3m, keepFiringFor: 7m}}',
      2,
    ],
    ['weighted by traffic', 'alerting: {trafficWeighted: true}', 3],
    [
      'windows of its own',
      'alerting: {windows: [{severity: page, factor: 4, long: 24m},' +
        '{severity: ticket, factor: 2, long: 8h, short: 12m}]}',
      4,
    ],
  ];
  testWith('promtool').each(kinds)('%s', { timeout: 120_000 }, (_, more, seed) => {
    const [slo] = readSloText('s.yaml', sloText(more));
    const counters = troubled(900, seed);
    const compile = { stepMs: minuteMs };
    // Before version 3, a range includes both its ends.
    const version = spawnSync(findTool('promtool') as string, ['--version']).stdout.toString();
    const old = /version [12]\./.test(version);
    const history = new History(planOf(slo!, compile), stepsOf(counters, old), {
      coarseMs: minuteMs,
    });
    const firings = history.firings();
    expect(firings.length).toBeGreaterThan(2);
    const groups = compileSlos([slo!], compile);
    const rules = write(`rules-${seed}.yaml`, ruleFileText(groups));
    const file = write(
      `every-${seed}.yaml`,
      everyMinute(
        rules,
        groups.map((g) => g.name),
        counters,
        firings,
      ),
    );
    const said = spawnSync(findTool('promtool') as string, ['test', 'rules', file], {
      maxBuffer: 1e8,
    });
    expect(said.stderr.toString().slice(0, 2000)).toBe('');
    expect(said.status).toBe(0);
  });
});

test('slices count once each, and are seen by the next evaluation', () => {
  const sli =
    'slices: {length: 5m, target: 99, events: {bad: errors_total, total: requests_total}}';
  const [slo] = readSloText(
    's.yaml',
    sloText('alerting: {windows: [{severity: page, factor: 100, long: 1h, short: 15m}]}', sli),
  );
  const total = Float64Array.from({ length: 300 }, (_, i) => i * 100);
  // From minute 120 on, a twentieth of the events fail: every slice is bad, and the error ratio of slices is 1.
  const bad = Float64Array.from({ length: 300 }, (_, i) => Math.max(0, i - 120) * 5);
  const steps = stepsOf({ startMs: 0, stepMs: minuteMs, bad, total });
  const [first] = new History(planOf(slo!, { stepMs: minuteMs }), steps).firings();
  // 2 bad slices of 12 are more than 10%: those that end at 125 and 130, seen one evaluation later.
  expect(first).toMatchObject({ severity: 'page', firedMs: 131 * minuteMs });
});

test('running sums, gaps, and alerts that pend and linger', () => {
  const running = new Running(Float64Array.from([1, NaN, 3, 4]));
  expect([running.over(3, 2), running.over(1, 1), running.over(1, 9)]).toEqual([7, NaN, 1]);
  const holds = Uint8Array.from([0, 1, 1, 1, 0, 1, 0, 0, 0, 1]);
  expect(intervalsOf(holds, 1000, 10, 20, 0)).toEqual([
    { activeMs: 1010, firedMs: 1030, resolvedMs: 1040 },
  ]);
  expect(intervalsOf(holds, 0, 10, 0, 20)).toEqual([
    { activeMs: 10, firedMs: 10, resolvedMs: 80 },
    { activeMs: 90, firedMs: 90 },
  ]);
});

const story = (incidents: string, more = ''): string =>
  write(
    'story.yaml',
    `apiVersion: firedrill.dev/v1\nkind: Incidents\ndays: 4\n${more}incidents:\n${incidents}`,
  );

test('a story has whole events: day and night, shares, gaps', () => {
  const file = story(
    '  - {kind: outage, at: 1d, for: 1h, share: 50%}\n  - {kind: data-gap, at: 2d, for: 1h}\n' +
      '  - {kind: low-traffic, at: 3d, for: 1h, traffic: 10%}\n',
    'traffic: {rate: 10, night: 50%, peak: 12h}\nbaseline: 0\n',
  );
  const told = readStory(file);
  const { bad, total } = synthesize(told, 0.001, 'x', minuteMs);
  const at = (day: number): number => day * 1440;
  expect(trafficAt(told.traffic, told.startMs + 12 * 3_600_000)).toBeCloseTo(40 / 3, 6);
  expect(trafficAt(told.traffic, told.startMs)).toBeCloseTo(20 / 3, 6);
  expect(bad[at(1)]).toBe(0);
  const failed = bad[at(1) + 60]!;
  expect(failed / (total[at(1) + 60]! - total[at(1)]!)).toBeCloseTo(0.5, 2);
  expect([total[at(2) - 1], total[at(2)], total[at(2) + 59]].map(Number.isNaN)).toEqual([
    false,
    true,
    true,
  ]);
  expect((total[at(3) + 60]! - total[at(3)]!) / (total[at(3)]! - total[at(3) - 60]!)).toBeCloseTo(
    0.1,
    1,
  );
  expect(synthesize(told, 0.001, 'x', minuteMs).total).toEqual(total);
});

test.each([
  ['  - {kind: outage}\n', 'incidents.0: its start is missing'],
  ['  - {kind: outage, at: 1d}\n', 'incidents.0: its duration is missing'],
  ['  - {kind: outage, at: 9d, for: 1h}\n', 'it is outside of the story'],
  ['  - {kind: outage, at: 1d, for: 1h, share: 120%}\n', 'expected a share from 0% to 100%'],
  ['  - {kind: outage, at: 1d, for: 1h, share: 1, burn: 2}\n', 'both a share and a burn'],
  ['  - {kind: outrage, at: 1d, for: 1h}\n', 'expected a kind: outage'],
  ['  - {kind: outage, at: 1d, for: 1h, ramp: 5m}\n', "unknown field 'ramp'"],
])('%j is refused', (incidents, message) => {
  expect(() => readStory(story(incidents))).toThrow(message);
});

test('the ready-made month: everything is found in the time that theory gives, nothing pages for nothing', () => {
  const told = readStory(asset('alerts/proof/backtest/standard.yaml'));
  for (const slo of readSlos([asset('examples/slo/retail.yaml')])) {
    const job = {
      slo,
      labels: {},
      material: { kind: 'story' as const, story: told },
      stepMs: minuteMs,
    };
    const { score } = runJob({ ...job, compile: {}, schedule: {}, plotColumns: 0, tune: false });
    expect([slo.id, score.page, score.ticket]).toMatchObject([
      slo.id,
      { expected: 5, found: 5, wrong: 0, precision: 1, recall: 1 },
      { expected: 2, found: 2, wrong: 0 },
    ]);
    const judged = score.incidents.filter((i) => i.asTheory !== undefined);
    expect(judged.length).toBeGreaterThanOrEqual(3);
    expect(judged.filter((i) => i.asTheory === false).map((i) => i.name)).toEqual([]);
  }
});

const cli = (...args: string[]) => {
  const run = spawnSync(process.execPath, [program('cli'), 'alerts', 'backtest', ...args], {
    env: { ...process.env, XDG_CACHE_HOME: join(folder, 'cache') },
  });
  return { status: run.status, out: run.stdout.toString(), err: run.stderr.toString() };
};

test('the command: a page with plots, JSON, --check, --tune written back and read again', () => {
  const slo = write('slo.yaml', `# mine\n${sloText('')}`);
  const file = story(
    '  - {name: all down, kind: outage, at: 1d, for: 1h}\n' +
      '  - {name: too small to see, kind: outage, at: 2d, for: 5m, burn: 0.5, expect: page}\n',
  );
  const html = join(folder, 'page.html');
  const run = cli('-i', slo, '--incidents', file, '--html', html, '--fail', '--list');
  expect(run.status).toBe(1);
  expect(run.err).toContain("pay-availability: 'too small to see' was missed (expected: page)");
  expect(run.out).toContain('found 1 of 2');
  const page = readFileSync(html, 'utf8');
  expect(page).toContain('<svg');
  // The script for the pointer contains the URL of the SVG namespace.
  expect(page.replace(/<script>[^]*?<\/script>/, '')).not.toMatch(/NaN|undefined|https?:/);
  const json = JSON.parse(cli('-i', slo, '--incidents', file, '--format', 'json').out) as {
    results: { score: { page: { recall: number } }; firings: unknown[] }[];
  };
  expect(json.results[0]?.score.page.recall).toBe(0.5);

  const tuned = cli('-i', slo, '--write-back');
  expect(tuned.status).toBe(0);
  expect(tuned.out).toContain('recommended:');
  const text = readFileSync(slo, 'utf8');
  expect(text).toContain('# mine');
  const [read] = readSlos([slo]);
  expect(read!.alerting.windows?.some((w) => w.severity === 'page')).toBe(true);
  expect(read!.alerting.windows?.filter((w) => w.severity === 'ticket')).toHaveLength(2);
});

test('many SLOs over threads are the same as one by one', { timeout: 60_000 }, () => {
  const many = Array.from({ length: 12 }, (_, i) =>
    sloText('').replace('service: pay', `service: pay${i}`),
  );
  const slo = write('many.yaml', many.join('---\n'));
  const file = story('  - {kind: outage, at: 1d, for: 1h}\n');
  const of = (threads: string): string =>
    cli('-i', slo, '--incidents', file, '--format', 'json', '--threads', threads).out;
  expect(of('2')).toBe(of('1'));
});

test('CSV and OpenMetrics are the same history; what is broken is said with its line', () => {
  const slo = write('slo2.yaml', sloText(''));
  const told = readStory(story('  - {name: down, kind: outage, at: 1d, for: 1h, share: 10%}\n'));
  const { bad, total, startMs } = synthesize(told, 0.001, 'pay-availability', minuteMs);
  const csv = [
    'time,"errors_total{job=""a"",instance=""x""}","requests_total{job=""a"",instance=""x""}"',
  ];
  const open: string[] = [];
  for (const [name, of] of [
    ['errors', bad],
    ['requests', total],
  ] as const) {
    open.push(`# TYPE ${name} counter`);
    of.forEach((v, i) =>
      open.push(`${name}_total{job="a",instance="x"} ${v} ${(startMs + i * minuteMs) / 1000}`),
    );
  }
  total.forEach((v, i) => csv.push(`${(startMs + i * minuteMs) / 1000},${bad[i]},${v}`));
  const labels = write(
    'labels.yaml',
    'apiVersion: firedrill.dev/v1\nkind: Incidents\ndays: 4\nincidents:\n' +
      '  - {name: down, kind: label, from: 2026-01-06T00:00:00Z, to: 2026-01-06T01:00:00Z}\n',
  );
  const files = {
    csv: write('h.csv', csv.join('\n')),
    openmetrics: write('h.om', `${open.join('\n')}\n# EOF\n`),
  };
  const answers = Object.entries(files).map(([kind, path]) => {
    const run = cli('-i', slo, `--${kind}`, path, '--incidents', labels, '--format', 'json');
    expect([run.status, run.err]).toEqual([0, '']);
    return (JSON.parse(run.out) as { results: { firings: Firing[]; score: unknown }[] })
      .results[0]!;
  });
  expect(answers[0]).toEqual(answers[1]);
  // The story's own counters give the same result.
  const direct = stepsOf({ startMs, stepMs: minuteMs, bad, total });
  const [parsed] = readSlos([slo]);
  expect(answers[0]!.firings).toEqual(
    new History(planOf(parsed!, { stepMs: minuteMs }), direct).firings(),
  );

  const [plain, marked] = ['', '\ufeff'].map((mark) => {
    const file = write('marked.om', `${mark}${open.join('\n')}\n# EOF\n`);
    return cli('-i', slo, '--openmetrics', file);
  });
  expect([marked, marked?.status]).toEqual([plain, 0]);
  // The history's incidents are not known: none was to be found, which is not all of them.
  expect(marked?.out).toMatch(/found 0 of 0; precision .*, recall of none/);

  const cut = cli('-i', slo, '--openmetrics', write('cut.om', open.slice(0, 50).join('\n')));
  expect([cut.status, cut.err]).toEqual([
    2,
    expect.stringMatching(/cut\.om:50:1: the file is cut off/),
  ]);
  const disorder = cli('-i', slo, '--csv', write('bad.csv', [csv[0], csv[3], csv[2]].join('\n')));
  expect([disorder.status, disorder.err]).toEqual([
    2,
    expect.stringMatching(/bad\.csv:3:1: .*out of order/),
  ]);
  const other = cli('-i', slo, '--csv', write('other.csv', 'time,x\n1,2\n61,3\n121,4\n'));
  expect([other.status, other.err]).toEqual([
    2,
    expect.stringContaining('no data for pay-availability'),
  ]);
});

test('a Prometheus that stops in mid-download is asked again, and a second run goes on from there', async () => {
  let asked = 0;
  let broken = false;
  const server = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk: Buffer) => (body += chunk.toString()));
    request.on('end', () => {
      asked++;
      if (broken) return void response.destroy();
      const parameters = new URLSearchParams(body);
      const [start, end, step] = ['start', 'end', 'step'].map((n) => Number(parameters.get(n)));
      const values: [number, string][] = [];
      for (let t = start!; t <= end!; t += step!) values.push([t, String(t)]);
      response.end(
        JSON.stringify({ status: 'success', data: { result: [{ metric: {}, values }] } }),
      );
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const cache = join(folder, 'chunks');
  const history = (stopAfter: number) =>
    historyOf({
      url,
      folder: cache,
      clock: realClock,
      retryMs: 1,
      onProgress: () => (broken = asked >= stopAfter),
    });
  const ask = (of: ReturnType<typeof history>) => of('up', 0, 9000 * minuteMs, minuteMs);
  await expect(ask(history(2))).rejects.toThrow('the chunks so far are kept');
  broken = false;
  asked = 0;
  const [series] = await ask(history(Infinity));
  expect(asked).toBe(1);
  expect([...series!.points]).toHaveLength(9001);
  server.close();
});

test('snappy is undone: literals, copies that overlap, and what is cut off', () => {
  const bytes = [...Buffer.from('ab')];
  const packed = Uint8Array.from([10, (2 - 1) << 2, ...bytes, ((8 - 4) << 2) | 1, 2]);
  expect(Buffer.from(decodeSnappy(packed, 1000)).toString()).toBe('ababababab');
  expect(() => decodeSnappy(packed.subarray(0, 4), 1000)).toThrow('cut off');
  expect(() => decodeSnappy(packed, 5)).toThrow('too many');
});
