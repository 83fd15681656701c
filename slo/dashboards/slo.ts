/** One dashboard for one SLO. */
import * as names from '../rules/names.js';
import { type Plan, planOf } from '../rules/plan.js';
import { periodRatio } from '../rules/ratios.js';
import { budgetRatio, type Slo } from '../spec/model.js';
import type { Dashboard, Panel } from './model.js';
import { uidOf } from './uid.js';
import { stat, series, budgetLeft, burnMarks, firingAlerts } from './panels.js';

/** One dashboard for one SLO (S4): burn-down, burn rates, events. */
export function sloDashboard(
  slo: Slo,
  options: Pick<Plan['options'], 'windows'> & { stepMs: number },
): Dashboard {
  const { stepMs } = options;
  const plan = planOf(slo, options);
  const of = `{slo="${slo.id}"}`;
  const budget = budgetRatio(slo.objective);
  const runbook = slo.alerting.annotations.runbook_url;
  const link = runbook === undefined ? {} : { runbook };
  const burn = (ms: number, legend: string) => ({
    expr: `${names.errorRatio(ms)}${of} / ${budget}`,
    legend,
  });
  return {
    uid: uidOf(slo.id),
    title: `SLO: ${slo.id}`,
    description: slo.description ?? `${slo.objective}% of events are good`,
    variables: [],
    panels: [
      ...figuresOf(plan, of, link),
      series({
        title: 'Budget burn-down',
        description: 'What is left of the budget. A step down is an incident.',
        queries: [{ expr: `${names.budgetRemainingMetric}${of}`, legend: 'left' }],
        unit: 'ratio',
        thresholds: budgetLeft,
        ...link,
      }),
      series({
        title: 'Burn rates',
        description:
          'Times faster than allowed. A page needs the long and the short window above its factor.',
        queries: [
          burn(300_000, '5m'),
          burn(3_600_000, '1h'),
          burn(21_600_000, '6h'),
          burn(259_200_000, '3d'),
        ],
        unit: 'times',
        thresholds: { warn: 1, bad: 3 },
        log: true,
        marks: burnMarks(plan),
        ...link,
      }),
      series({
        title: 'Events',
        description: 'A second, of each step.',
        queries: [
          { expr: `${names.totalIncrease(stepMs)}${of} / ${stepMs / 1000}`, legend: 'all' },
          { expr: `${names.badIncrease(stepMs)}${of} / ${stepMs / 1000}`, legend: 'bad' },
        ],
        unit: 'per-second',
      }),
      { ...firingAlerts, queries: [{ expr: `ALERTS{alertstate="firing",slo="${slo.id}"}` }] },
    ],
  };
}

/** The objective, the measured ratio, and the remaining budget. */
function figuresOf(plan: Plan, of: string, link: Pick<Panel, 'runbook'>): Panel[] {
  const { slo } = plan;
  const budget = budgetRatio(slo.objective);
  return [
    stat({
      title: 'Objective',
      description: 'What was promised.',
      queries: [{ expr: `${names.objectiveRatioMetric}${of}` }],
      unit: 'ratio',
    }),
    stat({
      title: 'Achieved',
      description: 'Over the period so far, a ratio of sums.',
      queries: [{ expr: `1 - ${periodRatio(plan)}${of}` }],
      unit: 'ratio',
      thresholds: { warn: slo.objective / 100, bad: slo.objective / 100, falling: true },
    }),
    stat({
      title: 'Error budget left',
      description: 'Of the whole period. Below 0 the promise is broken.',
      queries: [{ expr: `${names.budgetRemainingMetric}${of}` }],
      unit: 'ratio',
      thresholds: budgetLeft,
      ...link,
    }),
    stat({
      title: 'Budget left in minutes',
      description: 'Of complete failure, until nothing is left.',
      queries: [
        { expr: `${names.budgetRemainingMetric}${of} * ${budget * slo.period.days * 86_400}` },
      ],
      unit: 's',
      thresholds: { warn: 3600, bad: 0, falling: true },
    }),
  ];
}
