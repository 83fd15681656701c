/** A dashboard as Grafana's JSON, made with Grafana's own builders. */
import * as common from '@grafana/grafana-foundation-sdk/common';
import * as dashboard from '@grafana/grafana-foundation-sdk/dashboard';
import { DataqueryBuilder, PromQueryFormat } from '@grafana/grafana-foundation-sdk/prometheus';
import * as stat from '@grafana/grafana-foundation-sdk/stat';
import * as table from '@grafana/grafana-foundation-sdk/table';
import * as timeseries from '@grafana/grafana-foundation-sdk/timeseries';
import type { Dashboard, Panel, Unit } from './model.js';

const unitNames: Record<Unit, string> = {
  ratio: 'percentunit',
  percent: 'percent',
  'per-second': 'reqps',
  ms: 'ms',
  s: 's',
  bytes: 'bytes',
  cores: 'none',
  count: 'none',
  times: 'x',
};

const source = { type: 'prometheus', uid: '${datasource}' };

/** The JSON of one dashboard for import or provisioning; equal dashboards give equal bytes. */
export function grafanaJson(model: Dashboard): string {
  const builder = new dashboard.DashboardBuilder(model.title)
    .uid(model.uid)
    .description(model.description)
    .tags(['firedrill', 'slo'])
    .timezone('utc')
    .refresh('30s')
    .time({ from: 'now-6h', to: 'now' })
    .withVariable(new dashboard.DatasourceVariableBuilder('datasource').type('prometheus'))
    .link(
      new dashboard.DashboardLinkBuilder('All of Firedrill')
        .type(dashboard.DashboardLinkType.Dashboards)
        .tags(['firedrill'])
        .asDropdown(true),
    )
    .annotation(alertsAnnotation())
    .annotation(deploymentsAnnotation());
  for (const variable of model.variables) {
    builder.withVariable(
      new dashboard.QueryVariableBuilder(variable.name)
        .query(variable.query)
        .datasource(source)
        .refresh(dashboard.VariableRefresh.OnTimeRangeChanged)
        .includeAll(true)
        .allValue('.*')
        .multi(true),
    );
  }
  for (const panel of model.panels) builder.withPanel(panelBuilder(panel));
  return `${JSON.stringify(builder.build(), undefined, 2)}\n`;
}

/** Marks incidents: the moments at which one of our alerts began to fire. */
const alertsAnnotation = () =>
  new dashboard.AnnotationQueryBuilder()
    .name('Incidents')
    .datasource(source)
    .enable(true)
    .iconColor('red')
    .expr('ALERTS{alertstate="firing",severity="page"}')
    .titleFormat('{{alertname}}')
    .textFormat('{{slo}}');

/** Marks deployments: the moments at which a process started. */
const deploymentsAnnotation = () =>
  new dashboard.AnnotationQueryBuilder()
    .name('Deployments')
    .datasource(source)
    .enable(false)
    .iconColor('blue')
    .expr('changes(process_start_time_seconds[5m]) > 0')
    .titleFormat('{{job}} {{instance}}');

function thresholdsOf(panel: Panel): dashboard.ThresholdsConfigBuilder {
  const { thresholds } = panel;
  const steps = thresholds?.falling
    ? [
        { value: null, color: 'red' },
        { value: thresholds.bad, color: 'yellow' },
        { value: thresholds.warn, color: 'green' },
      ]
    : [
        { value: null, color: 'green' },
        { value: thresholds?.warn ?? null, color: 'yellow' },
        { value: thresholds?.bad ?? null, color: 'red' },
      ];
  return new dashboard.ThresholdsConfigBuilder()
    .mode(dashboard.ThresholdsMode.Absolute)
    .steps(thresholds ? steps : steps.slice(0, 1));
}

const dashedLines = () =>
  new common.GraphThresholdsStyleConfigBuilder().mode(common.GraphThresholdsStyleMode.Dashed);

/** A logarithmic axis that can show zero, because it is linear below 0.1. */
const byTens = () =>
  new common.ScaleDistributionConfigBuilder()
    .type(common.ScaleDistribution.Symlog)
    .log(10)
    .linearThreshold(0.1);

function panelBuilder(panel: Panel) {
  const builders = {
    stat: () => new stat.PanelBuilder(),
    table: () => new table.PanelBuilder(),
    timeseries: () => new timeseries.PanelBuilder().fillOpacity(8),
  };
  const builder = builders[panel.kind]()
    .title(panel.title)
    .description(panel.description)
    .datasource(source)
    .unit(unitNames[panel.unit])
    .span(panel.width)
    .height(panel.height)
    .thresholds(thresholdsOf(panel));
  if (builder instanceof timeseries.PanelBuilder) {
    if (panel.thresholds) builder.thresholdsStyle(dashedLines());
    if (panel.log) builder.scaleDistribution(byTens());
  }
  panel.queries.forEach(({ expr, legend }, i) => {
    const query = new DataqueryBuilder().expr(expr).refId(String.fromCharCode(65 + i));
    if (legend !== undefined) query.legendFormat(legend);
    if (panel.kind === 'timeseries') query.range();
    else
      query
        .instant()
        .format(panel.kind === 'table' ? PromQueryFormat.Table : PromQueryFormat.TimeSeries);
    builder.withTarget(query);
  });
  if (panel.runbook !== undefined) {
    builder.links([
      new dashboard.DashboardLinkBuilder('Runbook')
        .type(dashboard.DashboardLinkType.Link)
        .url(panel.runbook)
        .targetBlank(true),
    ]);
  }
  return builder;
}
