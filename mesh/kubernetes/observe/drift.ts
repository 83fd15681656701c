/** Policy drift: what proxies serve by, compared between replicas of a workload (S7). */
import { createHash } from 'node:crypto';
import type { Observed } from './targets.js';
import { workloadOf } from './rows.js';

export interface Drift {
  workload: string;
  /** Addresses of the proxies by the policy that they hold. */
  variants: { hash: string; proxies: string[] }[];
}

/** The servers, and routes without their endpoints, which come and go by themselves. */
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

/** Workloads whose replicas do not hold the same policy. */
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
