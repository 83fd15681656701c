/** Dashboards with and without a mesh, and their preview: no empty panels, and no zeros without measurements. */
import { expect, test } from 'vitest';
import { meshMetrics } from '../../slo/spec/mesh-metrics.js';
import { readSloText } from '../../slo/spec/read.js';
import { panelKey } from '../../slo/dashboards/answers.js';
import { allDashboards } from '../../slo/dashboards/dashboards.js';
import { grafanaJson } from '../../slo/dashboards/grafana.js';
import { previewHtml } from '../../slo/dashboards/preview.js';

const own = readSloText(
  'own.yaml',
  `version: prometheus/v1
service: shop
labels: { owner: ada }
slos:
  - name: availability
    objective: 99.9
    sli:
      events:
        error_query: sum(rate(http_requests_total{code=~"5.."}[{{.window}}]))
        total_query: sum(rate(http_requests_total[{{.window}}]))
    alerting:
      page_alert: {}
      ticket_alert: {}
`,
);

/** Metrics that only a proxy or a controller has; processes also expose CPU and memory without a mesh. */
const ofMesh = new RegExp(`\\b(${Object.values(meshMetrics).join('|')})`);
const expressions = (dashboards: ReturnType<typeof allDashboards>): string[] =>
  dashboards.flatMap((d) => d.panels.flatMap((p) => p.queries.map((q) => q.expr)));

test('where no SLO counts what a mesh does, no panel asks for it, unless it is asked for', () => {
  const without = allDashboards(own, 30_000);
  expect(without.map((d) => d.uid)).toEqual([
    'firedrill-executive',
    'firedrill-oncall',
    'firedrill-fleet',
    'slo-shop-availability',
  ]);
  expect(expressions(without).filter((expr) => ofMesh.test(expr))).toEqual([]);
  const withMesh = allDashboards(own, 30_000, true);
  expect(withMesh.map((d) => d.uid)).toContain('firedrill-debug');
});

test('counters that only have the name of those of a mesh bring no dashboard of one', () => {
  const of = (text: string): string[] => {
    const counted = readSloText('in.yaml', text);
    return allDashboards(counted, 30_000).map((d) => d.uid);
  };
  const slo = (sli: string): string =>
    `apiVersion: firedrill.dev/v1\nservice: a\nslos: [{ name: b, objective: 99, sli: ${sli} }]\n`;
  const counters = (matchers: string): string =>
    `{ events: { bad: 'response_total{${matchers},classification="failure"}', ` +
    `total: 'response_total{${matchers}}' } }`;
  expect(of(slo('M1'))).toContain('firedrill-debug');
  expect(of(slo(counters('job="api"')))).not.toContain('firedrill-debug');
  // Linkerd's.
  expect(of(slo(counters('deployment="web",direction="inbound"')))).not.toContain(
    'firedrill-debug',
  );
});

test('the achieved ratio is that of the period by which the budget is kept', () => {
  const achieved = (window: string): string | undefined => {
    const slos = `slos: [{ name: b, objective: 99, window: ${window}, sli: M1 }]`;
    const text = `apiVersion: firedrill.dev/v1\nservice: a\n${slos}\n`;
    const slo = allDashboards(readSloText('in.yaml', text), 30_000).at(-1);
    return slo?.panels.find((p) => p.title === 'Achieved')?.queries[0]?.expr;
  };
  expect(achieved('7d')).toBe('1 - slo:sli_error:ratio_rate7d{slo="a-b"}');
  expect(achieved('month')).toBe('1 - slo:sli_error:ratio_month{slo="a-b"}');
});

test('a zero is shown only where something was counted', () => {
  const all = expressions(allDashboards(own, 30_000, true));
  const zeros = all.filter((expr) => expr.includes('vector(0)'));
  expect(zeros).not.toEqual([]);
  // A failure that was never counted means 0 failures; without `or vector(0)` the division would have no result.
  for (const expr of zeros) expect(expr).toMatch(/or vector\(0\)\) \/ sum\(/);
});

test('burn rates have a log axis with the burns that page, in Grafana and in the preview', () => {
  const dashboards = allDashboards(own, 30_000);
  const slo = dashboards.at(-1);
  const json = grafanaJson(slo as (typeof dashboards)[number]);
  expect(json).toContain('"type": "symlog"');
  const endMs = Date.UTC(2026, 10, 29, 14);
  const startMs = endMs - 3_600_000;
  const points: [number, number][] = [0, 0.5, 40].map((v, i) => [startMs + i * 1_800_000, v]);
  const labels = { alertname: '<img src=x>', severity: 'page', service: 'shop' };
  const answers = {
    startMs,
    endMs,
    panels: Object.fromEntries(
      dashboards.flatMap((d) =>
        d.panels.map((p) => {
          const queries = p.queries.map(() => [{ labels, points }]);
          return [panelKey(d, p.title), { queries }];
        }),
      ),
    ),
  };
  const page = previewHtml(dashboards, answers);
  for (const text of [
    '>0.1x<',
    '>10x<',
    '>100x<',
    '1x: the budget lasts its period',
    '3x: page over 1h',
  ])
    expect(page).toContain(text);
  expect(page).toContain('UTC, 2026-11-29');
  expect(page).not.toMatch(/<img|NaN\.|undefined/);
  // Each line appears with its dash in the legend, too.
  expect(page.match(/class="line c1 d1"/g)?.length).toBeGreaterThan(1);
});
