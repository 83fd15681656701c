/** NetworkPolicies add up: a port is closed where some policies of a pod close a direction, and none opens the port. */
import { annotations, ports } from '../annotations.js';
import type { AnyObject } from '../client/objects.js';
import type { Pod } from '../discovery/types.js';
import { at, type Entry, listAt, meshedPods, named, ofKind } from './entry.js';

type Direction = 'ingress' | 'egress';

interface Expression {
  key: string;
  operator: string;
  values?: string[];
}

interface Opened {
  protocol?: string;
  port?: number | string;
  endPort?: number;
}

export const networkEntry: Entry = {
  id: 'network-policy-blocks-proxy',
  symptom: 'proxies get no certificate, are not scraped, or peers time out',
  find: (facts) => {
    const policies = ofKind(facts, 'NetworkPolicy');
    const found = new Map<string, number>();
    for (const pod of meshedPods(facts)) {
      const own = policies.filter((policy) => selects(policy, pod));
      for (const direction of ['ingress', 'egress'] as const) {
        const closing = own.filter((policy) => closes(policy, direction));
        const closed = closing.length === 0 ? [] : closedOf(closing, direction, pod);
        if (closed.length === 0) continue;
        const key = JSON.stringify([closing.map(named).join(', '), closed.join(', ')]);
        found.set(key, (found.get(key) ?? 0) + 1);
      }
    }
    return [...found].map(([key, pods]) => {
      const [where, closed] = JSON.parse(key) as [string, string];
      const cause = `nothing lets these through to ${pods} of the meshed pods that it selects: ${closed}`;
      return { where, cause, fix: 'open these ports in a policy' };
    });
  },
};

function closedOf(policies: readonly AnyObject[], direction: Direction, pod: Pod): string[] {
  const wanted: [number, string, string?][] =
    direction === 'egress'
      ? [
          [ports.controllerGrpc, 'controller'],
          [53, 'DNS', 'UDP'],
        ]
      : [[ports.admin, 'metrics']];
  if (direction === 'ingress' && pod.metadata.annotations?.[annotations.mode] === 'explicit')
    wanted.push([ports.inbound, 'peers']);
  const rules = policies.flatMap((policy) => listAt(policy, 'spec', direction));
  return wanted
    .filter(([port, , protocol = 'TCP']) => !rules.some((r) => opens(r, port, protocol, pod)))
    .map(([port, what]) => `${direction} ${port} (${what})`);
}

/** A rule without ports opens all. */
function opens(rule: unknown, port: number, protocol: string, pod: Pod): boolean {
  const list = listAt<Opened>(rule, 'ports');
  return (
    list.length === 0 ||
    list.some((p) => {
      if ((p.protocol ?? 'TCP') !== protocol) return false;
      if (p.port === undefined) return true;
      if (typeof p.port === 'string') return p.port === nameOf(pod, port);
      return port >= p.port && port <= (p.endPort ?? p.port);
    })
  );
}

const nameOf = ({ spec }: Pod, port: number): string | undefined =>
  [...spec.containers, ...(spec.initContainers ?? [])]
    .flatMap((c) => c.ports ?? [])
    .find((p) => p.containerPort === port)?.name;

/** Without policyTypes a policy is about what comes in, and about what goes out if it has rules for that. */
function closes(policy: AnyObject, direction: Direction): boolean {
  const types = at(policy, 'spec', 'policyTypes');
  if (Array.isArray(types)) return types.some((t) => String(t).toLowerCase() === direction);
  return direction === 'ingress' || listAt(policy, 'spec', 'egress').length > 0;
}

function selects(policy: AnyObject, { metadata }: Pod): boolean {
  if (policy.metadata.namespace !== metadata.namespace) return false;
  const labels = metadata.labels ?? {};
  const equal = Object.entries((at(policy, 'spec', 'podSelector', 'matchLabels') ?? {}) as object);
  const chosen = listAt<Expression>(policy, 'spec', 'podSelector', 'matchExpressions');
  return equal.every(([k, v]) => labels[k] === v) && chosen.every((e) => holds(e, labels));
}

function holds(
  { key, operator, values = [] }: Expression,
  labels: Record<string, string>,
): boolean {
  const value = labels[key];
  const isIn = value !== undefined && values.includes(value);
  if (operator === 'In') return isIn;
  if (operator === 'NotIn') return !isIn;
  return (operator === 'Exists') === (value !== undefined);
}
