/** Lint finds each mistake at its place with its fix, reports nothing on correct rules, and repairs safely. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { libraryGroups } from '../../alerts/library/library.js';
import { libraryFiles } from '../../alerts/library/write.js';
import { MetricCatalogue } from '../../alerts/lint/catalogue.js';
import { applyEdits } from '../../alerts/lint/fix.js';
import { lint, type LintSettings } from '../../alerts/lint/lint.js';
import { addMetricList, addMetricText } from '../../alerts/lint/metric-lists.js';
import { type Finding, lintRules } from '../../alerts/lint/model.js';
import { lintJson, lintSarif } from '../../alerts/lint/output.js';
import { readLintText } from '../../alerts/lint/source.js';
import { asset, program } from '../../base/paths.js';
import { requireTool } from '../../base/tools.js';
import { compileSlos, readSlos, ruleFileText } from '../../slo/index.js';
import { testWith } from '../tools.js';

const folder = mkdtempSync(join(tmpdir(), 'firedrill-lint-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A complete catalogue of a small shop, with which every other metric is unknown. */
function shop(): MetricCatalogue {
  const catalogue = new MetricCatalogue();
  addMetricText(
    catalogue,
    `| metric | type | labels |
| --- | --- | --- |
| http_requests_total | counter | method, code, handler |
| http_request_duration_seconds | histogram | method, handler |
| orders_total | counter | - |
| queue_size | gauge | queue, path |
| cert_expiry_timestamp_seconds | gauge | - |`,
  );
  catalogue.complete = true;
  return catalogue;
}

/** A complete alert around an expression, so that only the expression can be wrong. */
const alertOf = (expr: string, more = ''): string => `groups:
  - name: g
    rules:
      - alert: Shop
        expr: ${expr}
        for: 5m
        labels: { severity: page, owner: team-shop }
        annotations:
          summary: 'something is {{ $value }}'
          runbook_url: 'https://runbooks.example/Shop'
${more}`;

const findingsOf = (text: string, settings: LintSettings = {}): Finding[] =>
  lint([readLintText('rules.yaml', text)], { catalogue: shop(), ...settings });

const say = (f: Finding): string =>
  `${f.place.line}:${f.place.column} ${f.rule}: ${f.message} -> ${f.fix}`;

/** Expression, column of the mistake in the expression (from 1), rule of lint, and pattern of message and fix. */
const wrong: [string, number, keyof typeof lintRules, RegExp][] = [
  ['rate(http_request_total[5m]) > 1', 6, 'promql/unknown-metric', /mean http_requests_total/],
  ['sum(http_requests_totl) > 1', 5, 'promql/unknown-metric', /mean http_requests_total/],
  ['rate(http_requests_total{cod="500"}[5m]) > 1', 26, 'promql/unknown-label', /mean code/],
  [
    'sum by (handlr) (rate(http_requests_total[5m])) > 1',
    9,
    'promql/unknown-label',
    /mean handler/,
  ],
  ['job:errors:rate5m > 1', 1, 'promql/unrecorded', /recorded by no rule/],
  ['rate(queue_size[5m]) > 1', 1, 'promql/rate-of-gauge', /deriv/],
  ['increase(queue_size[5m]) > 1', 1, 'promql/rate-of-gauge', /delta/],
  ['delta(orders_total[5m]) > 1', 1, 'promql/delta-of-counter', /restarts/],
  [
    'rate(sum(orders_total)[5m:]) > 1',
    1,
    'promql/rate-of-sum',
    /sum\(rate\(orders_total\[5m\]\)\)/,
  ],
  [
    'rate(sum by (code) (http_requests_total)[5m:1m]) > 1',
    1,
    'promql/rate-of-sum',
    /sum by \(code\) \(rate\(http_requests_total\[5m\]\)\)/,
  ],
  ['orders_total > 100', 1, 'promql/raw-counter', /rate\(orders_total/],
  ['sum(http_requests_total) by (code) > 100', 5, 'promql/raw-counter', /counter/],
  [
    'histogram_quantile(0.9, sum(rate(http_request_duration_seconds_bucket[5m]))) > 1',
    25,
    'promql/no-le',
    /add le/,
  ],
  ['up > 1', 1, 'promql/never-true', /between 0 and 1/],
  ['count(up == 0) == 0', 1, 'promql/never-true', /absent/],
  ['rate(orders_total[5m]) < 0', 1, 'promql/never-true', /at least 0/],
  ['absent(up) > 1', 1, 'promql/never-true', /always 1/],
  ['queue_size > 5 and queue_size < 3', 20, 'promql/never-true', /write or/],
  ['clamp_max(queue_size, 10) > 20', 1, 'promql/never-true', /at most 10/],
  ['(queue_size < 3) > 5', 1, 'promql/never-true', /at most 3/],
  ['hour() > 24', 1, 'promql/never-true', /between 0 and 23/],
  ['rate(orders_total[5m]) >= 0', 1, 'promql/always-true', /at least 0/],
  ['rate(orders_total[30s]) > 1', 19, 'promql/short-window', /at least 1m/],
  ['sum by (user_id) (queue_size) > 1', 9, 'promql/unbounded-label', /topk/],
  ['queue_size{queue=~"mail"} > 1', 12, 'promql/needless-regex', /queue="mail"/],
  [
    'histogram_quantile(0.5, sum by (le) (rate(http_request_duration_seconds_bucket[5m]))) > 1',
    1,
    'alert/median-latency',
    /p95/,
  ],
  [
    'rate(http_request_duration_seconds_sum[5m]) / rate(http_request_duration_seconds_count[5m]) > 1',
    1,
    'alert/mean-latency',
    /histogram_quantile/,
  ],
  ['rat(orders_total[5m]) > 1', 1, 'promql/syntax', /mean rate/],
  ['rate(orders_total) > 1', 6, 'promql/syntax', /range vector/],
  ['sum(queue_size', 4, 'promql/syntax', /./],
];

describe('A4: mistakes in expressions', () => {
  test.each(wrong)('%s', (expr, column, rule, words) => {
    // Quoted, because a brace or a hash would have a meaning in YAML.
    const text = alertOf(`'${expr}'`);
    const found = findingsOf(text).filter((f) => f.rule === rule);
    expect(found.map(say).join('\n')).toMatch(words);
    const [finding] = found;
    expect([finding?.place.line, finding?.place.column]).toEqual([5, 15 + column]);
  });

  const right = [
    'rate(http_requests_total{code=~"5..",job="shop"}[1m]) > 1',
    'sum by (handler, instance) (rate(http_requests_total[5m])) > 1',
    'topk(5, sum by (path) (queue_size)) > 1',
    'deriv(queue_size[10m]) > 1',
    'orders_total unless orders_total offset 5m > 0',
    'histogram_quantile(0.99, sum by (le, handler) (rate(http_request_duration_seconds_bucket[5m]))) > 1',
    'cert_expiry_timestamp_seconds - time() < 3600',
    'absent(up{job="shop"})',
    'queue_size > 3 and queue_size < 5',
    'count(up == 0) > 2',
    'orders_total > 0 and rate(orders_total[5m]) == 0',
    'histogram_quantile(0.01, sum by (le) (rate(http_request_duration_seconds_bucket[5m]))) < 60',
    'ALERTS{alertname="Other"} == 1',
    'scrape_samples_scraped > 1e6',
    'queue_size > 5 and on (instance) queue_size < 3',
    'round(clamp_max(queue_size, 2), 5) > 4',
    'vector(scalar(rate(orders_total[5m]))) >= 0',
    'queue_size > histogram_quantile(0.5, sum by (le) (rate(http_request_duration_seconds_bucket[1d])))',
    '(86400 * 7) < cert_expiry_timestamp_seconds - time() < (86400 * 90)',
    'sum by (path) (queue_size{path=~"/a|/b.*"}) > 5',
    'sum by (path) (queue_size) / sum by (path) (queue_size{path="/a"}) > 5',
    '(1 + 2 < queue_size) > 10',
    '(5 != queue_size) > 10',
    'quantile_over_time((0.5), queue_size[10m]) > 1',
    'quantile by (queue) (1.5, up) > 3',
    'histogram_quantile(0.9, sum by (handler) (rate(http_request_duration_seconds{job="a_bucket"}[5m]))) > 1',
  ];
  test.each(right)('right: %s', (expr) => {
    expect(findingsOf(alertOf(`'${expr}'`)).map(say)).toEqual([]);
  });

  test('places inside a block of several lines, and after a key', () => {
    const text = alertOf(`|-
          sum by (handler) (
            rate(http_requests_totl[5m])
          ) > 1`);
    const [finding] = findingsOf(text);
    expect(say(finding!)).toMatch(/^7:18 promql\/unknown-metric/);
  });

  test('without a list of metrics only a slip in a name of the mesh is a mistake', () => {
    const catalogue = new MetricCatalogue();
    addMetricList(catalogue, 'mesh');
    const found = (expr: string) => findingsOf(alertOf(expr), { catalogue }).map((f) => f.rule);
    expect(found('tls_handshake_faliures_total > 1')).toContain('promql/unknown-metric');
    expect(found('something_of_ours > 1')).toEqual([]);
    expect(found('rate(requests_total[5m]) > 1')).toEqual([]);
  });

  test.each([
    '{"status":"success","data":["orders_total","build_info","wait_seconds_bucket"]}',
    '{"data":{"orders":[{"type":"counter"}],"build":[{"type":"info"}],"wait_seconds":[{"type":"histogram"}]}}',
  ])("names as Prometheus's API lists them: %s", (answer) => {
    const catalogue = new MetricCatalogue();
    expect(addMetricText(catalogue, answer)).toBe(3);
    catalogue.complete = true;
    const found = (expr: string) => findingsOf(alertOf(expr), { catalogue }).map((f) => f.rule);
    expect(found('rate(orders_total[5m]) > 1')).toEqual([]);
    expect(found('rate(wait_seconds_bucket[5m]) * on (job) group_left () build_info > 1')).toEqual(
      [],
    );
    expect(found('rate(build_total[5m]) > 1')).toEqual(['promql/unknown-metric']);
  });

  test.each([
    'node_memory_MemFree_bytes < 9 or node_memory_MemFree < 9',
    'sum(argocd_repo_pending_request_total) > 50',
    'rate(:tensorflow:serving:request_count[5m]) > 5',
    'vllm:num_requests_waiting > 5',
  ])('a name that other rules take for a mistake: %s', (expr) => {
    const catalogue = new MetricCatalogue();
    expect(findingsOf(alertOf(`'${expr}'`), { catalogue }).map(say)).toEqual([]);
  });

  test('a metric with a colon is looked for in all files', () => {
    const recording = readLintText(
      'a.yaml',
      'groups: [{name: a, rules: [{record: "job:up:avg", expr: avg(up)}]}]',
    );
    const alert = readLintText('b.yaml', alertOf('job:up:avg < 0.5'));
    const rules = (...files: Parameters<typeof lint>[0][number][]) =>
      lint(files, { catalogue: shop() }).map((f) => f.rule);
    expect(rules(alert, recording)).toEqual([]);
    expect(rules(alert)).toEqual(['promql/unrecorded']);
  });

  test('a rate of a recorded sum of counters is a sum before the rate, too', () => {
    const text = alertOf(
      'rate(shop:orders:sum[5m]) > 1',
      '      - { record: "shop:orders:sum", expr: sum(orders_total) }\n',
    );
    expect(findingsOf(text).map(say)).toEqual([
      expect.stringMatching(/^5:15 promql\/rate-of-sum: .*shop:orders:sum.*record sum\(rate/),
    ]);
  });
});

const bare = (fields: string): string =>
  `groups:\n  - name: g\n    rules:\n      - alert: Shop\n        expr: queue_size > 5\n${fields
    .split('\n')
    .map((l) => `        ${l}\n`)
    .join('')}`;

describe('A4: what an alert carries', () => {
  test('missing for, severity, owner, runbook and summary are one finding each, at the alert', () => {
    const found = findingsOf(
      'groups:\n  - name: g\n    rules:\n      - alert: Shop\n        expr: queue_size > 5\n',
    );
    expect(found.map((f) => f.rule).sort()).toEqual([
      'alert/missing-for',
      'alert/missing-owner',
      'alert/missing-runbook',
      'alert/missing-severity',
      'alert/missing-summary',
    ]);
    expect(new Set(found.map((f) => `${f.place.line}:${f.place.column}`))).toEqual(
      new Set(['4:9']),
    );
  });

  test('an alert over a window, or on time that has passed, needs no wait', () => {
    const noWait = (expr: string) =>
      findingsOf(alertOf(expr).replace('        for: 5m\n', '')).map((f) => f.rule);
    expect(noWait('rate(orders_total[5m]) > 3')).toEqual([]);
    expect(noWait('time() - cert_expiry_timestamp_seconds > 0')).toEqual([]);
    expect(noWait('queue_size > 5')).toEqual(['alert/missing-for']);
    expect(noWait('queue_size > 5 and rate(orders_total[5m]) > 3')).toEqual([]);
  });

  test.each([
    ["summary: 'p {{ $lables.queue }}'", '10:26', 'alert/template', /mean \$labels/],
    ["summary: 'p {{ $value | humanise }}'", '10:35', 'alert/template', /mean humanize/],
    ["summary: 'p {{ if $value }} open'", '10:', 'alert/template', /./],
    ["summary: 'p {{ $labels.pod }}'", '10:26', 'alert/template-label', /add pod to the by/],
    ["summary: 'p {{ $labels.queu }}'", '10:26', 'alert/template-label', /mean queue/],
  ])('%s', (annotation, place, rule, words) => {
    const text = alertOf("'sum by (queue) (queue_size) > 5'")
      .replace(/summary: .*/, () => annotation)
      .replace('          summary', '          a: b\n          summary');
    const found = findingsOf(text).filter((f) => f.rule === rule);
    expect(found.map(say).join()).toMatch(words);
    expect(say(found[0]!)).toMatch(new RegExp(`^${place}`));
  });

  test.each([
    '{{ range query "up" }}{{ .Labels.pod }} {{ .Value }}{{ end }}',
    '{{ with query "up" }}{{ with first . }}{{ .Labels.pod }}{{ end }}{{ end }}',
    '{{ range $i, $s := query "up" }}{{ $s.Labels.pod }}{{ end }}',
    '{{/* $labels.pod */}}{{ "$labels.pod .Labels.pod" }}',
    '{{ define "x" }}{{ .Labels.pod }}{{ end }}',
  ])('%s shows no label of the alert', (template) => {
    const text = alertOf("'sum by (queue) (queue_size) > 5'");
    expect(findingsOf(text.replace(/summary: .*/, () => `summary: '${template}'`))).toEqual([]);
  });

  test('a label that the value decides, but does not show', () => {
    const of = (template: string): string[] =>
      findingsOf(
        alertOf('queue_size > 5').replace('owner: team-shop', `owner: team-shop, l: '${template}'`),
      ).map((f) => f.rule);
    expect(of('{{ if gt $value 9.0 }}high{{ else }}low{{ end }}')).toEqual([]);
    expect(of('{{ $v := .Value }}{{/* $value */}}x')).toEqual([]);
    expect(of('{{ if true }}{{ $.Value }}{{ end }}')).toEqual(['alert/value-in-label']);
    expect(of('{{ printf "%.0f" (.Value) }}')).toEqual(['alert/value-in-label']);
  });

  test('values and unbounded labels in labels', () => {
    const text = alertOf('queue_size > 5').replace(
      'owner: team-shop',
      `owner: team-shop, now: '{{ $value }}', who: '{{ $labels.user_id }}'`,
    );
    expect(
      findingsOf(text)
        .map((f) => f.rule)
        .sort(),
    ).toEqual(['alert/value-in-label', 'promql/unbounded-label']);
  });

  test('a severity that no route knows', () => {
    const text = alertOf('queue_size > 5').replace('severity: page', 'severity: sev1');
    expect(findingsOf(text).map((f) => f.rule)).toEqual(['alert/unknown-severity']);
    expect(findingsOf(text, { severities: ['sev1'] })).toEqual([]);
  });

  test('the same alert twice', () => {
    const one = alertOf('queue_size > 5');
    const two = one + one.slice(one.indexOf('      - alert'));
    expect(findingsOf(two).map(say)).toEqual([
      expect.stringMatching(/^11:9 rule\/duplicate.*rules.yaml:4/),
    ]);
  });
});

test('a link to a page that is not there', () => {
  const runbooks = new Set(['Shops', 'Mall']);
  const found = findingsOf(alertOf('queue_size > 5'), { runbooks });
  expect(found.map(say)).toEqual([expect.stringMatching(/^10:24 alert\/dead-runbook: .*Shops\?/)]);
  expect(findingsOf(alertOf('queue_size > 5'), { runbooks: new Set(['Shop']) })).toEqual([]);
});

test('the README tells of every rule, its level and whether it can be repaired', () => {
  const text = readFileSync(asset('alerts/lint/README.md'), 'utf8');
  for (const [id, [level, why]] of Object.entries(lintRules)) {
    expect(text).toMatch(new RegExp(`\\| \`${id}\` \\| ${level} \\|`));
    expect(text).toContain(why);
  }
});

describe('A4: bad files are findings with their place, never a stack', () => {
  test.each([
    ['groups: [', '1:'],
    ['groups:\n  - name: g\n    rules:\n      - alert: A\n', '4:9'],
    ['groups:\n  - name: g\n    rules:\n      - expr: up\n', '4:9'],
    ['groups:\n  - name: g\n    rules:\n      - alert: A\n        exp: up\n', '5:9'],
    [
      'groups:\n  - name: g\n    rules:\n      - alert: A\n        expr: up\n        for: 5 minutes\n',
      '6:14',
    ],
    ['groups:\n  - name: g\n    rules: []\n  - name: g\n    rules: []\n', '4:11'],
    ['groups:\n  - name: g\n    rules:\n      - record: "a{b}"\n        expr: up\n', '4:9'],
    [
      'groups:\n  - name: g\n    rules:\n      - record: a\n        expr: up\n        for: 5m\n',
      '6:9',
    ],
    [
      'groups:\n  - name: g\n    rules:\n      - alert: A\n        expr: up\n        labels: [a]\n',
      '6:17',
    ],
    ['groups:\n  - name: g\n    interval: soon\n    rules: []\n', '3:15'],
    [
      'groups:\n  - name: g\n    rules:\n      - alert: A\n        expr: up\n        alert: B\n',
      '6:9',
    ],
    ['group: []\n', '1:1'],
    ['- a\n', '1:1'],
  ])('%j', (text, place) => {
    const found = findingsOf(text).filter((f) => f.rule === 'rule/invalid');
    expect(found.map((f) => `${f.place.line}:${f.place.column}`).join()).toContain(place);
  });
});

describe('objects of Kubernetes', () => {
  const rules = (kind: string, fault = 'for'): string =>
    `apiVersion: monitoring.coreos.com/v1
kind: ${kind}
spec:
  groups:
    - name: g
      rules:
        - alert: Shop
          expr: up == 0
          ${fault}: 5m
`;
  const invalid = (text: string): string[] =>
    findingsOf(text)
      .filter((f) => f.rule === 'rule/invalid')
      .map(say);
  const service = 'apiVersion: v1\nkind: Service\nspec: { ports: [] }\n';

  test('a mistake in a PrometheusRule is found, also beside other objects and in a list', () => {
    const bad = rules('PrometheusRule', 'fro');
    expect(invalid(bad).join()).toContain("9:11 rule/invalid: unknown field 'fro'");
    expect(invalid(`${service}---\n${bad}`).join()).toContain('13:11 rule/invalid: unknown');
    const item = bad.trimEnd().replaceAll('\n', '\n  ');
    const list = `apiVersion: v1\nkind: List\nitems:\n- ${item}\n`;
    expect(invalid(list).join()).toContain('12:13 rule/invalid: unknown');
    expect(readLintText('a.yml', list.replace('fro', 'for')).rules).toHaveLength(1);
    expect(invalid(list.replace('fro', 'for'))).toEqual([]);
  });

  test('other kinds have fields of their own', () => {
    expect(invalid(rules('VMRule', 'debug'))).toEqual([]);
    expect(readLintText('a.yml', rules('VMRule')).rules).toHaveLength(1);
    expect(invalid(service)).toEqual([]);
  });
});

describe('exceptions', () => {
  const short = "'rate(orders_total[30s]) > 1'";

  test('with a reason, above the rule, within it, or for the file', () => {
    const text = alertOf(short);
    const above = text.replace(
      '      - alert',
      '      # lint-ignore promql/short-window: scraped every 5 s\n      - alert',
    );
    const within = text.replace(
      '        for: 5m',
      '        # lint-ignore promql/short-window scraped every 5 s\n        for: 5m',
    );
    const file = `# lint-ignore-file promql/short-window: scraped every 5 s\n${text}`;
    for (const t of [above, within, file]) {
      expect(findingsOf(t).map(say)).toEqual([]);
      expect(findingsOf(t.replaceAll('\n', '\r\n')).map(say)).toEqual([]);
    }
  });

  test('they hold for one rule only', () => {
    const text = alertOf(short);
    const two = `${text.replace('Shop', 'Mall')}${text
      .slice(text.indexOf('      - alert'))
      .replace(
        '      - alert',
        '      # lint-ignore promql/short-window: scraped every 5 s\n      - alert',
      )}`;
    expect(findingsOf(two).map(say)).toEqual([expect.stringMatching(/^5:34 promql\/short-window/)]);
  });

  test.each([
    ['# lint-ignore promql/short-window', 'lint/no-reason'],
    ['# lint-ignore promql/short-window:  ', 'lint/no-reason'],
    ['# lint-ignore promql/shrt-window: scraped often', 'lint/unknown-rule'],
    ['# lint-ignore', 'lint/unknown-rule'],
    ['# lint-ignore promql/no-le: there are none', 'lint/unused-ignore'],
  ])('%s', (comment, rule) => {
    const text = alertOf(short).replace('      - alert', `      ${comment}\n      - alert`);
    const found = findingsOf(text);
    expect(found.map((f) => f.rule).sort()).toEqual([rule, 'promql/short-window'].sort());
    expect(found.find((f) => f.rule === rule)?.place).toMatchObject({ line: 4, column: 7 });
  });
});

describe('repairs', () => {
  const repair = (text: string, settings: LintSettings = {}): string =>
    applyEdits(text, findingsOf(text, settings)).text;

  test.each([
    [
      'rate(sum by (code) (http_requests_total)[5m:]) > 1',
      'sum by (code) (rate(http_requests_total[5m])) > 1',
    ],
    ['rate(orders_total[30s]) > 1', 'rate(orders_total[1m]) > 1'],
    ['queue_size{queue=~"mail"} > 1', 'queue_size{queue="mail"} > 1'],
    [
      'sum by (handlr) (rate(http_requests_total{cod="500"}[5m])) > 1',
      'sum by (handler) (rate(http_requests_total{code="500"}[5m])) > 1',
    ],
    ['rat(orders_total[5m]) > 1', 'rate(orders_total[5m]) > 1'],
  ])('%s', (before, after) => {
    expect(repair(alertOf(`'${before}'`))).toBe(alertOf(`'${after}'`));
    expect(repair(alertOf(`|-\n          ${before}`))).toBe(alertOf(`|-\n          ${after}`));
    expect(findingsOf(alertOf(`'${after}'`))).toEqual([]);
  });

  test('a runbook is added where its base is known, a variable and a severity are put right', () => {
    const text = bare(
      "for: 5m\nlabels: { severity: Page, owner: shop }\nannotations:\n  summary: 'is {{ $vlaue }}'",
    );
    const after = repair(text, { runbookBase: 'https://r.example/' });
    expect(after).toContain('severity: page');
    expect(after).toContain('          runbook_url: "https://r.example/Shop"\n          summary');
    expect(after).toContain('{{ $value }}');
    expect(findingsOf(after)).toEqual([]);
  });

  test('text that YAML escapes or folds is not changed', () => {
    const text = alertOf('"rate(orders_total{job=\\"a\\"}[30s]) > 1"');
    expect(findingsOf(text)).toHaveLength(1);
    expect(repair(text)).toBe(text);
  });
});

describe('our own rules are clean', () => {
  const catalogue = (): MetricCatalogue => {
    const own = new MetricCatalogue();
    addMetricList(own, 'mesh');
    addMetricList(own, asset('test/alerts/kubernetes-metrics.txt'));
    own.complete = true;
    return own;
  };

  test('the library, at its own pace and in a drill', () => {
    for (const [options, scrapeIntervalMs] of [
      [{}, 15_000],
      [{ timeScale: 1 / 240, scrapeIntervalMs: 250 }, 250],
    ] as const) {
      const files = libraryFiles(libraryGroups(options), {
        format: 'rules',
        namespace: '',
        single: false,
      });
      const read = [...files].map(([name, text]) => readLintText(name, text));
      const pages = readdirSync(asset('runbooks/templates')).map((f) => f.replace(/\.md$/, ''));
      const runbooks = new Set(pages);
      expect(lint(read, { catalogue: catalogue(), scrapeIntervalMs, runbooks }).map(say)).toEqual(
        [],
      );
    }
  });

  test('the rules of every SLO that we compile in tests, once each has an owner and a runbook', () => {
    for (const name of ['kinds', 'retail', 'sloth', 'guards', 'openslo', 'pyrra', 'sloth-object']) {
      const slos = readSlos([asset(`test/slo/golden/${name}/in.yaml`)]).map((slo) => ({
        ...slo,
        owner: 'shop',
        alerting: { ...slo.alerting, falsePagesPerYear: 1 },
      }));
      const text = ruleFileText(compileSlos(slos, { runbookUrl: 'https://r.example/{{alert}}' }));
      const found = lint([readLintText(`${name}.yaml`, text)], { scrapeIntervalMs: 30_000 });
      expect(found.map(say), name).toEqual([]);
    }
  });
});

describe('the command', () => {
  const run = (...args: string[]) =>
    spawnSync(process.execPath, [program('cli'), 'alerts', 'lint', ...args], { encoding: 'utf8' });

  test('exits 1 on errors, 0 on warnings unless strict, 2 on what it cannot use', () => {
    const bad = join(folder, 'bad.yaml');
    writeFileSync(bad, alertOf('up > 1'));
    const warned = join(folder, 'warned.yaml');
    writeFileSync(warned, alertOf('queue_size > 5').replace('        for: 5m\n', ''));
    const failed = run(bad);
    expect(failed.status).toBe(1);
    expect(failed.stdout).toContain(
      `${bad}:5:15: error promql/never-true: up > 1 holds for no value`,
    );
    expect(run(warned).status).toBe(0);
    expect(run(warned, '--strict').status).toBe(1);
    expect(run(join(folder, 'absent.yaml')).status).toBe(2);
    expect(run(bad, '--format', 'xml').status).toBe(2);
    expect(run('--list-rules').stdout).toContain('promql/rate-of-sum');
  });

  test('--fix writes the file, once, and leaves nothing to repair', () => {
    const file = join(folder, 'fix.yaml');
    writeFileSync(file, alertOf("'rate(orders_total[30s]) > 1'"));
    expect(run(file, '--fix').status).toBe(0);
    expect(readFileSync(file, 'utf8')).toContain('[1m]');
    const before = readFileSync(file, 'utf8');
    expect(run(file, '--fix').stderr).toContain('0 repaired');
    expect(readFileSync(file, 'utf8')).toBe(before);
  });
});

describe('outputs', () => {
  const text = alertOf("'rate(orders_total[30s]) > 1'");
  const file = readLintText('rules/shop rules.yaml', text);
  const findings = lint([file], { catalogue: shop() });

  test('SARIF 2.1.0 with rules, places and fixes', () => {
    const log = JSON.parse(lintSarif(findings, [file]));
    const [run] = log.runs;
    expect(log.version).toBe('2.1.0');
    expect(run.tool.driver.rules).toHaveLength(Object.keys(lintRules).length);
    const [result] = run.results;
    expect(run.tool.driver.rules[result.ruleIndex].id).toBe('promql/short-window');
    const { artifactLocation, region } = result.locations[0].physicalLocation;
    expect(artifactLocation.uri).toBe('rules/shop%20rules.yaml');
    expect(region).toEqual({ startLine: 5, startColumn: 34 });
    const [replacement] = result.fixes[0].artifactChanges[0].replacements;
    expect(replacement.deletedRegion).toMatchObject({ startColumn: 34, endColumn: 37 });
    expect(replacement.insertedContent.text).toBe('1m');
  });

  test('JSON says everything that text says', () => {
    expect(JSON.parse(lintJson(findings))).toMatchObject([
      {
        file: 'rules/shop rules.yaml',
        line: 5,
        rule: 'promql/short-window',
        level: 'error',
        fixable: true,
      },
    ]);
  });
});

testWith('promtool')('promtool accepts the repairs of lint', () => {
  const file = join(folder, 'repaired.yaml');
  writeFileSync(
    file,
    applyEdits(
      alertOf("'rat(sum(orders_total)[5m:]) > 1'"),
      findingsOf(alertOf("'rat(sum(orders_total)[5m:]) > 1'")),
    ).text,
  );
  expect(execFileSync(requireTool('promtool'), ['check', 'rules', file]).toString()).toContain(
    'SUCCESS',
  );
});
