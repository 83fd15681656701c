/** Entries about rules, owners, rights and capacity. */
import { annotations, proxyContainer } from '../annotations.js';
import type { AnyObject } from '../client/objects.js';
import type { Pod } from '../discovery/types.js';
import { workloadOf } from '../discovery/workload.js';
import {
  alertRules,
  at,
  type Entry,
  type Finding,
  isMissing,
  listAt,
  meshedPods,
  named,
  ofKind,
} from './entry.js';
import { tapAccess } from './tap-access.js';

const floods: Entry = {
  id: 'pager-floods-in-deploys',
  symptom: 'every deployment pages, once a pod',
  find: (facts) => [
    ...facts.objects
      .filter((o) => at(o, 'route') !== undefined && at(o, 'receivers') !== undefined)
      .flatMap((o): Finding[] => {
        const given = at(o, 'route', 'group_by');
        const grouped = (Array.isArray(given) ? given : []) as string[];
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
          !/burn|\band\b/i.test(r.expr),
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
    return ofKind(facts, 'AuthorizationPolicy').flatMap((policy) => {
      const from = listAt<{ serviceAccount?: string; namespace?: string }>(policy, 'spec', 'from');
      return from.flatMap((entry): Finding[] => {
        const namespace = entry.namespace ?? policy.metadata.namespace ?? 'default';
        const where = named(policy);
        if (entry.namespace && isMissing(facts, 'Namespace', entry.namespace)) {
          return [
            { where, cause: `there is no namespace ${entry.namespace}`, fix: 'correct the name' },
          ];
        }
        const { serviceAccount: account } = entry;
        if (!account || !isMissing(facts, 'ServiceAccount', account, namespace)) return [];
        const elsewhere = ofKind(facts, 'ServiceAccount').find((a) => a.metadata.name === account);
        const cause = `it admits ${account} of ${namespace}, which does not exist`;
        const fix = elsewhere
          ? `there is one in ${elsewhere.metadata.namespace}: name that namespace`
          : 'create the service account, or correct its name';
        return [{ where, cause, fix }];
      });
    });
  },
};

function scales(scaler: AnyObject, pod: Pod & AnyObject): boolean {
  const { kind, name } = workloadOf(pod);
  const target = at(scaler, 'spec', 'scaleTargetRef') as { kind?: string; name?: string };
  return (
    pod.metadata.namespace === scaler.metadata.namespace &&
    name === target?.name &&
    kind === target.kind?.toLowerCase()
  );
}

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
      .filter((h) => listAt(h, 'spec', 'metrics').some((m) => m.type === 'Resource'))
      .filter((h) => meshedPods(facts).some((pod) => scales(h, pod)))
      .map((h) => ({
        where: named(h),
        cause: "it scales by the whole pod's use, the proxy's included",
        fix: 'use ContainerResource with the app as container',
      })),
  ],
};

export const governanceEntries: Entry[] = [floods, medians, owners, tapAccess, rights, capacity];
