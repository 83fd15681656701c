/** Users' input: files of other tools, and typical mistakes in every format. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { UserError } from '../../base/errors.js';
import { allDashboards } from '../../slo/dashboards/dashboards.js';
import { compileSlo, type AlertingRule, readSloText, type Slo } from '../../slo/index.js';
import { prometheusRules } from '../../slo/rules/outputs.js';
import { generate } from '../../slo/rules/generate.js';
import { planOf } from '../../slo/rules/plan.js';
import { readWindowTable, standardWindows } from '../../slo/rules/windows.js';

const folder = mkdtempSync(join(tmpdir(), 'firedrill-intake-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const file = (name: string, text: string): string => {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
};
const alertsOf = (slo: Slo): AlertingRule[] =>
  compileSlo(slo)
    .flatMap((g) => g.rules)
    .filter((r) => r.kind === 'alert');
const refusal = (text: string): string => {
  try {
    readSloText('in.yaml', text);
  } catch (error) {
    if (error instanceof UserError) return error.message;
    throw error;
  }
  return 'accepted';
};

const sloth = (more = '', labels = ''): string => `version: prometheus/v1
service: pay
${more}labels: { le: 1.0, tier: 2, live: true }
slos:
  - name: requests
    objective: 99.9
    sli:
      events:
        error_query: sum(rate(req_total{code=~"5.."}[{{.window}}]))
        total_query: sum(rate(req_total[{{.window}}]))
    alerting:
      page_alert: { labels: { severity: critical, depth: 0x10 } }
      ticket_alert: { labels: { ${labels}route: mail } }
`;

test('in labels of our own format too, numbers and truths are the text that was written', () => {
  const [slo] = readSloText(
    'own.yaml',
    `apiVersion: firedrill.dev/v1
service: pay
labels: { tier: 1, pci: true, since: 2.10 }
slos:
  - name: jobs
    objective: 99
    labels: { shard: 007 }
    sli: { events: { bad: 'jobs_total{ok="no"}', total: jobs_total } }
    alerting: { annotations: { desk: 12 } }
`,
  );
  expect(slo!.labels).toEqual({ tier: '1', pci: 'true', since: '2.10', shard: '007' });
  expect(slo!.alerting.annotations).toEqual({ desk: '12' });
});

test.each([
  ['slo: []', '4:1: unknown field', 'slos: is missing; expected a list'],
  ['slos: [{ name: x, objective: 99, sli: M11 }]', '4:39: slos.0.sli: expected one of M1, M2'],
])('%s is refused in the words of the file', (line, ...answers) => {
  const text = `apiVersion: firedrill.dev/v1\nservice: a\nowner: b\n${line}\n`;
  for (const answer of answers) expect(refusal(text)).toContain(answer);
});

describe("Sloth's files", () => {
  const [slo] = readSloText('pay.yaml', sloth());

  test("numbers and truths are the texts that Sloth's reader makes of them", () => {
    expect(slo!.labels).toEqual({ le: '1', tier: '2', live: 'true' });
  });

  test("a user's severity stays on the alert, and ours is added", () => {
    const [page, ticket] = ['page', 'ticket'].map((s) =>
      alertsOf(slo!).find(
        (a) => (a.labels.slo_severity ?? a.labels.severity) === s && a.alert === 'PayRequests',
      ),
    );
    expect(page!.labels).toMatchObject({
      severity: 'critical',
      slo_severity: 'page',
      depth: '16',
    });
    expect(ticket!.labels).toMatchObject({ severity: 'ticket', route: 'mail' });
    expect(ticket!.labels).not.toHaveProperty('slo_severity');
  });

  test('a query that does not parse is told in its own words', () => {
    expect(refusal(sloth().replace('}[{{.window}}]', ' [{{.window}}]'))).toContain(
      "PromQL does not parse at '[{{.window}}'",
    );
  });

  test('an empty field is absent, and a document of comments is none', () => {
    const text = sloth().replace('service: pay\n', 'service: pay\nslo_plugins:\n');
    const empty = text.replace(/^labels:.*$/m, 'labels:').replace('route: mail', '');
    expect(readSloText('in.yaml', `---\n${empty}---\n# end\n...\n---\n`)[0]?.labels).toEqual({});
    expect(refusal(text.replace('99.9', ''))).toContain('in.yaml:7:16: slos.0.objective');
  });

  test('a template that Prometheus refuses is refused where it stands', () => {
    const bad = (from: string, to: string): string => refusal(sloth().replace(from, to));
    expect(bad('live: true', "live: '{{ x'")).toContain(
      'in.yaml:3:35: labels.live: bad template: ',
    );
    expect(bad('depth: 0x10', "depth: '{{ $label.a }}'")).toContain(
      'in.yaml:12:58: slos.0.alerting.page_alert.labels.depth: bad template: undefined variable',
    );
    const annotated = sloth().replace('labels: { route', 'annotations: { text');
    expect(refusal(annotated.replace('mail', "'{{ .Labels.a | nope }}'"))).toContain(
      'slos.0.alerting.ticket_alert.annotations.text: bad template: function "nope" not defined',
    );
    expect(refusal(annotated.replace('mail', "'{{ $labels.a }}: {{ $value }}'"))).toBe('accepted');
  });

  test('a label that the rules set is still refused, at its place', () => {
    expect(refusal(sloth('', 'slo: x, '))).toContain(
      'in.yaml:13:38: slos.0.alerting.ticket_alert.labels.slo: the label slo is set by the rules',
    );
  });

  test('plug-ins are refused by their names, and the files beside them are not', () => {
    const inputs = [
      file('plugin.yaml', sloth('slo_plugins: { chain: [{ id: "example.org/labels/v1" }] }\n')),
      file('plain.yaml', sloth()),
    ];
    const out = join(folder, 'rules.yaml');
    const compile = {};
    const done = generate({ inputs, out, format: 'rules', compile, namespace: 'x' });
    expect(done.slos).toBe(1);
    expect(done.refused.map((p) => [p.place?.line, p.place?.column, p.message])).toEqual([
      [3, 1, expect.stringContaining('example.org/labels/v1')],
    ]);
    expect(readFileSync(out, 'utf8')).toContain('PayRequests');
    const alone = { inputs: inputs.slice(0, 1), out, format: 'rules' as const };
    expect(() => generate({ ...alone, compile, namespace: 'x' })).toThrow(/plugin\.yaml:3:1/);
  });

  test('an AlertWindows file is read, and --windows is not overruled by the page at 3x', () => {
    const path = file(
      'windows.yaml',
      `apiVersion: sloth.slok.dev/v1
kind: AlertWindows
spec:
  sloPeriod: 30d
  page:
    quick: { errorBudgetPercent: 2, shortWindow: 5m, longWindow: 1h }
    slow: { errorBudgetPercent: 5, shortWindow: 30m, longWindow: 6h }
  ticket:
    quick: { errorBudgetPercent: 10, shortWindow: 2h, longWindow: 1d }
    slow: { errorBudgetPercent: 10, shortWindow: 6h, longWindow: 3d }
`,
    );
    const windows = readWindowTable(path);
    expect(planOf(slo!, { windows }).windows.map((w) => w.factor)).toEqual([14.4, 6, 3, 1]);
    expect(planOf(slo!).windows.map((w) => w.factor)).toEqual([3, 6, 3, 1]);
    const stated: Slo = { ...slo!, alerting: { ...slo!.alerting, pageAbove: 5 } };
    expect(planOf(stated, { windows }).windows.map((w) => w.factor)).toEqual([5, 6, 3, 1]);
    const disordered = file('bad.yaml', readFileSync(path, 'utf8').replace('1h }', '4m }'));
    expect(() => readWindowTable(disordered)).toThrow(/bad\.yaml:6:12: the windows are out of/);
  });
});

describe('periods', () => {
  const own = (window: string): string => `apiVersion: firedrill.dev/v1
service: a
slos: [{ name: b, objective: 99, window: ${window}, sli: { events: { bad: e, total: t } } }]
`;
  test.each([
    ['2w', 14],
    ['12w', 84],
    ['10d', 10],
    ['336h', 14],
  ])('%s are %s days, with the factors of thirty', (text, days) => {
    const [slo] = readSloText('in.yaml', own(text));
    expect(slo!.period).toEqual({ days });
    expect(standardWindows(days).windows.map((w) => w.factor)).toEqual([14.4, 6, 3, 1]);
    expect(standardWindows(days).windows[0]?.budgetPercent).toBeCloseTo((14.4 / 24 / days) * 100);
  });
  test.each(['36h', '0d', '400d', 'week'])('%s is refused', (text) => {
    expect(refusal(own(text))).toContain('expected month, or whole days from 1d to 366d');
  });
  test('an alert looks no further back than the period', () => {
    expect(standardWindows(2).windows.map((w) => w.longMs / 3_600_000)).toEqual([1, 6, 24]);
  });

  test("Pyrra's and OpenSLO's", () => {
    const pyrra = `apiVersion: pyrra.dev/v1alpha1
kind: ServiceLevelObjective
metadata: { name: a, namespace: shop }
spec:
  target: "99"
  window: 2w
  indicator:
    latency:
      success: { metric: 'd_bucket{le="1"}' }
      total: { metric: d_count }
`;
    const [slo] = readSloText('p.yaml', pyrra);
    expect(slo!.period.days).toBe(14);
    // Prometheus 2 writes whole bounds as 1, and Prometheus 3 as 1.0.
    const [seen] = compileSlo(slo!)[0]!.rules;
    expect(seen!.expr).toContain('d_bucket{le=~"1|1\\\\.0"}');
    const alpha = (count: number, unit: string): string => `apiVersion: openslo/v1alpha
kind: SLO
metadata: { name: shop-a }
spec:
  service: shop
  budgetingMethod: Occurrences
  objectives:
    - ratioMetrics: { good: { query: 'sum(good_total)' }, total: { query: total } }
      target: 0.995
  timeWindows: [{ count: ${count}, unit: ${unit} }]
`;
    const [old] = readSloText('o.yaml', alpha(4, 'Week'));
    expect([old!.id, old!.objective, old!.period.days]).toEqual(['shop-a', 99.5, 28]);
    expect(old!.sli).toEqual({ kind: 'events', total: 'total', good: 'good_total' });
    expect(refusal(alpha(1, 'Quarter'))).toContain('in.yaml:10:17: a window of 1 Quarter');
  });
});

describe("OpenSLO's windows and sources", () => {
  const open = (
    window: string,
    source = 'Prometheus',
    name = 'reads',
  ): string => `apiVersion: openslo/v1
kind: SLO
metadata: { name: ${name} }
spec:
  service: shop
  indicator:
    metadata: { name: i }
    spec:
      ratioMetric:
        bad: { metricSource: { type: ${source}, spec: { query: 'bad_total' } } }
        total: { metricSource: { spec: { query: 'all_total' } } }
  timeWindow: [${window}]
  budgetingMethod: Occurrences
  objectives: [{ target: 0.99 }]
`;
  const calendar = (duration: string, zone: string, start = '2026-01-01 00:00:00'): string =>
    `{ duration: ${duration}, isRolling: false, calendar: { startTime: ${start}, timeZone: ${zone} } }`;

  test.each([
    ['{ duration: 1Q, isRolling: true }', 90],
    ['{ duration: 1w }', 7],
    [calendar('1M', 'Etc/UTC'), 30],
  ])('%s is read', (window, days) => {
    expect(readSloText('in.yaml', open(window))[0]!.period.days).toBe(days);
  });

  test.each([
    [calendar('1w', 'UTC'), "12:28: a calendar window of '1w'; expected 1M"],
    [calendar('1M', 'Europe/Paris'), 'a calendar month of Europe/Paris; expected UTC'],
    [calendar('1M', 'UTC', '2026-01-15 00:00:00'), 'a month of other days'],
    ['{ duration: 1m }', "a window of '1m'; expected 1M for a month (m is minutes)"],
  ])('%s is refused at its place', (window, words) => {
    expect(refusal(open(window))).toContain(words);
  });

  test('a list of objects is read like its documents, with the place of a mistake', () => {
    const service = 'apiVersion: openslo/v1\nkind: Service\nmetadata: { name: shop }\nspec: {}\n';
    const list = [service, open('{ duration: 28d }')]
      .map((text) => `- ${text.trimEnd().replaceAll('\n', '\n  ')}\n`)
      .join('');
    expect(readSloText('in.yaml', list).map((s) => s.id)).toEqual(['shop-reads']);
    expect(refusal(list.replace('service: shop', 'service: shops'))).toBe(
      "in.yaml:9:14: no Service is called 'shops'; expected shop",
    );
    expect(refusal(list.replace('budgetingMethod', 'budgeting'))).toContain(
      "in.yaml:17:5: unknown field 'budgeting' in spec",
    );
    expect(refusal(list.replace('query', 'promql'))).toContain(
      "in.yaml:14:60: unknown field 'promql'",
    );
    const items = list.replaceAll(/^/gm, '  ').trimEnd();
    expect(readSloText('in.yaml', `kind: List\nitems:\n${items}\n`)).toHaveLength(1);
    expect(refusal('[]')).toContain('in.yaml:1:1: the document does not say which format');
  });

  test('a range in a sum of rates is not the window', () => {
    const ranged = open('{ duration: 28d }')
      .replace("'bad_total'", '\'sum(rate(bad_total{a="b"}[5m]))\'')
      .replace("'all_total'", "'sum(increase(all_total[1h] ))'");
    const [slo] = readSloText('in.yaml', ranged);
    expect(slo?.sli).toMatchObject({
      bad: 'sum(rate(bad_total{a="b"}[{{.window}}]))',
      total: 'sum(increase(all_total[{{.window}}] ))',
    });
    expect(refusal(ranged.replace('sum(rate', 'sum(irate'))).toContain('a fixed range or none');
  });

  test('a condition and a target may stand within the policy', () => {
    const policy = `  alertPolicies:
    - kind: AlertPolicy
      metadata: { name: p }
      spec:
        conditions:
          - kind: AlertCondition
            metadata: { name: c }
            spec:
              severity: page
              condition: { kind: burnrate, op: gte, threshold: 2, lookbackWindow: 1h }
        notificationTargets:
          - { kind: AlertNotificationTarget, metadata: { name: mail }, spec: { target: email } }
`;
    const [slo] = readSloText('in.yaml', open('{ duration: 28d }') + policy);
    expect(slo?.alerting.labels).toEqual({ notify: 'mail' });
    expect(refusal(open('{ duration: 28d }') + policy.replace('gte', 'lte'))).toContain(
      'in.yaml:24:48: spec.alertPolicies.0.spec.conditions.0.spec.condition.op: a burn that is too',
    );
  });

  test('a service of v1alpha is read beside its SLO', () => {
    const service =
      'apiVersion: openslo/v1alpha\nkind: Service\nmetadata: { name: shop }\nspec: {}';
    expect(readSloText('in.yaml', `${service}\n---\n${open('{ duration: 28d }')}`)).toHaveLength(1);
    expect(refusal(`${service.replace('{}', '{ owner: a }')}`)).toContain(
      "in.yaml:4:9: unknown field 'owner' in spec",
    );
  });

  test('unsupported objects are refused by name, and the others are not', () => {
    const texts = [
      open(calendar('1M', 'Europe/Paris'), undefined, 'paris'),
      open('{ duration: 28d }', 'Datadog', 'dog'),
      open('{ duration: 28d }'),
    ];
    const refused: string[] = [];
    const slos = readSloText('in.yaml', texts.join('---\n'), {
      refused: (problems) => refused.push(...problems.map((p) => p.message)),
    });
    expect(slos.map((s) => s.id)).toEqual(['shop-reads']);
    expect(refused).toEqual(['a source of type Datadog', 'a calendar month of Europe/Paris']);
  });
});

describe('OpenSLO v2alpha', () => {
  const draft = `apiVersion: openslo.com/v2alpha
kind: SLO
metadata: { name: reads, labels: { team.example/tier: gold } }
spec:
  service: shop
  sli:
    spec:
      ratioMetric:
        counter: true
        good: { dataSourceRef: here, spec: { query: 'sum(good_total)' } }
        total: { dataSourceSpec: { type: Prometheus }, spec: { query: all_total } }
  timeWindow: [{ duration: 4w, isRolling: true }]
  budgetingMethod: Timeslices
  objectives: [{ target: 0.99, timeSliceTarget: 0.9, timeSliceWindow: 5 }]
`;

  test('gives the SLO that v1 gives, with its own names in errors', () => {
    const [slo] = readSloText('in.yaml', draft);
    expect(slo).toMatchObject({
      id: 'shop-reads',
      objective: 99,
      period: { days: 28 },
      labels: { team_example_tier: 'gold' },
      sli: {
        kind: 'slices',
        of: { kind: 'events', good: 'good_total', total: 'all_total' },
        lengthMs: 300_000,
        target: 90,
      },
    });
    expect(readSloText('in.yaml', draft.replace('service:', 'serviceRef:'))[0]?.id).toBe(slo?.id);
    expect(refusal(draft.replace('all_total', "'all_total{'"))).toContain(
      'in.yaml:11:82: spec.sli.spec.ratioMetric.total.spec.query: the query ends too early',
    );
    expect(refusal(draft.replace('  service: shop\n', ''))).toContain(
      'in.yaml:5:3: spec: expected either service or serviceRef',
    );
    expect(refusal(draft.replace('  sli:', '  indicator:'))).toContain("unknown field 'indicator'");
    expect(refusal(draft.replace('v2alpha', 'v2'))).toBe(
      "in.yaml:1:13: unknown version 'openslo.com/v2' of OpenSLO; " +
        'expected openslo/v1, openslo.com/v2alpha, openslo/v1alpha',
    );
  });

  test('a window may be left out, and is then that of --period', () => {
    const open = draft.replace(/^ +timeWindow.*\n/m, '');
    expect(readSloText('in.yaml', open)[0]?.period.days).toBe(30);
    expect(readSloText('in.yaml', open, { period: { days: 7 } })[0]?.period.days).toBe(7);
  });

  test('other sources and composites are refused by name, each at its place', () => {
    const source = 'apiVersion: openslo.com/v2alpha\nkind: DataSource\nmetadata: { name: here }\n';
    const sli = `apiVersion: openslo.com/v2alpha
kind: SLI
metadata: { name: slow }
spec:
  thresholdMetric: { dataSourceRef: far, spec: { path: 'a|b', app: my-app } }
`;
    const refuse = (...texts: string[]): string[] => {
      const told: string[] = [];
      const refused = (
        problems: readonly { message: string; place?: { line: number } }[],
      ): void => {
        told.push(...problems.map((p) => `${p.place?.line} ${p.message}`));
      };
      const good = draft.replace('name: reads', 'name: good').replace('here', 'prometheus');
      expect(readSloText('in.yaml', [...texts, good].join('---\n'), { refused })).toHaveLength(1);
      return told;
    };
    expect(refuse(`${source}spec: { type: Datadog, connectionDetails: {} }\n`, draft)).toEqual([
      '4 a source of type Datadog',
      '15 a source of type Datadog',
    ]);
    expect(refuse(sli, draft.replace(/sli:[^]*total\b.*/, 'sliRef: slow'))).toEqual([
      "5 the source 'far', which is asked without a query",
      "12 the SLI 'slow' cannot be measured here",
    ]);
    const inline = draft.replace('Prometheus }, spec: {', 'Redshift }, spec: { region: eu,');
    expect(refuse(inline)).toEqual(['11 a source of type Redshift']);
    expect(refuse(draft.replace('target: 0.99', 'target: 0.99, sliRef: other'))).toEqual([
      '14 a composite, which adds up burn rates',
    ]);
  });
});

test("a field in the spelling of Sloth's other format is said with the one that is read", () => {
  expect(refusal(sloth().replace('page_alert', 'pageAlert'))).toContain(
    "in.yaml:12:7: unknown field 'pageAlert' in slos.0.alerting; expected page_alert",
  );
});

describe('slips', () => {
  const own = (objective: string, sli = '{ bad: e, total: t }', alerting = '{}'): string =>
    `apiVersion: firedrill.dev/v1
service: a
slos:
  - name: b
    objective: ${objective}
    sli: { events: ${sli} }
    alerting: ${alerting}
`;
  test.each([
    ['0.999', 'did you mean 99.9?'],
    ['0.95', 'did you mean 95?'],
    // 100 would be refused as well.
    ['1', 'such as 99.9'],
  ])('an objective of %s is a share', (objective, meant) => {
    expect(refusal(own(objective))).toContain(
      `in.yaml:5:16: slos.0.objective: objectives are per cent, so ${objective} means ` +
        `${objective}%: ${meant}`,
    );
  });

  test('pages that no error ratio can fire are refused, with the factor that could', () => {
    const text = refusal(own('60'));
    expect(text).toContain('in.yaml:4:5: a-b can never page: 3 times a budget of 40%');
    expect(text).toContain('factors below 2.5');
    expect(refusal(own('60', undefined, '{ pageAbove: 2 }'))).toBe('accepted');
    expect(refusal(own('60', undefined, '{ page: false }'))).toBe('accepted');
    expect(refusal(own('70'))).toBe('accepted');
    // Where no alert is made, the windows of the rules are not known, which --windows may have replaced.
    expect(readSloText('in.yaml', own('60'), { windows: 'any' })).toHaveLength(1);
  });

  test('a regular expression that Prometheus refuses is refused where it stands', () => {
    expect(refusal(own('99', `{ bad: 'e{code=~"5.("}', total: t }`))).toMatch(
      /^in\.yaml:6:28: slos\.0\.sli\.events\.bad: .*5\.\(/,
    );
  });

  test('dashboards of long names have different ids', () => {
    const name = 'a-very-long-name-of-an-slo-that-goes-on';
    const slos = ['one', 'two'].flatMap((n) =>
      readSloText('in.yaml', own('99').replace('name: b', `name: ${name}-${n}`)),
    );
    const uids = allDashboards(slos, 30_000).map((d) => d.uid);
    expect(new Set(uids).size).toBe(uids.length);
    expect(Math.max(...uids.map((uid) => uid.length))).toBeLessThanOrEqual(40);
  });

  test('a PrometheusRule is called by its file', () => {
    const inputs = [file('cart.yaml', own('99'))];
    for (const name of ['cart', 'pay']) {
      const out = join(folder, `rules-${name}.yaml`);
      generate({ inputs, out, format: 'prometheusrule', compile: {}, namespace: 'x' });
      expect(readFileSync(out, 'utf8')).toContain(`name: slo-rules-${name}\n`);
    }
    expect(prometheusRules({ name: 'slo-a', groups: [] }, 'x')[0]).toContain('name: slo-a\n');
  });
});
