/** Names the settings of an SLO that another tool's format does not have, so that nobody believes them exported. */
import { type AlertSettings, defaultAlertName, shortOf, type Slo } from './model.js';

const isEmpty = (map: object): boolean => Object.keys(map).length === 0;

function lost(slo: Slo, format: 'sloth' | 'openslo'): string[] {
  const { alerting: a, period } = slo;
  const severities = [a.page, a.ticket].filter((s) => s !== false);
  const some = (has: (s: AlertSettings) => boolean): boolean => severities.some(has);
  const { notify: _, ...labels } = a.labels;
  const isSloth = format === 'sloth';
  const all: [string, boolean][] = [
    ['window', isSloth && (period.calendar !== undefined || period.days !== 30)],
    ['alerting.windows', isSloth && a.windows !== undefined],
    [
      'alerting.windows.short',
      !isSloth && !!a.windows?.some((w) => w.shortMs !== shortOf(w.longMs)),
    ],
    ['alerting.pageAbove', isSloth && a.pageAbove !== undefined],
    ['alerting.name', !isSloth && a.name !== defaultAlertName(slo.service, slo.name)],
    ['labels of alerts', !isSloth && !(isEmpty(labels) && !some((s) => !isEmpty(s.labels)))],
    ['annotations', !isSloth && !(isEmpty(a.annotations) && !some((s) => !isEmpty(s.annotations)))],
    ['page: false and ticket: false', !isSloth && severities.length === 0],
    ['for', isSloth && some((s) => s.forMs > 0)],
    ['keepFiringFor', some((s) => s.keepFiringForMs > 0)],
    ['lowTraffic', a.minBadEvents + a.minEvents > 0],
    ['falsePagesPerYear', a.falsePagesPerYear !== undefined],
    ['budgetSpent', a.budgetSpent !== undefined],
    ['trafficWeighted', a.trafficWeighted],
    [
      'noData',
      a.noData !== false &&
        (isSloth || a.noData.afterMs !== 600_000 || a.noData.severity === 'page'),
    ],
  ];
  return all.filter(([, is]) => is).map(([name]) => name);
}

/** One line for each SLO of which the format leaves something out. */
export function leftOut(slos: readonly Slo[], format: 'sloth' | 'openslo'): string[] {
  return slos.flatMap((slo) => {
    const names = lost(slo, format);
    const tool = format === 'sloth' ? 'Sloth' : 'OpenSLO';
    return names.length === 0 ? [] : [`${slo.id}: ${tool} has no ${names.join(', ')}`];
  });
}
