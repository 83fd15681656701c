/** Services with their own networks: a sidecar or a relay carries their calls to hard-coded addresses. */
import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, test } from 'vitest';
import { asset, program } from '../../base/paths.js';
import { realClock } from '../../base/clock.js';
import { readDrill } from '../../chaos/system/drill-file.js';
import { entryUrl } from '../../chaos/system/processes/layout.js';
import {
  nameFiles,
  networkOf,
  networkRules,
  planNetworks,
  removeLinks,
  whyNoNetwork,
} from '../../chaos/system/processes/network.js';
import { ProcessFaults } from '../../chaos/system/processes/process-faults.js';
import { Supervisor } from '../../chaos/system/processes/supervisor.js';
import {
  descendants,
  drillFolder,
  faultAnnounced,
  firedrill,
  isRunning,
  journals,
  until,
} from './drill.js';

const limitMs = 120_000;
const kinds = ['--prometheus', 'embedded', '--load', 'embedded'];
const why = whyNoNetwork();
const testOwn = why === undefined ? test : test.skip;
const skipped = why === undefined ? '' : ` (skipped: ${why})`;

const folder = mkdtempSync(join(tmpdir(), 'firedrill-network-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const endings: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of endings.splice(0).toReversed()) await end();
});

const linksOf = (pid: number | undefined): string[] =>
  readdirSync('/sys/class/net').filter((link) => link.startsWith(`fd${pid}-`));

test('names get addresses, a name one for all its ports, and what is literal stays', () => {
  const network = networkOf(
    { prefix: '198.18.7', links: 'fd42-' },
    1,
    [
      { at: { host: 'db.internal', port: 5432 }, to: 20_001 },
      { at: { host: 'db.internal', port: 5433 }, to: 20_002 },
      { at: { host: 'queue', port: 80 }, to: 20_003 },
      { at: { host: 'localhost', port: 6379 }, to: 20_004 },
      { at: { host: '10.1.2.3', port: 443 }, to: 20_005 },
    ],
    20_006,
  );
  expect(network).toMatchObject({ link: 'fd42-2', address: '198.18.7.3', gateway: '198.18.7.1' });
  expect(network.redirects.map((r) => `${r.address}:${r.port} ${r.to}`)).toEqual([
    '198.19.0.1:5432 20001',
    '198.19.0.1:5433 20002',
    '198.19.0.2:80 20003',
    '127.0.0.1:6379 20004',
    '10.1.2.3:443 20005',
  ]);
  expect([...network.names]).toEqual([
    ['db.internal', '198.19.0.1'],
    ['queue', '198.19.0.2'],
  ]);
  const files = nameFiles(network);
  expect(files.get('/etc/hosts')).toMatch(/^127\.0\.0\.1 localhost \S+\n$/);
  expect(files.get('/etc/resolv.conf')).toBe('nameserver 198.18.7.1\n');
  expect(networkRules(network)).toContain(
    '-A OUTPUT -p tcp -d 10.1.2.3 --dport 443 -j DNAT --to-destination 198.18.7.1:20005\n',
  );
  expect(networkRules(network)).toContain(
    '-A OUTPUT -p udp --dport 53 -j DNAT --to-destination 198.18.7.1:20006\n',
  );
});

test('a link is named after its supervisor, within the fifteen characters that the kernel takes', () => {
  const { links } = planNetworks(2 ** 22);
  expect(`${links}250`.length).toBeLessThanOrEqual(15);
});

/**
 * `GET /?host=H&port=P`: the answer of H, or the error of the connection; `GET /lookup?host=H&server=S` asks a DNS
 * server, by default that of its resolv.conf. It listens on loopback alone.
 */
const asker = `
const http = require('http'), net = require('net');
http.createServer((q, r) => {
  const url = new URL(q.url, 'http://x'), host = url.searchParams.get('host');
  if (url.pathname === '/metrics') return r.end('asked_total 1\\n');
  if (url.pathname === '/lookup') {
    const resolver = new (require('dns').Resolver)({ timeout: 1000, tries: 1 });
    const server = url.searchParams.get('server');
    if (server !== null) resolver.setServers([server]);
    return resolver.resolve4(host, (e, a) => r.end(String(e?.code ?? a)));
  }
  if (host === null) return r.end(require('os').hostname() + ' ' + process.pid);
  const s = net.connect({ host, port: Number(url.searchParams.get('port')) });
  s.setTimeout(5000, () => s.destroy(new Error('late')));
  s.on('error', (e) => r.end(e.code ?? e.message)).on('data', (d) => (r.end(d), s.destroy()));
  s.write('GET / HTTP/1.1\\r\\nHost: x\\r\\nConnection: close\\r\\n\\r\\n');
}).listen(8080, '127.0.0.1');`;

/** The dependency is the test's own server, on the machine's loopback. */
async function askingSystem(mesh: string): Promise<Supervisor> {
  const dependency = createServer((s) => s.on('error', () => 0).on('data', () => s.end('echo\n')));
  await new Promise<void>((resolve) => dependency.listen(0, '127.0.0.1', resolve));
  endings.push(() => dependency.close());
  const own = mkdtempSync(join(folder, 'drill-'));
  writeFileSync(join(own, 'asker.cjs'), asker);
  const command = `[${process.execPath}, asker.cjs]`;
  const { port } = dependency.address() as AddressInfo;
  writeFileSync(
    join(own, 'firedrill.yaml'),
    `apiVersion: firedrill.dev/v1
kind: Drill
name: asking
system:
  kind: processes
  mesh: ${mesh}
  services:
    front:
      command: ${command}
      network: own
      replicas: 2
      ports: { http: 8080 }
      env: { DB: '\${calls.db.host}:\${calls.db.port}' }
      ready: { http: / }
      metrics: {}
      calls:
        back: { service: back, at: back.internal:80 }
        db: { dependency: db }
        other: { dependency: db, at: 10.9.8.7:99 }
    back: { command: ${command}, network: own, ports: { http: 8080 } }
  dependencies: { db: { address: 'localhost:${port}' } }
`,
  );
  const drill = readDrill(join(own, 'firedrill.yaml'));
  if (drill.system.kind !== 'processes') throw new Error('processes');
  const supervisor = await Supervisor.plan({
    drill,
    spec: drill.system,
    folder: mkdtempSync(join(folder, 'run-')),
    certificateLifetimeMs: 3_600_000,
    say: () => undefined,
  });
  endings.push(() => supervisor.close());
  await supervisor.start();
  return supervisor;
}

testOwn(
  `DNS clients of any server ask the same resolver; faults of one replica are felt by it alone${skipped}`,
  async () => {
    const supervisor = await askingSystem('relays');
    const { layout, processes, resolvers } = supervisor;
    const faults = new ProcessFaults(processes, realClock, { resolvers });
    endings.push(() => faults.close());
    const [one, two] = layout.workloads.map(({ network }) => `http://${network?.address}:8080`);
    const text = (from: string | undefined, path: string): Promise<string> =>
      fetch(`${from}${path}`).then((r) => r.text());
    const at = '/?host=back.internal&port=80';
    const lookUp = '/lookup?host=back.internal';
    const servers = ['', '&server=8.8.8.8', '&server=127.0.0.53'];
    const answers = async (): Promise<string[]> => [
      ...(await Promise.all(servers.map((server) => text(one, lookUp + server)))),
      (await text(one, at)).slice(0, 12),
      await text(two, lookUp),
    ];
    const address = layout.workloads[0]?.network?.names.get('back.internal') ?? '';
    const usual = [address, address, address, 'HTTP/1.1 200', address];
    expect(await answers()).toEqual(usual);
    const lease = { id: 'dns', ttlMs: 60_000, target: 'front-1' };
    await faults.put({ ...lease, kind: 'dns-fails', name: 'back.internal' });
    const none = 'ENOTFOUND';
    expect(await answers()).toEqual([none, none, none, none, address]);
    expect(faults.leases.list()[0]?.effect).toBeGreaterThanOrEqual(4);
    await faults.leases.remove('dns');
    await faults.put({ ...lease, kind: 'dns-wrong' });
    const wrong = '203.0.113.1';
    expect(await answers()).toEqual([wrong, wrong, wrong, 'ECONNREFUSED', address]);
    await faults.leases.remove('dns');
    expect(await answers()).toEqual(usual);
    expect(() => faults.put({ ...lease, target: 'front-1-proxy', kind: 'dns-wrong' })).toThrow(
      'front-1-proxy has no resolver of its own; expected front-1, front-2, back',
    );
  },
  limitMs,
);

describe.each(['relays', 'plain', 'mtls'])(`mesh: ${'%s'}`, (mesh) => {
  testOwn(
    `names, literal addresses and loopback lead to what carries the calls; nothing else leads anywhere${skipped}`,
    async () => {
      const supervisor = await askingSystem(mesh);
      const { layout, processes } = supervisor;
      const db = layout.spec.dependencies.db?.address.split(':')[1];
      const url = entryUrl(layout);
      const text = (path: string): Promise<string> => fetch(url + path).then((r) => r.text());
      const ask = (host: string, port: number | string): Promise<string> =>
        text(`/?host=${host}&port=${port}`);
      expect(await ask('localhost', db!)).toBe('echo\n');
      expect(await ask('127.0.0.1', db!)).toBe('echo\n');
      expect(await ask('10.9.8.7', 99)).toBe('echo\n');
      const pidOfBack = processes.pidOf('back');
      expect(await ask('back.internal', 80)).toMatch(new RegExp(`^HTTP/1.1 200[^]*${pidOfBack}`));
      // By the template: the same relay, at the gateway's address.
      const { host, port } = layout.workloads[0]!.calls.find((c) => c.name === 'db')!;
      expect(await ask(host, port)).toBe('echo\n');
      const from = performance.now();
      expect(await ask('10.9.8.7', 100)).toBe('ECONNREFUSED');
      expect(await ask('203.0.113.9', 80)).toBe('ECONNREFUSED');
      expect(await ask('elsewhere.example', 80)).toBe('ENOTFOUND');
      expect(performance.now() - from).toBeLessThan(4000);
      expect(linksOf(process.pid)).toHaveLength(3);
    },
    limitMs,
  );
});

testOwn(
  `metrics are scraped, a relay's refusal is felt, one that is killed comes back to its network${skipped}`,
  async () => {
    const supervisor = await askingSystem('plain');
    const { layout, processes } = supervisor;
    for (const { network } of layout.workloads.slice(0, 2)) {
      const scraped = await fetch(`http://${network?.address}:8080/metrics`);
      expect(await scraped.text()).toBe('asked_total 1\n');
    }
    const front = entryUrl(layout);
    const text = (path: string): Promise<string> => fetch(front + path).then((r) => r.text());
    const relay = layout.relays.find((r) => r.name === 'front/other')!;
    const faults = `http://127.0.0.1:${relay.admin}/faults`;
    const lease = { id: 'no', kind: 'refuse', ttlMs: 60_000 };
    await fetch(faults, { method: 'POST', body: JSON.stringify(lease) });
    expect(await text('/?host=10.9.8.7&port=99')).toMatch(/ECONN(REFUSED|RESET)/);
    await fetch(`${faults}/no`, { method: 'DELETE' });
    await expect.poll(() => text('/?host=10.9.8.7&port=99')).toBe('echo\n');
    const name = layout.workloads[0]!.name;
    const before = processes.pidOf(name);
    expect(await processes.kill(name)).toBe(true);
    await processes.startAgain(name);
    expect(processes.pidOf(name)).not.toBe(before);
    expect(await text('/?host=10.9.8.7&port=99')).toBe('echo\n');
    await supervisor.close();
    expect(linksOf(process.pid)).toEqual([]);
  },
  limitMs,
);

function hardCoded(scenario: string) {
  const own = drillFolder();
  cpSync(asset('examples/systems/hard-coded'), own, { recursive: true });
  const args = ['gameday', 'run', '--scenarios', `scenarios/${scenario}.yaml`, ...kinds];
  return firedrill(own, ...args);
}

testOwn.each(['ledger-refused', 'stock-fails', 'stock-killed', 'stock-unknown', 'names-slow'])(
  `programs with addresses in their code are drilled: %s${skipped}`,
  async (scenario) => {
    const drill = hardCoded(scenario);
    const { output } = await drill.ended;
    const [record] = drill.record().scenarios;
    expect([output, record?.rollback]).toMatchObject([output, { done: true, residue: [] }]);
    expect(record?.faults[0]?.effect).toBeGreaterThan(0);
    expect(record?.expectations.map((e) => [output, e.inTime])).toEqual(
      record?.expectations.map(() => [output, true]),
    );
    expect(journals(drill.folder)).toEqual([]);
  },
  limitMs,
);

testOwn.each([
  ['the supervisor', [/the supervisor/]],
  ['the runner', []],
  ['runner and supervisor', [/the supervisor/]],
  ['what holds a network, and the runner', [/stock-network/]],
])(
  `kill -9 of %s: no network is left${skipped}`,
  async (what, named) => {
    const drill = hardCoded('stock-fails');
    await until(() => faultAnnounced(drill.folder), 60_000, `a fault: ${drill.output()}`);
    const lines = readFileSync(journals(drill.folder)[0]!, 'utf8').split('\n');
    const pidOf = (name: RegExp): number =>
      Number(/"pid":(\d+)/.exec(lines.find((line) => name.test(line)) ?? '')?.[1]);
    const supervisor = pidOf(/"the supervisor/);
    expect(linksOf(supervisor)).toHaveLength(3);
    const pids = descendants(drill.child.pid!);
    for (const name of named) process.kill(pidOf(name), 'SIGKILL');
    if (what.includes('runner')) drill.child.kill('SIGKILL');
    const left = (): boolean =>
      pids.some(isRunning) || linksOf(supervisor).length > 0 || journals(drill.folder).length > 0;
    await until(() => !left(), 15_000, 'processes, networks and the journal are gone');
  },
  limitMs,
);

testOwn(`links of a supervisor that is gone are removed, and nobody else's${skipped}`, () => {
  const [gone, other] = [`fd${2 ** 22 + 5}-1`, `fd${2 ** 22 + 50}-1`];
  const ip = (...args: string[]): unknown => execFileSync('ip', args, { stdio: 'pipe' });
  endings.push(() => removeLinks([2 ** 22 + 5, 2 ** 22 + 50]));
  ip('link', 'add', gone, 'type', 'veth', 'peer', 'name', 'fdx1');
  ip('link', 'add', other, 'type', 'veth', 'peer', 'name', 'fdx2');
  expect(removeLinks([2 ** 22 + 5])).toEqual([gone]);
  expect(linksOf(2 ** 22 + 50)).toEqual([other]);
});

testOwn(
  `a firewall that drops what a network says is named, and nothing stays up${skipped}`,
  async () => {
    const own = drillFolder();
    cpSync(asset('examples/systems/hard-coded'), own, { recursive: true });
    const run = `exec ${process.execPath} ${program('cli')} gameday run ${kinds.join(' ')}`;
    const script = `ip link set lo up && iptables -A INPUT -s 198.18.0.0/15 -j DROP && ${run}`;
    // The machine is a separate network namespace, so that its firewall affects no other process.
    const { status, stdout, stderr } = spawnSync('unshare', ['--net', 'sh', '-c', script], {
      cwd: own,
      encoding: 'utf8',
      env: { ...process.env, XDG_STATE_HOME: join(own, 'xdg') },
    });
    expect([status, stdout + stderr]).toEqual([
      5,
      expect.stringMatching(
        /198\.18\.\d+\.1:\d+ is not reached from a network of a service's own: does a/,
      ),
    ]);
    expect(journals(own)).toEqual([]);
  },
  limitMs,
);

testOwn(`who is not root is refused with the place, before anything is started${skipped}`, () => {
  const file = asset('examples/systems/hard-coded/firedrill.yaml');
  const as = ['--reuid=65534', '--regid=65534', '--clear-groups'];
  const { status, stderr } = spawnSync(
    'setpriv',
    [...as, process.execPath, program('cli'), 'gameday', 'plan', '--drill', file],
    { encoding: 'utf8', env: { ...process.env, XDG_STATE_HOME: '/tmp' } },
  );
  expect([status, stderr]).toEqual([
    2,
    expect.stringContaining(
      'firedrill.yaml:12:16: no network of its own here: a network namespace takes root; ' +
        'expected network: shared, with addresses by ${calls.NAME.url}\n',
    ),
  ]);
});
