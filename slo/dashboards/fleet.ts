/** The dashboard of all SLOs. */
import * as names from '../rules/names.js';
import type { Dashboard, Panel } from './model.js';
import { services } from './panels.js';

export function fleetDashboard(): Dashboard {
  const table = (title: string, description: string, expr: string, unit: Panel['unit']): Panel => ({
    title,
    description,
    kind: 'table',
    queries: [{ expr }],
    unit,
    width: 12,
    height: 10,
  });
  return {
    uid: 'firedrill-fleet',
    title: 'Reliability: all SLOs',
    description:
      'Every SLO, its budget and its burn rate, including SLOs whose rules another tool made.',
    variables: [services],
    panels: [
      table(
        'Budget left',
        'The lowest first. Below zero the objective is missed.',
        `sort(${names.budgetRemainingMetric}{service=~"$service"})`,
        'ratio',
      ),
      table(
        'Burn rate now',
        'Over five minutes; the fastest first.',
        `sort_desc(${names.currentBurnMetric}{service=~"$service"})`,
        'times',
      ),
      table('Objectives', 'The objective.', `${names.infoMetric}{service=~"$service"}`, 'count'),
      table(
        'SLOs without an owner',
        'SLOs that nobody is paged for: give each an owner.',
        `count(${names.infoMetric}{owner=""}) or 0 * count(${names.infoMetric})`,
        'count',
      ),
    ],
  };
}
