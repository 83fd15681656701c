/** Entries about rules, owners, rights and capacity. */
import { annotations, proxyContainer } from '../annotations.js';
import { alertRules, at, type Entry, type Finding, meshedPods, named, ofKind } from './entry.js';
import { tapAccess } from './tap-access.js';

const floods: Entry = {
  id: 'pager-floods-in-deploys',
  symptom: 'every deployment pages, once a pod',
  find: (facts) => [
    ...facts.objects
      .filter((o) => at(o, 'route') !== undefined && at(o, 'receivers') !== undefined)
      .flatMap((o): Finding[] => {
        const grouped = (at(o, 'route', 'group_by') ?? []) as string[];
        const perPod = grouped.filter((l) => ['pod', 'instance', '...'].includes(l));
        if (grouped.length > 0 && perPod.length === 0) return [];
        const cause =
          grouped.length === 0
            ? 'the top route groups by nothing'
            : `it groups by ${perPod.join(', ')}`;
        return [
          {
            where: 'the Alertmanager configuration',
            cause,
            fix: 'group by service and region: firedrill alerts writes such routes',
          },
        ];
      }),
    ...alertRules(facts)
      .filter(
        (r) =>
          r.labels.severity === 'page' &&
          (r.for === undefined || r.for.startsWith('0')) &&
          !/burn|and\b/i.test(r.expr),
      )
      .map((r) => ({
        where: r.where,
        cause: 'it pages at once: no `for`, and no second window',
        fix: 'add for: 2m, or alert on the burn rate over two windows',
      })),
  ],
};

const medians: Entry = {
  id: 'median-in-alert',
  symptom: 'users complain and no latency alert fires',
  find: (facts) =>
    alertRules(facts)
      .filter((r) => /histogram_quantile\(\s*0?\.[0-5]\d*\s*,/.test(r.expr))
      .map((r) => ({
        where: r.where,
        cause: 'it looks at the median or below, which half of the users never see',
        fix: 'use the share of slow requests against an objective, or p95 and above',
      })),
};

const owners: Entry = {
  id: 'slo-without-owner',
  symptom: 'an error budget is exhausted and no team owns the SLO',
  find: (facts) =>
    facts.objects
      .filter((o) => Array.isArray(at(o, 'slos')) && at(o, 'service') !== undefined)
      .filter((o) => !(at(o, 'owner') ?? at(o, 'labels', 'owner') ?? at(o, 'labels', 'team')))
      .map((o) => ({
        where: `SLOs of ${String(at(o, 'service'))}`,
        cause: 'no owner is named',
        fix: 'add owner: TEAM',
      })),
};

const rights: Entry = {
  id: 'rbac-between-namespaces',
  symptom: 'calls between namespaces are refused (403)',
  find: (facts) => {
    const accounts = new Set(
      ofKind(facts, 'ServiceAccount').map((a) => `${a.metadata.namespace}/${a.metadata.name}`),
    );
    const namespaces = new Set(ofKind(facts, 'Namespace').map((n) => n.metadata.name));
    return ofKind(facts, 'AuthorizationPolicy').flatMap((policy) => {
      const from = (at(policy, 'spec', 'from') ?? []) as {
        serviceAccount?: string;
        namespace?: string;
      }[];
      return from.flatMap((entry): Finding[] => {
        const namespace = entry.namespace ?? policy.metadata.namespace ?? 'default';
        const where = named(policy);
        if (entry.namespace && !namespaces.has(entry.namespace)) {
          return [
            { where, cause: `there is no namespace ${entry.namespace}`, fix: 'correct the name' },
          ];
        }
        if (!entry.serviceAccount || accounts.has(`${namespace}/${entry.serviceAccount}`))
          return [];
        const elsewhere = [...accounts].find((a) => a.endsWith(`/${entry.serviceAccount}`));
        const cause = `it admits ${entry.serviceAccount} of ${namespace}, which does not exist`;
        const fix = elsewhere
          ? `there is ${elsewhere}: add namespace: ${elsewhere.split('/')[0]}`
          : 'create the service account, or correct its name';
        return [{ where, cause, fix }];
      });
    });
  },
};

const capacity: Entry = {
  id: 'capacity-without-proxy',
  symptom: 'pods do not fit, or scale at the wrong moment',
  find: (facts) => [
    ...meshedPods(facts)
      .filter((pod) => {
        const all = [...pod.spec.containers, ...(pod.spec.initContainers ?? [])];
        return !at(
          all.find((c) => c.name === proxyContainer),
          'resources',
          'requests',
        );
      })
      .map((pod) => ({
        where: named(pod),
        cause: 'its proxy requests nothing, so the scheduler counts it as nothing',
        fix: `annotate ${annotations.proxyCpuRequest} and ${annotations.proxyMemoryRequest}`,
      })),
    ...ofKind(facts, 'HorizontalPodAutoscaler')
      .filter((h) =>
        ((at(h, 'spec', 'metrics') ?? []) as { type: string }[]).some((m) => m.type === 'Resource'),
      )
      .map((h) => ({
        where: named(h),
        cause: "it scales by the whole pod's use, the proxy's included",
        fix: 'use ContainerResource with the app as container',
      })),
  ],
};

export const governanceEntries: Entry[] = [floods, medians, owners, tapAccess, rights, capacity];
