/** Policy drift: compares the policies of a workload's replicas (S7). */
import { createHash } from 'node:crypto';
import type { Observed } from './targets.js';
import { workloadOf } from './rows.js';

export interface Drift {
  workload: string;
  /** Addresses of the proxies by their policy. */
  variants: { hash: string; proxies: string[] }[];
}

/** Covers the servers, and the routes without their endpoints, which change by themselves. */
function policyHash({ config }: Observed): string {
  const { state } = config;
  const policy = {
    servers: state?.servers ?? [],
    routes: (state?.destinations ?? [])
      .map((d) => [d.name, d.routes] as const)
      .sort(([a], [b]) => (a < b ? -1 : 1)),
  };
  return createHash('sha256').update(JSON.stringify(policy)).digest('hex').slice(0, 12);
}

/** Workloads whose replicas have different policies. */
export function findDrift(proxies: readonly Observed[]): Drift[] {
  const byWorkload = new Map<string, Map<string, string[]>>();
  for (const proxy of proxies) {
    const workload = workloadOf(proxy);
    const variants = byWorkload.get(workload) ?? new Map<string, string[]>();
    byWorkload.set(workload, variants);
    const hash = policyHash(proxy);
    variants.set(hash, [...(variants.get(hash) ?? []), proxy.address]);
  }
  return [...byWorkload]
    .filter(([, variants]) => variants.size > 1)
    .map(([workload, variants]) => ({
      workload,
      variants: [...variants].map(([hash, list]) => ({ hash, proxies: list })),
    }));
}
