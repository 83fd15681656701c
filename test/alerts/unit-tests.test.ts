/** `alerts test` beside the real promtool: both must find the same firing alerts. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { afterAll, describe, expect, test } from 'vitest';
import { fileText, runSuite } from '../../alerts/proof/unit/suite.js';
import { parsePoints } from '../../alerts/proof/unit/points.js';
import { realClock } from '../../base/clock.js';
import { asset, program } from '../../base/paths.js';
import { seededRandom } from '../../base/random.js';
import { findTool } from '../../base/tools.js';
import { testWith } from '../tools.js';

const folder = mkdtempSync(join(tmpdir(), 'firedrill-unit-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function write(name: string, value: unknown): string {
  const path = join(folder, name);
  writeFileSync(path, typeof value === 'string' ? value : stringify(value));
  return path;
}

const run = (...files: string[]) =>
  runSuite(files, {
    run: undefined,
    strict: true,
    ignoreUnknownFields: false,
    closedRanges: false,
    features: [],
    clock: realClock,
  });

const promtool = (file: string): number | null =>
  spawnSync(findTool('promtool') as string, ['test', 'rules', file], { stdio: 'pipe' }).status;

const templates = [
  '{{ $labels.instance }} is {{ $value }}',
  '{{ printf "%.2f %e %5.1f|%-8.3g|%+.0f|%08.2f" $value $value $value $value $value $value }}',
  '{{ printf "%d %s %q %v %t %x" 42 "a" "b\\"c" $labels.job true 255 }}',
  '{{ printf "%d" $value }} {{ printf "%s" 1 }} {{ printf "%d" }} {{ printf "x" 1 }}',
  '{{ humanize $value }} {{ humanize1024 $value }} {{ humanizePercentage $value }}',
  '{{ humanizeDuration $value }} {{ humanizeTimestamp $value }} {{ $value | toTime }}',
  '{{ if gt $value 10.0 }}high{{ else if gt $value 1.0 }}middle{{ else }}low{{ end }}',
  '{{ if and (eq $labels.job "shop") (ne $labels.zone "z") }}a{{ end }}{{ if not .Value }}zero{{ end }}',
  '{{ range query "load" | sortByLabel "instance" }}{{ .Labels.instance }}={{ .Value | humanize }};{{ end }}',
  '{{ range $i, $s := query "load" | sortByLabel "instance" }}{{ $i }}:{{ label "zone" $s }}{{ else }}none{{ end }}',
  '{{ range $k, $v := $labels }}{{ $k }}={{ $v }},{{ end }}',
  '{{ with query "load{instance=~\\"web-0.*\\"}" }}{{ . | first | value | printf "%.1f" }}{{ else }}none{{ end }}',
  '{{ with $x := 5 }}{{ $x }}{{ end }}{{ $y := "q" }}{{ $y }}{{ len $y }}',
  '  {{- " trimmed " -}}  {{/* nothing */}}end',
  '{{ $labels.instance | reReplaceAll "(.*):(\\\\d+)" "$2/${1}" }} {{ match "web.*" $labels.instance }}',
  '{{ $labels.instance | stripPort }} {{ stripDomain "a.b.c:80" }} {{ title "hello world" }} {{ toUpper "x" }}',
  '{{ $labels.missing }}|{{ $externalLabels.cluster }}|{{ $externalURL }}|{{ .ExternalURL }}',
  '{{ define "t" }}[{{ . }}]{{ end }}{{ template "t" $value }}{{ template "t" $labels.zone }}',
  '{{ parseDuration "1h30m" }} {{ graphLink "up == 0" }} {{ tableLink "a" }} {{ urlquery "a b&c" }}',
  '{{ print 1 2 "a" 3.5 }} {{ println "x" 1 }} {{ html "<a>" }} {{ js "it\'s <b> = 1" }} {{ index $labels "zone" }}',
  '{{ $value | printf "%.0f" | printf "%s%%" }} {{ 1.5e3 }} {{ 0x1f }} {{ \'a\' }} {{ `raw` }} {{ true }}',
  '{{ args 1 2 }}{{ le 1 2 }}{{ ge "b" "a" }}{{ lt 1.5 1.5 }}{{ eq 1 2 1 }}{{ or 0 "" "z" }}{{ and 1 "y" }}',
];

const values = [
  '0',
  '0.5',
  '1',
  '0.00012',
  '123456.789',
  '1e9',
  '93784',
  '-2.5',
  '1048576',
  '0.999999',
];

const rules = {
  groups: [
    {
      name: 'recorded',
      rules: [
        { record: 'zone:load:sum', expr: 'sum by (zone) (load)', labels: { made: 'yes' } },
        { record: 'job:steps:rate', expr: 'sum by (job) (rate(steps_total[4m30s]))' },
      ],
    },
    {
      name: 'templates',
      rules: templates.map((text, i) => ({
        alert: `T${i}`,
        expr: 'load > -10',
        labels: {
          severity: i % 2 ? 'page' : '{{ if gt $value 1.0 }}page{{ else }}ticket{{ end }}',
        },
        annotations: { text },
      })),
    },
    {
      name: 'times',
      rules: [
        { alert: 'Held', expr: 'flap > 0', for: '3m', labels: { severity: 'page' } },
        {
          alert: 'Kept',
          expr: 'flap > 0',
          keep_firing_for: '4m',
          annotations: { v: '{{ $value }}' },
        },
        { alert: 'Both', expr: 'flap > 0', for: '2m', keep_firing_for: '2m' },
        { alert: 'Slow', expr: 'job:steps:rate < 0.5' },
        { alert: 'Gone', expr: 'absent(steps_total)', for: '1m' },
        { alert: 'Count', expr: 'count(ALERTS{alertstate="firing",alertname="Kept"}) > 0' },
      ],
    },
  ],
};

const input = [
  ...values.map((value, i) => ({
    series: `load{instance="web-${i}.shop.example:80${i}",job="shop",zone="${'abc'[i % 3]}"}`,
    values: `${value}x5`,
  })),
  { series: 'flap{job="a"}', values: '0 1 1 1 0 0 1 1 0 1 1 1 1 1 0 0 0 0 0 0 0' },
  { series: 'flap{job="b"}', values: '1x3 _ _ stale 1 1 1 _x4 0x8' },
  { series: 'steps_total{job="a"}', values: '0+60x10 0+20x4 stale' },
];

// Without group_eval_order, promtool evaluates groups in a random order.
const order = { group_eval_order: ['recorded', 'templates', 'times'] };

const group = {
  name: 'g',
  interval: '1m',
  input_series: input,
  external_labels: { cluster: 'eu' },
  external_url: 'https://prom.example/sub',
};

interface Expectation {
  eval_time: string;
  alertname: string;
  exp_alerts: { exp_labels: Record<string, string>; exp_annotations: Record<string, string> }[];
}

/** The firing alerts at each minute in our own evaluation, found by tests that expect nothing. */
function ourFirings(names: string[], minutes: number[]): Expectation[] {
  const tests = minutes.flatMap((minute) =>
    names.map((alertname) => ({ eval_time: `${minute}m`, alertname, exp_alerts: [] })),
  );
  const file = write('ask.yaml', {
    rule_files: ['rules.yaml'],
    ...order,
    tests: [{ ...group, alert_rule_test: tests }],
  });
  const cli = spawnSync(
    process.execPath,
    [program('cli'), 'alerts', 'test', file, '--lenient', '--format', 'json'],
    {
      maxBuffer: 1e8,
    },
  );
  const answer = JSON.parse(cli.stdout.toString()) as {
    files: {
      groups: {
        failures: { place: { line: number }; title: string; comparison: { got: string[] } }[];
      }[];
    }[];
  };
  const got = new Map(answer.files[0]!.groups[0]!.failures.map((f) => [f.title, f.comparison.got]));
  return tests.map((t) => ({
    ...t,
    exp_alerts: (
      got.get(`alertname: ${t.alertname}, time: ${Number.parseInt(t.eval_time, 10) * 60}s`) ?? []
    ).map(readBack),
  }));
}

/** Parses `Labels:{a="b"} Annotations:{c="d"}`. */
function readBack(text: string): Expectation['exp_alerts'][number] {
  const [, labels, annotations] = /^Labels:\{(.*)\} Annotations:\{(.*)\}$/s.exec(
    text,
  ) as unknown as [string, string, string];
  const map = (body: string): Record<string, string> =>
    Object.fromEntries(
      [...body.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/gs)].map((m) => [
        m[1]!,
        JSON.parse(`"${m[2]!}"`) as string,
      ]),
    );
  const { alertname: _, ...rest } = map(labels);
  return { exp_labels: rest, exp_annotations: map(annotations) };
}

describe('beside promtool', () => {
  testWith('promtool')(
    'of a series that is written twice, the last one counts; one may have no values',
    () => {
      write('twice-rules.yaml', {
        groups: [{ name: 'g', rules: [{ alert: 'A', expr: 'x > 300' }] }],
      });
      const file = write('twice.yaml', {
        rule_files: ['twice-rules.yaml'],
        tests: [
          {
            interval: '1m',
            input_series: [
              ...['200x9', '403x9'].map((values) => ({ series: 'x{a="b"}', values })),
              { series: 'x{a="none"}' },
            ],
            alert_rule_test: [
              { eval_time: '5m', alertname: 'A', exp_alerts: [{ exp_labels: { a: 'b' } }] },
            ],
          },
        ],
      });
      expect(promtool(file)).toBe(0);
      expect(run(file).files.map(fileText).join('')).toContain('SUCCESS');
    },
  );

  testWith('promtool')(
    'every template, for and keep_firing_for say the same',
    { timeout: 60_000 },
    () => {
      write('rules.yaml', rules);
      const names = rules.groups
        .flatMap((g) => g.rules.map((r) => ('alert' in r ? r.alert : '')))
        .filter((n) => n !== '');
      const timed = ourFirings(
        names.slice(templates.length),
        Array.from({ length: 24 }, (_, i) => i),
      );
      const expanded = ourFirings(names.slice(0, templates.length), [3]);
      const cases = [...timed, ...expanded];
      expect(cases.filter((c) => c.exp_alerts.length > 0).length).toBeGreaterThan(50);
      const file = write('same.yaml', {
        rule_files: ['rules.yaml'],
        ...order,
        tests: [{ ...group, alert_rule_test: cases }],
      });
      const said = spawnSync(findTool('promtool') as string, ['test', 'rules', file], {
        maxBuffer: 1e8,
      });
      expect(said.stderr.toString().split('\n').slice(0, 60).join('\n')).toBe('');
      expect(said.status).toBe(0);
    },
  );

  testWith('promtool')(
    'verdicts agree where expectations are changed at random',
    { timeout: 60_000 },
    () => {
      write('rules.yaml', rules);
      const random = seededRandom(7);
      const names = ['Held', 'Kept', 'Both', 'Slow', 'Gone', 'Count'];
      const truth = ourFirings(names, [0, 2, 4, 7, 9, 12, 16, 19]);
      for (let round = 0; round < 12; round++) {
        const cases = structuredClone(truth).filter(() => random.next() < 0.4);
        const broken = cases[random.below(cases.length)]!;
        const change = random.below(4);
        if (change === 1) broken.exp_alerts = [];
        if (change === 2) broken.exp_alerts.push({ exp_labels: { job: 'z' }, exp_annotations: {} });
        if (change === 3 && broken.exp_alerts[0]) broken.exp_alerts[0].exp_annotations = { v: '1' };
        const file = write('round.yaml', {
          rule_files: ['*les.yaml'],
          ...order,
          tests: [{ ...group, alert_rule_test: cases }],
        });
        const ours = runSuite([file], {
          run: undefined,
          strict: false,
          ignoreUnknownFields: false,
          closedRanges: false,
          features: [],
          clock: realClock,
        });
        expect([round, ours.files[0]!.passed ? 0 : 1]).toEqual([round, promtool(file)]);
      }
    },
  );

  testWith('promtool')('expressions, several intervals, and files that cannot be read', () => {
    write('rules.yaml', rules);
    const expr = (text: string, at: string, samples: [string, number][]) => ({
      expr: text,
      eval_time: at,
      exp_samples: samples.map(([labels, value]) => ({ labels, value })),
    });
    const good = {
      rule_files: ['rules.yaml', 'none-*.yaml'],
      evaluation_interval: '30s',
      group_eval_order: ['times', 'recorded'],
      tests: [
        {
          ...group,
          promql_expr_test: [
            expr('sum(flap)', '2m', [['{}', 2]]),
            expr('zone:load:sum > 1000000', '1m', [
              ['zone:load:sum{made="yes",zone="c"}', 1_001_048_577],
            ]),
            expr('count(load)', '4m', [['{}', 10]]),
            expr('scalar(vector(3)) * 2', '4m', [['{}', 6]]),
            expr('flap{job="b"}', '6m', []),
          ],
        },
      ],
    };
    const file = write('expr.yaml', good);
    expect(run(file).files.map(fileText).join('')).toContain('SUCCESS');
    expect(promtool(file)).toBe(0);
    good.tests[0]!.promql_expr_test[0]!.exp_samples[0]!.value = 3;
    const bad = write('expr-bad.yaml', good);
    expect(run(bad).files[0]!.passed).toBe(false);
    expect(promtool(bad)).toBe(1);
    for (const text of [
      'tests: [{foo: 1}]',
      'rule_files: [',
      'evaluation_interval: 5x',
      'group_eval_order: [a, a]',
      'tests: [{promql_expr_test: [{expr: 1, eval_time: 0, exp_samples: [{value: +Inf}]}]}]',
    ]) {
      const broken = write('broken.yaml', text);
      expect([text, run(broken).files[0]!.passed, promtool(broken)]).toEqual([text, false, 1]);
    }
  });
});

describe('the library beside promtool', () => {
  const tests = readdirSync(asset('alerts/library/tests'));
  testWith('promtool').each(tests)('%s has the same verdict', (name) => {
    const file = asset(`alerts/library/tests/${name}`);
    const version = spawnSync(findTool('promtool') as string, ['--version']).stdout.toString();
    const closedRanges = /version [12]\./.test(version);
    const options = { run: undefined, ignoreUnknownFields: false, features: [], clock: realClock };
    const ours = runSuite([file], { ...options, strict: true, closedRanges });
    expect(ours.files.map(fileText).join('')).toContain(
      promtool(file) === 0 ? 'SUCCESS' : 'FAILED',
    );
  });
});

test.each(['.inf', '+.Inf', '-.inf', '1e3', '.5'])('%s is a number of YAML', (value) => {
  const sign = value.startsWith('-') ? '-' : '';
  const expr = /inf/i.test(value) ? `${sign}Inf` : value;
  const test = `promql_expr_test: [{expr: ${expr}, eval_time: 0, exp_samples: [{value: ${value}}]}]`;
  const file = join(folder, 'number.yaml');
  writeFileSync(file, `tests: [{ ${test} }]\n`);
  expect(run(file).files.map(fileText).join('')).toContain('SUCCESS');
});

test('points in all their forms', () => {
  expect(parsePoints('1 _ stale 0+10x2 5-1x2 7x1 _x2 -Inf NaN 1e3')).toEqual(
    [1, undefined, 'stale', 0, 10, 20, 5, 4, 3, 7, 7, undefined, undefined].concat([
      -Infinity,
      NaN,
      1000,
    ]),
  );
  expect(() => parsePoints('1 2y')).toThrow("'2y' is not a point");
  expect(() => parsePoints('1+2')).toThrow('needs its count');
});

test('a test that cannot fail is an error, and --lenient lets it pass', () => {
  write('one.yaml', { groups: [{ name: 'g', rules: [{ alert: 'A', expr: 'errors_total > 0' }] }] });
  const quiet = (alertname: string, series: string) =>
    write('quiet.yaml', {
      rule_files: ['one.yaml'],
      tests: [
        {
          input_series: [{ series, values: '0 0' }],
          alert_rule_test: [{ eval_time: '1m', alertname }],
        },
      ],
    });
  const text = (): string => run(join(folder, 'quiet.yaml')).files.map(fileText).join('');
  quiet('A', 'errors_total');
  expect(text()).toContain('SUCCESS');
  quiet('A', 'error_total');
  expect(text()).toMatch(/quiet\.yaml:\d+:\d+: unnamed#0: alertname: A.*\n.*never found a series/);
  const file = quiet('B', 'errors_total');
  expect(text()).toContain('no rule is called B');
  const lenient = {
    run: undefined,
    strict: false,
    ignoreUnknownFields: false,
    closedRanges: false,
    features: [],
    clock: realClock,
  };
  expect(runSuite([file], lenient).files[0]!.passed).toBe(true);
});

test('the diff says what was expected and what fired; JUnit and coverage are written', () => {
  write('two.yaml', {
    groups: [
      {
        name: 'g',
        rules: [
          { record: 'a:b', expr: 'sum(x)' },
          { record: 'c:d', expr: 'sum(x)' },
          {
            alert: 'A',
            expr: 'a:b > 1',
            labels: { severity: 'page' },
            annotations: { s: 'is {{ $value }}' },
          },
          { alert: 'B', expr: 'x > 1' },
        ],
      },
    ],
  });
  const file = write('two-test.yaml', {
    rule_files: ['two.yaml'],
    tests: [
      {
        name: 'first',
        input_series: [{ series: 'x{a="1"}', values: '0 2' }],
        alert_rule_test: [
          { eval_time: '0m', alertname: 'A' },
          {
            eval_time: '1m',
            alertname: 'A',
            exp_alerts: [{ exp_labels: { severity: 'ticket' }, exp_annotations: { s: 'is 3' } }],
          },
        ],
      },
      { name: 'second', alert_rule_test: [] },
    ],
  });
  const junit = join(folder, 'junit.xml');
  const cli = spawnSync(
    process.execPath,
    `${program('cli')} alerts test ${file} --junit ${junit} --coverage --run first`.split(' '),
  );
  expect(cli.status).toBe(1);
  const said = cli.stdout.toString();
  for (const line of [
    '-   label severity="ticket"',
    '+   label severity="page"',
    '-   annotation s="is 3"',
    '+   annotation s="is 2"',
  ]) {
    expect(said).toContain(line);
  }
  expect(said).toMatch(/^! .*two\.yaml:\d+:\d+: c:d: not tested$/m);
  expect(said).toMatch(/^ {2}.*two\.yaml:\d+:\d+: a:b: read by a tested rule$/m);
  expect(said).toContain('coverage: 2 of 4 rules (50%)');
  const xml = readFileSync(junit, 'utf8');
  expect(xml).toContain('<testcase name="first"');
  expect(xml).not.toContain('second');
  expect(xml).toContain('failures="1"');
  expect(
    execFileSync(process.execPath, [program('cli'), 'alerts', 'test', '--help']).toString(),
  ).toContain('Examples');
});

test('native histograms are read, recorded and compared', () => {
  write('native.yaml', {
    groups: [
      {
        name: 'g',
        rules: [
          { record: 'h:sum', expr: 'sum(h)' },
          { alert: 'Slow', expr: 'histogram_quantile(0.5, h:sum) > 1' },
        ],
      },
    ],
  });
  const file = (histogram: string): string =>
    write('native-test.yaml', {
      rule_files: ['native.yaml'],
      tests: [
        {
          input_series: [
            {
              series: 'h{a="1"}',
              values: '{{count:2 sum:3 buckets:[0 2]}}+{{count:1 buckets:[0 1]}}x2',
            },
            { series: 'h{a="2"}', values: '{{count:1 sum:1 buckets:[1]}}x2' },
          ],
          alert_rule_test: [{ eval_time: '1m', alertname: 'Slow', exp_alerts: [{}] }],
          promql_expr_test: [
            {
              expr: 'h:sum',
              eval_time: '1m',
              exp_samples: [{ labels: 'h:sum', histogram }],
            },
          ],
        },
      ],
    });
  const good = run(file('{{count:4 sum:4 counter_reset_hint:not_reset buckets:[1 3]}}'));
  expect(good.files.map(fileText).join('')).toContain('SUCCESS');
  const bad = run(file('{{count:4 sum:4 counter_reset_hint:not_reset buckets:[1 2]}}'));
  expect(bad.files.map(fileText).join('')).toContain('+ h:sum {{count:4 sum:4');
});

test('what needs a feature of Prometheus is refused until the feature is enabled', () => {
  const rule = (expr: string) => ({
    groups: [{ name: 'g', rules: [{ alert: 'A', expr, labels: { severity: 'page' } }] }],
  });
  const tests = (expr: string) => ({
    rule_files: ['feature-rules.yaml'],
    tests: [
      {
        input_series: [{ series: 'x', values: '1x10' }],
        alert_rule_test: [
          { alertname: 'A', eval_time: '5m', exp_alerts: [{ exp_labels: { severity: 'page' } }] },
        ],
        promql_expr_test: [{ expr, eval_time: '5m', exp_samples: [{ labels: '{}', value: 1 }] }],
      },
    ],
  });
  const cli = (file: string, ...more: string[]) => {
    const run = spawnSync(process.execPath, [program('cli'), 'alerts', 'test', file, ...more]);
    return [run.status, run.stdout.toString()];
  };
  const experimental = 'count(limitk(1, x)) > 0';
  const feature = ['--enable-feature', 'promql-experimental-functions'];
  const wanted = 'limitk is not enabled; it takes --enable-feature promql-experimental-functions';
  for (const [ofRule, ofTest] of [
    [experimental, 'count(x)'],
    ['count(x) > 0', experimental],
  ] as const) {
    write('feature-rules.yaml', rule(ofRule));
    const file = write('feature.yaml', tests(ofTest));
    expect(cli(file)).toEqual([1, expect.stringContaining(wanted)]);
    expect(cli(file, ...feature)).toEqual([0, expect.stringContaining('SUCCESS')]);
  }
});

/** Each was held against promtool 3.16, in 3,000 random files. */
describe('as promtool, and not as one would think', () => {
  const verdict = (group: object, checks: object): string => {
    write('quirk-rules.yaml', { groups: [group, { name: 'late', rules: [late] }] });
    const file = write('quirk-test.yaml', {
      rule_files: ['quirk-rules.yaml'],
      group_eval_order: ['late', 'g'],
      tests: [
        { input_series: [{ series: 'm{job="a"}', values: 'NaN {{count:1 sum:2}}' }], ...checks },
      ],
    });
    return fileText(run(file).files[0]!);
  };
  const late = { record: 'two', expr: 'vector(1)' };
  const alert = (text: string): object => ({
    name: 'g',
    rules: [{ alert: 'A', expr: 'm', labels: { empty: '{{ $labels.x }}' }, annotations: { text } }],
  });
  const told = (eval_time: string, text: string): object => ({
    alert_rule_test: [
      {
        eval_time,
        alertname: 'A',
        exp_alerts: [{ exp_labels: { job: 'a' }, exp_annotations: { text } }],
      },
    ],
  });

  test.each([
    ['0m', '{{ gt $value 1.0 }} {{ ge $value 1.0 }} {{ le $value 1.0 }}', 'true true false'],
    ['1m', '{{ $value }} {{ query "m" | first | value }}', '{count:1, sum:2} {count:1, sum:2}'],
  ])('a template at %s: %s', (at, text, out) => {
    expect(verdict(alert(text), told(at, out))).toContain('SUCCESS');
    expect(verdict(alert(text), told(at, 'other'))).toContain('FAILED');
  });

  test('where a label comes out empty, the series ALERTS has its template', () => {
    const labels = (empty: string): string =>
      `ALERTS{alertname="A",alertstate="firing",${empty}job="a"}`;
    const expects = (empty: string): object => ({
      promql_expr_test: [{ expr: 'ALERTS', exp_samples: [{ labels: labels(empty), value: 1 }] }],
    });
    expect(verdict(alert(''), expects('empty="{{ $labels.x }}",'))).toContain('SUCCESS');
    expect(verdict(alert(''), expects(''))).toContain('FAILED');
  });

  test('a sample older than the last one of its series is a mistake', () => {
    const offset = (expr: string): object => ({
      name: 'g',
      query_offset: '30s',
      rules: [{ record: 'two', expr }],
    });
    const at = { promql_expr_test: [{ expr: 'two', eval_time: '1m', exp_samples: two }] };
    expect(verdict(offset('vector(2)'), at)).toContain('out of order sample');
    expect(verdict(offset('vector(2) > 3'), at)).toContain('SUCCESS');
  });
  const two = [{ labels: 'two', value: 1 }];
});

test('silence before the metrics begin is proof where the alert fires in another case', () => {
  write('late-rules.yaml', {
    groups: [{ name: 'g', rules: [{ alert: 'Late', expr: 'late > 1' }] }],
  });
  const quiet = { alertname: 'Late', eval_time: '1m', exp_alerts: [] };
  const fires = { alertname: 'Late', eval_time: '5m', exp_alerts: [{}] };
  const file = (cases: object[]) =>
    write('late.yaml', {
      rule_files: ['late-rules.yaml'],
      tests: [{ input_series: [{ series: 'late', values: '_x3 2x5' }], alert_rule_test: cases }],
    });
  expect(run(file([quiet, fires])).files[0]).toMatchObject({ passed: true });
  expect(run(file([fires, quiet])).files[0]).toMatchObject({ passed: true });
  expect(
    run(file([quiet]))
      .files.map(fileText)
      .join(''),
  ).toContain('silence proves nothing');
});
