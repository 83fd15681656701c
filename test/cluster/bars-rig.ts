/** The rig that measures the bars: pods that serve, a pod that sends requests to them, and counts of the failures. */
import { sleep } from '../../base/clock.js';
import { type AnyObject, pathOf, resources } from '../../mesh/kubernetes/client/objects.js';
import type { Pod } from '../../mesh/kubernetes/discovery/types.js';
import { image } from './mesh-install.js';
import type { Node } from './node.js';

export const namespace = 'bars';
export const settleMs = 3000;

export const serve = `require('http').createServer((q, r) => r.end('ok')).listen(8080)`;
/** Sends RATE requests a second, and prints every 200 ms the number of answers, and the failures by cause. */
export const load = (rate: number): string => `
const http = require('http');
const agent = new http.Agent({ keepAlive: true, maxSockets: 64 });
const said = { sent: 0, ok: 0, failed: 0, why: {}, lastFailedSentMs: 0, failures: [] };
const fail = (why, sentMs) => {
  said.failed++;
  said.why[why] = (said.why[why] || 0) + 1;
  said.lastFailedSentMs = Math.max(said.lastFailedSentMs, sentMs);
  said.failures = [...said.failures, [sentMs, Date.now() - sentMs, why]].slice(-200);
};
const began = Date.now();
setInterval(() => {
  for (const due = (Date.now() - began) * ${rate} / 1000; said.sent < due;) {
    said.sent++;
    const sentMs = Date.now();
    http.get('http://web/', { agent, timeout: 10000 }, (a) => {
      let body = '';
      const end = () => a.statusCode === 200 ? said.ok++ : fail(a.statusCode + ' ' + body.slice(0, 60), sentMs);
      a.on('data', (c) => body += c).on('end', end).on('error', (e) => fail('body ' + e.code, sentMs));
    }).on('timeout', function () { this.destroy(new Error('timeout')); })
      .on('error', (e) => fail(e.code || e.message, sentMs));
  }
}, 5);
setInterval(() => console.log(JSON.stringify(said)), 200);
process.on('SIGTERM', () => process.exit(0));`;

/** Probed each second, so that a change is seen at once; Kubernetes's own default is ten. */
export function podSpec(script: string, periodSeconds = 1): object {
  return {
    terminationGracePeriodSeconds: 20,
    containers: [
      {
        name: 'app',
        image,
        imagePullPolicy: 'Never',
        command: ['node', '-e', script],
        lifecycle: { preStop: { sleep: { seconds: 2 } } },
        readinessProbe: { tcpSocket: { port: 8080 }, periodSeconds },
      },
    ],
  };
}

export const deployment = (name: string, spec: object, replicas: number): AnyObject => ({
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
  /** The time at which the last failed request was sent; 0: none failed. */
  lastFailedSentMs: number;
  /** The last failures: the time of sending, the milliseconds until the failure, and the cause. */
  failures: [number, number, string][];
}

export class Bars {
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

  /** Those that are not ending. */
  async pods(app: string, inNamespace = namespace): Promise<Pod[]> {
    const options = { namespace: inNamespace, labelSelector: `app=${app}` };
    const { items } = await this.node.api.list<Pod>(resources.Pod, options);
    return items.filter(({ metadata }) => metadata.deletionTimestamp === undefined);
  }

  /** Resolves when all replicas have the current template and are ready. */
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

  /** Returns the failures of the requests sent during `act` and for a while after it. */
  async underLoad(what: string, bar: string, act: () => Promise<void>): Promise<Said> {
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
    return after;
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

export async function restart(bars: Bars, name: string, inNamespace = namespace): Promise<void> {
  const annotations = { restarted: String(Date.now()) };
  const spec = { template: { metadata: { annotations } } };
  await bars.node.api.patch(resources.Deployment, inNamespace, name, { spec });
  await bars.available(name, inNamespace);
}

export async function evict(bars: Bars, { metadata }: Pod): Promise<void> {
  const path = `${pathOf(resources.Pod, namespace, metadata.name)}/eviction`;
  await bars.node.api.call('POST', path, {
    apiVersion: 'policy/v1',
    kind: 'Eviction',
    metadata: { name: metadata.name, namespace },
  });
}
