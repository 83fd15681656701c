/** Rows of the proxies' counts between two readings: by workload, by route, by caller and callee. */
import type { Observed } from './targets.js';
import type { Sample } from './exposition.js';

/** Counters of one group over the window. */
export interface Traffic {
  requests: number;
  success: number;
  failure: number;
  /** Single attempts, before retries. */
  tries: number;
  goodTries: number;
  retries: number;
  seconds: number;
  /** Cumulative counts by upper bound in ms. */
  buckets: Map<number, number>;
}

const empty = (): Traffic => ({
  requests: 0,
  success: 0,
  failure: 0,
  tries: 0,
  goodTries: 0,
  retries: 0,
  seconds: 0,
  buckets: new Map(),
});

const keyOf = (s: Sample): string => s.name + JSON.stringify(s.labels);

/** Differences of counters; a counter that fell was restarted, and counts from zero. */
export function increases(proxy: Observed): Sample[] {
  const before = new Map(proxy.before.map((s) => [keyOf(s), s.value]));
  return proxy.after.map((s) => {
    const was = before.get(keyOf(s)) ?? 0;
    return { ...s, value: s.value >= was ? s.value - was : s.value };
  });
}

/** Sums the samples of each group that `group` names; undefined leaves a sample out. */
export function traffic(
  proxies: readonly Observed[],
  group: (labels: Record<string, string>, proxy: Observed) => string | undefined,
): Map<string, Traffic> {
  const groups = new Map<string, Traffic>();
  for (const proxy of proxies) {
    for (const { name, labels, value } of increases(proxy)) {
      const key = group(labels, proxy);
      if (key === undefined) continue;
      let t = groups.get(key);
      if (!t) groups.set(key, (t = empty()));
      t.seconds = Math.max(t.seconds, proxy.seconds);
      add(t, name, labels, value);
    }
  }
  return groups;
}

function add(t: Traffic, name: string, labels: Record<string, string>, value: number): void {
  switch (name) {
    case 'response_total':
      t.requests += value;
      if (labels.classification === 'failure') t.failure += value;
      else t.success += value;
      break;
    case 'route_actual_response_total': {
      t.tries += value;
      const status = Number(labels.status_code);
      if (status > 0 && status < 500) t.goodTries += value;
      break;
    }
    case 'outbound_http_route_retry_requests_total':
      t.retries += value;
      break;
    case 'response_latency_ms_bucket': {
      const bound = labels.le === '+Inf' ? Infinity : Number(labels.le);
      t.buckets.set(bound, (t.buckets.get(bound) ?? 0) + value);
      break;
    }
  }
}

/**
 * Like histogram_quantile: linear within a bucket; the last finite bound if the quantile lies beyond it. Milliseconds.
 */
export function quantile(buckets: Map<number, number>, q: number): number | undefined {
  const sorted = [...buckets].sort(([a], [b]) => a - b);
  const total = sorted[sorted.length - 1]?.[1] ?? 0;
  if (total === 0) return undefined;
  const rank = q * total;
  let lower = 0;
  let below = 0;
  for (const [bound, count] of sorted) {
    if (count >= rank) {
      if (bound === Infinity) return lower;
      return count === below ? bound : lower + ((bound - lower) * (rank - below)) / (count - below);
    }
    lower = bound;
    below = count;
  }
  return lower;
}

export const workloadOf = ({ config }: Observed): string =>
  `${config.workload.name}.${config.workload.namespace}`;

/** A caller and a callee with their identities: from the clients' side, servers found by their endpoints' identity. */
export interface Edge {
  src: string;
  dst: string;
  srcNamespace: string;
  dstNamespace: string;
  clientId: string;
  serverId: string;
  /** Both ends have an identity, so the proxies use mTLS. */
  secured: boolean;
  requests: number;
}

export function edges(proxies: readonly Observed[]): Edge[] {
  const found = new Map<string, Edge>();
  for (const proxy of proxies) {
    const { workload, identity, state } = proxy.config;
    for (const { name, labels, value } of proxy.after) {
      if (name !== 'request_total' || labels.direction !== 'outbound' || value === 0) continue;
      const destination = state?.destinations.find((d) => d.name === labels.dst);
      const identities = new Set(
        (destination?.backends ?? []).flatMap((b) => b.endpoints.map((e) => e.identity ?? '')),
      );
      const serverId = identities.size === 0 ? '' : [...identities].join(',');
      const key = `${workload.namespace}/${workload.name} ${labels.dst}`;
      const edge = found.get(key) ?? {
        src: workload.name,
        dst: labels.dst_service || (labels.dst ?? ''),
        srcNamespace: workload.namespace,
        dstNamespace: labels.dst_namespace ?? '',
        clientId: identity?.name ?? '',
        serverId,
        secured: identity !== undefined && identities.size > 0 && !identities.has(''),
        requests: 0,
      };
      edge.requests += value;
      found.set(key, edge);
    }
  }
  return [...found.values()].sort((a, b) => `${a.src} ${a.dst}`.localeCompare(`${b.src} ${b.dst}`));
}

/** Connections with and without TLS, as proxies count them; the app's own loopback side is left out (S7). */
export function encryption(proxies: readonly Observed[]): { encrypted: number; total: number } {
  let encrypted = 0;
  let total = 0;
  for (const proxy of proxies) {
    for (const { name, labels, value } of proxy.after) {
      if (name !== 'tcp_open_total') continue;
      // Between meshed workloads: inbound connections from peers, and outbound connections to them.
      const between =
        (labels.direction === 'inbound' && labels.peer === 'src') ||
        (labels.direction === 'outbound' && labels.peer === 'dst');
      if (!between) continue;
      total += value;
      if (labels.tls === 'true') encrypted += value;
    }
  }
  return { encrypted, total };
}
