/** The configuration of a node's parts. */
import type { AnyObject } from '../../mesh/kubernetes/client/objects.js';

interface Choice {
  inside: string;
  port: number;
  token: string;
}

/** The files of the state folder, by name. */
export const files = (folder: string, choice: Choice): [string, string][] => [
  ['admin.kubeconfig', kubeconfig(folder, choice)],
  [
    'Corefile',
    `.:5353 {
 bind ${choice.inside}
 errors
 kubernetes cluster.local {
  kubeconfig ${folder}/admin.kubeconfig x
 }
 cache 5
}
`,
  ],
];

export const containerd = (folder: string, snapshotter: string): string => `version = 2
root = "${folder}/containerd/root"
state = "${folder}/containerd/state"
[grpc]
  address = "${folder}/containerd.sock"
[plugins."io.containerd.grpc.v1.cri"]
  # Without CAP_SYS_RESOURCE no sandbox would start.
  restrict_oom_score_adj = true
  sandbox_image = "firedrill-test/pause:1"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "${snapshotter}"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "${folder}/cni"
`;

export const bridge = (folder: string, worker: { bridge: string; pods: string }): string =>
  JSON.stringify({
    cniVersion: '1.0.0',
    name: 'firedrill',
    plugins: [
      {
        type: 'bridge',
        bridge: worker.bridge,
        isGateway: true,
        hairpinMode: true,
        ipam: {
          type: 'host-local',
          dataDir: `${folder}/ipam`,
          ranges: [[{ subnet: worker.pods }]],
          routes: [{ dst: '0.0.0.0/0' }],
        },
      },
    ],
  });

const kubeconfig = (folder: string, { inside, port, token }: Choice): string =>
  JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [
      {
        name: 'c',
        cluster: {
          server: `https://${inside}:${port}`,
          'certificate-authority': `${folder}/pki/apiserver.crt`,
        },
      },
    ],
    users: [{ name: 'u', user: { token } }],
    contexts: [{ name: 'x', context: { cluster: 'c', user: 'u' } }],
    'current-context': 'x',
  });

export const kubeletConfig = (
  folder: string,
  worker: { pods: string; cgroupRoot: string },
): string =>
  JSON.stringify({
    apiVersion: 'kubelet.config.k8s.io/v1beta1',
    kind: 'KubeletConfiguration',
    authentication: { anonymous: { enabled: true }, webhook: { enabled: false } },
    authorization: { mode: 'AlwaysAllow' },
    cgroupDriver: 'cgroupfs',
    failSwapOn: false,
    failCgroupV1: false,
    containerRuntimeEndpoint: `unix://${folder}/containerd.sock`,
    clusterDNS: ['10.96.0.10'],
    clusterDomain: 'cluster.local',
    podCIDR: worker.pods,
    ...(worker.cgroupRoot !== '' && { cgroupRoot: worker.cgroupRoot }),
    imageGCHighThresholdPercent: 100,
    evictionHard: {
      'memory.available': '1Mi',
      'nodefs.available': '0%',
      'imagefs.available': '0%',
      'nodefs.inodesFree': '0%',
    },
    enforceNodeAllocatable: [],
    localStorageCapacityIsolation: false,
  });

/** The cluster's DNS, which runs beside the node's parts and not in a pod. */
export function coredns(inside: string): AnyObject[] {
  const namespace = 'kube-system';
  const ports = [
    { name: 'dns', port: 53, targetPort: 5353, protocol: 'UDP' },
    { name: 'dns-tcp', port: 53, targetPort: 5353, protocol: 'TCP' },
  ];
  return [
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'kube-dns', namespace },
      spec: { clusterIP: '10.96.0.10', ports },
    },
    {
      apiVersion: 'discovery.k8s.io/v1',
      kind: 'EndpointSlice',
      metadata: {
        name: 'kube-dns-host',
        namespace,
        labels: { 'kubernetes.io/service-name': 'kube-dns' },
      },
      addressType: 'IPv4',
      ports: ports.map(({ name, protocol }) => ({ name, port: 5353, protocol })),
      endpoints: [{ addresses: [inside], conditions: { ready: true } }],
    },
  ];
}
