/** Stage three: multi-window, multi-burn-rate alerts (SRE Workbook, chapter 5), and the alert for missing data. */
import { formatDurationMs } from '../../base/duration.js';
import type { AlertSettings } from '../spec/model.js';
import type { AlertingRule } from './model.js';
import { guardLines } from './false-pages.js';
import * as names from './names.js';
import { isFine, type Plan, scaled, sumOver } from './plan.js';
import type { AlertWindow } from './windows.js';

type Severity = AlertWindow['severity'];

function conditionOf(plan: Plan, window: AlertWindow): string {
  const ratio = plan.slo.alerting.trafficWeighted ? names.weightedRatio : names.errorRatio;
  const above = (ms: number): string =>
    `${ratio(ms)}${plan.selector} > (${window.factor} * ${plan.budget})`;
  return [above(window.longMs), above(window.shortMs), ...guardsOf(plan, window)]
    .map((line) => `  ${line}`)
    .join('\n  and\n');
}

/** For services with little traffic: a ratio of a few events is noise, so the long window must have enough events. */
function guardsOf(plan: Plan, window: AlertWindow): string[] {
  const { minBadEvents, minEvents } = plan.slo.alerting;
  const series = isFine(window.longMs) ? plan.fine : plan.coarse;
  const guards: string[] = [];
  if (minBadEvents > 0) {
    guards.push(`${sumOver(plan, series.bad, window.longMs)} >= ${minBadEvents}`);
  }
  if (minEvents > 0) guards.push(`${sumOver(plan, series.total, window.longMs)} >= ${minEvents}`);
  return [...guards, ...guardLines(plan, window)];
}

function labelsOf(plan: Plan, severity: Severity, settings: AlertSettings): Record<string, string> {
  const { slo } = plan;
  return {
    ...slo.labels,
    ...slo.alerting.labels,
    ...settings.labels,
    ...(slo.owner === undefined ? {} : { [names.ownerLabel]: slo.owner }),
    ...plan.labels,
    ...severityOf(
      severity,
      settings.labels[names.severityLabel] ?? slo.alerting.labels[names.severityLabel],
    ),
    ...(plan.scaleText === undefined ? {} : { [names.timeScaleLabel]: plan.scaleText }),
  };
}

/**
 * The severity label. A severity named by the user wins, because Alertmanager's routes match it; ours is then added.
 */
function severityOf(severity: Severity, own: string | undefined): Record<string, string> {
  if (own === undefined || own === severity) return { [names.severityLabel]: severity };
  return { [names.severityLabel]: own, [names.sloSeverityLabel]: severity };
}

/** The runbook pages that all SLOs share, from `firedrill runbook publish`. */
const sharedPages = {
  burn: 'SloBudgetBurn',
  noData: 'SloNoData',
  budgetSpent: 'SloBudgetBurn',
};
/** Suffix of each alert's name, after the SLO's name for its alerts. */
const suffixes = { burn: '', noData: 'NoData', budgetSpent: 'BudgetSpent' };

function annotationsOf(
  plan: Plan,
  settings: AlertSettings,
  cause: keyof typeof sharedPages,
  own: Record<string, string>,
) {
  const { slo, options } = plan;
  const alert = slo.alerting.name + suffixes[cause];
  const { runbookBase } = options;
  const runbook =
    options.runbookUrl ??
    (runbookBase === undefined
      ? undefined
      : `${runbookBase.replace(/\/+$/, '')}/${sharedPages[cause]}`);
  const link = (template: string): string =>
    template
      .replaceAll('{{alert}}', alert)
      .replaceAll('{{slo}}', slo.id)
      .replaceAll('{{service}}', slo.service);
  return {
    ...(runbook === undefined ? {} : { runbook_url: link(runbook) }),
    ...(options.dashboardUrl === undefined ? {} : { dashboard_url: link(options.dashboardUrl) }),
    ...own,
    ...(plan.scaleText === undefined
      ? {}
      : {
          time_scale: `Windows are scaled by ${plan.scaleText}: an hour in the text is ${hourText(plan)}.`,
        }),
    ...slo.alerting.annotations,
    ...settings.annotations,
  };
}

const hourText = (plan: Plan): string => formatDurationMs(scaled(plan, 3_600_000));

const window = (ms: number): string => formatDurationMs(ms);

/** The alert of one severity, which fires for any of its windows; undefined if the SLO switches it off. */
export function burnAlert(plan: Plan, severity: Severity): AlertingRule | undefined {
  const settings = plan.slo.alerting[severity];
  const windows = plan.windows.filter((w) => w.severity === severity);
  if (settings === false || windows.length === 0) return undefined;
  const { slo } = plan;
  const burns = windows
    .map((w) => `${w.factor}x over ${window(w.longMs)} and ${window(w.shortMs)}`)
    .join(', or ');
  const group = slo.groupBy.map((l) => ` ${l}={{ $labels.${l} }}`).join('');
  return {
    kind: 'alert',
    alert: slo.alerting.name,
    expr: windows.map((w) => `(\n${conditionOf(plan, w)}\n)`).join('\nor\n'),
    forMs: settings.forMs === 0 ? 0 : scaled(plan, settings.forMs),
    keepFiringForMs: settings.keepFiringForMs === 0 ? 0 : scaled(plan, settings.keepFiringForMs),
    labels: labelsOf(plan, severity, settings),
    annotations: annotationsOf(plan, settings, 'burn', {
      summary: `${slo.service}: the error budget of ${slo.name} burns too fast${group}`,
      description:
        `{{ $value | humanizePercentage }} of events are bad where ${slo.objective}% must be good ` +
        `(${severity}s at ${burns}).`,
    }),
  };
}

/** Missing data is not success: the step series disappear together with their metrics. */
export function noDataAlert(plan: Plan): AlertingRule | undefined {
  const { slo } = plan;
  const { noData } = slo.alerting;
  if (noData === false) return undefined;
  const settings = slo.alerting[noData.severity];
  return {
    kind: 'alert',
    alert: `${slo.alerting.name}NoData`,
    expr: `absent(${names.totalIncrease(plan.stepMs)}${plan.selector})`,
    forMs: scaled(plan, noData.afterMs),
    keepFiringForMs: 0,
    labels: {
      ...labelsOf(plan, noData.severity, settings === false ? noSettings : settings),
      [names.serviceLabel]: slo.service,
    },
    annotations: annotationsOf(plan, settings === false ? noSettings : settings, 'noData', {
      summary: `${slo.service}: nothing measures ${slo.name}`,
      description: `The metrics that ${slo.id} is computed from are gone, so no alert of it can fire.`,
    }),
  };
}

/** Alerts on the spent share of the period's budget, which may have burned slowly. */
export function budgetSpentAlerts(plan: Plan): AlertingRule[] {
  const { slo } = plan;
  const group = slo.groupBy.map((l) => ` ${l}={{ $labels.${l} }}`).join('');
  return (slo.alerting.budgetSpent ?? []).map(({ percent, severity }) => {
    const settings = slo.alerting[severity] || noSettings;
    return {
      kind: 'alert',
      alert: `${slo.alerting.name}BudgetSpent`,
      // Compares the spent share and not the remaining one, because people see the value.
      expr: `${names.periodBurnMetric}${plan.selector} >= ${Number((percent / 100).toPrecision(12))}`,
      forMs: 0,
      keepFiringForMs: 0,
      labels: { ...labelsOf(plan, severity, settings), [names.budgetSpentLabel]: `${percent}%` },
      annotations: annotationsOf(plan, settings, 'budgetSpent', {
        summary: `${slo.service}: ${percent}% of the error budget of ${slo.name} is spent${group}`,
        description:
          `{{ $value | humanizePercentage }} of what may fail in ${slo.period.calendar ?? `${slo.period.days} days`} ` +
          `has failed, where ${slo.objective}% must be good.`,
      }),
    };
  });
}

const noSettings: AlertSettings = { forMs: 0, keepFiringForMs: 0, labels: {}, annotations: {} };
