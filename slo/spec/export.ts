/** Writes SLOs in our own format, Sloth's or OpenSLO's; an SLO that a format cannot express is an error. */
import { stringify } from 'yaml';
import { formatDurationMs } from '../../base/duration.js';
import { asEvents } from './as-events.js';
import { openSloObjects } from './export-openslo.js';
import { lean } from './lean.js';
import { type AlertSettings, type Sli, type Slo, unitOf } from './model.js';
import { ownApiVersion } from './own-schema.js';
import { selectorOf } from './query.js';

export type ExportFormat = 'firedrill' | 'sloth' | 'openslo';
export const exportFormats: readonly ExportFormat[] = ['firedrill', 'sloth', 'openslo'];

export function exportSlos(slos: readonly Slo[], format: ExportFormat): string {
  const services = new Map<string, Slo[]>();
  for (const slo of slos) services.set(slo.service, [...(services.get(slo.service) ?? []), slo]);
  const write = { firedrill: ownFile, sloth: slothFile, openslo: openSloObjects }[format];
  return [...services]
    .flatMap(([service, list]) => write(service, list))
    .map(document)
    .join('---\n');
}

const document = (value: unknown): string => stringify(value, { lineWidth: 0 });

function ownFile(service: string, slos: Slo[]): unknown[] {
  return [{ apiVersion: ownApiVersion, service, slos: slos.map(ownSlo) }];
}

function ownSlo(slo: Slo): unknown {
  const { alerting: a } = slo;
  const settings = (s: AlertSettings | false): unknown =>
    s === false
      ? false
      : lean({
          for: s.forMs > 0 ? formatDurationMs(s.forMs) : undefined,
          keepFiringFor: s.keepFiringForMs > 0 ? formatDurationMs(s.keepFiringForMs) : undefined,
          labels: s.labels,
          annotations: s.annotations,
        });
  return lean({
    name: slo.name,
    description: slo.description,
    objective: slo.objective,
    window: slo.period.calendar ?? `${slo.period.days}d`,
    owner: slo.owner,
    labels: slo.labels,
    sli: ownSli(slo.sli),
    groupBy: slo.groupBy.length > 0 ? { labels: slo.groupBy, max: slo.maxGroups } : undefined,
    alerting: lean({
      name: a.name,
      labels: a.labels,
      annotations: a.annotations,
      falsePagesPerYear: a.falsePagesPerYear,
      pageAbove: a.windows ? undefined : a.pageAbove,
      windows: a.windows?.map((w) => ({
        severity: w.severity,
        factor: w.factor,
        long: formatDurationMs(w.longMs),
        short: formatDurationMs(w.shortMs),
      })),
      page: settings(a.page),
      ticket: settings(a.ticket),
      lowTraffic: lean({
        minBadEvents: a.minBadEvents || undefined,
        minEvents: a.minEvents || undefined,
      }),
      budgetSpent: a.budgetSpent,
      trafficWeighted: a.trafficWeighted || undefined,
      noData: a.noData && {
        after: formatDurationMs(a.noData.afterMs),
        severity: a.noData.severity,
      },
    }),
  });
}

function ownSli(sli: Sli): unknown {
  switch (sli.kind) {
    case 'events':
      return { events: lean({ bad: sli.bad, good: sli.good, total: sli.total }) };
    case 'ratio':
      return { ratio: lean({ error: sli.error, weight: sli.weight }) };
    case 'latency': {
      const { unit } = sli;
      return {
        latency: lean({
          histogram: selectorOf(sli.histogram, sli.matchers),
          threshold: formatDurationMs(Math.round(sli.threshold * (unit === 'ms' ? 1 : 1000))),
          unit: unit === unitOf(sli.histogram) ? undefined : unit,
          native: sli.native || undefined,
        }),
      };
    }
    case 'slices':
      return {
        slices: {
          length: formatDurationMs(sli.lengthMs),
          target: sli.target,
          weigh: sli.weigh,
          ...(ownSli(sli.of) as object),
        },
      };
    case 'probe':
      return { probe: sli.selector };
    case 'threshold':
      return { threshold: { value: sli.value, bad: sli.bad } };
    case 'composite':
      return compositeParts(sli);
  }
}

function compositeParts({ by, parts }: Extract<Sli, { kind: 'composite' }>): unknown {
  if (by === 'sum') return { composite: parts.map(({ slo, weight }) => ({ slo, weight })) };
  const ids = parts.map(({ slo, weight }) =>
    weight === 1 ? slo : { slo, percent: Number((weight * 100).toPrecision(12)) },
  );
  return { [by]: ids };
}

function slothFile(service: string, slos: Slo[]): unknown[] {
  const alert = (s: AlertSettings | false): unknown =>
    s === false ? { disable: true } : lean({ labels: s.labels, annotations: s.annotations });
  return [
    {
      version: 'prometheus/v1',
      service,
      slos: slos.map((slo) => {
        const sli = asEvents(slo, 'Sloth');
        const owner = slo.owner === undefined ? {} : { owner: slo.owner };
        return {
          ...lean({
            name: slo.name,
            objective: slo.objective,
            description: slo.description,
            labels: { ...owner, ...slo.labels },
          }),
          sli:
            sli.kind === 'ratio'
              ? { raw: { error_ratio_query: sli.error } }
              : { events: { error_query: sli.bad, total_query: sli.total } },
          alerting: {
            ...lean({
              name: slo.alerting.name,
              labels: slo.alerting.labels,
              annotations: slo.alerting.annotations,
            }),
            page_alert: alert(slo.alerting.page),
            ticket_alert: alert(slo.alerting.ticket),
          },
        };
      }),
    },
  ];
}
