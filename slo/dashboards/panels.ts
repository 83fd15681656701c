/** What the dashboards are put together from: short ways to write panels, and the panels that several share. */
import * as names from '../rules/names.js';
import type { Panel } from './model.js';

export const rate = (selector: string): string => `rate(${selector}[$__rate_interval])`;
export const inbound = 'direction="inbound"';
export const outbound = 'direction="outbound"';

export const stat = (p: Omit<Panel, 'kind' | 'width' | 'height'> & { width?: number }): Panel => ({
  ...p,
  kind: 'stat',
  width: p.width ?? 6,
  height: 4,
});
export const series = (
  p: Omit<Panel, 'kind' | 'width' | 'height'> & { width?: number },
): Panel => ({
  ...p,
  kind: 'timeseries',
  width: p.width ?? 12,
  height: 8,
});

export const services = {
  name: 'service' as const,
  query: `label_values(${names.infoMetric}, ${names.serviceLabel})`,
};

export const budgetLeft = { warn: 0.25, bad: 0, falling: true };

export const firingAlerts: Panel = {
  title: 'Firing alerts',
  description: 'What pages or files a ticket right now. Each alert links to its runbook.',
  kind: 'table',
  queries: [{ expr: 'ALERTS{alertstate="firing"}' }],
  unit: 'count',
  width: 12,
  height: 8,
  mayBeEmpty: true,
};
