/** The readers of live requests: users who reach a pod's loopback through the API server, and nobody by the network. */
import { ports } from '../annotations.js';
import type { AnyObject } from '../client/objects.js';
import { type Entry, type Finding, listAt, meshedPods, named, ofKind } from './entry.js';

interface Rule {
  apiGroups?: string[];
  resources?: string[];
  resourceNames?: string[];
}

interface Subject {
  kind: string;
  name: string;
}

/** Each leads to the admin port: by a forwarded connection, or by a program that runs in the pod. */
const ways = ['pods/portforward', 'pods/exec', 'pods/attach', 'pods/ephemeralcontainers'];

const wayOf = ({ apiGroups = [], resources = [] }: Rule): string | undefined => {
  if (!apiGroups.includes('') && !apiGroups.includes('*')) return undefined;
  if (resources.includes('*')) return ways[0];
  return ways.find((w) => resources.includes(w) || resources.includes(`*/${w.split('/')[1]}`));
};

/** Groups that include everybody. */
const isEverybody = ({ kind, name }: Subject): boolean =>
  kind === 'Group'
    ? /^system:(authenticated|unauthenticated|serviceaccounts(:.+)?)$/.test(name)
    : kind === 'User' && name === 'system:anonymous';

function openedBy(binding: AnyObject, roles: readonly AnyObject[]): Finding[] {
  const subjects = listAt<Subject>(binding, 'subjects');
  const everybody = subjects.find(isEverybody);
  if (!everybody) return [];
  const ref = binding.roleRef as { kind?: string; name?: string } | undefined;
  const { namespace } = binding.metadata;
  const role = roles.find(
    (r) =>
      r.kind === ref?.kind &&
      r.metadata.name === ref.name &&
      (r.kind === 'ClusterRole' || r.metadata.namespace === namespace),
  );
  const way = listAt<Rule>(role, 'rules').flatMap((r) => wayOf(r) ?? [])[0];
  if (way === undefined) return [];
  return [
    {
      where: named(binding),
      cause: `it gives ${way} to ${everybody.name}, and with it the tap of every proxy there`,
      fix: 'bind it to those who are on call',
    },
  ];
}

export const tapAccess: Entry = {
  id: 'unrestricted-tap',
  symptom: 'anybody in the cluster can read live requests and configurations',
  find: (facts) => {
    const roles = ofKind(facts, 'Role', 'ClusterRole');
    const meshed = new Set(meshedPods(facts).map((p) => p.metadata.namespace));
    const byRight = ofKind(facts, 'RoleBinding', 'ClusterRoleBinding')
      .filter((b) => b.kind === 'ClusterRoleBinding' || meshed.has(b.metadata.namespace))
      .flatMap((binding) => openedBy(binding, roles));
    // We received the proxy's configuration by the network.
    const byNetwork = facts.proxies
      .filter((p) => /^[\d.]+:\d+$/.test(p.address) && !p.address.startsWith('127.'))
      .map((p) => ({
        where: `proxy of ${p.config.workload.name}.${p.config.workload.namespace} (${p.address})`,
        cause: `its admin port answers everything to other machines`,
        fix: `admin on loopback, or a proxy of this version; then only metrics of port ${ports.admin} are open`,
      }));
    return [...byRight, ...byNetwork];
  },
};
