/** Checks of the proxies in pods: present, ready, of this version, with the present anchors. */
import { isIPv6 } from 'node:net';
import { readCertificates } from '../../identity/issuing.js';
import { packageVersion } from '../../../base/paths.js';
import { annotations, initContainer, proxyContainer } from '../annotations.js';
import { type AnyObject, resources } from '../client/objects.js';
import type { ContainerStatus, Namespace, Pod, Service } from '../discovery/types.js';
import { hasEnded, isMeshed } from '../discovery/workload.js';
import { tornPorts } from './opaque-check.js';
import { badAnnotation } from '../inject/annotation-check.js';
import { names } from '../install/names.js';
import type { Check, CheckContext } from './model.js';

const category = 'firedrill-data-plane';

async function pods({ api, proxyNamespace }: CheckContext): Promise<Pod[]> {
  return (await api.list<Pod>(resources.Pod, { namespace: proxyNamespace })).items;
}
/** A misspelt `enabled` asks for a proxy, too, and none comes. */
const isAsked = (value: string | undefined): boolean => value !== undefined && value !== 'disabled';

/** A user of one namespace may read that one, and list none. */
async function namespaces({ api, proxyNamespace }: CheckContext): Promise<Namespace[]> {
  if (proxyNamespace === undefined) return (await api.list<Namespace>(resources.Namespace)).items;
  return [await api.get<Namespace>(resources.Namespace, undefined, proxyNamespace)];
}
const nameOf = (p: { metadata: { namespace?: string; name: string } }): string =>
  `${p.metadata.namespace}/${p.metadata.name}`;
const some = (all: string[]): string =>
  all.slice(0, 5).join(', ') + (all.length > 5 ? ` and ${all.length - 5} more` : '');
const alive = (p: Pod): boolean => !hasEnded(p);

/**
 * The reason why a pod's proxy is not ready, with the pod's name; undefined if it is. A native sidecar's status is
 * among the init containers', and while the init container before it fails, the proxy itself only waits.
 */
export function whyNotReady(pod: Pod): string | undefined {
  const { containerStatuses = [], initContainerStatuses = [] } = pod.status ?? {};
  const own = [...initContainerStatuses, ...containerStatuses];
  const proxy = own.find((s) => s.name === proxyContainer);
  if (proxy?.ready) return undefined;
  const before = own.find((s) => s.name === initContainer && stuckBy(s) !== undefined);
  const found = before && !proxy?.restartCount ? before : proxy;
  const why = (found && stuckBy(found)) ?? (found ? 'not ready' : 'not started');
  const restarts = found?.restartCount ? `, ${found.restartCount} restarts` : '';
  const ended = found?.lastState?.terminated?.reason;
  return `${nameOf(pod)} (${why}${restarts}${ended ? `, last ${ended}` : ''})`;
}

function stuckBy({ state }: ContainerStatus): string | undefined {
  if (state?.waiting?.reason !== undefined) return state.waiting.reason;
  const { exitCode, reason } = state?.terminated ?? {};
  return exitCode ? (reason ?? 'Error') : undefined;
}

export const proxyChecks: Check[] = [
  {
    id: 'proxy-injected',
    category,
    description: 'every pod that should have a proxy has one',
    run: async (c) => {
      const items = await namespaces(c);
      const enabled = new Set(
        items
          .filter((n) => isAsked(n.metadata.annotations?.[annotations.inject]))
          .map((n) => n.metadata.name),
      );
      const bare = (await pods(c)).filter((p) => {
        const own = p.metadata.annotations?.[annotations.inject];
        const wanted = own === undefined ? enabled.has(p.metadata.namespace ?? '') : isAsked(own);
        return wanted && alive(p) && !isMeshed(p) && !p.spec.hostNetwork;
      });
      if (bare.length === 0) return undefined;
      return {
        reason: `without a proxy: ${some(bare.map(nameOf))}`,
        fix: 'restart them (kubectl rollout restart); if that does not help, see their Events and the webhook checks',
      };
    },
  },
  {
    id: 'annotations-readable',
    category,
    description: 'every annotation of a namespace or a service is known, and can be read',
    run: async (c) => {
      const services = await c.api.list<Service>(resources.Service, {
        namespace: c.proxyNamespace,
      });
      const bad = [...(await namespaces(c)), ...services.items].flatMap(({ metadata }) => {
        const own = metadata.annotations ?? {};
        const problem = badAnnotation((key) => own[key], own);
        const where = metadata.namespace === undefined ? 'namespace ' : `${metadata.namespace}/`;
        return problem === undefined ? [] : [`${where}${metadata.name}: ${problem}`];
      });
      if (bad.length === 0) return undefined;
      return { reason: some(bad), fix: 'correct them: until then the default is in force' };
    },
  },
  {
    id: 'proxy-ready',
    category,
    description: 'the proxies are ready',
    run: async (c) => {
      const meshed = (await pods(c)).filter((p) => isMeshed(p) && alive(p));
      if (meshed.length === 0) {
        const where = c.proxyNamespace === undefined ? '' : ` in namespace ${c.proxyNamespace}`;
        return {
          reason: `no pod${where} has a proxy, so none could be looked at`,
          fix: `kubectl annotate namespace NAME ${annotations.inject}=enabled, and restart its pods`,
        };
      }
      const bad = meshed.flatMap((p) => whyNotReady(p) ?? []);
      if (bad.length === 0) return undefined;
      return {
        reason: `not ready: ${some(bad)}`,
        fix: 'kubectl logs POD -c firedrill-proxy, and kubectl describe pod POD',
      };
    },
  },
  {
    id: 'proxy-version',
    category,
    description: 'the proxies and this command have one version',
    warning: true,
    run: async (c) => {
      const old = (await pods(c)).filter(
        (p) =>
          isMeshed(p) &&
          alive(p) &&
          p.metadata.annotations?.[annotations.proxyVersion] !== packageVersion(),
      );
      if (old.length === 0) return undefined;
      return { reason: `other versions: ${some(old.map(nameOf))}`, fix: 'restart these workloads' };
    },
  },
  {
    id: 'proxy-trust-anchors',
    category,
    description: 'the proxies started with trust anchors that are still in the bundle',
    run: async (c) => {
      const found = await c.api.find<AnyObject>(resources.ConfigMap, c.namespace, names.bundle);
      const bundle = (found?.data as Record<string, string> | undefined)?.['ca.crt'];
      if (!bundle) return { reason: 'no bundle is published', fix: 'see the identity checks' };
      const known = new Set(readCertificates(bundle, 'bundle').map((x) => x.fingerprint256));
      const stale = (await pods(c)).filter((p) => {
        const own = p.metadata.annotations?.[annotations.trustAnchors];
        if (!own || !isMeshed(p) || !alive(p)) return false;
        return !readCertificates(own, nameOf(p)).some((x) => known.has(x.fingerprint256));
      });
      if (stale.length === 0) return undefined;
      return {
        reason: `only old anchors: ${some(stale.map(nameOf))}`,
        fix: 'restart them before the old anchor leaves the bundle',
      };
    },
  },
  {
    id: 'opaque-ports',
    category: 'firedrill-opaque-ports-definition',
    description: 'pods and services agree on opaque ports',
    warning: true,
    run: async (c) => {
      const { items } = await c.api.list<Service>(resources.Service, {
        namespace: c.proxyNamespace,
      });
      const torn = tornPorts(items, await pods(c), await namespaces(c));
      if (torn.length === 0) return undefined;
      return {
        reason: `opaque for clients or for pods alone: ${some(torn)}`,
        fix: 'annotate the pods with opaque-ports, too (their own numbers), or the namespace',
      };
    },
  },
  {
    id: 'proxy-ipv6',
    category,
    description:
      'no pod with a proxy has an IPv6 address, at which its app answers without the proxy',
    warning: true,
    run: async (c) => {
      const open = (await pods(c)).filter(
        (p) => isMeshed(p) && alive(p) && p.status?.podIPs?.some(({ ip }) => isIPv6(ip)),
      );
      if (open.length === 0) return undefined;
      return {
        reason: `neither mutual TLS nor policy at the IPv6 address of ${some(open.map(nameOf))}`,
        fix: 'a NetworkPolicy that lets only IPv4 in (ipBlock 0.0.0.0/0), or pods of one family',
      };
    },
  },
];
