/** Backtests over measured data: a real Prometheus by its API, captured remote writes, and any rules. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { afterAll, expect, test } from 'vitest';
import { DataFiles } from '../../alerts/proof/backtest/data-files.js';
import { type Firing, History } from '../../alerts/proof/backtest/evaluate.js';
import { stepsOf } from '../../alerts/proof/backtest/events.js';
import { readStory } from '../../alerts/proof/backtest/incidents.js';
import { readRemoteWrite } from '../../alerts/proof/backtest/remote-write.js';
import { synthesize } from '../../alerts/proof/backtest/synthesize.js';
import { freePort } from '../../alerts/watch/prometheus.js';
import { startGuarded } from '../../base/child.js';
import { sleep } from '../../base/clock.js';
import { program } from '../../base/paths.js';
import { findTool } from '../../base/tools.js';
import { compileSlos, readSlos, ruleFileText } from '../../slo/index.js';
import { planOf } from '../../slo/rules/plan.js';
import { remoteWriteBody } from '../remote-write-body.js';
import { testWith } from '../tools.js';

const folder = mkdtempSync(join(tmpdir(), 'firedrill-history-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const minuteMs = 60_000;
const write = (name: string, text: string): string => {
  writeFileSync(join(folder, name), text);
  return join(folder, name);
};

const cli = (...args: string[]) => {
  const run = spawnSync(process.execPath, [program('cli'), 'alerts', 'backtest', ...args], {
    env: { ...process.env, XDG_CACHE_HOME: join(folder, 'cache') },
  });
  return { status: run.status, out: run.stdout.toString(), err: run.stderr.toString() };
};

const storyFile = write(
  'story.yaml',
  `apiVersion: firedrill.dev/v1
kind: Incidents
days: 2
start: 2026-01-05T00:00:00Z
traffic: {rate: 10, night: 50%}
incidents:
  - {name: down, kind: outage, at: 12h, for: 30m, share: 20%}
  - {name: a leak, kind: slow-burn, at: 1d, for: 10h, burn: 2.5, expect: ticket}
`,
);
const sloFile = write(
  'slo.yaml',
  `apiVersion: firedrill.dev/v1
service: pay
slos:
  - name: availability
    objective: 99.9
    sli: {events: {bad: 'requests_total{code="500"}', total: requests_total}}
`,
);

/** Two series: the failures, and all requests. */
function openMetrics(): { text: string; firings: Firing[] } {
  const [slo] = readSlos([sloFile]);
  const { bad, total, startMs } = synthesize(readStory(storyFile), 0.001, slo!.id, minuteMs);
  const lines = ['# TYPE requests counter'];
  for (const [code, of] of [
    ['200', total.map((v, i) => v - (bad[i] as number))],
    ['500', bad],
  ] as const) {
    of.forEach((value, i) => {
      const at = (startMs + i * minuteMs) / 1000;
      lines.push(`requests_total{code="${code}",job="a",instance="x"} ${value} ${at}`);
    });
  }
  const steps = stepsOf({ startMs, stepMs: minuteMs, bad, total });
  const firings = new History(planOf(slo!, { stepMs: minuteMs }), steps).firings();
  return { text: `${lines.join('\n')}\n# EOF\n`, firings };
}

testWith('prometheus', 'promtool')(
  "a real Prometheus's history is the story that was written into it",
  { timeout: 120_000 },
  async () => {
    const { text, firings } = openMetrics();
    expect(firings.length).toBeGreaterThan(2);
    const file = write('history.om', text);
    const data = join(folder, 'data');
    const made = spawnSync(findTool('promtool') as string, [
      'tsdb',
      'create-blocks-from',
      'openmetrics',
      file,
      data,
    ]);
    expect([made.status, made.stderr.toString()]).toEqual([0, '']);
    const port = await freePort();
    const config = write('prometheus.yml', '{}');
    const prometheus = startGuarded('prometheus', findTool('prometheus') as string, [
      `--config.file=${config}`,
      `--storage.tsdb.path=${data}`,
      '--storage.tsdb.retention.time=100y',
      `--web.listen-address=127.0.0.1:${port}`,
    ]);
    try {
      const url = `http://127.0.0.1:${port}`;
      for (let i = 0; i < 400; i++) {
        if ((await fetch(`${url}/-/ready`).catch(() => undefined))?.ok) break;
        await sleep(50);
      }
      const span = ['--from', '2026-01-05T00:00:00Z', '--to', '2026-01-07T00:00:00Z'];
      const run = cli(
        '-i',
        sloFile,
        '--prometheus',
        url,
        ...span,
        '--incidents',
        storyFile,
        '--format',
        'json',
      );
      expect([run.status, run.err]).toEqual([0, '']);
      const [result] = (JSON.parse(run.out) as { results: { firings: Firing[]; score: object }[] })
        .results;
      expect(result!.firings).toEqual(firings);
      expect(result!.score).toMatchObject({ page: { found: 1, wrong: 0 }, ticket: { found: 1 } });
      const rules = write(
        'api-rules.yaml',
        stringify({
          groups: [
            {
              name: 'g',
              rules: [
                {
                  alert: 'Errors',
                  expr: 'rate(requests_total{code="500"}[4m]) > 1',
                  labels: { severity: 'page' },
                },
              ],
            },
          ],
        }),
      );
      const asked = cli(
        '--rules',
        rules,
        '--prometheus',
        url,
        ...span,
        '--incidents',
        storyFile,
        '--format',
        'json',
      );
      expect(JSON.parse(asked.out)).toMatchObject({
        score: { incidents: [{ by: 'Errors' }, {}], wrong: [] },
      });
    } finally {
      await prometheus.stop();
    }
    const gone = cli('-i', sloFile, '--prometheus', `http://127.0.0.1:${port}`, '--from', '1h');
    expect([gone.status, gone.err]).toEqual([
      5,
      expect.stringContaining('run the same command to continue'),
    ]);
  },
);

test(
  'any rules over a file: as alerts test says minute by minute, and judged by labels',
  { timeout: 60_000 },
  () => {
    const { text } = openMetrics();
    const file = write('rules-history.om', text);
    const groups = [
      {
        name: 'later',
        rules: [
          // This group reads metrics of the other one, because files may be in any order.
          {
            alert: 'Share',
            expr: 'job:errors:share > 0.05',
            for: '3m',
            labels: { severity: 'critical' },
          },
          {
            alert: 'Low',
            expr: 'job:errors:share > 0.0015',
            for: '10m',
            keep_firing_for: '5m',
            labels: { severity: 'warning' },
          },
          { alert: 'Other', expr: 'nothing_total > 0', labels: { severity: 'page' } },
        ],
      },
      {
        name: 'first',
        rules: [
          {
            record: 'job:errors:share',
            expr:
              'sum by (job) (rate(requests_total{code="500"}[10m30s]))' +
              ' / sum by (job) (rate(requests_total[10m30s]))',
          },
        ],
      },
    ];
    const rules = write('rules.yaml', stringify({ groups }));
    const run = cli(
      '--rules',
      rules,
      '--openmetrics',
      file,
      '--incidents',
      storyFile,
      '--format',
      'json',
    );
    expect([run.status, run.err]).toEqual([0, '']);
    const { results, score } = JSON.parse(run.out) as {
      results: { alert: string; found: boolean; firings: Firing[] }[];
      score: { incidents: { by?: string }[]; recall: number };
    };
    expect(results.map((r) => [r.alert, r.found])).toEqual([
      ['Share', true],
      ['Low', true],
      ['Other', false],
    ]);
    expect(score.incidents.map((i) => i.by)).toEqual(['Share', 'Low']);
    expect(score.recall).toBe(1);

    // The unit tests' evaluator gives the same result step by step, at every start and end.
    const startMs = Date.UTC(2026, 0, 5);
    const tests = results.flatMap(({ alert, firings }) =>
      firings.flatMap((f) =>
        [f.firedMs - minuteMs, f.firedMs, (f.resolvedMs ?? 0) - minuteMs, f.resolvedMs ?? 0].map(
          (ms) => ({
            eval_time: `${(ms - startMs) / minuteMs}m`,
            alertname: alert,
            exp_alerts: firings
              .filter((g) => g.firedMs <= ms && ms < (g.resolvedMs ?? Infinity))
              .map((g) => {
                const { alertname: _, ...labels } = (
                  g as unknown as { labels: Record<string, string> }
                ).labels;
                return { exp_labels: labels };
              }),
          }),
        ),
      ),
    );
    const [good, bad] = ['200', '500'].map((code) =>
      [...text.matchAll(new RegExp(`code="${code}"[^}]*} (\\S+)`, 'g'))].map((m) => m[1]).join(' '),
    );
    const unit = write(
      'unit.yaml',
      stringify({
        rule_files: ['rules.yaml'],
        group_eval_order: ['first', 'later'],
        tests: [
          {
            input_series: [
              { series: 'requests_total{code="200",job="a",instance="x"}', values: good },
              { series: 'requests_total{code="500",job="a",instance="x"}', values: bad },
            ],
            alert_rule_test: tests,
          },
        ],
      }),
    );
    expect(tests.length).toBeGreaterThanOrEqual(8);
    const checked = spawnSync(process.execPath, [program('cli'), 'alerts', 'test', unit]);
    expect(checked.stdout.toString()).toContain('SUCCESS');
  },
);

test('an alert goes on where another metric of the same labels takes over', () => {
  const rules = write(
    'or.yaml',
    'groups:\n- name: g\n  interval: 1m\n  rules:\n' +
      '  - {alert: Either, expr: "a > 0 or b > 0", for: 5m, labels: {severity: page}}\n',
  );
  const lines = (name: string, from: number, to: number): string[] =>
    Array.from({ length: 31 }, (_, i) => {
      return `${name}{job="x"} ${i >= from && i < to ? 1 : 0} ${1_700_000_040 + i * 60}`;
    });
  const om = write(
    'or.om',
    ['# TYPE a gauge', ...lines('a', 5, 9), '# TYPE b gauge', ...lines('b', 9, 14), '# EOF\n'].join(
      '\n',
    ),
  );
  const run = cli('--rules', rules, '--openmetrics', om, '--format', 'json');
  const { results } = JSON.parse(run.out) as { results: { firings: Firing[] }[] };
  const minutes = results[0]!.firings.map((f) => [f.activeMs, f.firedMs, f.resolvedMs]);
  const at = (minute: number): number => 1_700_000_040_000 + minute * minuteMs;
  expect(minutes).toEqual([[at(5), at(10), at(14)]]);
});

test('rules without measured data, and neither SLOs nor rules', () => {
  const rules = write('up.yaml', 'groups: [{name: a, rules: [{record: b, expr: up}]}]');
  const csv = write('x.csv', 'time,up\n0,1\n60,1\n120,1\n180,1\n');
  expect(cli('--rules', rules, '-i', 'slo.yaml').err).toContain(
    '--input names SLOs, and --rules rules',
  );
  expect(cli('--rules', rules).err).toContain('rules need measured data');
  expect(cli('--csv', csv).err).toContain('either --input or --rules');
});

test('an alert whose condition never holds has data, if its metrics have', () => {
  const cases: [string, boolean][] = [
    ['up == 0', true],
    ['up offset 1m == 0', true],
    ['none == 0', false],
    ['up == 0 or none == 0', true],
    ['none == 0 or none > 1', false],
    ['up == 0 unless none', true],
    ['up == 0 and none', false],
    ['none / up > 2', false],
    ['absent(up)', true],
    ['sum(rate(up[1m])) > 5', true],
  ];
  const rules = write(
    'quiet.yaml',
    stringify({
      groups: [{ name: 'g', rules: cases.map(([expr], i) => ({ alert: `A${i}`, expr })) }],
    }),
  );
  const csv = write('quiet.csv', 'time,up\n0,1\n60,1\n120,1\n180,1\n');
  const { results } = JSON.parse(cli('--rules', rules, '--csv', csv, '--format', 'json').out) as {
    results: { found: boolean; firings: [] }[];
  };
  expect(results.map((r, i) => [cases[i]![0], r.found])).toEqual(cases);
  expect(results.flatMap((r) => r.firings)).toEqual([]);
});

const firingsOf = (...args: string[]): Firing[][] => {
  const { results } = JSON.parse(cli(...args, '--format', 'json').out) as {
    results: { firings: Firing[] }[];
  };
  return results.map((r) => r.firings);
};

test("rules that read each other's past are evaluated moment by moment", () => {
  const rules = write(
    'past.yaml',
    `groups:
- name: a
  rules:
  - {record: "n", expr: "m + 1 or up"}
  - {record: "m", expr: "n"}
  - {alert: Third, expr: "n == 3", labels: {severity: page}}
`,
  );
  const csv = write('up.csv', 'time,up\n0,1\n60,1\n120,1\n180,1\n240,1\n');
  expect(firingsOf('--rules', rules, '--csv', csv)).toMatchObject([
    [{ firedMs: 2 * minuteMs, resolvedMs: 3 * minuteMs }],
  ]);
});

test('a record has one sample for each interval of its group', () => {
  const rules = write(
    'intervals.yaml',
    `groups:
- {name: a, interval: 30s, rules: [{record: often, expr: up}]}
- {name: b, interval: 5m, rules: [{record: seldom, expr: up}]}
- name: c
  rules:
  - {alert: Often, expr: "count_over_time(often[10m]) == 20", labels: {severity: page}}
  - {alert: Seldom, expr: "count_over_time(seldom[10m]) == 2", labels: {severity: page}}
`,
  );
  const lines = Array.from({ length: 31 }, (_, i) => `${i * 60},1\n`).join('');
  const csv = write('half-hour.csv', `time,up\n${lines}`);
  expect(firingsOf('--rules', rules, '--csv', csv)).toMatchObject([
    [{ firedMs: 10 * minuteMs }],
    [{ firedMs: 5 * minuteMs }],
  ]);
});

test('the rules of slo generate fire over a file as the SLO does', { timeout: 60_000 }, () => {
  const { text, firings } = openMetrics();
  const rules = write('generated.yaml', ruleFileText(compileSlos(readSlos([sloFile]))));
  const found = firingsOf('--rules', rules, '--openmetrics', write('generated.om', text)).flat();
  const times = (all: readonly Firing[]): number[] =>
    all.flatMap((f) => [f.firedMs, f.resolvedMs ?? 0]).sort((a, b) => a - b);
  const [expected, seen] = [times(firings), times(found)];
  expect(seen).toHaveLength(expected.length);
  // Steps are of 30 s here, and of a minute there; coarse steps are of four minutes.
  seen.forEach((ms, i) => expect(Math.abs(ms - expected[i]!)).toBeLessThanOrEqual(5 * minuteMs));
});

test('captured remote writes are series', () => {
  const file = join(folder, 'write.bin');
  writeFileSync(
    file,
    remoteWriteBody({
      labels: { __name__: 'requests_total', job: 'a' },
      samples: [
        [1_700_000_000_000, 5.5],
        [1_700_000_060_000, 6],
        [1_700_000_120_000, 'stale'],
      ],
    }),
  );
  const data = new DataFiles();
  readRemoteWrite(file, data);
  const [series] = [...data.store.all()];
  expect(series!.labels.toString()).toBe('requests_total{job="a"}');
  expect([...series!.values.subarray(0, 2)]).toEqual([5.5, 6]);
  expect(data.range).toEqual({ startMs: 1_700_000_000_000, endMs: 1_700_000_060_000 });
  expect(() => readRemoteWrite(file, data)).toThrow('out of order');
  writeFileSync(file, 'not snappy');
  expect(() => readRemoteWrite(file, data)).toThrow('expected the body of a remote write request');
});
