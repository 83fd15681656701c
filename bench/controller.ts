/**
 * Measures how the controller scales: N connected proxies, 2,000 services, 10,000 endpoints. From an endpoint's
 * change in the registry to every subscriber's acknowledgement, the controller's memory, and a storm of
 * reconnections. `[N…] [--changes N] [--kubeconfig FILE]`: the sizes, the changes of each kind, and an empty cluster
 * whose objects are the registry instead of a file.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeFolder } from '../base/make-folder.js';
import { type Child, startNode } from '../base/child.js';
import { realClock, sleep } from '../base/clock.js';
import { packageRoot, program } from '../base/paths.js';
import { seededRandom, systemRandom } from '../base/random.js';
import { ControllerClient } from '../mesh/controller/client/client.js';
import { controllerIdentity } from '../mesh/controller/own-certificate.js';
import { controllerEnvironment, controllerNodeFlags } from '../mesh/controller/node-flags.js';
import { splitPem } from '../mesh/identity/csr.js';
import { createJoinToken } from '../mesh/identity/join-tokens.js';
import { identityName } from '../mesh/identity/names.js';
import { growthPlot } from './controller-plot.js';
import {
  clusterRegistry,
  endpointsEach,
  fileRegistry,
  nameOf,
  type Registry,
  services,
} from './controller-registry.js';
import { option } from './option.js';

const trustDomain = 'bench.local';
/** Each proxy subscribes to this many services of its own; all subscribe to `shared`. */
const subscriptionsEach = 20;
const changes = Number(option('changes', '30'));
const kubeconfig = option('kubeconfig', '');
const seed = 7;

export interface ControllerRow {
  proxies: number;
  /** Milliseconds from the write of the file to the last acknowledgement, over `changes` changes. */
  sharedP50Ms: number;
  sharedP99Ms: number;
  /** For a service with about N / 100 subscribed proxies. */
  ownP99Ms: number;
  rssMb: number;
  peakMb: number;
  /** From the controller's return on its port to the last proxy connected. */
  stormMs: number;
}

const quantile = (values: readonly number[], q: number): number => {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.ceil(q * sorted.length) - 1)] as number;
};

class Bench {
  readonly folder: string;
  readonly #random = seededRandom(seed);
  /** Services with at least one subscriber. */
  readonly subscribed: number[] = [];
  #controller: Child | undefined;
  #port = 0;
  #admin = 0;

  readonly #registry: Registry;

  constructor(folder: string, registry: Registry) {
    this.folder = folder;
    this.#registry = registry;
  }

  async startController(): Promise<void> {
    const config = join(this.folder, 'controller.json');
    writeFileSync(
      config,
      JSON.stringify({
        trustDomain,
        listen: { port: this.#port },
        identity: {
          issuer: { kind: 'files', folder: 'pki', create: true },
          joinTokens: { folder: 'tokens' },
        },
        discovery: [this.#registry.discovery],
      }),
    );
    this.#controller = startNode(
      'controller',
      program('mesh/controller/main'),
      ['--config', config],
      { nodeFlags: controllerNodeFlags, env: { ...controllerEnvironment } },
    );
    const ready = await this.#controller.ready;
    this.#port = Number(ready.grpc);
    this.#admin = Number(ready.admin);
  }

  async killController(): Promise<void> {
    this.#controller?.process.kill('SIGKILL');
    await this.#controller?.exited;
  }

  async stop(): Promise<void> {
    await this.#controller?.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** Starts light clients in this process; resolves when all are connected and served. */
  async connect(count: number): Promise<ControllerClient[]> {
    const tokenFile = join(this.folder, 'token');
    const workload = { serviceAccount: 'bench', namespace: 'retail' };
    const options = { ttlMs: 600_000, uses: count };
    writeFileSync(tokenFile, createJoinToken(join(this.folder, 'tokens'), workload, options));
    const anchors = splitPem(readFileSync(join(this.folder, 'pki', 'trust-anchor.crt'), 'utf8'));
    const clients: ControllerClient[] = [];
    for (let i = 0; i < count; i++) {
      const client = new ControllerClient({
        addresses: [`127.0.0.1:${this.#port}`],
        controllerIdentity: controllerIdentity(trustDomain),
        workload: { name: `w${i}`, namespace: 'retail' },
        identity: identityName({ ...workload, trustDomain }),
        tokenFile,
        anchors: () => anchors,
        subscribe: [
          'shared.retail',
          ...Array.from({ length: subscriptionsEach }, () => this.#someService()),
        ],
        proxyVersion: 'bench',
        clock: realClock,
        random: this.#random,
        onState: () => undefined,
        onIdentity: () => undefined,
        log: () => undefined,
      });
      clients.push(client);
      await client.start(60_000);
    }
    await until(() => clients.every((c) => c.stats.connected), 60_000);
    return clients;
  }

  #someService(): string {
    const service = 1 + this.#random.below(services - 1);
    this.subscribed.push(service);
    return `${nameOf(service)}.retail`;
  }

  /** Moves one endpoint of a service. Resolves to the milliseconds until every subscriber had acknowledged. */
  async change(service: number): Promise<number> {
    const before = await this.#completed();
    // Not seeded: a cluster keeps the addresses of an earlier run, and a change to the same one would be none.
    const ip = `10.99.${systemRandom.below(256)}.${systemRandom.below(256)}`;
    const startMs = realClock.monotonicMs();
    await this.#registry.move(service, ip);
    await until(async () => (await this.#completed()).count > before.count, 30_000);
    // The controller's own measure begins when it sees the change; this one begins before the write.
    const seenMs = ((await this.#completed()).sum - before.sum) * 1000;
    const outsideMs = realClock.monotonicMs() - startMs;
    return Math.max(seenMs, outsideMs);
  }

  async #completed(): Promise<{ count: number; sum: number }> {
    const text = await (await fetch(`http://127.0.0.1:${this.#admin}/metrics`)).text();
    const read = (suffix: string): number =>
      Number(
        new RegExp(`^firedrill_controller_propagation_seconds_${suffix} (\\S+)$`, 'm').exec(
          text,
        )?.[1],
      );
    return { count: read('count'), sum: read('sum') };
  }

  memoryMb(): { rss: number; peak: number } {
    const status = readFileSync(`/proc/${this.#controller?.pid}/status`, 'utf8');
    const read = (field: string): number =>
      Number(new RegExp(`${field}:\\s+(\\d+) kB`).exec(status)?.[1]) / 1024;
    return { rss: read('VmRSS'), peak: read('VmHWM') };
  }
}

async function until(what: () => boolean | Promise<boolean>, limitMs: number): Promise<void> {
  const endMs = realClock.monotonicMs() + limitMs;
  while (!(await what())) {
    if (realClock.monotonicMs() > endMs) throw new Error('it did not settle in time');
    await sleep(5);
  }
}

async function measure(
  proxies: number,
  registry: Registry,
  folder: string,
): Promise<ControllerRow> {
  const bench = new Bench(folder, registry);
  let clients: ControllerClient[] = [];
  try {
    await bench.startController();
    clients = await bench.connect(proxies);
    const shared: number[] = [];
    const own: number[] = [];
    for (let i = 0; i < changes; i++) {
      shared.push(await bench.change(0));
      own.push(await bench.change(bench.subscribed[i % bench.subscribed.length] as number));
    }
    const { rss, peak } = bench.memoryMb();
    await bench.killController();
    await until(() => clients.every((c) => !c.stats.connected), 30_000);
    const startMs = realClock.monotonicMs();
    await bench.startController();
    await until(() => clients.every((c) => c.stats.connected), 60_000);
    return {
      proxies,
      sharedP50Ms: quantile(shared, 0.5),
      sharedP99Ms: quantile(shared, 0.99),
      ownP99Ms: quantile(own, 0.99),
      rssMb: rss,
      peakMb: Math.max(peak, bench.memoryMb().peak),
      stormMs: realClock.monotonicMs() - startMs,
    };
  } finally {
    for (const client of clients) client.stop();
    await bench.stop();
  }
}

const named = process.argv.slice(2);
const firstOption = named.findIndex((word) => word.startsWith('--'));
const sizes = (firstOption < 0 ? named : named.slice(0, firstOption)).map(Number);
const rows: ControllerRow[] = [];
const inCluster = kubeconfig === '' ? undefined : await clusterRegistry(kubeconfig);
await inCluster?.fill();
for (const n of sizes.length > 0 ? sizes : [100, 300, 1000, 3000]) {
  const folder = mkdtempSync(join(tmpdir(), 'firedrill-bench-controller-'));
  const registry = inCluster ?? fileRegistry(folder);
  if (!inCluster) await registry.fill();
  const row = await measure(n, registry, folder);
  rows.push(row);
  process.stderr.write(`${JSON.stringify(row)}\n`);
}
inCluster?.close();
const cells = (r: ControllerRow): string =>
  [r.proxies, r.sharedP50Ms, r.sharedP99Ms, r.ownP99Ms, r.rssMb, r.peakMb, r.stormMs / 1000]
    .map((v, i) => (i === 6 ? v.toFixed(1) : v.toFixed(0)))
    .join(' | ');
const place = inCluster ? 'a cluster, each with its pod' : 'one registry file';
const measured = inCluster
  ? 'from the request to the API server to the last acknowledgement'
  : 'from the write of the file to the last acknowledgement, with the reading of the whole file';
const text = `# How the controller grows

${services} services, ${services * endpointsEach} endpoints in ${place}, each proxy subscribed to
${subscriptionsEach + 1} services. One endpoint moves, ${changes} times each for the service that all subscribe to
and for one that few do; ${measured}. All
proxies are light clients in one process on the same machine. The storm: the controller is killed
and started again; from
its start to the last proxy connected, with the proxies' backoff of up to 10 s.

| proxies | shared p50 ms | shared p99 ms | own p99 ms | RSS MB | peak MB | storm s |
| ---: | ---: | ---: | ---: | ---: | ---: | ---: |
${rows.map((r) => `| ${cells(r)} |`).join('\n')}

The bar: 1000 proxies in at most 160 MB, p99 of a change at most 300 ms; 3000 proxies in at most 330 MB, p99 at most
600 ms, a storm settled in at most 12 s. Of each proxy's share a bare TLS connection of Node takes 47 kB (measured
alone).

![growth](controller.svg)

Repeat with \`npm run bench:controller\`.
`;
process.stdout.write(text);
if (!inCluster) {
  const results = join(packageRoot, 'bench/results');
  makeFolder(results);
  writeFileSync(join(results, 'controller.md'), text);
  writeFileSync(join(results, 'controller.json'), `${JSON.stringify(rows, undefined, 2)}\n`);
  writeFileSync(join(results, 'controller.svg'), growthPlot(rows));
}
