/** The ten ready SLIs over the mesh's metrics (M1 to M10), each chosen by its name. */
import { parseDurationMs } from '../../base/duration.js';
import { meshMetrics as m } from './mesh-metrics.js';
import type { Sli } from './model.js';

export type MeshSliId = 'M1' | 'M2' | 'M3' | 'M4' | 'M5' | 'M6' | 'M7' | 'M8' | 'M9' | 'M10';

export interface MeshSliChoice {
  sli: MeshSliId;
  /** Further matchers, such as `dst="cart.retail"`. */
  match?: string | undefined;
  direction?: 'inbound' | 'outbound' | undefined;
  /** A duration for M2, M8 and M9, a number for the others. */
  threshold?: string | number | undefined;
}

interface ReadySli {
  title: string;
  /** Initial objective, in per cent. */
  objective: number;
  sli: (match: string, threshold: number) => Sli;
  /** Milliseconds if it is a duration. */
  threshold?: number;
}

const list = (...parts: string[]): string => parts.filter((p) => p !== '').join(',');
const braces = (matchers: string): string => (matchers === '' ? '' : `{${matchers}}`);

export const readySlis: Record<MeshSliId, ReadySli> = {
  M1: {
    title: 'success rate',
    objective: 99.9,
    sli: (match) => ({
      kind: 'events',
      total: `${m.responses}${braces(match)}`,
      bad: `${m.responses}{${list(match, 'classification="failure"')}}`,
    }),
  },
  M2: {
    title: 'latency: 95% of requests within 300 ms',
    objective: 95,
    threshold: 300,
    sli: (match, threshold) => ({
      kind: 'latency',
      histogram: m.latencyMs,
      matchers: match,
      threshold,
      unit: 'ms',
      native: false,
    }),
  },
  M3: {
    title: 'mTLS handshakes that succeed',
    objective: 99.99,
    sli: (match) => ({
      kind: 'events',
      // One metric counts successful handshakes; the other counts failed ones, and appears with the first failure.
      total:
        `sum(increase(${m.handshakes}${braces(match)}[{{.window}}])) + ` +
        `(sum(increase(${m.handshakeFailures}${braces(match)}[{{.window}}])) or vector(0))`,
      bad: `${m.handshakeFailures}${braces(match)}`,
    }),
  },
  M4: {
    title: 'retries below 2% of requests',
    objective: 98,
    sli: (match) => ({
      kind: 'events',
      total: `${m.requests}${braces(match)}`,
      bad: `${m.retries}${braces(match)}`,
    }),
  },
  M5: {
    title: 'throughput of at least half of the same hour a week ago',
    objective: 99,
    threshold: 0.5,
    sli: (match, threshold) => ({
      kind: 'threshold',
      value:
        `sum(rate(${m.requests}${braces(match)}[5m])) / ` +
        `sum(rate(${m.requests}${braces(match)}[5m] offset 1w))`,
      bad: `< ${threshold}`,
    }),
  },
  M6: {
    title: "proxy CPU below 10% of a pod's (of one core, unless said)",
    objective: 99,
    threshold: 0.1,
    sli: (match, threshold) => ({
      kind: 'threshold',
      value: `rate(${m.cpuSeconds}${braces(match)}[5m])`,
      bad: `> ${threshold}`,
    }),
  },
  M7: {
    title: 'proxy memory below 150 MB',
    objective: 99,
    threshold: 150e6,
    sli: (match, threshold) => ({
      kind: 'threshold',
      value: `${m.memoryBytes}${braces(match)}`,
      bad: `> ${threshold}`,
    }),
  },
  M8: {
    title: 'control-plane changes reach the proxies within 2.5 s',
    objective: 99,
    threshold: 2500,
    sli: (match, threshold) => ({
      kind: 'latency',
      histogram: m.propagationSeconds,
      matchers: match,
      threshold: threshold / 1000,
      unit: 's',
      native: false,
    }),
  },
  M9: {
    title: 'issuer and trust anchor more than 7 days from expiry',
    objective: 99.9,
    threshold: 7 * 86_400_000,
    sli: (match, threshold) => ({
      kind: 'threshold',
      value: `${m.issuerExpiry}${braces(match)} - time()`,
      bad: `< ${threshold / 1000}`,
    }),
  },
  M10: {
    title: 'no telemetry dropped',
    objective: 99.9,
    sli: (match) => ({
      kind: 'events',
      total: `${m.telemetrySent}${braces(match)}`,
      bad: `${m.telemetryDrops}${braces(match)}`,
    }),
  },
};

/** SLIs that look at requests on the callers' side by default, where a server that is down also counts. */
const directed: readonly MeshSliId[] = ['M1', 'M2', 'M4', 'M5'];

/** The fields that the chosen SLI does not have, or has in another form, each with the expected one. */
export function meshMistakes(choice: MeshSliChoice): ['threshold' | 'direction', string][] {
  const { sli, threshold, direction } = choice;
  const own = readySlis[sli].threshold;
  const isDuration = ['M2', 'M8', 'M9'].includes(sli);
  const mistakes: ['threshold' | 'direction', string][] = [];
  if (threshold !== undefined && own === undefined) mistakes.push(['threshold', 'none']);
  else if (typeof threshold === 'string' && !isDuration) {
    mistakes.push(['threshold', `a number such as ${own}`]);
  }
  if (direction !== undefined && !directed.includes(sli)) mistakes.push(['direction', 'none']);
  return mistakes;
}

/** The SLI with the user's choices filled in. */
export function meshSli(choice: MeshSliChoice): Sli {
  const ready = readySlis[choice.sli];
  const { threshold } = choice;
  const chosen = typeof threshold === 'string' ? parseDurationMs(threshold) : threshold;
  const direction = directed.includes(choice.sli)
    ? `direction="${choice.direction ?? 'outbound'}"`
    : '';
  return ready.sli(list(direction, choice.match ?? ''), chosen ?? ready.threshold ?? 0);
}
