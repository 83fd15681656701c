/** Shorthands for panels, and the panels that several dashboards share. */
import { formatDurationMs } from '../../base/duration.js';
import * as names from '../rules/names.js';
import { defaultStepMs, type Plan } from '../rules/plan.js';
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

/** Expressions over the events that rules sum for SLOs, which are the only source without a mesh. */
export class Events {
  readonly #total: string;
  readonly #bad: string;
  readonly #stepSeconds: number;

  constructor(stepMs = defaultStepMs) {
    this.#total = names.totalIncrease(stepMs);
    this.#bad = names.badIncrease(stepMs);
    this.#stepSeconds = stepMs / 1000;
  }

  get goodShare(): string {
    const sum = (metric: string): string => `sum(sum_over_time(${metric}[5m]))`;
    return `1 - ${sum(this.#bad)} / ${sum(this.#total)}`;
  }

  /** The maximum over a service's SLOs, because they count the same requests. */
  get #perService(): string {
    const by = names.serviceLabel;
    return `max by (${by}) (sum by (${by}, ${names.sloLabel}) (${this.#total})) / ${this.#stepSeconds}`;
  }

  get traffic(): string {
    return `sum(${this.#perService})`;
  }

  byService(): Panel {
    return series({
      title: 'Traffic by service',
      description: 'Events a second, of each service those of its busiest SLO.',
      queries: [{ expr: this.#perService, legend: `{{${names.serviceLabel}}}` }],
      unit: 'per-second',
    });
  }
}

export const services = {
  name: 'service' as const,
  query: `label_values(${names.infoMetric}, ${names.serviceLabel})`,
};

export const budgetLeft = { warn: 0.25, bad: 0, falling: true };

/** At 1x the budget lasts its whole period; the other marks are burn rates at which alerts fire. */
export const burnMarks = (plan: Pick<Plan, 'windows'>): NonNullable<Panel['marks']> => {
  const found = new Map([[1, ['the budget lasts its period']]]);
  for (const { factor, severity, longMs } of plan.windows) {
    const text = `${severity} over ${formatDurationMs(longMs)}`;
    found.set(factor, [...(found.get(factor) ?? []), text]);
  }
  return [...found].map(([at, texts]) => {
    return { at, text: `${Number(at.toPrecision(3))}x: ${texts.join(', ')}` };
  });
};

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
