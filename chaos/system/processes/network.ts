/**
 * A service's own network namespace (`network: own`), joined to the machine by a pair of veths. Connections to the
 * address of a call (`at`) go to the call's sidecar or relay; names are looked up at a resolver in the supervisor. The
 * service's ports are reached at an address of the namespace. Connections to every other address are refused. Rules
 * and veths belong to the namespace, which ends with its last process: the service, and a holder that ends when the
 * supervisor does.
 */
import { execFile, spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { hostname, networkInterfaces } from 'node:os';
import { delimiter } from 'node:path';
import { promisify } from 'node:util';
import { type Child, startProgram } from '../../../base/child.js';
import { messageOf } from '../../../base/errors.js';
import { findExecutable } from '../../../base/executable.js';
import { dyingWithParent } from '../../../base/foreign-program.js';
import { putRules, rootPath } from '../../../base/iptables.js';

export const loopback = '127.0.0.1';

export interface Network {
  /** The machine's end of the pair. */
  link: string;
  /** The service's address, as reached from the machine. */
  address: string;
  /** The machine's address in the namespace: sidecars and relays listen there. All networks of a run share it. */
  gateway: string;
  redirects: Redirect[];
  /** The port of the service's DNS server, at the gateway. */
  resolver: number;
  /** Names that the service can resolve, and their addresses. */
  names: Map<string, string>;
}

/** Connections to `address:port` go to the port `to` of the gateway. */
export interface Redirect {
  address: string;
  port: number;
  to: number;
}

/** The plan of one run: the range of its networks (`198.18.7`), and the prefix of their links (`fd4711-`). */
export interface NetworkPlan {
  prefix: string;
  links: string;
}

/** Each network has its own address; the gateway's is the first. */
export const mostNetworks = 250;

// 198.18.0.0/15 is reserved for tests of network devices (RFC 2544): no real host uses it.
const links = '198.18';
const named = '198.19.0';

const linkPrefix = (supervisorPid: number): string => `fd${supervisorPid}-`;

/**
 * A part of the range that no interface of this machine uses; two runs that start at once choose by their process ids.
 */
export function planNetworks(supervisorPid = process.pid): NetworkPlan {
  const taken = Object.values(networkInterfaces()).flatMap((list) =>
    (list ?? []).map(({ address }) => address.split('.').slice(0, 3).join('.')),
  );
  const all = Array.from({ length: 256 }, (_, n) => `${links}.${n}`);
  const free = all.filter((prefix) => !taken.includes(prefix));
  const prefix = free[supervisorPid % free.length];
  if (prefix === undefined) throw new Error(`all of ${links}.0.0/16 is in use`);
  return { prefix, links: linkPrefix(supervisorPid) };
}

export interface CalledAt {
  host: string;
  port: number;
}

/** Parses a text that the schema has checked. */
export function calledAt(text: string): CalledAt {
  const colon = text.lastIndexOf(':');
  return { host: text.slice(0, colon), port: Number(text.slice(colon + 1)) };
}

/** `calls`: the addresses in the service's code, each with the port of its sidecar or relay. `n` counts from 0. */
export function networkOf(
  plan: NetworkPlan,
  n: number,
  calls: readonly { at: CalledAt; to: number }[],
  resolver: number,
): Network {
  const names = new Map<string, string>();
  const redirects = calls.map(({ at: { host, port }, to }) => {
    const literal = literalOf(host);
    const address = literal ?? names.get(host) ?? `${named}.${names.size + 1}`;
    if (literal === undefined) names.set(host, address);
    return { address, port, to };
  });
  return {
    link: `${plan.links}${n + 1}`,
    address: `${plan.prefix}.${n + 2}`,
    gateway: `${plan.prefix}.1`,
    redirects,
    resolver,
    names,
  };
}

/** Undefined for a name. The kernel connects 0.0.0.0 to loopback. */
export function literalOf(host: string): string | undefined {
  if (host.toLowerCase() === 'localhost' || host === '0.0.0.0') return loopback;
  return /^\d+\.\d+\.\d+\.\d+$/.test(host) ? host : undefined;
}

/**
 * The service's own files of /etc for looking up names: its resolver answers all but its host's. A file that the
 * machine lacks is left out, since nothing can be mounted there.
 */
export function nameFiles({ gateway }: Network): Map<string, string> {
  const files = new Map([
    ['/etc/hosts', `${loopback} localhost ${hostname()}\n`],
    ['/etc/resolv.conf', `nameserver ${gateway}\n`],
  ]);
  const order = '/etc/nsswitch.conf';
  if (existsSync(order)) {
    const others = readFileSync(order, 'utf8').replaceAll(/^\s*hosts:.*$/gm, '');
    files.set(order, `${others.trim()}\nhosts: files dns\n`);
  }
  return new Map([...files].filter(([path]) => existsSync(path)));
}

/** Input for iptables-restore, in the namespace. */
export function networkRules({ address, gateway, redirects, resolver }: Network): string {
  return [
    '*nat',
    ...redirects.map(
      (r) =>
        `-A OUTPUT -p tcp -d ${r.address} --dport ${r.port} -j DNAT --to-destination ${gateway}:${r.to}`,
    ),
    // The resolver answers in place of every DNS server.
    ...['udp', 'tcp'].map(
      (protocol) =>
        `-A OUTPUT -p ${protocol} --dport 53 -j DNAT --to-destination ${gateway}:${resolver}`,
    ),
    // A service may listen on loopback alone.
    `-A PREROUTING -p tcp -d ${address} -j DNAT --to-destination ${loopback}`,
    `-A POSTROUTING -s 127.0.0.0/8 -o eth0 -j SNAT --to-source ${address}`,
    'COMMIT',
    '*filter',
    '-A OUTPUT -o lo -j ACCEPT',
    `-A OUTPUT -d ${gateway} -j ACCEPT`,
    // Rejects at once, instead of after a timeout.
    '-A OUTPUT -p tcp -j REJECT --reject-with tcp-reset',
    '-A OUTPUT -j REJECT',
    'COMMIT',
    '',
  ].join('\n');
}

/** Runs in the new namespace. $1 is the process id of the supervisor, which is in the machine's namespace. */
const script = `set -e
host=$1 link=$2 gateway=$3 address=$4
outside() { nsenter --net="/proc/$host/ns/net" -- "$@"; }
ip link set lo up
ip link add eth0 type veth peer name "$link" netns "$host"
outside ip address add "$gateway" peer "$address" dev "$link"
outside ip link set "$link" up
ip address add "$address" peer "$gateway" dev eth0
ip link set eth0 up
ip route add default via "$gateway" dev eth0
echo 1 > /proc/sys/net/ipv4/conf/all/route_localnet
echo '{"ready":true}'
exec cat > /dev/null`;

/**
 * Starts the process that holds the network; it ends when its standard input does. Calls `onStart` before the network
 * is made. Rejects if it cannot be made.
 */
export async function startNetwork(
  name: string,
  network: Network,
  onStart: (child: Child) => void,
): Promise<Child> {
  const { link, gateway, address } = network;
  const argv = dyingWithParent([
    'unshare',
    '--net',
    '--',
    '/bin/sh',
    '-c',
    script,
    'sh',
    String(process.pid),
    link,
    gateway,
    address,
  ]);
  const child = startProgram(name, argv[0] as string, argv.slice(1), { env: { PATH: rootPath } });
  onStart(child);
  try {
    await child.ready;
    putRules(() => networkRules(network), inNetwork(child.pid));
    return child;
  } catch (error) {
    await child.stop();
    throw error;
  }
}

const reachLimitMs = 3000;

/** Connects to a port of the gateway from the network of `holder`. Rejects if a firewall of the machine prevents it. */
export async function checkGateway(
  holder: number,
  { gateway }: Network,
  port: number,
): Promise<void> {
  const script = `require('net').connect(${port}, '${gateway}', () => process.exit(0))`;
  const [command, ...args] = [...inNetwork(holder), process.execPath, '-e', script];
  const run = promisify(execFile)(command as string, args, { timeout: reachLimitMs });
  await run.catch(() => {
    throw new Error(
      `${gateway}:${port} is not reached from a network of a service's own: ` +
        `does a firewall of this machine drop what comes from ${links}.0.0/16?`,
    );
  });
}

/** The words before a command that run it in the network of the process `holder`. */
export const inNetwork = (holder: number): string[] => [
  pathOf('nsenter') ?? 'nsenter',
  `--net=/proc/${holder}/ns/net`,
  '--',
];

/**
 * Removes the links of supervisors that have ended, and returns their names. A connection that is being closed can keep
 * a namespace, and its link, for a while.
 */
export function removeLinks(supervisorPids: readonly number[]): string[] {
  const prefixes = supervisorPids.map(linkPrefix);
  return linksHere().filter(
    (link) =>
      prefixes.some((prefix) => link.startsWith(prefix)) &&
      run('ip', ['link', 'delete', link]) === undefined,
  );
}

function linksHere(): string[] {
  try {
    return readdirSync('/sys/class/net');
  } catch {
    return [];
  }
}

let whyNot: { reason: string | undefined } | undefined;

/** The reason why this machine cannot give a service a network; undefined if it can. Tested once per process. */
export function whyNoNetwork(): string | undefined {
  whyNot ??= { reason: tryNetwork() };
  return whyNot.reason;
}

const programs = {
  unshare: 'util-linux',
  nsenter: 'util-linux',
  ip: 'iproute2',
  'iptables-restore': 'iptables',
};

function tryNetwork(): string | undefined {
  if (process.getuid?.() !== 0) return 'a network namespace takes root';
  for (const [name, from] of Object.entries(programs)) {
    if (pathOf(name) === undefined) return `there is no ${name} here (package ${from})`;
  }
  if (!existsSync('/etc/hosts')) return 'there is no /etc/hosts to put its own over';
  // Tries all steps of a network, in a namespace that ends at once.
  const within = ['unshare', '--net', '--mount', '--'];
  const veth = ['ip', 'link', 'add', 'eth0', 'type', 'veth', 'peer', 'name', 'eth1'];
  const failed = run(within[0] as string, [...within.slice(1), ...veth]);
  if (failed !== undefined) return `the kernel refuses it: ${failed}`;
  const example = { at: { host: loopback, port: 1 }, to: 2 };
  const network = networkOf({ prefix: `${links}.0`, links: '' }, 0, [example], 3);
  try {
    putRules(() => networkRules(network), within);
  } catch (error) {
    return `its rules are refused: ${messageOf(error)}`;
  }
  return undefined;
}

const pathOf = (name: string): string | undefined =>
  findExecutable([name], rootPath.split(delimiter));

/** The command's error output if it failed. */
function run(command: string, args: readonly string[]): string | undefined {
  const { status, error, stderr } = spawnSync(command, args, {
    env: { ...process.env, PATH: rootPath },
    encoding: 'utf8',
  });
  if (status === 0) return undefined;
  return error?.message ?? (stderr.trim() || `it ended with ${status}`);
}
