/** Every kind of SLI counts correctly: promtool evaluates the golden rules over invented series. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'vitest';
import { stringify } from 'yaml';
import { asset } from '../../base/paths.js';
import { findTool } from '../../base/tools.js';
import { type AlertingRule, compileSlos, readSlos } from '../../slo/index.js';
import { testWith } from '../tools.js';

/** 100 good and 2 bad events every 30 s; the process restarts at minute 40; the error series appear at minute 10. */
const series = {
  'req{job="a",instance="1",code="200"}': '0+100x80 50+100x80',
  'req{job="a",instance="1",code="500"}': '_x19 2+2x60 2+2x80',
  'req{job="b",instance="2",code="200"}': '0+100x160',
  'lat_ms_count{job="a",instance="1"}': '0+100x160',
  'lat_ms_bucket{job="a",instance="1",le="300"}': '0+90x160',
  'lat_ms_bucket{job="a",instance="1",le="+Inf"}': '0+100x160',
  'probe_success{job="p",instance="3"}': '1x39 0x39 1x80',
  'mem{job="a",instance="1"}': '100x79 200x80',
};

const ratio = (slo: string, window: string): string =>
  `slo:sli_error:ratio_rate${window}{slo="shop-${slo}"}`;

/** Expression, value, and minute. */
const expected: [string, number, string][] = [
  [`sum_over_time(slo:events_total:increase30s{slo="shop-events"}[4m59s])`, 2020, '30m'],
  [ratio('events', '5m'), 2 / 202, '30m'],
  // The first error series begins at 2 on a target that was already scraped, so its two errors count.
  ['slo:events_bad:increase30s{slo="shop-events"}', 0, '9m'],
  ['slo:events_bad:increase30s{slo="shop-events"}', 2, '10m'],
  // A restarted process adds the events that it has counted since.
  ['slo:events_total:increase30s{slo="shop-events"}', 50 + 2 + 100, '40m30s'],
  [ratio('good', '5m'), 2 / 202, '30m'],
  [ratio('template', '5m'), 2 / 202, '30m'],
  [ratio('latency', '5m'), 0.1, '30m'],
  [ratio('ratio', '5m'), 2 / 202, '30m'],
  [ratio('weighted', '5m'), 2 / 202, '30m'],
  // No slice has 5% errors.
  [ratio('slices', '5m'), 0, '30m'],
  [ratio('probe', '5m'), 1, '30m'],
  [ratio('probe', '5m'), 0, '15m'],
  [ratio('threshold', '5m'), 0, '30m'],
  [ratio('threshold', '5m'), 1, '60m'],
  [ratio('composite', '5m'), (2 + 3 * 10) / (202 + 3 * 100), '30m'],
  // The probe fails between minutes 20 and 40, so the first part alone decides.
  [ratio('either', '5m'), 0.1, '30m'],
  [ratio('either', '5m'), 0, '15m'],
  [ratio('journey', '5m'), 1 - (1 - 2 / 202) * (1 - 0.5 * 0.1) * (1 - 0.1), '30m'],
  // Since the start of the month (1 January 1970), to the last full hour.
  ['round(slo:sli_error:ratio_month{slo="shop-monthly"}, 0.001)', 0.008, '80m'],
  // Under steady traffic, the weighted ratio equals the plain one.
  ['round(slo:sli_error_weighted:ratio_rate5m{slo="shop-seasonal"}, 0.001)', 0.01, '60m'],
  [`slo:sli_error:ratio_rate5m{slo="shop-grouped",job="a"}`, 2 / 102, '30m'],
  [`slo:sli_error:ratio_rate5m{slo="shop-grouped",job="b"}`, 0, '30m'],
];

testWith('promtool')(
  'S1: events, latency, ratios, slices, probes, thresholds, composites, groups',
  () => {
    const folder = mkdtempSync(join(tmpdir(), 'firedrill-kinds-'));
    try {
      const file = join(folder, 'test.yaml');
      const rules = compileSlos(readSlos([asset('test/slo/golden/kinds/in.yaml')]));
      // The series end at 80 minutes; Prometheus looks back five minutes, and the alert waits ten.
      const noData = rules
        .flatMap((g) => g.rules)
        .find((r) => r.kind === 'alert' && r.alert === 'ShopEventsNoData') as AlertingRule;
      const tests = expected.map(([expr, value, at]) => ({
        expr: `round(${expr}, 0.000001)`,
        eval_time: at,
        exp_samples: [
          {
            labels: expr.includes('job="')
              ? `{slo="shop-grouped",service="shop",job="${/job="(.)"/.exec(expr)?.[1]}"}`
              : `{slo="${/slo="([^"]+)"/.exec(expr)?.[1]}",service="shop"}`,
            value: Number(value.toFixed(6)),
          },
        ],
      }));
      writeFileSync(
        file,
        stringify({
          rule_files: [asset('test/slo/golden/kinds/rules.yaml')],
          evaluation_interval: '30s',
          // Otherwise promtool evaluates groups in random order, and a value that one reads from another may be a step
          // old.
          group_eval_order: rules.map((g) => g.name),
          tests: [
            {
              interval: '30s',
              input_series: Object.entries(series).map(([name, values]) => ({
                series: name,
                values,
              })),
              promql_expr_test: tests,
              alert_rule_test: [
                { eval_time: '80m', alertname: noData.alert },
                {
                  eval_time: '100m',
                  alertname: noData.alert,
                  exp_alerts: [{ exp_labels: noData.labels, exp_annotations: noData.annotations }],
                },
              ],
            },
          ],
        }),
      );
      const run = spawnSync(findTool('promtool') as string, ['test', 'rules', file], {
        encoding: 'utf8',
      });
      expect(run.stdout + run.stderr).toContain('SUCCESS');
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
  240_000,
);
