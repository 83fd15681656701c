/**
 * The whole mesh in a cluster: a real API server, the installed control plane, the real webhook, and pods whose proxies
 * and apps run in network namespaces of their own, redirected by the injector's own init container.
 */
import { request } from 'node:http';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Child } from '../../base/child.js';
import { findTool } from '../../base/tools.js';
import { getJson } from '../../mesh/controller/run-command.js';
import { rollAnchor } from '../../mesh/identity/roll-over.js';
import { type AnyObject, resources } from '../../mesh/kubernetes/client/objects.js';
import type { Injector } from '../../mesh/kubernetes/inject/injector.js';
import { defaultValues } from '../../mesh/kubernetes/install/values.js';
import { ports } from '../../mesh/kubernetes/annotations.js';
import { secretKeeperOf } from '../../mesh/kubernetes/secret-keeper.js';
import { testWith } from '../tools.js';
import { type Cluster, startCluster } from './cluster.js';
import {
  controllerAdmin,
  install,
  startInstalledController,
  startInstalledInjector,
} from './control-plane.js';
import { Kubelet } from './kubelet.js';
import { until } from './until.js';

const isRoot = process.getuid?.() === 0;
const possible =
  isRoot && ['kube-apiserver', 'etcd', 'ip', 'iptables'].every((t) => findTool(t as 'ip'));
const needs = isRoot ? testWith('kube-apiserver', 'etcd', 'ip', 'iptables') : test.skip;
const limitMs = 240_000;

let cluster: Cluster;
let kubelet: Kubelet;
let controller: Child;
let canary: Child | undefined;
let injector: Injector;

/**
 * Answers with the caller's identity; on a port that is not redirected it answers the kubelet's probe. After SIGTERM it
 * serves on until no request has come for a while, as an app in a cluster must: clients learn only after a moment that
 * its endpoint is gone.
 */
const echo = `
const http = require('node:http');
let last = Date.now();
http.createServer((q, r) => {
  last = Date.now();
  r.end(q.headers['l5d-client-id'] ?? 'nobody');
}).listen(8080, () => {
  http.createServer((q, r) => r.end('ok')).listen(8081);
});
process.on('SIGTERM', () => {
  last = Date.now();
  setInterval(() => Date.now() - last > 4000 && process.exit(), 50);
});`;
const echoAnnotations = {
  'mesh.firedrill.dev/default-inbound-policy': 'all-authenticated',
  'mesh.firedrill.dev/skip-inbound-ports': '8081',
};

/**
 * Sends fifty requests a second to the service's name, without knowing of proxies. Counts from the first success on.
 */
const shopper = `
const http = require('node:http');
const agent = new http.Agent({ keepAlive: true, maxSockets: 8 });
const seen = { ok: 0, failed: 0, before: 0, problems: [], last: '' };
const fail = (why) => {
  if (seen.ok === 0) { seen.before++; seen.problems = [why]; return; }
  seen.failed++; seen.problems.push(why); seen.problems.splice(10);
};
setInterval(() => {
  const q = http.get({ host: 'echo.shop', path: '/', agent, timeout: 20000 }, (r) => {
    let body = '';
    r.on('data', (c) => (body += c)).on('end', () => {
      if (r.statusCode !== 200) return fail(r.statusCode + ' ' + JSON.stringify(r.headers));
      if (seen.ok++ === 0) seen.problems = [];
      seen.last = body;
    });
  });
  q.on('error', (e) => fail(String(e.code))).on('timeout', () => q.destroy());
}, 20);
setInterval(() => console.log(JSON.stringify(seen)), 100);`;

interface Seen {
  ok: number;
  failed: number;
  before: number;
  problems: string[];
  last: string;
}
const seen = (): Seen =>
  JSON.parse(kubelet.logs('shop', 'web', 'app').at(-1) ?? '{"ok":0,"problems":[]}') as Seen;

/** Makes a pod as a Deployment's ReplicaSet does. */
const pod = (
  app: string,
  script: string,
  annotations: Record<string, string> = {},
  name = app,
): AnyObject => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: {
    name,
    namespace: 'shop',
    labels: { app, 'pod-template-hash': 'abc' },
    annotations,
    ownerReferences: [
      {
        apiVersion: 'apps/v1',
        kind: 'ReplicaSet',
        name: `${app}-abc`,
        uid: `${app}-uid`,
        controller: true,
      },
    ],
  },
  spec: {
    serviceAccountName: app,
    containers: [
      {
        name: 'app',
        image: 'node',
        command: ['node', '-e', script],
        ...(app === 'echo' && {
          ports: [{ containerPort: 8080 }],
          readinessProbe: { httpGet: { path: '/', port: 8081 } },
        }),
      },
    ],
  },
});

beforeAll(async () => {
  if (!possible) return;
  const values = defaultValues();
  values.identity.certificateLifetime = '60s';
  cluster = await startCluster();
  await install(cluster, values);
  const { admin } = cluster;
  await admin.create({
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name: 'shop', annotations: { 'mesh.firedrill.dev/inject': 'enabled' } },
  });
  for (const name of ['web', 'echo']) {
    const metadata = { name, namespace: 'shop' };
    await admin.create({ apiVersion: 'v1', kind: 'ServiceAccount', metadata });
  }
  await admin.create({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'echo', namespace: 'shop' },
    spec: { selector: { app: 'echo' }, ports: [{ port: 80, targetPort: 8080 }] },
  });
  kubelet = new Kubelet(cluster);
  controller = await startInstalledController(cluster, kubelet.bridge.address);
  injector = await startInstalledInjector(cluster, values);
  await kubelet.start();
}, limitMs);

afterAll(async () => {
  await kubelet?.stop();
  await injector?.stop();
  await canary?.stop();
  await controller?.stop();
  await cluster?.stop();
}, limitMs);

needs(
  'pods made through the API server are injected, discovered, and speak mutual TLS unawares',
  { timeout: limitMs },
  async () => {
    const { admin } = cluster;
    // Webhook configurations reach the API server's own cache a moment later.
    await until(async () => {
      const path = '/api/v1/namespaces/shop/pods?dryRun=All';
      const tried = (await admin.call('POST', path, pod('echo', echo))) as Partial<AnyObject>;
      return JSON.stringify(tried.spec).includes('firedrill-proxy');
    }, 'the injection');
    await admin.create(pod('echo', echo, echoAnnotations));
    await admin.create(pod('web', shopper));
    await until(
      () => kubelet.isReady('shop', 'echo') && kubelet.isReady('shop', 'web'),
      'ready pods',
      120_000,
    );
    await until(() => seen().ok > 20, `answers through the mesh`, 60_000).catch(
      (error: unknown) => {
        throw new Error(`${String(error)}: ${JSON.stringify(seen())}`);
      },
    );
    // The app sees the caller's identity, which only a certificate of the mesh can prove.
    expect(seen().last).toBe('web.shop.serviceaccount.identity.cluster.local');
    // A caller without an identity is refused at the same port, although the app itself would answer.
    const address = kubelet.addressOf('shop', 'echo') as string;
    expect(await plainRequest(address, 8080)).not.toBe(200);
    const metrics = await getText(address, 4191, '/metrics');
    expect(metrics).toMatch(/direction="inbound"[^\n]*tls="true"/);
    const proxies = (await getJson(controllerAdmin(kubelet.bridge.address), '/proxies')) as {
      identity: string;
    }[];
    expect(proxies.map((p) => p.identity).sort()).toEqual([
      'echo.shop.serviceaccount.identity.cluster.local',
      'web.shop.serviceaccount.identity.cluster.local',
    ]);
  },
);

needs(
  'the trust anchor is rotated under load, and no request fails',
  { timeout: limitMs },
  async () => {
    const before = seen();
    const steps: string[] = [];
    await rollAnchor({
      keeper: secretKeeperOf(cluster.admin, 'firedrill', 'cluster.local'),
      admins: [controllerAdmin(kubelet.bridge.address)],
      timeoutMs: 90_000,
      say: (line) => steps.push(line),
    });
    expect(steps.map((s) => s.slice(0, 2))).toEqual(['1.', '2.', '3.']);
    const rotated = seen();
    await until(() => seen().ok > rotated.ok + 50, 'requests afterwards', 60_000);
    expect(seen()).toMatchObject({ failed: 0, problems: [] });
    expect(seen().ok).toBeGreaterThan(before.ok + 50);
  },
);

needs(
  'the controller is killed and replaced under load, and no request fails',
  { timeout: limitMs },
  async () => {
    controller.process.kill('SIGKILL');
    await controller.exited;
    const killed = seen();
    await until(() => seen().ok > killed.ok + 100, 'requests without a controller', 60_000);
    controller = await startInstalledController(cluster, kubelet.bridge.address);
    const admin = controllerAdmin(kubelet.bridge.address);
    await until(
      async () => ((await getJson(admin, '/proxies')) as unknown[]).length === 2,
      'both proxies at the new controller',
      90_000,
    );
    // The new controller's state arrives: a second endpoint takes its share.
    await cluster.admin.create(pod('echo', echo, echoAnnotations, 'echo-2'));
    await until(() => kubelet.isReady('shop', 'echo-2'), 'the second pod', 120_000);
    const address = kubelet.addressOf('shop', 'echo-2') as string;
    await until(
      async () => /request_total\{[^\n]*\} [1-9]/.test(await getText(address, 4191, '/metrics')),
      'requests at the second endpoint',
      60_000,
    );
    expect(seen()).toMatchObject({ failed: 0, problems: [] });
  },
);

needs(
  'a canary upgrade: one pod moved, no request fails; then the rest',
  { timeout: limitMs },
  async () => {
    const { admin } = cluster;
    const values = defaultValues();
    values.identity.certificateLifetime = '60s';
    await install(cluster, values, 'canary');
    canary = await startInstalledController(cluster, kubelet.bridge.second, 'canary');
    const moved = { ...echoAnnotations, 'mesh.firedrill.dev/revision': 'canary' };
    await admin.create(pod('echo', echo, moved, 'echo-3'));
    await until(() => kubelet.isReady('shop', 'echo-3'), 'the moved pod', 120_000);
    await admin.create(pod('echo', echo, moved, 'echo-4'));
    await until(() => kubelet.isReady('shop', 'echo-4'), 'the second moved pod', 120_000);
    expect(seen()).toMatchObject({ failed: 0, problems: [] });
    // A terminating pod may reset a request that was just sent to it: reads are retried, as in any rollout.
    await admin.create({
      apiVersion: 'mesh.firedrill.dev/v1alpha1',
      kind: 'ServiceProfile',
      metadata: { name: 'echo.shop.svc.cluster.local', namespace: 'shop' },
      spec: {
        routes: [
          { name: 'reads', condition: { method: 'GET', pathRegex: '/.*' }, isRetryable: true },
        ],
      },
    });
    const web = kubelet.addressOf('shop', 'web') as string;
    await until(
      async () => (await getText(web, 4191, '/metrics')).includes('rt_route="reads"'),
      'the route at the shopper',
      60_000,
    );
    for (const name of ['echo', 'echo-2']) await admin.remove(resources.Pod, 'shop', name);
    // The controller's admin port answers its other calls only to its own machine, and this address is not ours.
    const both = /^firedrill_controller_connected_proxies(\{[^}]*\})? 2$/m;
    const { second } = kubelet.bridge;
    await until(
      async () => both.test(await getText(second, ports.controllerAdmin, '/metrics')),
      'both pods at the canary',
      60_000,
    );
    const first = controllerAdmin(kubelet.bridge.address);
    await until(
      async () => ((await getJson(first, '/proxies')) as unknown[]).length === 1,
      'only the shopper at the old controller',
      60_000,
    );
    const gone = seen();
    await until(() => seen().ok > gone.ok + 100, 'requests afterwards', 60_000);
    // The bound is not 0 yet: a request or two that were just sent to a terminating pod may be reset.
    expect(seen().failed, seen().problems.join('; ')).toBeLessThanOrEqual(5);
  },
);

function getText(host: string, port: number, path: string): Promise<string> {
  return new Promise((resolve, reject) => {
    request({ host, port, path, timeout: 10_000 }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => (text += chunk)).on('end', () => resolve(text));
    })
      .on('error', reject)
      .end();
  });
}

/** Resolves to the status, or to the error's code. */
function plainRequest(host: string, port: number): Promise<number | string> {
  return new Promise((resolve) => {
    request({ host, port, path: '/', timeout: 10_000 }, (response) => {
      response.resume().on('end', () => resolve(response.statusCode ?? 0));
    })
      .on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? 'error'))
      .end();
  });
}
