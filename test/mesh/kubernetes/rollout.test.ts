/**
 * A new version takes over if it is no worse: the test keeps its stated error rate, and the weights follow its
 * verdict.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { program } from '../../../base/paths.js';
import { type Random, seededRandom } from '../../../base/random.js';
import { findTool } from '../../../base/tools.js';
import { type AnyObject, resources } from '../../../mesh/kubernetes/client/objects.js';
import { customResources } from '../../../mesh/kubernetes/crds/definitions.js';
import { checkedWeightsOf } from '../../../mesh/kubernetes/rollout/weights.js';
import { gatewayCrds } from '../../kubernetes/gateway-crds.js';
import {
  budgetSpent,
  type Counts,
  rollOut,
  type RolloutParts,
  type Stage,
  stageText,
} from '../../../mesh/kubernetes/rollout/rollout.js';
import { WorseTest } from '../../../mesh/kubernetes/rollout/worse-test.js';
import { type Cluster, startCluster } from '../../kubernetes/cluster.js';
import { until } from '../../kubernetes/until.js';
import { testWith } from '../../tools.js';

/** The number of failures among n independent requests. */
function failures(random: Random, n: number, ratio: number): number {
  let count = 0;
  for (let i = 0; i < n; i++) if (random.next() < ratio) count++;
  return count;
}

interface Simulated {
  alpha: number;
  ratio: number;
  canaryRatio: number;
  /** Requests to both in each batch, and the canary's share in each third of the batches. */
  perBatch: number;
  batches: number;
}

/** The batch in which the version was found to be worse; undefined if it never was. */
function simulate(s: Simulated, random: Random): number | undefined {
  const worse = new WorseTest(s.alpha);
  for (let batch = 0; batch < s.batches; batch++) {
    const share = [0.05, 0.25, 0.5][Math.floor((3 * batch) / s.batches)] ?? 0.5;
    const canary = Math.round(s.perBatch * share);
    const stable = s.perBatch - canary;
    worse.add({
      stable: { requests: stable, bad: failures(random, stable, s.ratio) },
      canary: { requests: canary, bad: failures(random, canary, s.canaryRatio) },
    });
    if (worse.isWorse) return batch;
  }
  return undefined;
}

const runs = 1500;

test.each([
  [0.05, 0.01],
  [0.05, 0.2],
  [0.2, 0.02],
])(
  'a version that is no worse goes back at most as often as stated: %d, at failures of %d',
  (alpha, ratio) => {
    const random = seededRandom(20_261_129);
    const same = { alpha, ratio, canaryRatio: ratio, perBatch: 100, batches: 60 };
    let back = 0;
    for (let i = 0; i < runs; i++) if (simulate(same, random) !== undefined) back++;
    // Three standard errors of the simulation itself.
    const most = alpha + 3 * Math.sqrt((alpha * (1 - alpha)) / runs);
    expect(back / runs).toBeLessThanOrEqual(most);
    // The test must also decide sometimes.
    expect(back / runs).toBeGreaterThan(alpha / 50);
  },
);

test('a version that fails three times as often goes back, nearly always and soon', () => {
  const random = seededRandom(7);
  const bad = { alpha: 0.05, ratio: 0.01, canaryRatio: 0.03, perBatch: 100, batches: 120 };
  const found = Array.from({ length: 300 }, () => simulate(bad, random));
  const ended = found.filter((batch) => batch !== undefined).sort((a, b) => a - b);
  expect(ended.length / found.length).toBeGreaterThan(0.95);
  // Half of them within half of the batches: the first third has a share of 5%.
  expect(ended[Math.floor(ended.length / 2)]).toBeLessThan(65);
});

test('a version that fails every request is found at the first look; one without requests is not', () => {
  const worse = new WorseTest(0.025);
  worse.add({ stable: { requests: 0, bad: 0 }, canary: { requests: 100, bad: 100 } });
  expect(worse.evidence).toBeLessThan(2);
  worse.add({ stable: { requests: 95, bad: 0 }, canary: { requests: 5, bad: 5 } });
  expect([worse.isWorse, worse.evidence > 1000]).toEqual([true, true]);
  const better = new WorseTest(0.05);
  for (let i = 0; i < 1000; i++) {
    better.add({ stable: { requests: 95, bad: 5 }, canary: { requests: 5, bad: 0 } });
  }
  expect([better.isWorse, better.evidence]).toEqual([false, 1]);
});

test('a margin forgives that many times as many failures', () => {
  const [strict, lenient] = [new WorseTest(0.05), new WorseTest(0.05, 2)];
  for (let i = 0; i < 60; i++) {
    const both = { stable: { requests: 100, bad: 2 }, canary: { requests: 100, bad: 4 } };
    strict.add(both);
    lenient.add(both);
  }
  expect([strict.isWorse, lenient.isWorse]).toEqual([true, false]);
});

/** A service in simulated time: 100 requests a second, of which a share goes to the new version. */
function service(options: {
  failing?: (stage: string) => number;
  slow?: number;
  stages?: Stage[];
  stopAfterMs?: number;
  disturbed?: (nowMs: number) => string | undefined;
}): { parts: RolloutParts; applied: string[] } {
  const applied: string[] = [];
  const random = seededRandom(1);
  const sums = {
    stable: { requests: 0, failed: 0, slow: 0 },
    canary: { requests: 0, failed: 0, slow: 0 },
  };
  const stop = new AbortController();
  let [nowMs, stage]: [number, Stage] = [0, { kind: 'weight', percent: 0 }];
  const ask = (counts: Counts, n: number, failing: number, slow: number): void => {
    counts.requests += n;
    counts.failed += failures(random, n, failing);
    counts.slow += failures(random, n, slow);
  };
  const parts: RolloutParts = {
    stages: options.stages ?? [5, 25, 50, 100].map((percent) => ({ kind: 'weight', percent })),
    stageMs: 30_000,
    minRequests: 100,
    pollMs: 1000,
    alpha: 0.05,
    margin: 1,
    apply: (next) => {
      stage = next;
      applied.push(stageText(next));
      return Promise.resolve();
    },
    counts: () => Promise.resolve(structuredClone(sums)),
    doubt: () => undefined,
    disturbed: () => Promise.resolve(options.disturbed?.(nowMs)),
    nowMs: () => nowMs,
    sleep: (ms) => {
      nowMs += ms;
      if (nowMs > (options.stopAfterMs ?? Infinity)) stop.abort();
      const own = stage.kind === 'mirror' ? 100 : stage.percent;
      const failing = options.failing?.(stageText(stage)) ?? 0.01;
      ask(sums.canary, (own * ms) / 1000, failing, options.slow ?? 0.05);
      ask(sums.stable, ((stage.kind === 'mirror' ? 100 : 100 - own) * ms) / 1000, 0.01, 0.05);
      return Promise.resolve();
    },
    signal: stop.signal,
    say: () => undefined,
  };
  return { parts, applied };
}

test('a good version gets all of the traffic, step by step', async () => {
  const { parts, applied } = service({});
  const record = await rollOut(parts);
  expect([record.verdict, applied]).toEqual(['promoted', ['5%', '25%', '50%', '100%']]);
  expect(record.canary.requests).toBe(30 * (5 + 25 + 50));
  // 9,000 requests in 90 s; at an objective of 99% over an hour 3,600 may fail.
  expect(budgetSpent(record, 0.99, 3600)).toBeCloseTo(record.canary.failed / 3600, 6);
});

test.each([
  ['fails', { failing: () => 0.2 }, /^\d+\.\d+% of \d+ requests fail at the new version, \d/, '5%'],
  ['is slow', { slow: 0.4 }, /requests are slow at the new version/, '5%'],
  [
    'fails under load',
    { failing: (s: string) => (s === '50%' ? 0.3 : 0.01) },
    /fail at the/,
    '50%',
  ],
])('one that %s goes back, with the reason', async (_, options, why, at) => {
  const { parts, applied } = service(options);
  const record = await rollOut(parts);
  expect([record.verdict, record.why]).toEqual(['rolled back', expect.stringMatching(why)]);
  expect(applied.slice(-2)).toEqual([at, '0%']);
});

test('mirrored first, then all at once: a version that fails on copies never gets a request', async () => {
  const stages: Stage[] = [{ kind: 'mirror' }, { kind: 'weight', percent: 100 }];
  const bad = service({ stages, failing: () => 0.05 });
  expect((await rollOut(bad.parts)).verdict).toBe('rolled back');
  expect(bad.applied).toEqual(['mirror', '0%']);
  const good = service({ stages });
  expect((await rollOut(good.parts)).verdict).toBe('promoted');
  expect(good.applied).toEqual(['mirror', '100%']);
});

test('too few requests, an interruption and lost counts all lead back', async () => {
  const quiet = service({ stages: [1, 100].map((percent) => ({ kind: 'weight', percent })) });
  quiet.parts.minRequests = 1000;
  const record = await rollOut(quiet.parts);
  expect([record.verdict, record.why, quiet.applied]).toEqual([
    'inconclusive',
    'only 150 of 1000 requests came to the new version at 1%',
    ['1%', '0%'],
  ]);
  const stopped = service({ stopAfterMs: 40_000 });
  expect((await rollOut(stopped.parts)).verdict).toBe('interrupted');
  expect(stopped.applied).toEqual(['5%', '25%', '0%']);
  const changed = service({ disturbed: (ms) => (ms > 40_000 ? 'changed' : undefined) });
  expect((await rollOut(changed.parts)).verdict).toBe('inconclusive');
  expect(changed.applied).toEqual(['5%', '25%', '0%']);
  const blind = service({});
  let asked = 0;
  const { counts } = blind.parts;
  blind.parts.counts = () => (++asked > 5 ? Promise.reject(new Error('no answer')) : counts());
  const lost = await rollOut(blind.parts);
  expect([lost.verdict, lost.why, blind.applied]).toEqual([
    'inconclusive',
    'no answer',
    ['5%', '0%'],
  ]);
});

test('a version that was compared with nothing, or in part, gets no more traffic', async () => {
  const alone = service({});
  const { counts } = alone.parts;
  // The old version's sidecars count nothing: its pods are unmeshed, or unreachable.
  const nothing = { requests: 0, failed: 0, slow: 0 };
  alone.parts.counts = async () => ({ ...(await counts()), stable: nothing });
  const record = await rollOut(alone.parts);
  expect([record.verdict, record.why, alone.applied]).toEqual([
    'inconclusive',
    'only 0 of 100 requests came to the old version at 5%',
    ['5%', '0%'],
  ]);
  const partly = service({});
  partly.parts.doubt = () => 'pod b does not tell its counts: refused';
  const half = await rollOut(partly.parts);
  expect([half.verdict, half.why, partly.applied]).toEqual([
    'inconclusive',
    'pod b does not tell its counts: refused at 5%',
    ['5%', '0%'],
  ]);
});

test('failures count also where no two looks see requests of both versions', async () => {
  const { parts, applied } = service({ failing: () => 0.2 });
  const { counts } = parts;
  let [asked, shown] = [0, await counts()];
  parts.counts = async () => {
    const { stable, canary } = await counts();
    shown = ++asked % 2 === 0 ? { ...shown, canary } : { ...shown, stable };
    return shown;
  };
  const { verdict } = await rollOut(parts);
  expect([verdict, applied]).toEqual(['rolled back', ['5%', '0%']]);
});

test('a sum of counters that falls with a pod is not counted anew', async () => {
  const { parts } = service({ failing: () => 0 });
  const { counts } = parts;
  let asked = 0;
  parts.counts = async () => {
    const all = await counts();
    // A pod with most of the requests, and with all failures, has gone.
    return ++asked < 20
      ? all
      : { ...all, stable: { ...all.stable, requests: all.stable.requests - 1500 } };
  };
  const { stable } = await rollOut(parts);
  const whole = 30 * (95 + 75 + 50);
  expect(stable.requests).toBeLessThan(whole);
  expect(stable.requests).toBeGreaterThan(whole - 200);
});

const needs = testWith('kube-apiserver', 'etcd');
let cluster: Cluster;
beforeAll(async () => {
  if (!findTool('kube-apiserver') || !findTool('etcd')) return;
  cluster = await startCluster();
  for (const object of customResources()) await cluster.admin.apply(object, { manager: 'test' });
  await cluster.admin.create({
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name: 'shop' },
  });
  await until(
    () =>
      cluster.admin.list(resources.TrafficSplit, { namespace: 'shop' }).then(
        () => true,
        () => false,
      ),
    'TrafficSplits',
  );
}, 60_000);
const children: (ChildProcess | Server)[] = [];
afterEach(() => {
  for (const one of children.splice(0)) {
    if ('kill' in one) one.kill('SIGKILL');
    else one.close().closeAllConnections();
  }
});
afterAll(() => cluster?.stop());

/** Counters that grow by themselves, in a Prometheus's answers. */
async function counters(failing: { canary: number }): Promise<string> {
  const began = performance.now();
  const server = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk: Buffer) => (body += chunk.toString()));
    request.on('end', () => {
      const query = new URLSearchParams(body).get('query') ?? '';
      const total = (performance.now() - began) * (query.includes('canary') ? 1 : 4);
      const ratio = query.startsWith('bad')
        ? query.includes('canary')
          ? failing.canary
          : 0.01
        : 1;
      const value = [0, String(Math.round(total * ratio))];
      const result = query.startsWith('none') ? [] : [{ value }];
      response.end(JSON.stringify({ status: 'success', data: { result } }));
    });
  });
  children.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

interface Split extends AnyObject {
  spec: { backends: { service: string; weight: number }[] };
}
const weightsOf = async (service: string): Promise<string | undefined> => {
  const name = `firedrill-canary-${service}`;
  const split = await cluster.admin.find<Split>(resources.TrafficSplit, 'shop', name);
  return split?.spec.backends.map((b) => `${b.service} ${b.weight}`).join(', ');
};

/** Creates the Services of both versions, and the one that callers know. */
async function services(service: string): Promise<void> {
  for (const name of [service, `${service}-stable`, `${service}-canary`]) {
    await cluster.admin.apply(
      {
        apiVersion: 'v1',
        kind: 'Service',
        metadata: { name, namespace: 'shop' },
        spec: { ports: [{ port: 80 }] },
      },
      { manager: 'test' },
    );
  }
}

function start(service: string, prometheus: string, ...more: string[]): ChildProcess {
  const args = ['canary', 'service', service, '-n', 'shop', '--kubeconfig', cluster.kubeconfig];
  const pace = ['--poll', '100ms', '--min-requests', '50', '--objective', '99.9'];
  const counts = [
    '--prometheus',
    prometheus,
    '--total',
    'all {{version}}',
    '--bad',
    'bad {{version}}',
  ];
  const child = spawn(process.execPath, [program('cli'), ...args, ...counts, ...pace, ...more]);
  children.push(child);
  return child;
}

async function ended(child: ChildProcess): Promise<{ code: number | null; said: string }> {
  let said = '';
  child.stdout?.on('data', (chunk: Buffer) => (said += chunk.toString()));
  child.stderr?.on('data', (chunk: Buffer) => (said += chunk.toString()));
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, said };
}

test.each([
  ['--objective', 'often', 'a number above 0'],
  ['--objective', '100', 'at most 99.9999'],
  ['--period', 'long', 'a duration such as 2m'],
])('a wrong %s %s is refused before anything moves', async (flag, value, expected) => {
  const args = ['canary', 'service', 'web', '-n', 'shop', '--kubeconfig', '/nowhere'];
  const flags = ['--objective', '99.9', flag, value];
  const { code, said } = await ended(spawn(process.execPath, [program('cli'), ...args, ...flags]));
  expect([code, said]).toEqual([2, expect.stringContaining(`${flag} ${value}`)]);
  expect(said).toContain(expected);
});

needs('weights move at the API server, and a worse version gets none', async () => {
  for (const name of ['web', 'cart']) await services(name);
  const good = await ended(start('web', await counters({ canary: 0.01 }), '--every', '400ms'));
  expect([good.code, good.said]).toEqual([0, expect.stringContaining('promoted: it was no worse')]);
  expect(good.said).toContain('error budget spent by its failures: ');
  expect(await weightsOf('web')).toBe('web-stable 0, web-canary 100');
  const bad = await ended(start('cart', await counters({ canary: 0.5 }), '--every', '5s'));
  expect([bad.code, bad.said]).toEqual([1, expect.stringMatching(/rolled back: \d+\.\d+% of \d+/)]);
  expect(await weightsOf('cart')).toBe('cart-stable 100, cart-canary 0');
});

needs('Ctrl-C and kill -9 send all traffic back', { timeout: 60_000 }, async () => {
  const prometheus = await counters({ canary: 0.01 });
  for (const [service, signal] of [
    ['asked', 'SIGINT'],
    ['killed', 'SIGKILL'],
  ] as const) {
    await services(service);
    const child = start(service, prometheus, '--every', '60s', '--steps', '30,100');
    const end = ended(child);
    await until(
      async () => (await weightsOf(service)) === `${service}-stable 70, ${service}-canary 30`,
    );
    child.kill(signal);
    const { code } = await end;
    expect(code).toBe(signal === 'SIGINT' ? 130 : null);
    await until(
      async () => (await weightsOf(service)) === `${service}-stable 100, ${service}-canary 0`,
    );
  }
});

needs(
  'two roll-outs of one service, and a change by hand, lead back',
  { timeout: 60_000 },
  async () => {
    await services('twice');
    const prometheus = await counters({ canary: 0.01 });
    const begin = (): ReturnType<typeof ended> =>
      ended(start('twice', prometheus, '--every', '60s', '--steps', '30,100'));
    const share = (canary: number) => async (): Promise<boolean> =>
      (await weightsOf('twice')) === `twice-stable ${100 - canary}, twice-canary ${canary}`;
    const first = begin();
    await until(share(30));
    const name = 'firedrill-canary-twice';
    const backends = [
      { service: 'twice-stable', weight: 10 },
      { service: 'twice-canary', weight: 90 },
    ];
    await cluster.admin.patch(resources.TrafficSplit, 'shop', name, { spec: { backends } });
    const said = /inconclusive: somebody else changed TrafficSplit firedrill-canary-twice/;
    expect(await first).toEqual({ code: 3, said: expect.stringMatching(said) });
    expect(await share(0)()).toBe(true);
    const again = begin();
    await until(share(30));
    const rival = ended(start('twice', prometheus, '--every', '60s', '--steps', '40,100'));
    expect((await Promise.all([again, rival])).map((e) => [e.code, said.test(e.said)])).toEqual([
      [3, true],
      [3, true],
    ]);
    expect(await share(0)()).toBe(true);
  },
);

needs('a route keeps the changes that others made meanwhile', async () => {
  for (const crd of gatewayCrds()) await cluster.admin.apply(crd, { manager: 'test' });
  await services('paid');
  const ref = (name: string, more: object = {}) => ({ name, port: 80, ...more });
  const filters = [{ type: 'RequestHeaderModifier', requestHeaderModifier: { remove: ['x'] } }];
  const rules = [{ backendRefs: [ref('paid-stable', { filters })] }];
  const route = {
    apiVersion: 'gateway.networking.k8s.io/v1',
    kind: 'HTTPRoute',
    metadata: { name: 'paid', namespace: 'shop' },
    spec: { rules },
  };
  await until(() => cluster.admin.create(route).then(Boolean, () => false), 'HTTPRoutes');
  const of = {
    service: 'paid',
    versions: { namespace: 'shop', stable: 'paid-stable', canary: 'paid-canary' },
    httpRoute: 'paid',
  };
  const counted = () => Promise.resolve();
  const weights = await checkedWeightsOf(cluster.admin, of, counted);
  await weights.set({ kind: 'mirror' });
  await weights.set({ kind: 'weight', percent: 20 });
  expect(await weights.isForeign()).toBe(false);
  const specOf = async (): Promise<{ rules: { name?: string; backendRefs: unknown[] }[] }> =>
    (await cluster.admin.get<AnyObject>(resources.HTTPRoute, 'shop', 'paid')).spec as never;
  const own = [...(await specOf()).rules, { name: 'theirs', backendRefs: [ref('other')] }];
  await cluster.admin.patch(resources.HTTPRoute, 'shop', 'paid', { spec: { rules: own } });
  expect(await weights.isForeign()).toBe(true);
  await weights.set({ kind: 'weight', percent: 0 });
  expect((await specOf()).rules).toMatchObject([
    {
      filters: [],
      backendRefs: [
        ref('paid-stable', { filters, weight: 100 }),
        ref('paid-canary', { weight: 0 }),
      ],
    },
    { name: 'theirs', backendRefs: [ref('other')] },
  ]);
  await expect(
    checkedWeightsOf(
      cluster.admin,
      { ...of, versions: { ...of.versions, canary: 'paid-cnry' } },
      counted,
    ),
  ).rejects.toThrow('there is no Service paid-cnry in namespace shop');
});

/** A Service of one version and, with a readiness, its meshed pod. */
async function version(
  name: string,
  labels: Record<string, string>,
  ready?: boolean,
): Promise<void> {
  const metadata = { name, namespace: 'shop', labels };
  await cluster.admin.create({
    apiVersion: 'v1',
    kind: 'Service',
    metadata,
    spec: { selector: labels, ports: [{ port: 80 }] },
  });
  if (ready === undefined) return;
  const containers = [
    { name: 'app', image: 'x' },
    { name: 'firedrill-proxy', image: 'x' },
  ];
  await cluster.admin.create({ apiVersion: 'v1', kind: 'Pod', metadata, spec: { containers } });
  const conditions = [{ type: 'Ready', status: ready ? 'True' : 'False' }];
  await cluster.admin.patch(resources.Pod, 'shop', `${name}/status`, {
    status: { phase: 'Running', conditions },
  });
}

needs('nothing moves where nothing could be compared', { timeout: 60_000 }, async () => {
  const args = ['--kubeconfig', cluster.kubeconfig, '-n', 'shop'];
  const tried = (...more: string[]): ReturnType<typeof ended> => {
    const child = spawn(process.execPath, [program('cli'), 'canary', 'service', ...more, ...args]);
    children.push(child);
    return ended(child);
  };
  await services('idle');
  const prometheus = await counters({ canary: 0 });
  const by = (total: string, bad: string, url = prometheus): ReturnType<typeof ended> =>
    tried('idle', '--prometheus', url, '--total', total, '--bad', bad);
  const [all, bad] = ['all {{version}}', 'bad {{version}}'];
  await version('same', { app: 'same' });
  await version('same-stable', { app: 'same' });
  await version('same-canary', { app: 'same', version: 'v2' });
  for (const service of ['stuck', 'mute']) {
    await version(service, { app: service });
    await version(`${service}-stable`, { app: service, version: 'v1' }, true);
    await version(`${service}-canary`, { app: service, version: 'v2' }, service === 'mute');
  }
  const found = await Promise.all([
    by(all, 'none bda {{version}}'),
    by('none {{version}}', bad),
    by(all, 'bad'),
    by(all, bad, 'http://127.0.0.1:9'),
    tried('same'),
    tried('stuck'),
    tried('mute'),
    tried('same', '--canary', 'same-stable'),
  ]);
  const expected: [number, RegExp][] = [
    [2, /--bad none bda {{version}}: no series for idle-stable or idle-canary, so nothing can/],
    [2, /--total none {{version}}: no series .*; expected a counter that Prometheus has/],
    [2, /--bad bad: it counts the same for both versions; expected {{version}} in it/],
    [5, /127\.0\.0\.1:9/],
    [2, /Services same-stable and same-canary select the same pods; expected selectors that/],
    [5, /no pod of Service stuck-canary is ready/],
    [5, /pod mute-(stable|canary) does not tell its counts: through the API server/],
    [2, /same-stable is both versions/],
  ];
  expect(found).toEqual(
    expected.map(([code, said]) => ({ code, said: expect.stringMatching(said) })),
  );
  for (const service of ['idle', 'same', 'stuck', 'mute'])
    expect(await weightsOf(service)).toBeUndefined();
});

needs.each([
  [['--steps', '50,25,100'], /--steps 50,25,100; expected rising percentages/],
  [['--mirror'], /a TrafficSplit cannot mirror; expected --http-route NAME/],
  [['--steps', '100'], /nothing would be compared/],
  [['--error-rate', '0'], /--error-rate 0; expected a number above 0/],
])('refused before anything moves: %s', async (flags, message) => {
  const { code, said } = await ended(start('none', 'http://127.0.0.1:9', ...flags));
  expect([code, said]).toEqual([2, expect.stringMatching(message)]);
  expect(await weightsOf('none')).toBeUndefined();
});
