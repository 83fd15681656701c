/** A gateway with a simulated clock, and a front without sockets, for tests of the flow. */
import { SimulatedClock } from '../../../base/clock.js';
import { seededRandom } from '../../../base/random.js';
import type {
  Backend,
  Destination,
  InboundServer,
  MeshState,
  ProxyConfig,
  RetryPolicy,
  Route,
} from '../../../mesh/model.js';
import type { End, Flow, RequestInfo, TryFailure } from '../../../mesh/proxy/flow/contract.js';
import { createGateway, type Gateway } from '../../../mesh/proxy/flow/gateway.js';

export const backend = (endpoints: string[], more: Partial<Backend> = {}): Backend => ({
  name: 'cart',
  endpoints: endpoints.map((address) => ({ address })),
  balancer: { kind: 'ewma', defaultRttMs: 30, decaySeconds: 10, slowStartSeconds: 0 },
  limits: { maxConnections: 100, maxPending: 50, maxRequests: 1000 },
  failFastMs: 3000,
  ...more,
});

export const route = (name: string, more: Partial<Route> = {}): Route => ({
  name,
  matches: [],
  split: [{ backend: 'cart', weight: 1 }],
  timeouts: {},
  ...more,
});

export const retry = (more: Partial<RetryPolicy> = {}): RetryPolicy => ({
  limit: 2,
  statuses: [[500, 599]],
  onConnectFailure: true,
  unsafeMethods: false,
  backoff: { baseMs: 25, maxMs: 250, jitter: 1 },
  budget: { ratio: 0.2, minRetriesPerSecond: 10, ttlSeconds: 10 },
  maxBufferedBytes: 65_536,
  ...more,
});

export const destination = (
  backends: Backend[],
  routes: Route[] = [],
  more: Partial<Destination> = {},
): Destination => ({
  name: 'cart.retail',
  service: 'cart',
  namespace: 'retail',
  hosts: ['cart', 'cart.retail'],
  addresses: ['10.96.0.7:80'],
  protocol: 'detect',
  routes,
  backends,
  ...more,
});

export const server = (more: Partial<InboundServer> = {}): InboundServer => ({
  name: 'http',
  port: 4143,
  target: '127.0.0.1:9001',
  protocol: 'detect',
  defaultPolicy: 'all-unauthenticated',
  authorizations: [],
  routes: [],
  ...more,
});

export const state = (
  destinations: Destination[],
  servers: InboundServer[] = [],
  version = 1,
): MeshState => ({ version, destinations, servers, unknownDestinations: 'forward' });

export const request = (more: Partial<RequestInfo> & { headers?: Record<string, string> } = {}) => {
  const { headers = {}, ...rest } = more;
  return {
    method: 'GET',
    path: '/items?limit=3',
    authority: 'cart.retail',
    isGrpc: false,
    header: (name: string) => headers[name],
    peerIdentity: undefined,
    peerAddress: '10.1.2.3',
    tls: 'disabled',
    ...rest,
  } satisfies RequestInfo;
};

export interface Bench {
  clock: SimulatedClock;
  gateway: Gateway;
  audits: string[];
  /** Begins a request to cart.retail. */
  begin(info?: RequestInfo): Flow;
  metric(line: string): number;
  text(): string;
}

export function bench(
  given: MeshState,
  options: { seed?: number; config?: Partial<ProxyConfig>; startMs?: number } = {},
): Bench {
  const clock = new SimulatedClock(options.startMs ?? Date.UTC(2026, 0, 2));
  const audits: string[] = [];
  const gateway = createGateway({
    config: {
      workload: { name: 'web', namespace: 'retail' },
      admin: { host: '127.0.0.1', port: 0 },
      ...options.config,
    },
    clock,
    random: seededRandom(options.seed ?? 7),
    version: '9.9.9',
    log: (line) => audits.push(line),
  });
  gateway.apply(given);
  const text = (): string => gateway.metrics.expose(undefined).body as string;
  return {
    clock,
    gateway,
    audits,
    begin(info = request()) {
      return gateway.outbound.begin(gateway.outbound.destinationFor(info.authority), info);
    },
    text,
    /** `name{a="1"}`: the sum of the samples of that name that have all these labels. */
    metric(selector) {
      const [, name, labels = ''] = /^(\w+)(?:\{(.*)\})?$/.exec(selector) ?? [];
      const wanted = labels === '' ? [] : labels.split(',');
      return text()
        .split('\n')
        .filter((l) => l.startsWith(`${name}{`) || l.startsWith(`${name} `))
        .filter((l) => wanted.every((w) => l.includes(w)))
        .reduce((sum, l) => sum + Number(l.slice(l.lastIndexOf(' ') + 1)), 0);
    },
  };
}

/** A server's answer to an attempt: a status, or the reason for none; and the duration. */
export type Answer = (address: string) => { status?: number; fails?: TryFailure; tookMs?: number };

export interface Outcome {
  status: number;
  /** Endpoints tried, in order. */
  tried: string[];
  reason: string;
  /** Between attempts. */
  delaysMs: number[];
}

/** Carries a whole request as a front would, and advances the simulated clock. */
export function carry(
  { clock }: Pick<Bench, 'clock'>,
  flow: Flow,
  answer: Answer,
  how: End = 'complete',
): Outcome {
  const outcome: Outcome = { status: 0, tried: [], reason: '', delaysMs: [] };
  if (flow.delayMs > 0) clock.advance(flow.delayMs);
  for (let turns = 0; turns < 10_000; turns++) {
    if (flow.refusal) {
      outcome.status = flow.refusal.status;
      outcome.reason = flow.refusal.reason;
      break;
    }
    const endpoint = flow.pick();
    if (!endpoint) {
      if (!flow.refusal) clock.advance(flow.waitMs);
      continue;
    }
    outcome.tried.push(endpoint.address);
    const { status = 200, fails, tookMs = 1 } = answer(endpoint.address);
    clock.advance(tookMs);
    const verdict = fails ? flow.tryFailed(fails) : flow.responded(status, -1);
    if (verdict === 'retry') {
      const delayMs = flow.retryDelayMs();
      outcome.delaysMs.push(delayMs);
      clock.advance(delayMs);
    } else if (verdict === 'relay') {
      outcome.status = status;
      break;
    }
  }
  flow.ended(how, -1, 0, 100);
  return outcome;
}
