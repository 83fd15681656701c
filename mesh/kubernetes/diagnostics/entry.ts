/** One troubleshooting entry: a symptom, and a program that searches the gathered facts for its cause. */
import type { AnyObject } from '../client/objects.js';
import type { Pod } from '../discovery/types.js';
import { isMeshed } from '../discovery/workload.js';
import type { Sample } from '../observe/exposition.js';
import type { Observed } from '../observe/targets.js';

/** The inputs of all entries; unavailable inputs are empty lists. */
export interface Facts {
  /** From the API server, and from files: manifests, rules, Prometheus and Alertmanager configurations, SLOs. */
  objects: readonly AnyObject[];
  proxies: readonly Observed[];
  /** The same kinds of objects from another cluster, for drift. */
  other?: readonly AnyObject[];
  nowMs: number;
  /** Collects the kinds of objects that an entry asks for. */
  asked?: Set<string>;
}

export interface Finding {
  /** The object of the finding. */
  where: string;
  cause: string;
  fix: string;
}

export interface Entry {
  id: string;
  symptom: string;
  find(facts: Facts): Finding[];
}

type Tree = Record<string, unknown>;

/** `object.spec.template` and the like; undefined if any step is missing. */
export function at(object: unknown, ...path: (string | number)[]): unknown {
  return path.reduce<unknown>((value, key) => (value as Tree | null | undefined)?.[key], object);
}

/** The maps of a list in an object; a file may hold anything in its place. */
export function listAt<T = Tree>(object: unknown, ...path: (string | number)[]): T[] {
  const found = at(object, ...path);
  return (Array.isArray(found) ? found : []).filter((e) => typeof e === 'object' && e) as T[];
}

export function ofKind(facts: Facts, ...kinds: string[]): AnyObject[] {
  for (const kind of kinds) facts.asked?.add(kind);
  return facts.objects.filter((o) => kinds.includes(o.kind));
}

/**
 * Whether an object is known not to be there. Where none of its kind was seen (one file, or no right to list them),
 * nothing is known.
 */
export function isMissing(facts: Facts, kind: string, name: string, namespace?: string): boolean {
  const all = ofKind(facts, kind);
  return (
    all.length > 0 &&
    !all.some((o) => o.metadata.name === name && o.metadata.namespace === namespace)
  );
}

export const named = (o: AnyObject): string =>
  `${o.kind} ${o.metadata.namespace ? `${o.metadata.namespace}/` : ''}${o.metadata.name}`;

export const podsOf = (facts: Facts): (Pod & AnyObject)[] =>
  (ofKind(facts, 'Pod') as (Pod & AnyObject)[]).filter((p) => listAt(p, 'spec', 'containers')[0]);

export const meshedPods = (facts: Facts): (Pod & AnyObject)[] =>
  podsOf(facts).filter((p) => isMeshed(p));

export const proxyName = (p: Observed): string =>
  `proxy of ${p.config.workload.name}.${p.config.workload.namespace} (${p.address})`;

/** The sum of a metric's present values over matching labels. */
export function sum(
  samples: readonly Sample[],
  name: string,
  fits: (labels: Record<string, string>) => boolean = () => true,
): number {
  return samples.reduce(
    (total, s) => (s.name === name && fits(s.labels) ? total + s.value : total),
    0,
  );
}

export interface AlertRule {
  where: string;
  alert: string;
  expr: string;
  for?: string;
  labels: Record<string, string>;
}

/** Alerting rules of PrometheusRule objects and of plain rule files. */
export function alertRules(facts: Facts): AlertRule[] {
  return facts.objects.flatMap((o) => {
    return [...listAt(o, 'spec', 'groups'), ...listAt(o, 'groups')].flatMap((g) =>
      listAt(g, 'rules')
        .filter((r) => typeof r.alert === 'string')
        .map((r) => ({
          where: `alert ${String(r.alert)}`,
          alert: String(r.alert),
          expr: String(r.expr),
          ...(typeof r.for === 'string' ? { for: r.for } : {}),
          labels: (r.labels ?? {}) as Record<string, string>,
        })),
    );
  });
}
