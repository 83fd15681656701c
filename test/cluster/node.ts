/**
 * A whole Kubernetes node in a network namespace of its own: etcd, API server, controller-manager, scheduler, kubelet
 * over containerd, kube-proxy, CoreDNS. Root only. Reached from outside by a cable to it, and by nobody else.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { sleep } from '../../base/clock.js';
import { requireTool, type ToolName } from '../../base/tools.js';
import { KubeApi } from '../../mesh/kubernetes/client/api.js';
import { tokenCredentials } from '../../mesh/kubernetes/client/credentials.js';
import { resources } from '../../mesh/kubernetes/client/objects.js';
import { coredns, files, kubeletConfig } from './settings.js';
import { writeImage } from './image.js';

export const nodeTools: ToolName[] = [
  'hyperkube',
  'etcd',
  'containerd',
  'runc',
  'host-local',
  'coredns',
  'nft',
  'ip',
];

export interface Node {
  api: KubeApi;
  folder: string;
  /** A kubeconfig of the administrator. */
  kubeconfig: string;
  importImage(file: string): void;
  /** What a container has written so far. */
  logs(namespace: string, pod: string, container: string): Promise<string>;
  stop(): Promise<void>;
}

const space = 'firedrill-node';
const outside = '10.252.0.1';
const inside = '10.252.0.2';
const port = 6443;
const folder = join(tmpdir(), 'firedrill-node');

const run = (command: string, ...args: string[]): string =>
  execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
const tried = (command: string, ...args: string[]): string => {
  try {
    return run(command, ...args);
  } catch {
    return '';
  }
};
// Not `ip netns exec`: it makes a mount namespace of its own, in which the kubelet's mounts stay hidden.
const enter = 'nsenter';
const within = `--net=/run/netns/${space}`;

export async function startNode(): Promise<Node> {
  await clear();
  for (const name of ['bin', 'pki', 'cni', 'logs'])
    mkdirSync(join(folder, name), { recursive: true });
  cable();
  const token = randomBytes(16).toString('hex');
  const parts = new Parts();
  try {
    const at = (...names: string[]): string => join(folder, ...names);
    const key = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const write = (name: string, text: string): void =>
      writeFileSync(at(name), text, { mode: 0o600 });
    write('pki/sa.key', key.privateKey.export({ type: 'pkcs8', format: 'pem' }) as string);
    write('pki/sa.pub', key.publicKey.export({ type: 'spki', format: 'pem' }) as string);
    write('pki/tokens.csv', `${token},admin,admin,system:masters\n`);
    for (const [name, text] of files(folder, { inside, port, token, snapshotter: snapshotter() }))
      write(name, text);
    parts.start('containerd', requireTool('containerd'), '-c', at('containerd.toml'));
    parts.start(
      'etcd',
      requireTool('etcd'),
      ...flags({ 'data-dir': at('etcd'), 'unsafe-no-fsync': 'true' }),
    );
    parts.start('kube-apiserver', ...apiServer(at));
    const certificate = at('pki', 'apiserver.crt');
    await until('the API server', () => existsSync(certificate), parts);
    const credentials = tokenCredentials(
      `https://${inside}:${port}`,
      readFileSync(certificate, 'utf8'),
      token,
    );
    const api = new KubeApi(credentials);
    await until('the API server', () => api.call('GET', '/readyz').then(() => true), parts);
    const kubeconfig = at('admin.kubeconfig');
    parts.start(
      'kube-controller-manager',
      part('kube-controller-manager'),
      ...flags({
        kubeconfig,
        'leader-elect': 'false',
        'cluster-cidr': '10.244.0.0/16',
        'allocate-node-cidrs': 'false',
        'service-account-private-key-file': at('pki', 'sa.key'),
        'root-ca-file': certificate,
      }),
    );
    parts.start(
      'kube-scheduler',
      part('kube-scheduler'),
      ...flags({ kubeconfig, 'leader-elect': 'false' }),
    );
    const ctr = (...args: string[]): string =>
      run('ctr', '-a', at('containerd.sock'), '-n', 'k8s.io', ...args);
    await until('containerd', () => ctr('version') !== '', parts);
    mkdirSync(at('pause'), { recursive: true });
    run('cp', join(dirname(requireTool('hyperkube')), 'pause'), at('pause', 'pause'));
    writeImage(at('pause'), at('pause.tar'), 'firedrill-test/pause:1', { Entrypoint: ['/pause'] });
    ctr('images', 'import', at('pause.tar'));
    write('kubelet.yaml', kubeletConfig(folder));
    parts.start(
      'kubelet',
      part('kubelet'),
      ...flags({
        config: at('kubelet.yaml'),
        kubeconfig,
        'root-dir': at('kubelet'),
        'node-ip': inside,
        'hostname-override': 'node1',
        'cert-dir': at('pki', 'kubelet'),
      }),
    );
    parts.start(
      'kube-proxy',
      part('kube-proxy'),
      ...flags({
        kubeconfig,
        'proxy-mode': 'nftables',
        'hostname-override': 'node1',
        'cluster-cidr': '10.244.0.0/16',
        'conntrack-max-per-core': '0',
        'conntrack-tcp-timeout-established': '0',
        'conntrack-tcp-timeout-close-wait': '0',
      }),
    );
    parts.start('coredns', requireTool('coredns'), '-conf', at('Corefile'));
    for (const object of coredns(inside)) await api.apply(object, { manager: 'test' });
    await until(
      'a ready node',
      async () => {
        const node = await api.find<{
          status?: { conditions?: { type: string; status: string }[] };
        }>(resources.Node, undefined, 'node1');
        return (
          node?.status?.conditions?.some((c) => c.type === 'Ready' && c.status === 'True') ?? false
        );
      },
      parts,
    );
    return {
      api,
      folder,
      kubeconfig,
      importImage: (file) => void ctr('images', 'import', file),
      logs: async (namespace, pod, container) =>
        String(
          await api.call(
            'GET',
            `/api/v1/namespaces/${namespace}/pods/${pod}/log?container=${container}`,
          ),
        ),
      stop: async () => {
        api.close();
        await clear();
      },
    };
  } catch (error) {
    await clear();
    throw error;
  }
}

const part = (name: string): string => {
  const link = join(folder, 'bin', name);
  if (!existsSync(link)) symlinkSync(requireTool('hyperkube'), link);
  return link;
};
const flags = (values: Record<string, string>): string[] =>
  Object.entries(values).map(([name, value]) => `--${name}=${value}`);

function apiServer(at: (...names: string[]) => string): [string, ...string[]] {
  return [
    part('kube-apiserver'),
    ...flags({
      'etcd-servers': 'http://127.0.0.1:2379',
      'secure-port': String(port),
      'advertise-address': inside,
      'cert-dir': at('pki'),
      'service-account-issuer': 'https://kubernetes.default.svc',
      'service-account-key-file': at('pki', 'sa.pub'),
      'service-account-signing-key-file': at('pki', 'sa.key'),
      'token-auth-file': at('pki', 'tokens.csv'),
      'authorization-mode': 'Node,RBAC',
      'service-cluster-ip-range': '10.96.0.0/16',
      'allow-privileged': 'true',
      'enable-admission-plugins': 'NodeRestriction',
      'kubelet-preferred-address-types': 'InternalIP',
    }),
  ];
}

/** Programs in the namespace; each one's id and words are in the state folder, for whoever comes after a crash. */
class Parts {
  readonly #running = new Map<string, ChildProcess>();

  start(name: string, command: string, ...args: string[]): void {
    const log = openSync(join(folder, 'logs', `${name}.log`), 'a');
    const child = spawn(enter, [within, command, ...args], {
      stdio: ['ignore', log, log],
      detached: true,
    });
    writeFileSync(join(folder, `${name}.pid`), String(child.pid));
    child.unref();
    this.#running.set(name, child);
  }

  /** Throws where one has ended: with its last words. */
  check(): void {
    for (const [name, child] of this.#running) {
      if (child.exitCode === null) continue;
      const said = readFileSync(join(folder, 'logs', `${name}.log`), 'utf8').slice(-1500);
      throw new Error(`${name} ended with ${child.exitCode}: ${said}`);
    }
  }
}

async function until(
  what: string,
  holds: () => boolean | Promise<boolean>,
  parts: Parts,
): Promise<void> {
  for (let left = 900; left > 0; left--) {
    parts.check();
    try {
      if (await holds()) return;
    } catch {
      // Not yet.
    }
    await sleep(100);
  }
  throw new Error(`${what}: not within 90 s`);
}

function cable(): void {
  run('ip', 'netns', 'add', space);
  const ip = (...args: string[]): string => run(enter, within, 'ip', ...args);
  run('ip', 'link', 'add', 'fdnode0', 'type', 'veth', 'peer', 'name', 'fdnode1', 'netns', space);
  run('ip', 'addr', 'add', `${outside}/30`, 'dev', 'fdnode0');
  run('ip', 'link', 'set', 'fdnode0', 'up');
  ip('link', 'set', 'lo', 'up');
  ip('addr', 'add', `${inside}/30`, 'dev', 'fdnode1');
  ip('link', 'set', 'fdnode1', 'up');
  ip('route', 'add', 'default', 'via', outside);
  run(enter, within, 'sysctl', '-qw', 'net.ipv4.ip_forward=1');
}

/** overlayfs over an overlay (a container's own root) is refused by the kernel: then plain copies. */
function snapshotter(): string {
  const probe = join(folder, 'probe');
  for (const name of ['low', 'up', 'work', 'all'])
    mkdirSync(join(probe, name), { recursive: true });
  const layers = `lowerdir=${probe}/low,upperdir=${probe}/up,workdir=${probe}/work`;
  try {
    run('mount', '-t', 'overlay', 'overlay', '-o', layers, join(probe, 'all'));
    run('umount', join(probe, 'all'));
    return 'overlayfs';
  } catch {
    return 'native';
  }
}

/** Ends and removes all that there is of a node, also what a killed run left behind. */
async function clear(): Promise<void> {
  if (existsSync(folder)) {
    const ids = readdirSync(folder).filter((n) => n.endsWith('.pid') && n !== 'containerd.pid');
    for (const name of ids) kill(join(folder, name));
    const ctr = (...args: string[]): string[] =>
      tried(
        'timeout',
        '20',
        'ctr',
        '-a',
        join(folder, 'containerd.sock'),
        '-n',
        'k8s.io',
        ...args,
      ).split('\n');
    for (const task of ctr('tasks', 'ls', '-q'))
      if (task) ctr('tasks', 'kill', '-s', 'SIGKILL', task);
    await sleep(1500);
    for (const container of ctr('containers', 'ls', '-q')) {
      if (!container) continue;
      for (const [pod] of ctr('containers', 'info', container)
        .join('')
        .matchAll(/cni-[0-9a-f-]+/g))
        tried('ip', 'netns', 'del', pod);
      ctr('containers', 'rm', container);
    }
    kill(join(folder, 'containerd.pid'));
    await sleep(500);
    const mounts = readFileSync('/proc/mounts', 'utf8')
      .split('\n')
      .map((l) => l.split(' ')[1] ?? '');
    for (const mount of mounts.filter((m) => m.startsWith(`${folder}/`)).toReversed())
      tried('umount', '-l', mount);
    rmSync(folder, { recursive: true, force: true });
  }
  tried('ip', 'link', 'del', 'fdnode0');
  tried('ip', 'netns', 'del', space);
}

/** Only a process that stands in the node's namespace: an id may be another's by now. */
function kill(file: string): void {
  const id = Number(readFileSync(file, 'utf8'));
  try {
    const there = tried('ip', 'netns', 'identify', String(id)).trim();
    if (there === space && readlinkSync(`/proc/${id}/exe`) !== '') process.kill(id, 'SIGKILL');
  } catch {
    // It has ended.
  }
}
