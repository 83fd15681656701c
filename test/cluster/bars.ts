/**
 * `npm run bench:kubernetes [SECONDS]`: what the mesh costs and keeps on a real node. Root; about ten minutes. It
 * prints the table of bench/results/kubernetes.md. The load comes from a meshed pod and goes to four others.
 */
import { execFileSync } from 'node:child_process';
import { loadavg } from 'node:os';
import { sleep } from '../../base/clock.js';
import { rollAnchor } from '../../mesh/identity/roll-over.js';
import { type AnyObject, pathOf, resources } from '../../mesh/kubernetes/client/objects.js';
import { forwardToPods } from '../../mesh/kubernetes/client/port-forward.js';
import type { Pod } from '../../mesh/kubernetes/discovery/types.js';
import { parseExposition } from '../../mesh/kubernetes/observe/exposition.js';
import { secretKeeperOf } from '../../mesh/kubernetes/secret-keeper.js';
import { image, installMesh } from './mesh-install.js';
import { type Node, startNode } from './node.js';

const namespace = 'bars';
const settleMs = 3000;

const serve = `require('http').createServer((q, r) => r.end('ok')).listen(8080)`;
/** Sends RATE requests a second, and says every 200 ms how many came back, and how others failed. */
const load = (rate: number): string => `
const http = require('http');
const agent = new http.Agent({ keepAlive: true, maxSockets: 64 });
const said = { sent: 0, ok: 0, failed: 0, why: {} };
const fail = (why) => { said.failed++; said.why[why] = (said.why[why] || 0) + 1; };
const began = Date.now();
setInterval(() => {
  for (const due = (Date.now() - began) * ${rate} / 1000; said.sent < due;) {
    said.sent++;
    http.get('http://web/', { agent, timeout: 10000 }, (a) => {
      a.resume().on('end', () => a.statusCode === 200 ? said.ok++ : fail(a.statusCode))
        .on('error', (e) => fail('body ' + e.code));
    }).on('timeout', function () { this.destroy(new Error('timeout')); })
      .on('error', (e) => fail(e.code || e.message));
  }
}, 5);
setInterval(() => console.log(JSON.stringify(said)), 200);
process.on('SIGTERM', () => process.exit(0));`;

function podSpec(script: string): object {
  return {
    terminationGracePeriodSeconds: 20,
    containers: [
      {
        name: 'app',
        image,
        imagePullPolicy: 'Never',
        command: ['node', '-e', script],
        lifecycle: { preStop: { sleep: { seconds: 2 } } },
        readinessProbe: { tcpSocket: { port: 8080 }, periodSeconds: 1 },
      },
    ],
  };
}

const deployment = (name: string, spec: object, replicas: number): AnyObject => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name, namespace },
  spec: {
    replicas,
    selector: { matchLabels: { app: name } },
    template: { metadata: { labels: { app: name } }, spec },
  },
});

interface Said {
  sent: number;
  ok: number;
  failed: number;
  why: Record<string, number>;
}

class Bars {
  readonly node: Node;
  readonly rows: string[][] = [];

  constructor(node: Node) {
    this.node = node;
  }

  row(what: string, bar: string, measured: string): void {
    this.rows.push([what, bar, measured]);
    process.stdout.write(`${what}: ${measured} (bar: ${bar})\n`);
  }

  async until(what: string, holds: () => Promise<boolean>, limitMs = 120_000): Promise<void> {
    for (const end = performance.now() + limitMs; ; await sleep(50)) {
      if (await holds().catch(() => false)) return;
      if (performance.now() > end) throw new Error(`not within ${limitMs} ms: ${what}`);
    }
  }

  async pods(app: string, inNamespace = namespace): Promise<Pod[]> {
    const options = { namespace: inNamespace, labelSelector: `app=${app}` };
    return (await this.node.api.list<Pod>(resources.Pod, options)).items;
  }

  /** All replicas are of the present template, and ready. */
  available(name: string, inNamespace = namespace): Promise<void> {
    return this.until(`${name} available`, async () => {
      const found = await this.node.api.get<Rolled>(resources.Deployment, inNamespace, name);
      const { replicas } = found.spec;
      const { observedGeneration, updatedReplicas, readyReplicas, ...status } = found.status ?? {};
      return (
        observedGeneration === found.metadata.generation &&
        [updatedReplicas, readyReplicas, status.replicas].every((n) => n === replicas)
      );
    });
  }

  async said(): Promise<Said> {
    const [pod] = await this.pods('load');
    const path = `${pathOf(resources.Pod, namespace, pod?.metadata.name ?? '')}/log`;
    const text = String(await this.node.api.call('GET', `${path}?container=app&tailLines=1`));
    return JSON.parse(text) as Said;
  }

  /** What failed of the requests that were sent while it was done, and for a while after. */
  async underLoad(what: string, bar: string, act: () => Promise<void>): Promise<void> {
    const before = await this.said();
    await act();
    await sleep(settleMs);
    const after = await this.said();
    const failed = after.failed - before.failed;
    const why = Object.entries(after.why)
      .map(([name, n]) => [name, n - (before.why[name] ?? 0)] as const)
      .filter(([, n]) => n > 0)
      .map(([name, n]) => `${n} × ${name}`);
    const reasons = why.length > 0 ? ` (${why.join(', ')})` : '';
    this.row(what, bar, `${failed} of ${after.sent - before.sent} failed${reasons}`);
  }
}

interface Rolled extends AnyObject {
  spec: { replicas: number };
  status?: {
    observedGeneration?: number;
    replicas?: number;
    updatedReplicas?: number;
    readyReplicas?: number;
  };
}

const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;

async function podStarts(bars: Bars): Promise<void> {
  const { api } = bars.node;
  const times = { enabled: [] as number[], disabled: [] as number[] };
  for (let i = 0; i < 5; i++) {
    for (const inject of ['disabled', 'enabled'] as const) {
      const name = `start-${inject}-${i}`;
      const annotations = { 'mesh.firedrill.dev/inject': inject };
      const spec = {
        containers: [
          { name: 'app', image, imagePullPolicy: 'Never', command: ['node', '-e', serve] },
        ],
      };
      const began = performance.now();
      await api.create({
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name, namespace, annotations },
        spec: { ...spec, terminationGracePeriodSeconds: 0 },
      });
      await bars.until(name, async () => {
        const found = await api.get<Pod & Ready>(resources.Pod, namespace, name);
        return (found.status.conditions ?? []).some(
          (c) => c.type === 'Ready' && c.status === 'True',
        );
      });
      times[inject].push(performance.now() - began);
      await api.remove(resources.Pod, namespace, name);
    }
  }
  const [meshed, bare] = [median(times.enabled), median(times.disabled)];
  const text = `${seconds(meshed - bare)} (${seconds(meshed)} against ${seconds(bare)}, medians of 5)`;
  bars.row('a pod starts later by', '0.8 s', text);
}

interface Ready {
  status: { conditions?: { type: string; status: string }[] };
}

const seconds = (ms: number): string => `${(ms / 1000).toFixed(2)} s`;

/** Of the sidecars of an app, as the kubelet counts them, over some seconds. */
async function sidecars(bars: Bars, app: string, lengthMs: number): Promise<string> {
  const read = async () => {
    const path = '/api/v1/nodes/node1/proxy/metrics/resource';
    const samples = parseExposition(String(await bars.node.api.call('GET', path)));
    const names = new Set((await bars.pods(app)).map((p) => p.metadata.name));
    const ofSidecars = (name: string): number[] =>
      samples
        .filter((s) => s.name === name && s.labels.container === 'firedrill-proxy')
        .filter((s) => s.labels.namespace === namespace && names.has(s.labels.pod ?? ''))
        .map((s) => s.value);
    return {
      cpuSeconds: ofSidecars('container_cpu_usage_seconds_total'),
      memoryBytes: ofSidecars('container_memory_working_set_bytes'),
    };
  };
  const mean = (list: number[]): number => list.reduce((a, b) => a + b, 0) / list.length;
  const [before, began] = [await read(), performance.now()];
  await sleep(lengthMs);
  const after = await read();
  const seconds = (performance.now() - began) / 1000;
  const millicores = ((mean(after.cpuSeconds) - mean(before.cpuSeconds)) * 1000) / seconds;
  const mebi = Math.max(...after.memoryBytes) / 2 ** 20;
  return `${mebi.toFixed(1)} MiB at most, ${millicores.toFixed(1)} millicores on average`;
}

async function restart(bars: Bars, name: string, inNamespace = namespace): Promise<void> {
  const annotations = { restarted: String(Date.now()) };
  const spec = { template: { metadata: { annotations } } };
  await bars.node.api.patch(resources.Deployment, inNamespace, name, { spec });
  await bars.available(name, inNamespace);
}

async function evict(bars: Bars, { metadata }: Pod): Promise<void> {
  const path = `${pathOf(resources.Pod, namespace, metadata.name)}/eviction`;
  await bars.node.api.call('POST', path, {
    apiVersion: 'policy/v1',
    kind: 'Eviction',
    metadata: { name: metadata.name, namespace },
  });
}

async function rotateAnchor(bars: Bars): Promise<void> {
  const { api, kubeconfig } = bars.node;
  const [pod] = await bars.pods('firedrill-controller', 'firedrill');
  const at = { namespace: 'firedrill', name: pod?.metadata.name ?? '', port: 9990 };
  const [way] = await forwardToPods({ kubeconfig }, [at]);
  await rollAnchor({
    keeper: secretKeeperOf(api, 'firedrill', 'cluster.local'),
    admins: [`http://${way?.address}`],
    timeoutMs: 420_000,
    say: () => undefined,
  });
}

async function failures(bars: Bars): Promise<void> {
  const { api } = bars.node;
  const kill = async (pod: Pod | undefined, inNamespace: string): Promise<void> => {
    const path = pathOf(resources.Pod, inNamespace, pod?.metadata.name);
    await api.call('DELETE', path, { gracePeriodSeconds: 0 });
  };
  await bars.underLoad('a rolling restart, 100 a second', '0', () => restart(bars, 'web'));
  await bars.underLoad('two of four pods evicted', '0', async () => {
    for (const pod of (await bars.pods('web')).slice(0, 2)) await evict(bars, pod);
    await bars.available('web');
  });
  await bars.underLoad('the controller is killed', '0', async () => {
    await kill((await bars.pods('firedrill-controller', 'firedrill'))[0], 'firedrill');
    await bars.available('firedrill-controller', 'firedrill');
  });
  await bars.underLoad("the webhook's certificate is made anew", '0', async () => {
    const data = { 'tls.crt': '', 'tls.key': '' };
    await api.patch(resources.Secret, 'firedrill', 'firedrill-webhook-tls', { data });
    await restart(bars, 'firedrill-injector', 'firedrill');
    await restart(bars, 'web');
  });
  await bars.underLoad('issuer and trust anchor are rotated', '0', () => rotateAnchor(bars));
  for (let i = 0; i < 3; i++) {
    await bars.underLoad('a pod is deleted without grace', 'at most 1', async () => {
      await kill((await bars.pods('web'))[i], namespace);
      await bars.available('web');
    });
  }
}

async function main(): Promise<void> {
  const began = performance.now();
  const node = await startNode();
  try {
    const bars = new Bars(node);
    bars.row('the node is ready after', '-', seconds(performance.now() - began));
    bars.row('install to available', '10 s', seconds(await installMesh(node)));
    const annotations = { 'mesh.firedrill.dev/inject': 'enabled' };
    await node.api.create({
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name: namespace, annotations },
    });
    await podStarts(bars);
    await node.api.create(deployment('web', podSpec(serve), 4));
    const ports = [{ port: 80, targetPort: 8080 }];
    await node.api.create({
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'web', namespace },
      spec: { selector: { app: 'web' }, ports },
    });
    await bars.available('web');
    await sleep(settleMs);
    bars.row('a sidecar, idle', '16 MiB, 1 millicore', await sidecars(bars, 'web', 15_000));
    // The load has one sidecar, which carries all of it; of the four, each carries a quarter.
    await node.api.create(deployment('load', podSpec(`${load(100)};${serve}`), 1));
    await bars.available('load');
    await bars.until('requests', async () => (await bars.said()).ok > 200);
    bars.row(
      "the load's sidecar, 100 requests a second",
      '30 millicores',
      await sidecars(bars, 'load', 15_000),
    );
    await failures(bars);
    const { ok, sent, failed } = await bars.said();
    bars.row('all of it', '-', `${ok} answered, ${failed} failed, of ${sent}`);
    const [load1 = 0] = loadavg();
    const commit = execFileSync('git', ['rev-parse', '--short', 'HEAD'], {
      encoding: 'utf8',
    }).trim();
    const lines = [['what', 'bar', 'measured'], ['---', '---', '---'], ...bars.rows];
    process.stdout.write(`\n${lines.map((l) => `| ${l.join(' | ')} |`).join('\n')}\n`);
    process.stdout.write(`\nCommit ${commit}; load average at the end ${load1.toFixed(1)}.\n`);
  } finally {
    await node.stop();
  }
}

await main();
process.exit(0);
