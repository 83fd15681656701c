/**
 * One setting of the mesh under load: an API, a client and their sidecars, and the resources that the sidecars used.
 */
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Child, startNode } from '../../base/child.js';
import { realClock, sleep } from '../../base/clock.js';
import { startLoad } from '../../chaos/load/load.js';
import { totalsOf } from '../../chaos/load/points.js';
import { parseExposition, type Sample } from '../../mesh/kubernetes/observe/exposition.js';
import type { Backend, Destination, MeshState } from '../../mesh/model.js';
import { proxyNodeFlags, proxyProgram } from '../../mesh/proxy/launch.js';
import type { Usage } from '../../slo/cost/cost.js';

export interface Setting {
  name: string;
  sampleRatio: number;
  accessLog: boolean;
  nodeFlags: readonly string[];
}

export const settings: readonly Setting[] = [
  { name: 'observed', sampleRatio: 0.1, accessLog: true, nodeFlags: [] },
  { name: 'lean', sampleRatio: 0.01, accessLog: false, nodeFlags: proxyNodeFlags },
];

export interface ArmResult {
  usage: Usage;
  requests: number;
  errors: number;
  p95Ms: number;
  logBytes: number;
}

const warmUpSeconds = 3;

/**
 * Runs for `seconds` at `rate` requests a second, after a warm-up; all started processes have ended when it resolves.
 */
export async function runArm(setting: Setting, rate: number, seconds: number): Promise<ArmResult> {
  const folder = mkdtempSync(join(tmpdir(), 'firedrill-throughput-'));
  const arm = new Arm(setting, folder);
  try {
    return await arm.run(rate, seconds);
  } finally {
    await arm.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

class Arm {
  readonly #setting: Setting;
  readonly #folder: string;
  readonly #servers: Server[] = [];
  readonly #proxies: { child: Child; admin: number }[] = [];
  #spans = 0;

  constructor(setting: Setting, folder: string) {
    this.#setting = setting;
    this.#folder = folder;
  }

  async run(rate: number, seconds: number): Promise<ArmResult> {
    const body = JSON.stringify({ items: Array.from({ length: 20 }, (_, i) => `item ${i}`) });
    const api = await this.#serve((_text, respond) => respond(body));
    const collector = await this.#serve((text, respond) => {
      this.#spans += text.split('"spanId"').length - 1;
      respond('{}');
    });
    const target = `127.0.0.1:${api}`;
    const inbound = await this.#proxy('api', collector, {
      inbound: listen,
      state: accepts(target),
    });
    const outbound = await this.#proxy('client', collector, {
      outbound: listen,
      state: sendsTo(`127.0.0.1:${inbound.inbound}`),
    });
    const load = await startLoad('embedded', {
      url: `http://127.0.0.1:${outbound.outbound}`,
      host: 'web.retail',
      routes: [{ name: 'list', method: 'GET', path: '/items', requestsPerSecond: rate }],
      timeoutMs: 5000,
      maxInFlight: 500,
    });
    try {
      await sleep(warmUpSeconds * 1000);
      const spansBefore = this.#spans;
      const before = await this.#scrape();
      const startMs = realClock.nowMs();
      await sleep(seconds * 1000);
      const after = await this.#scrape();
      const endMs = realClock.nowMs();
      await sleep(load.lagMs + 1500);
      const client = totalsOf(load.points.between(startMs, endMs));
      const elapsed = (endMs - startMs) / 1000;
      const usage: Usage = {
        service: this.#setting.name,
        proxies: this.#proxies.length,
        requestsPerSecond: client.requests / elapsed,
        cores:
          (sum(after, 'process_cpu_seconds_total') - sum(before, 'process_cpu_seconds_total')) /
          elapsed,
        memoryGb: sum(after, 'process_resident_memory_bytes') / 1e9,
        series: after.length,
        spansPerSecond: (this.#spans - spansBefore) / elapsed,
      };
      const { requests, errors, p95Ms } = client;
      return { usage, requests, errors, p95Ms, logBytes: this.#logBytes() };
    } finally {
      await load.stop();
    }
  }

  async stop(): Promise<void> {
    await Promise.all(this.#proxies.map(({ child }) => child.stop()));
    for (const server of this.#servers) {
      server.closeAllConnections();
      server.close();
    }
  }

  async #proxy(name: string, collector: number, config: object): Promise<Record<string, unknown>> {
    const { sampleRatio, accessLog, nodeFlags } = this.#setting;
    const file = join(this.#folder, `${name}.json`);
    writeFileSync(
      file,
      JSON.stringify({
        workload: { name, namespace: 'retail' },
        admin: { host: '127.0.0.1', port: 0 },
        tracing: { otlpUrl: `http://127.0.0.1:${collector}/v1/traces`, sampleRatio },
        accessLog: accessLog ? join(this.#folder, `${name}.log`) : 'off',
        ...config,
      }),
    );
    const child = startNode(name, proxyProgram, ['--config', file], { nodeFlags });
    const ready = await child.ready;
    this.#proxies.push({ child, admin: Number(ready.admin) });
    return ready;
  }

  async #serve(answer: (text: string, respond: (body: string) => void) => void): Promise<number> {
    const server = createServer((request, response) => {
      let text = '';
      request.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
      request.on('end', () => {
        answer(text, (body) => response.setHeader('content-type', 'application/json').end(body));
      });
    });
    this.#servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return (server.address() as AddressInfo).port;
  }

  async #scrape(): Promise<Sample[]> {
    const texts = await Promise.all(
      this.#proxies.map(async ({ admin }) =>
        (await fetch(`http://127.0.0.1:${admin}/metrics`)).text(),
      ),
    );
    return texts.flatMap(parseExposition);
  }

  #logBytes(): number {
    if (!this.#setting.accessLog) return 0;
    return ['api', 'client']
      .map(
        (name) => statSync(join(this.#folder, `${name}.log`), { throwIfNoEntry: false })?.size ?? 0,
      )
      .reduce((a, b) => a + b, 0);
  }
}

const listen = { host: '127.0.0.1', port: 0, mode: 'explicit' };
const sum = (samples: readonly Sample[], name: string): number =>
  samples.filter((s) => s.name === name).reduce((total, s) => total + s.value, 0);

const nothing: MeshState = {
  version: 1,
  destinations: [],
  servers: [],
  unknownDestinations: 'refuse',
};

const accepts = (target: string): MeshState => ({
  ...nothing,
  servers: [
    {
      name: 'http',
      port: 0,
      target,
      protocol: 'detect',
      defaultPolicy: 'all-unauthenticated',
      authorizations: [],
      routes: [],
    },
  ],
});

const sendsTo = (address: string): MeshState => {
  const backend: Backend = {
    name: 'api',
    endpoints: [{ address }],
    balancer: { kind: 'ewma', defaultRttMs: 30, decaySeconds: 10, slowStartSeconds: 0 },
    limits: { maxConnections: 500, maxPending: 500, maxRequests: 1000 },
    failFastMs: 1000,
  };
  const api: Destination = {
    name: 'api.retail',
    service: 'api',
    namespace: 'retail',
    // The host is the load's own Host header.
    hosts: ['web.retail'],
    addresses: [],
    protocol: 'detect',
    routes: [],
    backends: [backend],
  };
  return { ...nothing, destinations: [api] };
};
