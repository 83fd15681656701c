/** A second node of the cluster, in a network namespace of its own with a cable to the first node's; it can be lost. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { KubeApi } from '../../mesh/kubernetes/client/api.js';
import { clear, ctr, Parts, type Place, run, runThere } from './place.js';
import { nodeReady, startKubelet, startRuntime, type Worker } from './worker.js';

const firstAddress = '10.251.0.1';
const secondAddress = '10.251.0.2';
const pods = '10.244.1.0/24';
const cgroup = 'firedrill-node2';

export interface SecondNode {
  name: string;
  importImage(file: string): void;
  /** Stops all traffic to and from the node, as after a power failure. */
  lose(): void;
  find(): void;
}

const secondPlace = (first: Place): Place => ({
  space: `${first.space}2`,
  folder: join(first.folder, 'node2'),
});

/** The second node is removed together with the first. */
export async function startSecondNode(
  first: Place,
  api: KubeApi,
  kubeconfig: string,
): Promise<SecondNode> {
  const place = secondPlace(first);
  mkdirSync(place.folder, { recursive: true });
  cable(first, place);
  makeGroups();
  const parts = new Parts(place);
  const worker: Worker = {
    place,
    parts,
    name: 'node2',
    address: secondAddress,
    pods,
    bridge: 'cni1',
    cgroupRoot: `/${cgroup}`,
  };
  startRuntime(worker);
  await startKubelet(worker, kubeconfig);
  await nodeReady(worker, api);
  // The link goes down at the second node's end: the first keeps its routes, as other machines do.
  const link = (state: string): string => runThere(place, 'ip', 'link', 'set', 'fdpair1', state);
  return {
    name: worker.name,
    importImage: (file) => void ctr(place, 'images', 'import', file),
    lose: () => void link('down'),
    find: () => {
      link('up');
      runThere(place, 'ip', 'route', 'replace', 'default', 'via', firstAddress);
    },
  };
}

function cable(first: Place, second: Place): void {
  run('ip', 'netns', 'add', second.space);
  const one = (...args: string[]): string => runThere(first, 'ip', ...args);
  const two = (...args: string[]): string => runThere(second, 'ip', ...args);
  one('link', 'add', 'fdpair0', 'type', 'veth', 'peer', 'name', 'fdpair1', 'netns', second.space);
  one('addr', 'add', `${firstAddress}/24`, 'dev', 'fdpair0');
  one('link', 'set', 'fdpair0', 'up');
  two('link', 'set', 'lo', 'up');
  two('addr', 'add', `${secondAddress}/24`, 'dev', 'fdpair1');
  two('link', 'set', 'fdpair1', 'up');
  two('route', 'add', 'default', 'via', firstAddress);
  one('route', 'add', pods, 'via', secondAddress);
  runThere(second, 'sysctl', '-qw', 'net.ipv4.ip_forward=1');
}

/** For version 1 control groups, the kubelet wants its root group to exist, with a share of the processors. */
function makeGroups(): void {
  const root = '/sys/fs/cgroup';
  for (const controller of ['cpu', 'cpuacct', 'cpuset', 'memory', 'pids', 'systemd', 'hugetlb']) {
    const parent = join(root, controller);
    if (!existsSync(parent)) continue;
    const own = join(parent, cgroup);
    mkdirSync(own, { recursive: true });
    if (controller !== 'cpuset') continue;
    for (const file of ['cpuset.cpus', 'cpuset.mems'])
      writeFileSync(join(own, file), readFileSync(join(parent, file)));
  }
}

export const clearSecondNode = (first: Place): Promise<void> => clear(secondPlace(first));
