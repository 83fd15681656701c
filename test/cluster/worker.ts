/** The parts of a node that run pods: containerd, a kubelet, kube-proxy. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { requireTool } from '../../base/tools.js';
import type { KubeApi } from '../../mesh/kubernetes/client/api.js';
import { resources } from '../../mesh/kubernetes/client/objects.js';
import { writeImage } from './image.js';
import { ctr, flags, part, type Parts, type Place, run, snapshotter } from './place.js';
import { bridge, containerd, kubeletConfig } from './settings.js';

export interface Worker {
  place: Place;
  parts: Parts;
  name: string;
  address: string;
  /** The address range of the node's pods. */
  pods: string;
  /** The name of the bridge between the pods: two nodes on one machine need two names. */
  bridge: string;
  /** The control group of the node's pods; the root if there is one node. */
  cgroupRoot: string;
}

export function startRuntime(worker: Worker): void {
  const { folder } = worker.place;
  const config = join(folder, 'containerd.toml');
  mkdirSync(join(folder, 'cni'), { recursive: true });
  writeFileSync(config, containerd(folder, snapshotter(worker.place)));
  writeFileSync(join(folder, 'cni', '10-bridge.conflist'), bridge(folder, worker));
  worker.parts.start('containerd', requireTool('containerd'), '-c', config);
}

export async function startKubelet(worker: Worker, kubeconfig: string): Promise<void> {
  const { place, parts, name, address } = worker;
  const at = (...names: string[]): string => join(place.folder, ...names);
  await parts.until('containerd', () => ctr(place, 'version') !== '');
  mkdirSync(at('pause'), { recursive: true });
  run('cp', join(dirname(requireTool('hyperkube')), 'pause'), at('pause', 'pause'));
  writeImage(at('pause'), at('pause.tar'), 'firedrill-test/pause:1', { Entrypoint: ['/pause'] });
  ctr(place, 'images', 'import', at('pause.tar'));
  writeFileSync(at('kubelet.yaml'), kubeletConfig(place.folder, worker));
  parts.start(
    'kubelet',
    part(place, 'kubelet'),
    ...flags({
      config: at('kubelet.yaml'),
      kubeconfig,
      'root-dir': at('kubelet'),
      'node-ip': address,
      'hostname-override': name,
      'cert-dir': at('pki', 'kubelet'),
    }),
  );
  parts.start(
    'kube-proxy',
    part(place, 'kube-proxy'),
    ...flags({
      kubeconfig,
      'proxy-mode': 'nftables',
      'hostname-override': name,
      'cluster-cidr': '10.244.0.0/16',
      'conntrack-max-per-core': '0',
      'conntrack-tcp-timeout-established': '0',
      'conntrack-tcp-timeout-close-wait': '0',
    }),
  );
}

export const nodeReady = ({ parts, name }: Worker, api: KubeApi): Promise<void> =>
  parts.until(`${name} ready`, async () => {
    const node = await api.find<{ status?: { conditions?: { type: string; status: string }[] } }>(
      resources.Node,
      undefined,
      name,
    );
    const conditions = node?.status?.conditions ?? [];
    return conditions.some((c) => c.type === 'Ready' && c.status === 'True');
  });
