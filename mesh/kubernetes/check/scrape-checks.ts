/**
 * Checks whether a Prometheus scrapes the mesh (every proxy, the controller and the injector), and the reason if not.
 */
import { splitAddress } from '../../../base/access.js';
import { boundedJson } from '../../../base/bounded-answer.js';
import { messageOf } from '../../../base/errors.js';
import { meshJobs } from '../../jobs.js';
import { type AnyObject, resources } from '../client/objects.js';
import type { Pod } from '../discovery/types.js';
import { isMeshed, selects } from '../discovery/workload.js';
import { names } from '../install/names.js';
import type { Check, CheckContext, Failure } from './model.js';

interface ScrapeTarget {
  labels: Record<string, string>;
  discoveredLabels: Record<string, string>;
  health: 'up' | 'down' | 'unknown';
  lastError: string;
}

type Ask = (path: string) => Promise<unknown>;

interface Found {
  name: string;
  ask: Ask;
}

/** The labels of Prometheus's Service in its charts, its Operator and plain manifests. */
const selectors = [
  'app.kubernetes.io/name=prometheus',
  'operated-prometheus=true',
  'app=prometheus',
];
const timeoutMs = 10_000;

/** `given`: a URL, or `namespace/service:port`. Absent: the first Service that matches. */
async function findPrometheus({ api, prometheus }: CheckContext): Promise<Found | undefined> {
  if (prometheus?.includes('://')) {
    const { url: base, authorization } = splitAddress(prometheus);
    const headers = { ...(authorization !== undefined && { authorization }) };
    const ask: Ask = async (path) => {
      const signal = AbortSignal.timeout(timeoutMs);
      const response = await fetch(`${base}${path}`, { headers, signal });
      if (!response.ok) throw new Error(`${base}${path}: ${response.status}`);
      return boundedJson(response);
    };
    return { name: base, ask };
  }
  const through = (namespace: string, service: string): Found => ({
    name: `${namespace}/${service}`,
    ask: (path) =>
      api.call('GET', `/api/v1/namespaces/${namespace}/services/${service}/proxy${path}`),
  });
  const named = /^([a-z0-9-]+)\/([a-z0-9-]+:\w+)$/.exec(prometheus ?? '');
  if (named) return through(named[1] as string, named[2] as string);
  for (const labelSelector of selectors) {
    const { items } = await api.list<
      AnyObject & { spec: { ports?: { port: number; name?: string }[] } }
    >(resources.Service, { labelSelector });
    for (const { metadata, spec } of items) {
      const port = spec.ports?.find((p) => p.port === 9090 || p.name === 'web') ?? spec.ports?.[0];
      if (port) return through(metadata.namespace ?? 'default', `${metadata.name}:${port.port}`);
    }
  }
  return undefined;
}

interface Wanted {
  job: string;
  namespace: string;
  pod: string;
}

async function wantedOf({ api, namespace }: CheckContext): Promise<Wanted[]> {
  const { items } = await api.list<Pod>(resources.Pod);
  const running = items.filter((p) => p.status?.phase === 'Running');
  return running.flatMap((p): Wanted[] => {
    const where = { namespace: p.metadata.namespace ?? 'default', pod: p.metadata.name };
    if (isMeshed(p)) return [{ job: meshJobs.proxy, ...where }];
    if (where.namespace !== namespace) return [];
    const component = p.metadata.labels?.['mesh.firedrill.dev/component'];
    if (component === names.controller) return [{ job: meshJobs.controller, ...where }];
    return component === names.injector ? [{ job: meshJobs.injector, ...where }] : [];
  });
}

const isOf = (t: ScrapeTarget, w: Wanted): boolean =>
  (t.labels.pod ?? t.discoveredLabels.__meta_kubernetes_pod_name) === w.pod &&
  (t.labels.namespace ?? t.discoveredLabels.__meta_kubernetes_namespace) === w.namespace;

/** Undefined: the target is scraped, and by the name that rules use. */
export function whyNotScraped(
  wanted: Wanted,
  targets: readonly ScrapeTarget[],
): string | undefined {
  const own = targets.filter((t) => isOf(t, wanted));
  const named = own.find((t) => t.labels.job === wanted.job);
  if (named?.health === 'unknown') return 'discovered, and not scraped yet';
  if (named?.health === 'down') return `it does not answer: ${named.lastError}`;
  if (named) return undefined;
  const other = own.find((t) => t.health === 'up');
  if (other) return `scraped as job ${other.labels.job}, and rules ask for ${wanted.job}`;
  return targets.some((t) => t.labels.job === wanted.job)
    ? `not discovered: may its account list pods of ${wanted.namespace}?`
    : `its configuration has no job ${wanted.job}`;
}

type Labelled = AnyObject & {
  spec?: { podMonitorSelector?: { matchLabels?: Record<string, string> } };
};

/** The next step if nothing is scraped: with the Operator, its own objects decide. */
async function fixOf({ api, namespace }: CheckContext): Promise<string> {
  const plain =
    'firedrill install --output-prometheus FOLDER writes scrape.yaml: add it to prometheus.yml';
  const crd = 'podmonitors.monitoring.coreos.com';
  if (!(await api.find(resources.CustomResourceDefinition, undefined, crd))) return plain;
  const monitor = await api.find<AnyObject>(resources.PodMonitor, namespace, meshJobs.proxy);
  if (!monitor) return 'firedrill upgrade --set monitoring.operator=true --apply';
  const all = await api.list<Labelled>(resources.Prometheus).catch(() => ({ items: [] }));
  for (const { metadata, spec } of all.items) {
    const selector = spec?.podMonitorSelector;
    if (!selector || selects(selector, monitor.metadata.labels)) continue;
    const labels = Object.entries(selector.matchLabels ?? {}).map(([k, v]) => `${k}=${v}`);
    const release = selector.matchLabels?.release;
    const how = release
      ? `firedrill upgrade --set monitoring.release=${release} --apply`
      : `label PodMonitor ${namespace}/${meshJobs.proxy} so`;
    return `Prometheus ${metadata.namespace}/${metadata.name} takes PodMonitors with ${labels.join()}: ${how}`;
  }
  return `see podMonitorNamespaceSelector of your Prometheus: PodMonitors are in ${namespace}`;
}

async function judge(context: CheckContext): Promise<Failure | undefined> {
  const prometheus = await findPrometheus(context);
  if (!prometheus) {
    const reason = 'no Service of a Prometheus was found, so nobody could be asked';
    return { warning: true, reason, fix: 'give --prometheus URL or NAMESPACE/SERVICE:PORT' };
  }
  const wanted = await wantedOf(context);
  let targets: ScrapeTarget[];
  try {
    const answer = (await prometheus.ask('/api/v1/targets?state=active')) as {
      data: { activeTargets: ScrapeTarget[] };
    };
    targets = answer.data.activeTargets;
  } catch (error) {
    const reason = `${prometheus.name} does not say what it scrapes: ${messageOf(error)}`;
    return { warning: true, reason, fix: 'give --prometheus URL or NAMESPACE/SERVICE:PORT' };
  }
  const missing = wanted.flatMap((w) => {
    const why = whyNotScraped(w, targets);
    return why === undefined ? [] : [{ pod: `${w.namespace}/${w.pod}`, why }];
  });
  if (missing.length === 0) return undefined;
  const shown = missing.slice(0, 3).map(({ pod, why }) => `${pod} (${why})`);
  const more = missing.length > 3 ? ` and ${missing.length - 3} more` : '';
  const isCutOff = missing.every(({ why }) => /deadline|refused|timeout|no route/.test(why));
  const isDown = missing.every(({ why }) => why.startsWith('it does not answer'));
  return {
    reason: `${prometheus.name} does not scrape ${shown.join(', ')}${more}`,
    fix: isCutOff
      ? 'label the namespace of Prometheus mesh.firedrill.dev/scrape=true, and see the NetworkPolicies of the pods'
      : isDown
        ? 'kubectl logs of the pod, and curl of its /metrics'
        : await fixOf(context),
  };
}

export const scrapeChecks: Check[] = [
  {
    id: 'metrics-scraped',
    category: 'firedrill-metrics',
    description: 'a Prometheus scrapes every proxy and the control plane',
    run: judge,
  },
];
