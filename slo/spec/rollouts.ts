/**
 * An SLO as the gate of a progressive delivery: Argo Rollouts' AnalysisTemplate, Flagger's MetricTemplate. Both query
 * the error ratio over a short window, and compare it with the burn rate at which the SLO pages.
 */
import { yamlDocuments } from '../../base/yaml-text.js';
import { UserError } from '../../base/errors.js';
import { distinctNames } from '../rules/object-names.js';
import { planOf } from '../rules/plan.js';
import { asEvents, orNone } from './as-events.js';
import { budgetRatio, type Slo } from './model.js';
import { fillWindow } from './query.js';

export type RolloutFormat = 'argo' | 'flagger';

/** Kubernetes objects, one for each SLO; `prometheus` is the address for the cluster's controller. */
export function rolloutObjects(
  slos: readonly Slo[],
  format: RolloutFormat,
  prometheus: string,
): string {
  const write = { argo: analysisTemplate, flagger: metricTemplate }[format];
  const names = distinctNames(
    slos.map((slo) => slo.id),
    nameOf,
  );
  return yamlDocuments(slos.map((slo, i) => write(names[i] as string, slo, prometheus)));
}

/** The smallest error ratio that pages; without pages that a ratio can reach, the budget itself. */
function boundOf(slo: Slo): number {
  const budget = budgetRatio(slo.objective);
  const pages = slo.alerting.page === false ? [] : planOf(slo).windows;
  const least = Math.min(...pages.filter((w) => w.severity === 'page').map((w) => w.factor));
  return Number((least * budget < 1 ? Math.max(1, least) * budget : budget).toPrecision(6));
}

function ratioOf(slo: Slo, format: string, window: string): string {
  const sli = asEvents(slo, format);
  // A service that never failed has no series of failures, and must pass.
  const query =
    sli.kind === 'ratio' ? sli.error : `${orNone(sli.bad ?? '', sli.total)} / (${sli.total})`;
  return fillWindow(query, window);
}

const nameOf = (id: string): string =>
  id
    .toLowerCase()
    .replaceAll(/[^a-z0-9-]/g, '-')
    .replaceAll(/^-+|-+$/g, '');

const wordsOf = (slo: Slo): Record<string, string> => ({
  'firedrill.dev/slo': slo.id,
  'firedrill.dev/objective': String(slo.objective),
});

/** Missing data, and a ratio of nothing, is neither success nor failure: the analysis is inconclusive. */
function analysisTemplate(name: string, slo: Slo, address: string): unknown {
  const bound = boundOf(slo);
  const measured = 'len(result) > 0 && !isNaN(result[0])';
  return {
    apiVersion: 'argoproj.io/v1alpha1',
    kind: 'AnalysisTemplate',
    metadata: { name, annotations: wordsOf(slo) },
    spec: {
      metrics: [
        {
          name,
          interval: '1m',
          count: 5,
          failureLimit: 1,
          successCondition: `${measured} && result[0] <= ${bound}`,
          failureCondition: `${measured} && result[0] > ${bound}`,
          provider: { prometheus: { address, query: ratioOf(slo, 'Argo Rollouts', '5m') } },
        },
      ],
    },
  };
}

/**
 * The bound must be in the Canary that refers to this object: `thresholdRange: { max: … }`, which an annotation says.
 */
function metricTemplate(name: string, slo: Slo, address: string): unknown {
  const query = ratioOf(slo, 'Flagger', '{{ interval }}');
  const annotations = { ...wordsOf(slo), 'firedrill.dev/threshold-max': String(boundOf(slo)) };
  return {
    apiVersion: 'flagger.app/v1beta1',
    kind: 'MetricTemplate',
    metadata: { name, annotations },
    spec: { provider: { type: 'prometheus', address }, query },
  };
}

/** The address must be given, because it is that of the cluster and not that of the user's machine. */
export function addressOf(prometheus: string | undefined, format: RolloutFormat): string {
  if (prometheus !== undefined && /^https?:\/\/\S+$/.test(prometheus)) return prometheus;
  throw new UserError({
    message: `--to ${format}${prometheus === undefined ? '' : ` --prometheus ${prometheus}`}`,
    expected:
      '--prometheus with the URL that the controller asks, such as http://prometheus.monitoring:9090',
  });
}
