/**
 * A whole Kubernetes node in a network namespace of its own: etcd, API server, controller-manager, scheduler, kubelet
 * over containerd, kube-proxy, CoreDNS. It needs root. Only this machine reaches the node, by a virtual cable.
 */
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { requireTool, type ToolName } from '../../base/tools.js';
import { KubeApi } from '../../mesh/kubernetes/client/api.js';
import { tokenCredentials } from '../../mesh/kubernetes/client/credentials.js';
import { claim } from './owner.js';
import { clear, ctr, flags, part, Parts, type Place, run, runThere } from './place.js';
import { clearSecondNode, type SecondNode, startSecondNode } from './second-node.js';
import { coredns, files } from './settings.js';
import { nodeReady, startKubelet, startRuntime, type Worker } from './worker.js';

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
  /** Returns the container's output so far. */
  logs(namespace: string, pod: string, container: string): Promise<string>;
  join(): Promise<SecondNode>;
  /** Runs a program in the node's network namespace; returns the output. */
  run(command: string, ...args: string[]): string;
  /** Starts a program beside the node's parts; the program ends with them. */
  start(name: string, command: string, ...args: string[]): void;
  stop(): Promise<void>;
}

const outside = '10.252.0.1';
const inside = '10.252.0.2';
const port = 6443;
const folder = join(tmpdir(), 'firedrill-node');
const place: Place = { space: 'firedrill-node', folder };
const ownerFile = `${folder}.owner`;
const at = (...names: string[]): string => join(folder, ...names);

/** Throws an error if another process has a node: both would have the same folder, addresses and control groups. */
export async function startNode(): Promise<Node> {
  claim(ownerFile);
  await clearAll();
  for (const name of ['pki', 'logs']) mkdirSync(at(name), { recursive: true });
  cable();
  const parts = new Parts(place);
  const worker: Worker = {
    place,
    parts,
    name: 'node1',
    address: inside,
    pods: '10.244.0.0/24',
    bridge: 'cni0',
    cgroupRoot: '',
  };
  try {
    startRuntime(worker);
    const api = await startControlPlane(parts);
    const kubeconfig = at('admin.kubeconfig');
    await startKubelet(worker, kubeconfig);
    parts.start('coredns', requireTool('coredns'), '-conf', at('Corefile'));
    for (const object of coredns(inside)) await api.apply(object, { manager: 'test' });
    await nodeReady(worker, api);
    return {
      api,
      folder,
      kubeconfig,
      importImage: (file) => void ctr(place, 'images', 'import', file),
      logs: async (namespace, pod, container) => {
        const path = `/api/v1/namespaces/${namespace}/pods/${pod}/log?container=${container}`;
        return String(await api.call('GET', path));
      },
      join: () => startSecondNode(place, api, kubeconfig),
      run: (command, ...args) => runThere(place, command, ...args),
      start: (name, command, ...args) => parts.start(name, command, ...args),
      stop: async () => {
        api.close();
        await end();
      },
    };
  } catch (error) {
    await end();
    throw error;
  }
}

async function startControlPlane(parts: Parts): Promise<KubeApi> {
  const token = randomBytes(16).toString('hex');
  const key = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const write = (name: string, text: string): void =>
    writeFileSync(at(name), text, { mode: 0o600 });
  write('pki/sa.key', key.privateKey.export({ type: 'pkcs8', format: 'pem' }) as string);
  write('pki/sa.pub', key.publicKey.export({ type: 'spki', format: 'pem' }) as string);
  write('pki/tokens.csv', `${token},admin,admin,system:masters\n`);
  for (const [name, text] of files(folder, { inside, port, token })) write(name, text);
  parts.start(
    'etcd',
    requireTool('etcd'),
    ...flags({ 'data-dir': at('etcd'), 'unsafe-no-fsync': 'true' }),
  );
  parts.start('kube-apiserver', ...apiServer());
  const certificate = at('pki', 'apiserver.crt');
  await parts.until('the API server', () => existsSync(certificate));
  const url = `https://${inside}:${port}`;
  const api = new KubeApi(tokenCredentials(url, readFileSync(certificate, 'utf8'), token));
  await parts.until('the API server', () => api.call('GET', '/readyz').then(() => true));
  const shared = { kubeconfig: at('admin.kubeconfig'), 'leader-elect': 'false' };
  parts.start(
    'kube-controller-manager',
    part(place, 'kube-controller-manager'),
    ...flags({
      ...shared,
      'cluster-cidr': '10.244.0.0/16',
      'allocate-node-cidrs': 'false',
      'service-account-private-key-file': at('pki', 'sa.key'),
      'root-ca-file': certificate,
    }),
  );
  parts.start('kube-scheduler', part(place, 'kube-scheduler'), ...flags(shared));
  return api;
}

function apiServer(): [string, ...string[]] {
  return [
    part(place, 'kube-apiserver'),
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

function cable(): void {
  run('ip', 'netns', 'add', place.space);
  const ip = (...args: string[]): string => runThere(place, 'ip', ...args);
  const peer = ['peer', 'name', 'fdnode1', 'netns', place.space];
  run('ip', 'link', 'add', 'fdnode0', 'type', 'veth', ...peer);
  run('ip', 'addr', 'add', `${outside}/30`, 'dev', 'fdnode0');
  run('ip', 'link', 'set', 'fdnode0', 'up');
  ip('link', 'set', 'lo', 'up');
  ip('addr', 'add', `${inside}/30`, 'dev', 'fdnode1');
  ip('link', 'set', 'fdnode1', 'up');
  ip('route', 'add', 'default', 'via', outside);
  runThere(place, 'sysctl', '-qw', 'net.ipv4.ip_forward=1');
}

async function end(): Promise<void> {
  await clearAll();
  rmSync(ownerFile, { force: true });
}

async function clearAll(): Promise<void> {
  await clearSecondNode(place);
  await clear(place);
  try {
    run('ip', 'link', 'del', 'fdnode0');
  } catch {
    // The link was deleted together with its namespace.
  }
}
