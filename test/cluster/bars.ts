/**
 * `npm run bench:kubernetes -- [PART,… [TIMES]]` measures the mesh's cost and its guarantees on a real node. It needs
 * root, and about a quarter of an hour for all parts (starts, cost, changes, anchor, kills, nodes). TIMES repeats
 * changes and kills; `together`, named as well, lets the proxies of all pods start together with their apps, and
 * `redirector` lets the node redirect. The program prints the table of bench/results/kubernetes.md. The load comes from
 * a meshed pod and goes to four others.
 */
import { execFileSync } from 'node:child_process';
import { loadavg } from 'node:os';
import { sleep } from '../../base/clock.js';
import { rollAnchor } from '../../mesh/identity/roll-over.js';
import { pathOf, resources } from '../../mesh/kubernetes/client/objects.js';
import { forwardToPods } from '../../mesh/kubernetes/client/port-forward.js';
import type { Pod } from '../../mesh/kubernetes/discovery/types.js';
import { parseExposition } from '../../mesh/kubernetes/observe/exposition.js';
import { secretKeeperOf } from '../../mesh/kubernetes/secret-keeper.js';
import {
  Bars,
  deployment,
  evict,
  load,
  namespace,
  podSpec,
  restart,
  serve,
  settleMs,
} from './bars-rig.js';
import { measureNodes } from './bars-nodes.js';
import { image, installMesh } from './mesh-install.js';
import { startNode } from './node.js';

const startedMs = 60_000;

const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;

/** The variants of the measured pods. */
const ways = {
  bare: { inject: 'disabled' },
  ordered: { inject: 'enabled', start: 'ordered' },
  together: { inject: 'enabled', start: 'together' },
};
type Way = keyof typeof ways;

async function podStarts(bars: Bars): Promise<void> {
  const times: Record<Way, number[]> = { bare: [], ordered: [], together: [] };
  for (let i = 0; i < 5; i++)
    for (const way of Object.keys(ways) as Way[])
      times[way].push(await podStart(bars, way, `start-${way}-${i}`));
  const bare = median(times.bare);
  for (const way of ['ordered', 'together'] as const) {
    const meshed = median(times[way]);
    const text = `${seconds(meshed - bare)} (${seconds(meshed)} against ${seconds(bare)}, medians of 5)`;
    bars.row(`a pod starts later by (${way})`, '0.8 s', text);
  }
}

/** Returns the milliseconds from a pod's creation until it is ready. */
async function podStart(bars: Bars, way: Way, name: string): Promise<number> {
  const { api } = bars.node;
  const annotations = Object.fromEntries(
    Object.entries(ways[way]).map(([key, value]) => [`mesh.firedrill.dev/${key}`, value]),
  );
  const app = { name: 'app', image, imagePullPolicy: 'Never', command: ['node', '-e', serve] };
  const began = performance.now();
  await api.create({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace, annotations },
    spec: { containers: [app], terminationGracePeriodSeconds: 0 },
  });
  await bars.until(name, async () => {
    const found = await api.get<Pod & Ready>(resources.Pod, namespace, name);
    const conditions = found.status.conditions ?? [];
    return conditions.some((c) => c.type === 'Ready' && c.status === 'True');
  });
  const took = performance.now() - began;
  await api.remove(resources.Pod, namespace, name);
  return took;
}

interface Ready {
  status: { conditions?: { type: string; status: string }[] };
}

const seconds = (ms: number): string => `${(ms / 1000).toFixed(2)} s`;

/** Measures the sidecars of an app over some seconds, as the kubelet reports their usage. */
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

async function kill(bars: Bars, pod: Pod | undefined, inNamespace: string): Promise<void> {
  const path = pathOf(resources.Pod, inNamespace, pod?.metadata.name);
  await bars.node.api.call('DELETE', path, { gracePeriodSeconds: 0 });
}

async function changes(bars: Bars): Promise<void> {
  const { api } = bars.node;
  await bars.underLoad('a rolling restart, 100 a second', '0', () => restart(bars, 'web'));
  await bars.underLoad('two of four pods evicted', '0', async () => {
    for (const pod of (await bars.pods('web')).slice(0, 2)) await evict(bars, pod);
    await bars.available('web');
  });
  await bars.underLoad('the controller is killed', '0', async () => {
    await kill(bars, (await bars.pods('firedrill-controller', 'firedrill'))[0], 'firedrill');
    await bars.available('firedrill-controller', 'firedrill');
  });
  await bars.underLoad("the webhook's certificate is made anew", '0', async () => {
    const data = { 'tls.crt': '', 'tls.key': '' };
    await api.patch(resources.Secret, 'firedrill', 'firedrill-webhook-tls', { data });
    await restart(bars, 'firedrill-injector', 'firedrill');
    await restart(bars, 'web');
  });
}

async function kills(bars: Bars): Promise<void> {
  for (let i = 0; i < 3; i++) {
    await bars.underLoad('a pod is deleted without grace', 'at most 1', async () => {
      await kill(bars, (await bars.pods('web'))[i], namespace);
      await bars.available('web');
    });
  }
}

async function serveAndLoad(bars: Bars): Promise<void> {
  await bars.node.api.create(deployment('web', podSpec(serve), 4));
  const ports = [{ port: 80, targetPort: 8080 }];
  await bars.node.api.create({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'web', namespace },
    spec: { selector: { app: 'web' }, ports },
  });
  await bars.available('web');
  await sleep(settleMs);
  if (isWanted('cost')) {
    await bars.node.api.create(deployment('idle', podSpec(serve, 10), 2));
    await bars.available('idle');
    // The after-effects of a start (compiled code, a heap that shrinks) are not the cost of idling.
    await sleep(startedMs);
    const bar = '16 MiB, 1 millicore';
    bars.row('a sidecar, idle, probed each 10 s', bar, await sidecars(bars, 'idle', 30_000));
    bars.row('a sidecar, idle, probed each second', bar, await sidecars(bars, 'web', 30_000));
  }
  // The load's one sidecar carries all requests; each of the four servers' sidecars carries a quarter.
  await bars.node.api.create(deployment('load', podSpec(`${load(100)};${serve}`), 1));
  await bars.available('load');
  await bars.until('requests', async () => (await bars.said()).ok > 200);
}

const wanted = process.argv[2]?.split(',') ?? [];
const times = Number(process.argv[3] ?? 1);
const isNamed = (part: string): boolean => wanted.includes(part);
const isWanted = (part: string): boolean => wanted.length === 0 || isNamed(part);

async function measure(bars: Bars): Promise<void> {
  if (isWanted('starts')) await podStarts(bars);
  if (wanted.length === 1 && wanted[0] === 'starts') return;
  await serveAndLoad(bars);
  if (isWanted('cost')) {
    const what = "the load's sidecar, 100 requests a second";
    bars.row(`${what}, its first 15 s`, '-', await sidecars(bars, 'load', 15_000));
    await sleep(startedMs);
    bars.row(`${what}, after a minute`, '30 millicores', await sidecars(bars, 'load', 30_000));
  }
  for (let i = 0; isWanted('changes') && i < times; i++) await changes(bars);
  if (isWanted('anchor'))
    await bars.underLoad('issuer and trust anchor are rotated', '0', () => rotateAnchor(bars));
  for (let i = 0; isWanted('kills') && i < times; i++) await kills(bars);
  if (isWanted('nodes')) await measureNodes(bars);
  const { ok, sent, failed } = await bars.said();
  bars.row('all of it', '-', `${ok} answered, ${failed} failed, of ${sent}`);
}

async function main(): Promise<void> {
  const began = performance.now();
  const node = await startNode();
  try {
    const bars = new Bars(node);
    bars.row('the node is ready after', '-', seconds(performance.now() - began));
    bars.row(
      'install to available',
      '10 s',
      seconds(await installMesh(node, isNamed('redirector'))),
    );
    const start = isNamed('together') ? 'together' : 'ordered';
    const annotations = {
      'mesh.firedrill.dev/inject': 'enabled',
      'mesh.firedrill.dev/start': start,
    };
    await node.api.create({
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name: namespace, annotations },
    });
    await measure(bars);
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
