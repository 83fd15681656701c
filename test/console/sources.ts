/** A Prometheus, an Alertmanager, a proxy and a controller with answers for the console, including hostile texts. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

export const hostile = '<img src=x onerror="document.title=1">';

const nowSeconds = (): number => Date.now() / 1000;
const vector = (series: [Record<string, string>, number][]): unknown => ({
  status: 'success',
  data: {
    resultType: 'vector',
    result: series.map(([metric, value]) => ({ metric, value: [nowSeconds(), String(value)] })),
  },
});

const slo = { slo: 'cart', service: hostile };
/** Answers by the beginning of the query. */
const instants: [string, number][] = [
  ['slo:objective:ratio', 0.999],
  ['slo:period_error_budget_remaining:ratio', -63.6],
  ['slo:current_burn_rate:ratio', 12],
  ['slo:time_period:days', 30],
  ['1 - slo:period_burn_rate:ratio', 0.93],
];

function prometheus(path: string, body: URLSearchParams): unknown {
  const query = body.get('query') ?? '';
  if (path.endsWith('/query_range')) {
    const [from, to] = [Number(body.get('start')), Number(body.get('end'))];
    const values = [from, (from + to) / 2, to].map((t, i) => [t, String(0.5 - i)]);
    const names = query.includes('events_')
      ? ['slo:events_bad:increase30s', 'slo:events_total:increase30s']
      : ['x'];
    const result = names.map((name) => ({ metric: { ...slo, __name__: name }, values }));
    return { status: 'success', data: { resultType: 'matrix', result } };
  }
  if (path.endsWith('/rules')) {
    const rule = {
      type: 'alerting',
      name: 'CartBurn',
      query: 'x > (3 * 0.001) or y > (6 * 0.001)',
    };
    const labels = { slo: 'cart', severity: 'page' };
    return { status: 'success', data: { groups: [{ rules: [{ ...rule, labels }] }] } };
  }
  if (query.startsWith('process_start_time_seconds'))
    return vector([[{ workload: hostile }, nowSeconds() - 60]]);
  const found = instants.find(([name]) => query.startsWith(name));
  return vector(found ? [[slo, found[1]]] : []);
}

const alert = {
  fingerprint: 'f',
  labels: {
    alertname: 'MeshRetryStorm',
    severity: 'page',
    owner: hostile,
    service: 'cart',
    slo: 'cart',
  },
  annotations: { summary: hostile },
  startsAt: new Date(Date.now() - 90_000).toISOString(),
  status: { state: 'active', silencedBy: [], inhibitedBy: [] },
  receivers: [{ name: 'oncall' }],
};

function alertmanager(path: string): unknown {
  if (path.endsWith('/alerts/groups')) {
    return [{ labels: { service: 'cart' }, receiver: { name: 'oncall' }, alerts: [alert] }];
  }
  if (path.endsWith('/alerts')) return [alert];
  const at = (ms: number): string => new Date(Date.now() + ms).toISOString();
  const matchers = [{ name: 'service', value: hostile, isRegex: false, isEqual: true }];
  const of = { id: '1', matchers, createdBy: hostile, comment: hostile };
  return [{ ...of, startsAt: at(-60_000), endsAt: at(60_000) }];
}

export const workloads = 1000;

/** One proxy cannot be a thousand workloads, but it can have a thousand endpoints. */
function proxy(path: string): unknown {
  if (path.startsWith('/config')) {
    const workload = { name: 'cart', namespace: 'retail', service: 'cart' };
    const inbound = { host: '10.0.0.9', port: 80, mode: 'explicit' };
    return { workload, inbound, identity: { name: 'cart.retail' }, state: { destinations: [] } };
  }
  if (path.startsWith('/metrics')) {
    return (
      'response_total{direction="inbound",classification="success"} 90\n' +
      'request_total{direction="outbound",dst="pay.retail",rt_route="all"} 5\n' +
      'response_total{direction="outbound",dst="pay.retail",rt_route="all",classification="failure"} 5\n' +
      `identity_cert_expiration_timestamp_seconds ${nowSeconds() + 3600}\n`
    );
  }
  if (path.startsWith('/endpoints')) {
    return Array.from({ length: workloads }, (_, i) => ({
      destination: `pay-${i}.retail`,
      backend: 'pay',
      address: `10.0.${i >> 8}.${i & 255}:80`,
      state: i === 7 ? 'open' : 'ready',
      ...(i === 7 && { reason: hostile }),
    }));
  }
  const decided = { requestId: 'r-1', time: new Date().toISOString(), direction: 'inbound' };
  return [
    {
      ...decided,
      method: 'GET',
      authority: 'cart',
      path: `/${hostile}`,
      dst: 'pay.retail',
      route: 'all',
      verdict: { status: 503, classification: 'failure' },
      target: null,
      latencyMs: null,
      durationMs: 4,
      retries: 0,
    },
  ];
}

const tapped = {
  event: 'end',
  id: '1:1',
  proxy: 'in',
  service: 'pay.retail',
  route: 'all',
  method: 'GET',
  path: `/${hostile}`,
  status: 503,
  classification: 'failure',
  durationUs: 4000,
  retries: 0,
  error: hostile,
};

function controller(path: string): unknown {
  if (path === '/proxies') {
    const own = {
      workload: 'cart',
      namespace: 'retail',
      identity: 'cart.retail',
      owed: 1,
      refused: 0,
    };
    return [{ ...own, bundleCurrent: false, clockSkewSeconds: 0.1 }];
  }
  if (path === '/events') {
    const at = (ms: number): string => new Date(Date.now() + ms).toISOString();
    return [
      { time: at(-60_000), event: 'issued', identity: hostile, notAfter: at(-1000) },
      { time: at(-9000), event: 'renewed', identity: hostile, notAfter: at(60_000) },
      { time: at(-5000), event: 'refused', identity: 'x', reason: hostile },
    ];
  }
  const of = { version: 3, trustDomain: hostile, leading: true, anchors: [], problems: {} };
  return { ...of, destinations: [] };
}

type Restarted = 'prometheus' | 'controller';

export interface FakeSources {
  prometheus: string;
  alertmanager: string;
  proxies: string;
  controller: string;
  /** `down` ends a source, `up` starts it again at the same address. */
  down(which: Restarted): Promise<void>;
  up(which: Restarted): Promise<void>;
  asked: { prometheus: number };
  close(): Promise<void>;
}

export async function fakeSources(): Promise<FakeSources> {
  const asked = { prometheus: 0 };
  const servers: Server[] = [];
  const serve = async (
    answer: (path: string, body: URLSearchParams) => unknown,
    port = 0,
  ): Promise<number> => {
    const server = createServer((request, response) => {
      let body = '';
      request.on('data', (chunk: Buffer) => (body += chunk.toString()));
      request.on('end', () => {
        const { url = '/' } = request;
        if (url === '/tap') return void response.write(`${JSON.stringify(tapped)}\n`);
        const value = answer(url.split('?')[0] ?? '/', new URLSearchParams(body));
        response.end(typeof value === 'string' ? value : JSON.stringify(value));
      });
    });
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
    return (server.address() as AddressInfo).port;
  };
  const end = (server: Server | undefined): Promise<void> =>
    new Promise((resolve) => {
      if (!server?.listening) return resolve();
      server.close(() => resolve());
      server.closeAllConnections();
    });
  const counted = (path: string, body: URLSearchParams): unknown => {
    asked.prometheus++;
    return prometheus(path, body);
  };
  const answers = { prometheus: counted, controller };
  const ports: Record<Restarted, number> = {
    prometheus: await serve(counted),
    controller: await serve(controller),
  };
  const running: Record<Restarted, Server | undefined> = {
    prometheus: servers[0],
    controller: servers[1],
  };
  return {
    asked,
    prometheus: `http://127.0.0.1:${ports.prometheus}`,
    alertmanager: `http://127.0.0.1:${await serve(alertmanager)}`,
    proxies: String(await serve(proxy)),
    controller: `http://127.0.0.1:${ports.controller}`,
    down: (which) => end(running[which]),
    up: async (which) => {
      await serve(answers[which], ports[which]);
      running[which] = servers.at(-1);
    },
    close: async () => void (await Promise.all(servers.map(end))),
  };
}
