/** `deploy/web`, `pod/web-1` or `web`: selects the workload whose proxies are read. */
import { UserError } from '../../../base/errors.js';
import { suggest } from '../../../base/suggest.js';
import type { Pod } from '../discovery/types.js';
import { workloadOf } from '../discovery/workload.js';

/** The names of kubectl. */
const kinds: Readonly<Record<string, string>> = {
  po: 'pod',
  pod: 'pod',
  pods: 'pod',
  deploy: 'deployment',
  deployment: 'deployment',
  deployments: 'deployment',
  sts: 'statefulset',
  statefulset: 'statefulset',
  statefulsets: 'statefulset',
  ds: 'daemonset',
  daemonset: 'daemonset',
  daemonsets: 'daemonset',
  rs: 'replicaset',
  replicaset: 'replicaset',
  replicasets: 'replicaset',
  job: 'job',
  jobs: 'job',
  cj: 'cronjob',
  cronjob: 'cronjob',
  cronjobs: 'cronjob',
  rollout: 'rollout',
  rollouts: 'rollout',
};

export interface WorkloadArgument {
  /** Absent: of any kind. */
  kind?: string;
  name: string;
}

export function parseWorkload(text: string): WorkloadArgument {
  const [first = '', second, ...more] = text.split('/');
  const kind = second === undefined ? undefined : kinds[first.toLowerCase()];
  const name = second ?? first;
  const isName = /^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/.test(name);
  if (more.length > 0 || !isName || (second !== undefined && kind === undefined)) {
    const near = second === undefined ? undefined : suggest(first, Object.keys(kinds));
    throw new UserError({
      message: `'${text}' is no workload${near ? `; did you mean ${near}/${name}?` : ''}`,
      expected: 'such as deploy/web, sts/db, pod/web-1 or web',
    });
  }
  return kind === undefined ? { name } : { kind, name };
}

export function belongsTo(pod: Pod, { kind, name }: WorkloadArgument): boolean {
  const isPod = pod.metadata.name === name;
  if (kind === 'pod') return isPod;
  const own = workloadOf(pod);
  return kind === undefined ? isPod || own.name === name : own.kind === kind && own.name === name;
}

/** The error for an unknown workload, with the existing ones. */
export function noSuchWorkload(
  text: string,
  namespace: string | undefined,
  pods: readonly Pod[],
): UserError {
  const names = [...new Set(pods.map((p) => `${workloadOf(p).kind}/${workloadOf(p).name}`))].sort();
  const where = namespace === undefined ? '' : ` in namespace ${namespace}`;
  const there = names.length === 0 ? 'no pod has one' : names.slice(0, 8).join(', ');
  return new UserError({
    message: `no pod of ${text}${where} has a proxy`,
    expected: `one of those that have: ${there}`,
  });
}
