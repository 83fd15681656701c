/** SLOs as objects of OpenSLO v1: the service, its SLOs, and a policy for each window that alerts. */
import { planOf } from '../rules/plan.js';
import { asEvents } from './as-events.js';
import { lean } from './lean.js';
import type { BurnWindow, Slo } from './model.js';

/** The shorthand of OpenSLO, which has one unit. */
const shorthand = (ms: number): string =>
  ms % 86_400_000 === 0
    ? `${ms / 86_400_000}d`
    : ms % 3_600_000 === 0
      ? `${ms / 3_600_000}h`
      : `${Math.ceil(ms / 60_000)}m`;

const head = (kind: string, name: string) => ({
  apiVersion: 'openslo/v1',
  kind,
  metadata: { name },
});

export function openSloObjects(service: string, slos: Slo[]): unknown[] {
  return [{ ...head('Service', service), spec: {} }, ...slos.map((slo) => sloObject(service, slo))];
}

function sloObject(service: string, slo: Slo): unknown {
  const source = (query: string) => ({ metricSource: { type: 'Prometheus', spec: { query } } });
  const sli = asEvents(slo, 'OpenSLO');
  const ratioMetric =
    sli.kind === 'ratio'
      ? { rawType: 'failure', raw: source(sli.error) }
      : { counter: true, bad: source(sli.bad ?? ''), total: source(sli.total) };
  const labels = { ...slo.labels, ...(slo.owner === undefined ? {} : { owner: slo.owner }) };
  const { metadata, ...rest } = head('SLO', slo.id);
  return {
    ...rest,
    metadata: lean({ ...metadata, labels }),
    spec: lean({
      description: slo.description,
      service,
      indicator: { metadata: { name: slo.name }, spec: { ratioMetric } },
      timeWindow: [
        slo.period.calendar === 'month'
          ? {
              duration: '1M',
              isRolling: false,
              calendar: { startTime: '2026-01-01 00:00:00', timeZone: 'UTC' },
            }
          : { duration: `${slo.period.days}d`, isRolling: true },
      ],
      budgetingMethod: 'Occurrences',
      objectives: [{ targetPercent: slo.objective }],
      alertPolicies: planOf(slo)
        .windows.filter((w) => slo.alerting[w.severity] !== false)
        .map((window) => policyOf(slo, window)),
    }),
  };
}

/** A policy has one condition, and needs a target. */
function policyOf(slo: Slo, { severity, factor, longMs }: BurnWindow): unknown {
  const { [severity]: settings, noData, labels } = slo.alerting;
  const name = `${severity}-${shorthand(longMs)}`;
  const forMs = settings === false ? 0 : settings.forMs;
  return {
    kind: 'AlertPolicy',
    metadata: { name: `${slo.id}-${name}` },
    spec: {
      alertWhenBreaching: true,
      alertWhenNoData: noData !== false,
      conditions: [
        {
          kind: 'AlertCondition',
          metadata: { name },
          spec: {
            severity,
            condition: lean({
              kind: 'burnrate',
              op: 'gt',
              threshold: factor,
              lookbackWindow: shorthand(longMs),
              alertAfter: forMs > 0 ? shorthand(forMs) : undefined,
            }),
          },
        },
      ],
      notificationTargets: (labels.notify ?? slo.owner ?? severity).split(',').map((target) => ({
        kind: 'AlertNotificationTarget',
        metadata: { name: target.replaceAll(/[^A-Za-z0-9._-]/g, '-') },
        spec: { target: 'alertmanager' },
      })),
    },
  };
}
