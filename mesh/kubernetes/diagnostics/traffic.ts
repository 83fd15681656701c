/** Entries about requests: retries, routes, splits, names. */
import type { Route } from '../../model.js';
import { splitShares, type TrafficSplitSpec } from '../discovery/specs.js';
import {
  at,
  type Entry,
  type Facts,
  type Finding,
  isMissing,
  listAt,
  named,
  ofKind,
  proxyName,
  sum,
} from './entry.js';

interface Target {
  where: string;
  backends: { service: string; namespace: string; weight: number }[];
}

interface BackendRef {
  kind?: string;
  name: string;
  namespace?: string;
  weight?: number;
}

/** The targets of TrafficSplits and routes; a route may also send to what is no Service. */
function splits(facts: Facts): Target[] {
  return ofKind(facts, 'TrafficSplit', 'HTTPRoute', 'GRPCRoute').flatMap((o) => {
    const { namespace = 'default' } = o.metadata;
    const lists: BackendRef[][] =
      o.kind === 'TrafficSplit'
        ? [
            splitShares((at(o, 'spec') ?? {}) as TrafficSplitSpec).map((b) => ({
              name: b.service,
              weight: b.weight,
            })),
          ]
        : listAt(o, 'spec', 'rules').map((r) => listAt<BackendRef>(r, 'backendRefs'));
    return lists.map((refs) => ({
      where: named(o),
      backends: refs
        .filter(({ kind = 'Service' }) => kind === 'Service')
        .map((b) => ({
          service: b.name,
          namespace: b.namespace ?? namespace,
          weight: b.weight ?? 1,
        })),
    }));
  });
}

function readyEndpoints(facts: Facts, namespace: string, service: string): number {
  return ofKind(facts, 'EndpointSlice')
    .filter(
      (s) =>
        s.metadata.namespace === namespace &&
        s.metadata.labels?.['kubernetes.io/service-name'] === service,
    )
    .flatMap((s) => listAt<{ conditions?: { ready?: boolean } }>(s, 'endpoints'))
    .filter((e) => e.conditions?.ready !== false).length;
}

const retryStorm: Entry = {
  id: 'aggressive-retries',
  symptom: '5xx answers rise together with load: retries feed the overload',
  find: ({ proxies }) =>
    proxies.flatMap((p): Finding[] => {
      const found: Finding[] = [];
      const requests = sum(p.after, 'response_total', (l) => l.direction === 'outbound');
      const retries = sum(p.after, 'outbound_http_route_retry_requests_total');
      if (requests >= 20 && retries / requests > 0.25) {
        const share = Math.round((100 * retries) / requests);
        found.push({
          where: proxyName(p),
          cause: `${share} retries for every 100 requests`,
          fix: 'give the route a retry budget (ratio 0.2), and retry only what is worth it (503, not 500)',
        });
      }
      const unlimited = (p.config.state?.destinations ?? []).flatMap((d) =>
        d.routes
          .filter((r: Route) => r.retry && !r.retry.budget && !d.retryBudget)
          .map((r: Route) => `${d.name} ${r.name}`),
      );
      if (unlimited.length > 0) {
        const fix = 'set retryBudget in the ServiceProfile or the registry';
        found.push({
          where: proxyName(p),
          cause: `retries without a budget: ${unlimited.join(', ')}`,
          fix,
        });
      }
      return found;
    }),
};

const newVersion: Entry = {
  id: 'new-version-gets-no-traffic',
  symptom: 'traffic does not reach the new version',
  find: (facts) =>
    splits(facts).flatMap(({ where, backends }) =>
      backends.flatMap(({ service, namespace, weight }): Finding[] => {
        if (isMissing(facts, 'Service', service, namespace))
          return [
            {
              where,
              cause: `service ${service} does not exist`,
              fix: 'create it, or correct the name',
            },
          ];
        if (weight === 0)
          return [{ where, cause: `${service} has the weight 0`, fix: 'raise its weight' }];
        const slices = ofKind(facts, 'EndpointSlice').length;
        if (slices === 0 || readyEndpoints(facts, namespace, service) > 0) return [];
        const own = ofKind(facts, 'Service').find(
          (s) => s.metadata.namespace === namespace && s.metadata.name === service,
        );
        const selector = JSON.stringify(at(own, 'spec', 'selector') ?? {});
        return [
          {
            where,
            cause: `service ${service} has no ready endpoint; its selector is ${selector}`,
            fix: 'make the selector fit the pods of the new version',
          },
        ];
      }),
    ),
};

const slowCanary: Entry = {
  id: 'slow-canary',
  symptom: 'a canary takes days to tell anything',
  find: (facts) =>
    splits(facts).flatMap(({ where, backends }) => {
      const total = backends.reduce((all, b) => all + b.weight, 0);
      const small = backends.filter((b) => b.weight > 0 && b.weight / total < 0.01);
      return small.map(({ service, weight }) => ({
        where,
        cause: `${service} gets ${((100 * weight) / total).toFixed(2)}% of the traffic, too little to judge its SLO`,
        fix: 'begin at 5%, or route a cohort to it by header',
      }));
    }),
};

const profiles: Entry = {
  id: 'profile-missing-or-outdated',
  symptom: 'requests show up on the default route, without retries or timeouts',
  find: (facts) => {
    const found: Finding[] = [];
    for (const profile of ofKind(facts, 'ServiceProfile')) {
      const [service = '', namespace] = profile.metadata.name.split('.');
      if (!isMissing(facts, 'Service', service, namespace)) continue;
      found.push({
        where: named(profile),
        cause: `there is no service ${service}.${namespace}`,
        fix: 'delete or rename the profile',
      });
    }
    for (const p of facts.proxies) {
      const requests = sum(p.after, 'request_total', (l) => l.direction === 'outbound');
      const missed = sum(p.after, 'route_mismatch_total', (l) => l.direction === 'outbound');
      if (requests < 20 || missed / requests <= 0.1) continue;
      const share = Math.round((100 * missed) / requests);
      found.push({
        where: proxyName(p),
        cause: `${share}% of the requests match no declared route`,
        fix: 'bring the profile up to date: firedrill profile --open-api FILE',
      });
    }
    return found;
  },
};

const names: Entry = {
  id: 'dns-errors',
  symptom: 'names do not resolve, or resolve to what is gone',
  find: (facts) => [
    ...facts.proxies.flatMap((p): Finding[] => {
      const failed = sum(p.after, 'outbound_http_errors_total', (l) =>
        /dns|resolve|unknown/.test(l.error ?? ''),
      );
      if (failed === 0) return [];
      const fix =
        'check the name; where it is a DNS backend, its TTL must not outlive its addresses';
      return [
        { where: proxyName(p), cause: `${failed} requests to names without a destination`, fix },
      ];
    }),
    ...ofKind(facts, 'Service')
      .filter((s) => at(s, 'spec', 'type') === 'ExternalName')
      .filter((s) => /^\d+\.\d+\.\d+\.\d+$/.test(String(at(s, 'spec', 'externalName'))))
      .map((s) => ({
        where: named(s),
        cause: 'externalName is an IP address, which DNS answers as a name',
        fix: 'use a Service without selector and an EndpointSlice, or an ExternalWorkload',
      })),
  ],
};

export const trafficEntries: Entry[] = [retryStorm, newVersion, slowCanary, profiles, names];
