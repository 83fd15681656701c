/** The redirector writes the rules of each pod on its node once, in the pod's network namespace, and in no other. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, mkdirSync, mkdtempSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { expect, test } from 'vitest';
import { SimulatedClock } from '../../base/clock.js';
import { annotations, proxyContainer } from '../../mesh/kubernetes/annotations.js';
import type { Pod } from '../../mesh/kubernetes/discovery/types.js';
import {
  networkOf,
  podOf,
  podProcesses,
  type PodProcesses,
  type Strangers,
} from '../../mesh/kubernetes/inject/pod-network.js';
import { applyRedirection, type Redirection } from '../../mesh/kubernetes/inject/redirection.js';
import { Redirector, redirectionIn } from '../../mesh/kubernetes/inject/redirector.js';
import { program } from '../../base/paths.js';
import { testWith } from '../tools.js';

const uid = '0f3a2b1c-1111-2222-3333-444455556666';
const text = JSON.stringify({ skipInbound: '4191,9000', skipOutbound: '' });

interface Given {
  started?: boolean;
  annotation?: string | undefined;
  phase?: string;
  hostNetwork?: boolean;
}
function pod({
  started = false,
  phase = 'Pending',
  hostNetwork = false,
  ...given
}: Given = {}): Pod {
  const annotation = 'annotation' in given ? given.annotation : text;
  const own = annotation === undefined ? {} : { [annotations.redirection]: annotation };
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'cart', namespace: 'shop', uid, annotations: own },
    spec: { containers: [{ name: 'app' }], hostNetwork },
    status: { phase, initContainerStatuses: [{ name: proxyContainer, started }] },
  };
}

/** A node whose processes and network namespaces a test sets. */
class FakeNode {
  processes = new Map<string, PodProcesses>();
  networks = new Map<number, number>();
  refuses = false;
  open = 0;
  readonly applied: { redirection: Redirection; within: readonly string[] }[] = [];
  readonly said: string[] = [];
  readonly redirector = new Redirector({
    clock: new SimulatedClock(),
    log: (line) => void this.said.push(line),
    processes: () => this.processes,
    network: (pid) => {
      const id = this.networks.get(pid);
      if (id === undefined) return undefined;
      this.open++;
      return { id, path: `/proc/1/fd/${id}`, close: () => void this.open-- };
    },
    apply: (redirection, within) => {
      if (this.refuses) throw new Error('no iptables');
      this.applied.push({ redirection, within });
    },
  });

  runs(pid: number, network: number): void {
    this.processes = new Map([[uid, { first: pid }]]);
    this.networks = new Map([[pid, network]]);
  }
}

test('a pod waits for its proxy, and is redirected once', () => {
  const node = new FakeNode();
  expect(node.redirector.look([pod()])).toBe(true);
  node.runs(70, 4026);
  expect(node.redirector.look([pod()])).toBe(false);
  expect(node.redirector.look([pod()])).toBe(false);
  expect(node.applied).toMatchObject([
    {
      redirection: { skipInbound: [4191, 9000], skipOutbound: [], inboundPort: 4143 },
      within: ['nsenter', '--net=/proc/1/fd/4026'],
    },
  ]);
  expect(node.open).toBe(0);
  expect(node.said).toEqual(['shop/cart: redirected']);
});

test('a pod whose sandbox was made anew is redirected again', () => {
  const node = new FakeNode();
  node.runs(70, 4026);
  node.redirector.look([pod()]);
  node.runs(90, 4027);
  expect(node.redirector.look([pod()])).toBe(false);
  expect(node.applied.map(({ within }) => within[1])).toEqual([
    '--net=/proc/1/fd/4026',
    '--net=/proc/1/fd/4027',
  ]);
});

test.each<[string, Given]>([
  ['without the annotation', { annotation: undefined }],
  ['whose proxy has started', { started: true }],
  ['that has ended', { phase: 'Succeeded' }],
  ["of the node's network", { hostNetwork: true }],
])('a pod %s is left alone', (_name, given) => {
  const node = new FakeNode();
  node.runs(70, 4026);
  expect(node.redirector.look([pod(given)])).toBe(false);
  expect(node.applied).toEqual([]);
});

test('an init container that runs before the proxy is not redirected', () => {
  const node = new FakeNode();
  node.runs(70, 4026);
  const early = pod();
  early.spec.initContainers = [{ name: 'migrate' }];
  expect(node.redirector.look([early])).toBe(true);
  expect(node.applied).toEqual([]);
  node.processes.set(uid, { first: 70, proxy: 75 });
  node.networks.set(75, 4026);
  expect(node.redirector.look([early])).toBe(false);
  expect(node.applied).toHaveLength(1);
});

test('a failure is said once, and tried again', () => {
  const node = new FakeNode();
  node.runs(70, 4026);
  node.refuses = true;
  expect(node.redirector.look([pod()])).toBe(true);
  expect(node.redirector.look([pod()])).toBe(true);
  expect(node.said).toEqual(['shop/cart: no iptables']);
  node.refuses = false;
  expect(node.redirector.look([pod()])).toBe(false);
  expect(node.open).toBe(0);
});

test.each([
  '',
  'x',
  'null',
  '[]',
  '{"skipInbound":"4191"}',
  '{"skipInbound":"0-1","skipOutbound":""}',
])('an annotation that somebody wrote is refused: %s', (annotation) => {
  expect(() => redirectionIn(annotation)).toThrow();
  const node = new FakeNode();
  node.runs(70, 4026);
  expect(node.redirector.look([pod({ annotation })])).toBe(true);
  expect(node.applied).toEqual([]);
});

test.each([
  [`0::/kubepods/burstable/pod${uid}/c0ffee`, uid],
  [
    `0::/../../kubepods-besteffort-pod${uid.replaceAll('-', '_')}.slice/cri-containerd-c0ffee.scope`,
    uid,
  ],
  ['0::/system.slice/kubelet.service', undefined],
  ['0::/user/pod0f3a2b1c', undefined],
])('the pod of the control group %s', (cgroup, expected) => {
  expect(podOf(cgroup)).toBe(expected);
});

const isRoot = process.getuid?.() === 0;

test.skipIf(!isRoot)("the node's own network namespace is never entered", () => {
  expect(networkOf(process.pid)).toBeUndefined();
  expect(networkOf(2 ** 30)).toBeUndefined();
});

test.skipIf(!isRoot)('the processes of a pod are found by its control group', () => {
  const proc = mkdtempSync(join(tmpdir(), 'firedrill-proc-'));
  const add = (pid: string, user: number, cgroup: string): void => {
    mkdirSync(join(proc, pid));
    writeFileSync(join(proc, pid, 'cgroup'), cgroup);
    chownSync(join(proc, pid), user, user);
  };
  const group = `0::/kubepods/pod${uid}/c0ffee\n`;
  add('70', 2102, group);
  add('71', 0, group.replace('0f3a', '1f3a'));
  add('72', 2102, '0::/system.slice\n');
  add('meminfo', 2102, group);
  add('69', 0, group);
  const strangers: Strangers = new Map();
  const expected = [
    [uid, { first: 69, proxy: 70 }],
    [uid.replace('0f3a', '1f3a'), { first: 71 }],
  ];
  const seen = (): unknown => [...podProcesses(strangers, proc)].sort();
  expect(seen()).toEqual(expected);
  // A container's process comes from outside; one that has been a stranger for long is not read again.
  const late = [uid.replace('0f3a', '2f3a'), { first: 72, proxy: 72 }];
  writeFileSync(join(proc, '72', 'cgroup'), group.replace('0f3a', '2f3a'));
  expect(seen()).toEqual([...expected, late]);
  writeFileSync(join(proc, '72', 'cgroup'), '0::/system.slice\n');
  for (let i = 0; i < 20; i++) expect(seen()).toEqual(expected);
  writeFileSync(join(proc, '72', 'cgroup'), group.replace('0f3a', '2f3a'));
  expect(seen()).toEqual(expected);
  rmSync(proc, { recursive: true });
});

const needs = isRoot ? testWith('iptables', 'ip') : test.skip;

needs('the rules are written in the namespace of a process, and the hook then passes', async () => {
  const space = `firedrill-redirector-${process.pid}`;
  const run = (command: string, ...args: string[]): string =>
    execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
  run('ip', 'netns', 'add', space);
  const within = [`--net=/run/netns/${space}`];
  const serve = `const http = require('http');
    for (const port of [4191, 4143]) http.createServer((q, r) => r.end('ok')).listen(port, () => console.log(port))`;
  const asProxy = ['setpriv', '--reuid=2102', '--regid=2102', '--clear-groups'];
  const command = [program('mesh/proxy/await'), '4191', '1', '4140'];
  const hook = () => spawn('nsenter', [...within, ...asProxy, process.execPath, ...command]);
  let proxy: ChildProcess | undefined;
  try {
    for (const line of [
      'link set lo up',
      'link add pod0 type veth peer name pod1',
      'addr add 10.9.9.9/24 dev pod0',
      'link set pod0 up',
      'link set pod1 up',
    ])
      run('nsenter', ...within, 'ip', ...line.split(' '));
    proxy = spawn('nsenter', [...within, process.execPath, '-e', serve]);
    await once(proxy.stdout as Readable, 'data');
    const early = hook();
    let reason = '';
    early.stderr.on('data', (chunk: Buffer) => (reason += chunk.toString()));
    expect((await once(early, 'close'))[0]).toBe(1);
    expect(reason).toContain('not redirected');
    const network = networkOf(proxy.pid ?? 0);
    expect(readlinkSync(`/proc/${proxy.pid}/ns/net`)).toBe(`net:[${network?.id}]`);
    applyRedirection(redirectionIn(text), ['nsenter', `--net=${network?.path}`]);
    network?.close();
    expect((await once(hook(), 'close'))[0]).toBe(0);
    expect(run('iptables', '-t', 'nat', '-S')).not.toContain('--dport 9000');
    expect(run('nsenter', ...within, 'iptables', '-t', 'nat', '-S')).toContain('--dport 9000');
  } finally {
    proxy?.kill('SIGKILL');
    run('ip', 'netns', 'del', space);
  }
});
