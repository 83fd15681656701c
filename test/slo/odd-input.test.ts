/** Valid input in odd forms: Prometheus takes the rules that are made of it, and they count right. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { parse, parseAllDocuments, stringify } from 'yaml';
import { formatProblem } from '../../base/errors.js';
import { findTool } from '../../base/tools.js';
import { compileSlos, readSloText } from '../../slo/index.js';
import { evaluateInstant, MemoryStore, parse as parsePromql } from '../../slo/promql/index.js';
import { generate } from '../../slo/rules/generate.js';
import { outputFiles } from '../../slo/rules/outputs.js';
import { explain } from '../../slo/rules/explain.js';
import { ruleFileText } from '../../slo/rules/write.js';
import { exportSlos } from '../../slo/spec/export.js';
import { leftOut } from '../../slo/spec/left-out.js';
import { rolloutObjects } from '../../slo/spec/rollouts.js';
import { testWith } from '../tools.js';

const folder = mkdtempSync(join(tmpdir(), 'firedrill-odd-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const own = (sli: string, more = '', head = ''): string =>
  `apiVersion: firedrill.dev/v1\nservice: cart\n${head}slos:\n` +
  `  - name: a\n    objective: 99\n    sli: ${sli}\n${more}`;
const rulesOf = (text: string): string => ruleFileText(compileSlos(readSloText('in.yaml', text)));
const promtool = (...args: string[]) =>
  spawnSync(findTool('promtool') as string, args, { encoding: 'utf8', cwd: folder });

const windowed = (metric: string): string => `sum(rate(${metric}[{{.window}}]))`;
const objectLabels = '{ 1st: x, __name__: y, severity: z, a.b: [c, d] }';

/** Name, and the text of the file. */
const odd: [string, string][] = [
  ['a comment at the end', own(`{ events: { bad: 'e{job="a"} # it', total: 't # all' } }`)],
  ['a comment at the beginning', own('{ events: { bad: "# it\\ne", total: "#\\nt" } }')],
  [
    'comments between terms',
    own(`{ events: { bad: e, total: "${windowed('a')} # a\\n+ ${windowed('b')} # b" } }`),
  ],
  ['a comment in a threshold', own('{ threshold: { value: "x # it", bad: "> 1e3" } }')],
  ['a comment in a ratio', own(`{ ratio: { error: "${windowed('a')} # it" } }`)],
  ['a comment in a probe', own('{ probe: "up # it" }')],
  ['a comment in a histogram', own('{ latency: { histogram: "h # it", threshold: 1s } }')],
  ['a number sign that is no comment', own(`{ events: { bad: 'e{path="#/a"}', total: t } }`)],
  [
    'an indented first line',
    own('{ events: { bad: e, total: "\\n    rate(t[{{.window}}] offset 1m)\\n  + u" } }'),
  ],
  [
    'characters that YAML refuses',
    own(
      '{ events: { bad: "e{a=\\"\\x7f\\u2028\\"}", total: t } }',
      '    labels: { x: "a\\x7fb\\x81c\\u2028d\\ufeff" }\n',
    ),
  ],
  [
    'an SLO called as the groups of another',
    own(
      'M1',
      ['a-long', 'a-slices'].map((n) => `  - { name: ${n}, objective: 99, sli: M1 }\n`).join(''),
    ),
  ],
  ['a severity of both alerts', own('M1', '    alerting: { labels: { severity: critical } }\n')],
  [
    "labels of OpenSLO that are none of Prometheus's",
    `apiVersion: openslo/v1
kind: SLO
metadata: { name: x, labels: ${objectLabels} }
spec:
  service: web
  budgetingMethod: Occurrences
  objectives: [{ target: 0.99 }]
  indicator:
    spec:
      ratioMetric:
        bad: { metricSource: { spec: { query: bad_total } } }
        total: { metricSource: { spec: { query: all_total } } }
`,
  ],
];

testWith('promtool')('Prometheus takes the rules of every odd form', () => {
  const files = odd.map(([, text], i) => {
    writeFileSync(join(folder, `${i}.yaml`), rulesOf(text));
    return `${i}.yaml`;
  });
  const { stdout, stderr, status } = promtool('check', 'rules', ...files);
  expect([status, stderr]).toEqual([0, '']);
  expect(stdout.match(/SUCCESS/g)).toHaveLength(odd.length);
});

/** A query that can only be sampled. */
const sampled = (by: string, matchers: string): string =>
  `sum(clamp_min(${by}(x${matchers}[{{.window}}]), 0))`;

/** Name, SLI, series, and the error ratio over five minutes. */
type Counted = [string, string, Record<string, string>, number];
const counted: Counted[] = [
  [
    "a bound of a million in Go's spelling",
    '{ latency: { histogram: h_ms, threshold: 1000s } }',
    { 'h_ms_count{job="a"}': '0+10x100', 'h_ms_bucket{job="a",le="1e+06"}': '0+8x100' },
    0.2,
  ],
  [
    'metrics by a regular expression',
    `{ events: { bad: '{__name__=~"a_bad|b_bad"}', total: '{__name__=~"a|b"}' } }`,
    { 'a{job="a"}': '0+90x100', 'b{job="a"}': '0+10x100', 'b_bad{job="a"}': '0+10x100' },
    0.1,
  ],
  [
    'sampled queries of several series',
    `{ events: { bad: 'rate(x{code="5"}[{{.window}}] offset 1m)', total: 'rate(x[{{.window}}] offset 1m)' } }`,
    { 'x{code="2"}': '0+90x100', 'x{code="5"}': '0+10x100' },
    0.1,
  ],
  ...[
    ['total', `{ bad: 'x{code="5"}', total: '${windowed('x')} + ${sampled('rate', '')}' }`, 0.05],
    ['total of a counter', `{ bad: 'x{code="5"}', total: '${sampled('increase', '')}' }`, 0.1],
    ['bad', `{ bad: '${sampled('increase', '{code="5"}')}', total: x }`, 0.1],
    [
      'increase',
      `{ bad: '${sampled('increase', '{code="5"}')}', total: '${sampled('rate', '')}' }`,
      0.1,
    ],
    [
      'good',
      `{ good: '${sampled('rate', '{code="2"}')}', total: 'sum(rate(x[{{.window}}]))' }`,
      0.1,
    ],
  ].map(([of, events, value]): Counted => [
    `${of} sampled beside a sum of counters`,
    `{ events: ${events} }`,
    { 'x{code="2",job="a"}': '0+90x100', 'x{code="5",job="a"}': '0+10x100' },
    Number(value),
  ]),
  [
    'a ratio of several series',
    "{ ratio: { error: '1 - avg_over_time(p[{{.window}}])' } }",
    { 'p{a="x"}': '0x400', 'p{a="y"}': '1x400' },
    0.5,
  ],
  [
    'a weighted ratio by a label',
    `{ ratio: { error: 'sum by (a) (rate(e[{{.window}}])) / sum by (a) (rate(t[{{.window}}]))', ` +
      "weight: 'sum by (a) (rate(t[{{.window}}]))' } }",
    { 't{a="x"}': '0+1x400', 'e{a="x"}': '0+1x400', 't{a="y"}': '0+9x400', 'e{a="y"}': '0x400' },
    0.1,
  ],
];

testWith('promtool')('odd forms count right', () => {
  for (const [name, sli, series, value] of counted) {
    writeFileSync(join(folder, 'rules.yaml'), rulesOf(own(sli)));
    const metric = 'slo:sli_error:ratio_rate5m';
    const labels = '{slo="cart-a",service="cart"}';
    const samples = [{ labels, value }];
    const cases = {
      rule_files: ['rules.yaml'],
      evaluation_interval: '30s',
      tests: [
        {
          interval: '30s',
          input_series: Object.entries(series).map(([of, values]) => ({ series: of, values })),
          promql_expr_test: [
            { expr: `round(${metric}, 0.001)`, eval_time: '40m', exp_samples: samples },
          ],
        },
      ],
    };
    writeFileSync(join(folder, 'test.yaml'), stringify(cases));
    const run = promtool('test', 'rules', 'test.yaml');
    expect([name, run.status, run.stderr]).toEqual([name, 0, '']);
  }
});

/** Labels as written, and as sigs.k8s.io/yaml 1.6, Sloth's reader, hands them on. */
const slothLabels = {
  'a: yes': 'true',
  'b: 1.10': '1.1',
  'c: 0755': '493',
  'd: 1e3': '1000',
  'e: 2024-01-01': '2024-01-01',
  'f: 1000000.0': '1e+06',
  'g: Off': 'false',
  'h: "on"': 'on',
  'i: .00005': '5e-05',
  'j: 12345678901234567890': '12345678901234567890',
};

test("Sloth's files are read as YAML 1.1", () => {
  const slo = (disable: string): string =>
    `version: prometheus/v1
service: cart
labels: { ${Object.keys(slothLabels).join(', ')} }
slos:
  - name: on
    description: Yes
    objective: 99
    sli: { raw: { error_ratio_query: 'avg_over_time(x[{{.window}}])' } }
    alerting: { name: A, page_alert: { disable: ${disable} } }
`;
  const [read] = readSloText('in.yaml', slo('yes'));
  expect(Object.values(read?.labels ?? {})).toEqual(Object.values(slothLabels));
  expect([read?.name, read?.description, read?.alerting.page]).toEqual(['on', 'Yes', false]);
  expect(readSloText('in.yaml', slo('n'))[0]?.alerting.page).not.toBe(false);
  expect(() => readSloText('in.yaml', slo('"yes"'))).toThrow(/disable: expected true or false/);
});

const pyrra = (more: string, window = '2w'): string =>
  `apiVersion: pyrra.dev/v1alpha1
kind: ServiceLevelObjective
metadata: { name: a, namespace: m }
spec:
  target: "99"
  window: ${window}
  indicator: { ratio: { errors: { metric: e }, total: { metric: t }, grouping: [service] } }
${more}`;

test("Pyrra's own settings are read, or refused by name beside other files", () => {
  const [slo] = readSloText('in.yaml', pyrra('  performanceOverAccuracy: true\n'));
  // Groups by service have the service of each group, and not the SLO's own one.
  const steps = compileSlos([slo!])
    .flatMap((g) => g.rules)
    .filter((rule) => rule.kind === 'record' && rule.record.endsWith('increase30s'));
  expect(steps.map((rule) => rule.labels)).toEqual([{ slo: 'm-a' }, { slo: 'm-a' }]);
  for (const [more, window, message] of [
    ['  alerting: { severities: { absent: x } }\n', '2w', "8:15: Pyrra's alerting.severities"],
    ['  ruleOutput: {}\n', '2w', "8:3: Pyrra's ruleOutput"],
    ['', '1h', "6:11: a window of '1h'"],
  ] as const) {
    const refused: string[] = [];
    const both = `${pyrra(more, window)}---\n${pyrra('').replace('name: a', 'name: b')}`;
    const read = readSloText('in.yaml', both, {
      refused: (all) => refused.push(...all.map(formatProblem)),
    });
    expect([read.map((s) => s.id), refused]).toEqual([
      ['m-b'],
      [expect.stringContaining(`in.yaml:${message}`)],
    ]);
  }
});

test('each Kubernetes object has a name of its own, which Kubernetes takes', () => {
  const names = ['cart', 'Cart', 'cart_', 'a..b', 'slo-cart', 'kustomization'];
  const parts = names.map((name) => ({ name, groups: [] }));
  const files = outputFiles(parts, 'kustomize', 'x');
  expect(files.size).toBe(names.length + 1);
  expect(parse(files.get('kustomization.yaml') as string).resources).toHaveLength(names.length);
  const found = [...files.values()].flatMap((text) => /^ {2}name: (.*)$/m.exec(text)?.[1] ?? []);
  expect(new Set(found).size).toBe(names.length);
  for (const name of found) {
    expect(name).toMatch(/^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/);
  }
  const slos = readSloText('in.yaml', own('{ events: { bad: e, total: t } }'));
  const twice = ['cart.a', 'cart_a'].map((id) => ({ ...slos[0]!, id }));
  const rollouts = rolloutObjects(twice, 'flagger', 'http://x');
  expect(new Set(rollouts.match(/^ {2}name: .*$/gm)).size).toBe(2);
});

const generated = (text: string, more: Partial<Parameters<typeof generate>[0]>) => {
  const input = join(folder, 'in.yaml');
  writeFileSync(input, text);
  const plain = { inputs: [input], format: 'rules', compile: {}, namespace: 'x' } as const;
  return () => generate({ ...plain, out: join(folder, 'out.yaml'), ...more });
};

test('a Kustomize folder is not written into one file', () => {
  expect(generated(own('M1'), { format: 'kustomize' })).toThrow(/out\.yaml; expected a folder/);
});

test('labels of every rule leave the raw series apart, and are no label of groups', () => {
  const text = own('M1', '    groupBy: { labels: [dst] }\n');
  expect(generated(text, { labels: { dst: 'x' } })).toThrow(
    /cart-a is grouped by dst, which is set/,
  );
  generated(text, { labels: { cluster: 'eu' } })();
  const { groups } = parse(readFileSync(join(folder, 'out.yaml'), 'utf8')) as {
    groups: { rules: Record<string, never>[] }[];
  };
  const [last, step] = groups[0]!.rules;
  expect([last?.labels, step?.labels]).toEqual([
    { slo: 'cart-a' },
    { cluster: 'eu', service: 'cart', slo: 'cart-a' },
  ]);
});

test('an export keeps what good events are, the severity, and the unit of a histogram', () => {
  const good = `${windowed('x')} - ${windowed('y')}`;
  const [slo] = readSloText('in.yaml', own(`{ events: { good: "${good}", total: t } }`));
  expect(exportSlos([slo!], 'sloth')).toContain(`sum(rate(t[{{.window}}])) - ((${good}) or 0 * (`);
  const latency = readSloText(
    'in.yaml',
    own(
      '{ latency: { histogram: h, unit: ms, threshold: 300ms } }',
      '    alerting: { labels: { severity: critical } }\n',
    ),
  );
  expect(explain(latency[0]!).measures).toContain('longer than 300 ms in h');
  const again = readSloText('again.yaml', exportSlos(latency, 'firedrill'));
  expect(again[0]?.sli).toEqual(latency[0]?.sli);
  expect(again[0]?.alerting.labels).toEqual({ severity: 'critical' });
});

test('the short window of a long one is a twelfth, in whole minutes', () => {
  const windows =
    '{ severity: page, factor: 2, long: 30m }, { severity: page, factor: 2, long: 7d }';
  const [slo] = readSloText('in.yaml', own('M1', `    alerting: { windows: [${windows}] }\n`));
  expect(slo?.alerting.windows?.map((w) => w.shortMs / 60_000)).toEqual([3, 840]);
});

test('an export to OpenSLO holds the alerts, and names what it leaves out', () => {
  const alerting = `    alerting:
      windows:
        - { severity: page, factor: 10, long: 1h30m }
        - { severity: ticket, factor: 1, long: 3d }
      page: { for: 2m, keepFiringFor: 5m }
      annotations: { a: b }
      falsePagesPerYear: 1
`;
  const [slo] = readSloText('in.yaml', own('{ events: { bad: x, total: t } }', alerting));
  const text = exportSlos([slo!], 'openslo');
  const policies = (parseAllDocuments(text)[1]!.toJS() as OpenSlo).spec.alertPolicies;
  // OpenSLO's own library takes one condition a policy, durations of one unit, and at least one target.
  expect(policies.map(({ spec }) => spec.conditions.map((c) => c.spec.condition))).toEqual([
    [{ kind: 'burnrate', op: 'gt', threshold: 10, lookbackWindow: '90m', alertAfter: '2m' }],
    [{ kind: 'burnrate', op: 'gt', threshold: 1, lookbackWindow: '3d' }],
  ]);
  expect(policies.every(({ spec }) => spec.notificationTargets.length === 1)).toBe(true);
  const [back] = readSloText('back.yaml', text);
  expect(back?.alerting.windows).toEqual(slo?.alerting.windows);
  expect([back?.alerting.page, back?.alerting.ticket]).toMatchObject([
    { forMs: 120_000 },
    { forMs: 0 },
  ]);
  expect(leftOut([slo!], 'openslo')).toEqual([
    'cart-a: OpenSLO has no annotations, keepFiringFor, falsePagesPerYear',
  ]);
  expect(leftOut([slo!], 'sloth')).toEqual([
    'cart-a: Sloth has no alerting.windows, for, keepFiringFor, falsePagesPerYear, noData',
  ]);
});

interface OpenSlo {
  spec: {
    alertPolicies: {
      spec: {
        conditions: { spec: { condition: unknown } }[];
        notificationTargets: unknown[];
      };
    }[];
  };
}

test.each([
  ['sum(rate(t[{{.window}}]) > 0)', 'sum(rate(b[{{.window}}]))', 30, 60],
  ['sum(increase(t[{{.window}}]) > 0)', 'b', 30, 60],
  ['sum(count_over_time(p[{{.window}}]))', 'sum(sum_over_time(p[{{.window}}]))', 2, 2],
  // Of these, only the ratio is known.
  ['sum(rate(t[{{.window}}]))', 'sum(avg_over_time(p[{{.window}}]))', 1, 2],
])('a step of sampled queries holds the events of a step: %s', (total, bad, ofBad, ofTotal) => {
  const store = new MemoryStore();
  const series = (name: string) => store.series({ __name__: name, slo: 'cart-a', service: 'cart' });
  const [t, b, p] = [series('t'), series('b'), series('p')];
  // Two events a second, half of them bad; a probe every 15 s.
  for (let s = 0; s <= 600; s += 15) {
    t.append(s * 1000, 2 * s);
    b.append(s * 1000, s);
    p.append(s * 1000, 1);
  }
  const [slo] = readSloText('in.yaml', own(`{ events: { bad: '${bad}', total: '${total}' } }`));
  const [first, second] = compileSlos([slo!])[0]!.rules.filter(
    (r) => r.kind === 'record' && r.record.endsWith('increase30s'),
  );
  const value = (expr: string): number => {
    const found = evaluateInstant(parsePromql(expr), store, 599_000).value;
    return found.type === 'vector' ? (found.samples[0]?.value as number) : NaN;
  };
  expect([value(second!.expr), value(first!.expr)].map((n) => Math.round(n * 1000) / 1000)).toEqual(
    [ofBad, ofTotal],
  );
  const notes = explain(slo!).warnings.join();
  expect(notes.includes('only its ratio is known')).toBe(total.includes('(rate(t[{{.window}}]))'));
});

test('a query by a label in a format of other tools gives a group for each value, as there', () => {
  const rate = (metric: string): string => `sum by (route) (rate(${metric}[{{.window}}]))`;
  const sloth = (sli: string): string =>
    `version: prometheus/v1\nservice: cart\nslos: [{ name: a, objective: 99, sli: ${sli}, alerting: {} }]\n`;
  const groups = (sli: string): string[] | undefined =>
    readSloText('in.yaml', sloth(sli))[0]?.groupBy;
  const events = (error: string, total: string): string =>
    `{ events: { error_query: '${error}', total_query: '${total}' } }`;
  expect(groups(events(rate('e'), rate('t')))).toEqual(['route']);
  expect(groups(events(`${rate('e')} or 0 * ${rate('t')}`, `(${rate('t')} > 0) * 2`))).toEqual([
    'route',
  ]);
  expect(groups(events(windowed('e'), `${windowed('t')} or vector(0)`))).toEqual([]);
  expect(groups(`{ raw: { error_ratio_query: '${rate('e')} / ${rate('t')}' } }`)).toEqual([
    'route',
  ]);
  const [slo] = readSloText(
    'in.yaml',
    own(`{ events: { bad: '${rate('e')}', total: '${rate('t')}' } }`),
  );
  expect(slo?.groupBy).toEqual([]);
  expect(explain(slo!).warnings).toContain(
    'its queries are by route, and groupBy is not: the groups count together',
  );
});
