/** Rules over other programs' metrics: an unknown metric alone is no mistake. */
import { describe, expect, test } from 'vitest';
import { MetricCatalogue } from '../../alerts/lint/catalogue.js';
import { lint } from '../../alerts/lint/lint.js';
import { addKnownMetrics } from '../../alerts/lint/known-metrics.js';
import { addMeshMetrics } from '../../alerts/lint/mesh-catalogue.js';
import { readLintText } from '../../alerts/lint/source.js';
import { readRuleText } from '../../alerts/rules/read.js';

const found = (expr: string, mesh: 'assumed' | 'said' = 'assumed', more = ''): string[] => {
  const catalogue = new MetricCatalogue();
  addMeshMetrics(catalogue, mesh === 'said');
  const text = `groups:
  - name: g
    rules:
      - alert: A
        expr: ${JSON.stringify(expr)}
        for: 5m
        labels: { severity: page, owner: t }
        annotations: { summary: s, runbook_url: 'https://r.example/A' }
${more}`;
  return lint([readLintText('r.yaml', text)], { catalogue }).map((f) => f.rule);
};

describe('right, and nothing is said', () => {
  test.each([
    ["a metric of every client library's", 'process_open_fds / process_max_fds > 0.8'],
    ["another mesh's labels", 'sum by (deployment) (rate(response_total{deployment!=""}[5m])) > 1'],
    ['a number of members', 'memberlist_client_cluster_members_count < 3'],
    ['bytes that are counted', 'rate(junos_interface_transmit_bytes[5m]) > 1e9'],
    ['a filter below decides', 'count by (cluster) (remote_ready < 1) > 0'],
    ['what is absent', 'absent(remote_ready) == 1'],
  ])('%s', (_, expr) => {
    expect(found(expr)).toEqual([]);
  });
});

describe('known metrics of other programs', () => {
  const known = (expr: string, severity = 'page'): string[] => {
    const catalogue = new MetricCatalogue();
    addMeshMetrics(catalogue, false);
    addKnownMetrics(catalogue);
    const text = `groups:
  - name: g
    rules:
      - alert: A
        expr: ${JSON.stringify(expr)}
        for: 5m
        labels: { severity: ${severity}, owner: t }
        annotations: { summary: s, runbook_url: 'https://r.example/A' }
`;
    return lint([readLintText('r.yaml', text)], { catalogue }).map((f) => `${f.rule}: ${f.fix}`);
  };

  test.each([
    ['node_cpu{mode="idle"} < 1', 'promql/renamed-metric: now node_cpu_seconds_total'],
    ['node_memory_MemFree < 1e9', 'promql/renamed-metric: now node_memory_MemFree_bytes'],
    ['kube_hpa_status_condition == 1', 'kube_horizontalpodautoscaler_status_condition'],
    [
      'kube_pod_container_resource_limits_cpu_cores > 4',
      'kube_pod_container_resource_limits{resource="cpu"}',
    ],
    ['sum by (pod_name) (rate(container_cpu_usage_seconds_total[5m])) > 1', 'now pod'],
    ['rate(node_load1[5m]) > 1', 'promql/rate-of-gauge: deriv'],
    ['rate(kube_pod_status_ready[5m]) > 1', 'promql/rate-of-gauge: deriv'],
    ['envoy_cluster_upstream_rq_timeout > 5', 'promql/raw-counter'],
    ['ClickHouseErrorMetric_NO_FREE_CONNECTION == 1', 'promql/raw-counter'],
    ['deriv(mysql_global_status_questions[5m]) > 9', 'promql/delta-of-counter'],
    ['aws_ec2_cpuutilization_average > 90', 'promql/late-samples: aws_ec2_cpuutilization_average'],
    ['probe_http_duration_seconds > 1', 'promql/parts-compared: sum by (instance)'],
    ['ceph_health_status != 0', 'promql/levels: an alert for each: 0 is well'],
    ['predict_linear(node_filesystem_avail_bytes[3h], 86400) < 0', 'promql/read-only'],
    ['a != b > 0', 'promql/chained-comparison: write two comparisons with and: a > 0'],
  ])('%s', (expr, words) => {
    expect(known(expr).join('\n')).toContain(words);
  });

  test.each([
    'node_uname_info == 0',
    'node_textfile_of_our_own > 1',
    'node_memory_HugePages_Free < 1',
    'kube_pod_of_tomorrow == 0',
    'aws_ec2_cpuutilization_average offset 10m > 90',
    'max_over_time(aws_ec2_cpuutilization_average[30m]) > 90',
    'sum by (instance) (probe_http_duration_seconds) > 1',
    'ceph_health_status == 2',
    '3 <= a < 7',
    '(60 * 5) < a - time() < (60 * 9)',
    'predict_linear(node_filesystem_avail_bytes{mountpoint="/"}[3h], 86400) < 0',
    'digitalocean_incidents_total > 0',
    'a / count(b) < 0.5 and count(b) > 0',
    'count(ALERTS{alertstate="firing", severity="page"}) > 0',
    'count by (node) (node_failed{cause="disk"}) >= 1',
    'group(node_failed{cause="disk"}) == 1',
    'count_over_time(node_failed{cause="disk"}[5m]) > 0',
    'present_over_time(node_failed[5m]) > 0',
    'sum by (user) (rate(cortex_requests[5m])) > 1',
    'a{quantile="0.9"} / ignoring(quantile) a_seconds{quantile="0.5"} > 2',
  ])('%s is right', (expr) => {
    expect(known(expr)).toEqual([]);
  });

  test('severities of most public rules are known, and a slip of one is not', () => {
    expect(known('up == 0', 'critical')).toEqual([]);
    expect(known('up == 0', 'crtical')).toEqual(['alert/unknown-severity: did you mean critical?']);
  });
});

describe('rule files of other rulers', () => {
  const file = (group: string, top = ''): string =>
    `${top}groups:\n  - name: g\n${group}    rules:\n      - { record: a, expr: b }\n`;
  const told = (text: string): string[] =>
    lint([readLintText('x.yaml', text)]).map(
      (f) => `${f.place.line}:${f.place.column} ${f.rule}: ${f.message}`,
    );

  test.each([
    ['Thanos', 'partial_response_strategy: "warn"'],
    ['Mimir', 'source_tenants: [a, b]'],
    ['Mimir', 'evaluation_delay: 30s'],
    ['Mimir', 'align_evaluation_time_on_interval: true'],
  ])("%s's %s is read, and a Prometheus would refuse it", (program, line) => {
    const field = line.split(':')[0];
    expect(told(file(`    ${line}\n`))).toEqual([
      `3:5 rule/dialect: ${field} is a field of ${program}: a Prometheus refuses the file`,
    ]);
  });

  test("mimirtool's namespace, the delay as an offset, and wrong values", () => {
    expect(told(file('', 'namespace: shop\n'))).toEqual([
      '1:1 rule/dialect: namespace is a field of mimirtool: a Prometheus refuses the file',
    ]);
    expect(readRuleText('x', file('    evaluation_delay: 30s\n'))[0]?.queryOffsetMs).toBe(30_000);
    expect(told(file('    partial_response_strategy: maybe\n'))).toContain(
      '3:32 rule/invalid: groups.0.partial_response_strategy: expected warn or abort',
    );
    expect(told(file('    limit: 99999999999999999999\n'))[0]).toContain('3:12 rule/invalid');
  });

  test("vmalert's fields and Loki's queries are refused by name", () => {
    const [finding] = lint([readLintText('x.yaml', file('    eval_offset: 5s\n'))]);
    expect([finding?.message, finding?.fix]).toEqual([
      "unknown field 'eval_offset' in groups.0",
      "expected a field of Prometheus: this is one of VictoriaMetrics' vmalert",
    ]);
    for (const query of [
      'sum(rate({app="a"} |= "error" [5m]))',
      '{app="a"} | json',
      '{a="b"} !~ "x"',
    ]) {
      const text = file('').replace('expr: b', `expr: '${query}'`);
      const found = lint([readLintText('x.yaml', text)]);
      expect(found.map((f) => f.fix)).toEqual([
        'LogQL is the language of Loki: rules of PromQL are read',
      ]);
    }
  });
});

describe('a page that chance can cause', () => {
  const burn = (more = '') =>
    '(slo:sli_error:ratio_rate1h{slo="a"} > (14.4 * 0.001) and slo:sli_error:ratio_rate5m{slo="a"} > (14.4 * 0.001)' +
    `${more})`;
  const text = (expr: string, severity: string): string => `groups:
  - name: g
    rules:
      - alert: A
        expr: ${JSON.stringify(expr)}
        labels: { severity: ${severity}, owner: t, slo: a }
        annotations: { summary: s, runbook_url: 'https://r.example/A' }
      - record: slo:counter:last
        expr: label_replace(${counter}, "slo_counter", "bad", "", "")
        labels: { slo: a }
`;
  let counter = 'errors_total';
  const said = (expr: string, eventsPerHour?: number, severity = 'page'): string[] => {
    const measured = eventsPerHour === undefined ? undefined : new Map([['a', eventsPerHour]]);
    return lint([readLintText('r.yaml', text(expr, severity))], { eventsPerHour: measured })
      .filter((f) => f.rule === 'alert/chance-page')
      .map((f) => f.message);
  };

  test('is said with how often, at the traffic that was measured or at little', () => {
    expect(said(burn())).toEqual([
      'at 20 events an hour (none were measured) A has 88 false pages a year',
    ]);
    expect(said(burn(), 100)[0]).toMatch(/^at its 100 events an hour A has \d+ false pages a year/);
    expect(said(burn(), 1e6)).toEqual([]);
    counter = 'count(up == 0)';
    expect(said(burn())).toEqual([]);
    expect(said(burn(), 100)).toHaveLength(1);
  });

  test('is not said of a ticket, or where anything else is asked for beside the burn', () => {
    expect(said(burn(), 100, 'ticket')).toEqual([]);
    expect(said(burn(' and slo:events_bad:sum1h{slo="a"} - 1 > 3'))).toEqual([]);
    expect(said('up == 0')).toEqual([]);
  });
});

describe('wrong, and said', () => {
  test.each([
    ['a slip in a name of ours alone', 'firedrill_controller_leadr == 0', 'promql/unknown-metric'],
    [
      'a ratio of errors above all events',
      'slo:sli_error:ratio_rate1h > (3 * 0.4)',
      'promql/never-true',
    ],
    ['a counter as it is', 'requests_total > 5', 'promql/raw-counter'],
    ['a count of nothing', 'count(remote_ready) == 0', 'promql/never-true'],
  ])('%s', (_, expr, rule) => {
    expect(found(expr)).toContain(rule);
  });

  test('labels of the mesh, where its metrics are said to be there', () => {
    const expr = 'sum by (deployment) (rate(response_total[5m])) > 1';
    expect(found(expr, 'said')).toEqual(['promql/unknown-label']);
  });

  test('a record that is made twice', () => {
    const record = '      - { record: "a:b", expr: sum(x) }\n';
    expect(found('up == 0', 'assumed', record + record)).toEqual(['rule/duplicate']);
    const other = '      - { record: "a:b", expr: sum(y) }\n';
    expect(found('up == 0', 'assumed', record + other)).toEqual([]);
  });
});
