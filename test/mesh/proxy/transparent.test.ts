/**
 * Transparent mode in two network namespaces joined by a cable: iptables sends everything through the proxies, and
 * neither the client nor the app knows of them.
 *
 *     client ─▶ 10.96.0.7:80 ─REDIRECT▶ outbound proxy ══mTLS══▶ 10.9.0.2:8080 ─REDIRECT▶ inbound proxy ─▶ app
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { program } from '../../../base/paths.js';
import { redirectRules } from '../../../mesh/kubernetes/inject/redirection.js';
import { testWith } from '../../tools.js';
import { destination, type Pki, pki, server, state } from './rig.js';

const near = `fd-near-${process.pid}`;
const far = `fd-far-${process.pid}`;
const folder = mkdtempSync(join(tmpdir(), 'firedrill-transparent-'));
const children: ChildProcess[] = [];
let keys: Pki | undefined;

const run = (command: string): string =>
  execFileSync('sh', ['-c', command], {
    encoding: 'utf8',
    env: { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/sbin` },
  });
const inside = (space: string, command: string): string => run(`ip netns exec ${space} ${command}`);

afterAll(() => {
  for (const child of children) child.kill('SIGKILL');
  for (const space of [near, far]) {
    try {
      run(`ip netns del ${space}`);
    } catch {
      // The namespace was never made.
    }
  }
  keys?.remove();
  rmSync(folder, { recursive: true, force: true });
});

function cable(): void {
  run(`ip netns add ${near} && ip netns add ${far}`);
  run(
    `ip link add fdn${process.pid} netns ${near} type veth peer name fdf${process.pid} netns ${far}`,
  );
  for (const [space, link, address] of [
    [near, `fdn${process.pid}`, '10.9.0.1/24'],
    [far, `fdf${process.pid}`, '10.9.0.2/24'],
  ] as const) {
    inside(space, `ip addr add ${address} dev ${link}`);
    inside(space, `ip link set ${link} up`);
    inside(space, 'ip link set lo up');
  }
  // Service addresses belong to no machine: the rule below redirects them before they are routed.
  inside(near, 'ip route add 10.96.0.0/16 via 10.9.0.2');
  // The proxy's own connections are recognised by its user, as in a pod.
  inside(
    near,
    'iptables -t nat -A OUTPUT -p tcp ! -d 127.0.0.0/8 -m owner ! --uid-owner 2102 -j REDIRECT --to-ports 4140',
  );
  const rules = redirectRules({
    inboundPort: 4143,
    outboundPort: 4140,
    proxyUserId: 2102,
    skipInbound: [4191],
    skipOutbound: [],
  });
  execFileSync('ip', ['netns', 'exec', far, 'iptables-restore', '--noflush'], { input: rules });
}

/** Starts a program in a namespace, and waits for its first line. */
function start(space: string, command: readonly string[], user?: number): Promise<string> {
  const as =
    user === undefined ? [] : ['setpriv', `--reuid=${user}`, `--regid=${user}`, '--clear-groups'];
  const child = spawn('ip', ['netns', 'exec', space, ...as, ...command], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  children.push(child);
  let errors = '';
  child.stderr?.on('data', (chunk: Buffer) => (errors += chunk.toString()));
  return new Promise((resolve, reject) => {
    createInterface({ input: child.stdout as NodeJS.ReadableStream }).once('line', resolve);
    child.on('exit', (code) =>
      reject(new Error(`${command.join(' ')} ended with ${code}: ${errors}`)),
    );
  });
}

async function startProxy(space: string, name: string, config: object): Promise<void> {
  const file = join(folder, `${name}.json`);
  const admin = { host: '127.0.0.1', port: 4191 };
  writeFileSync(
    file,
    JSON.stringify({ workload: { name, namespace: 'retail' }, admin, ...config }),
  );
  await start(space, [process.execPath, program('mesh/proxy/main'), '--config', file], 2102);
}

/** An HTTP app, a database that speaks first, a plain echo; and undeclared ports, open and on loopback. */
const apps = `
const hello = (q, r) => r.end(q.socket.localPort + ' ' + (q.headers['l5d-client-id'] ?? 'nobody') + '\\n');
for (const [port, host] of [[9090, '0.0.0.0'], [9091, '127.0.0.1'], [9092, '10.9.0.2']])
  require('node:http').createServer(hello).listen(port, host);
const http = require('node:http'), net = require('node:net');
http.createServer((q, r) => r.end(q.url + ' ' + (q.headers['l5d-client-id'] ?? 'nobody') + '\\n')).listen(8080);
net.createServer((s) => { s.on('error', () => 0); s.write('ready\\n'); s.pipe(s); }).listen(3306);
net.createServer({ allowHalfOpen: true }, (s) => { s.on('error', () => 0); s.pipe(s); }).listen(9000);
console.log('up');
`;

/** A raw client: sends a text, half-closes, prints the answer. */
const talk = (host: string, port: number, text: string): string => {
  const script = `
const s = require('node:net').connect({ host: '${host}', port: ${port}, allowHalfOpen: true });
s.setTimeout(15000, () => { console.log('<timeout>'); process.exit(); });
s.on('error', (e) => { console.log('<' + e.code + '>'); process.exit(); });
s.pipe(process.stdout); s.end(${JSON.stringify(text)});`;
  return execFileSync('ip', ['netns', 'exec', near, process.execPath, '-e', script], {
    encoding: 'utf8',
  });
};

const isRoot = process.getuid?.() === 0;
const testRoot = isRoot ? testWith('ip', 'iptables') : test.skip;

testRoot(
  'client and app know nothing of the proxies between them',
  { timeout: 60_000 },
  async () => {
    cable();
    keys = await pki();
    const certificates = await Promise.all([keys.issue('checkout'), keys.issue('cart')]);
    run(`chmod 755 ${folder} && chown -R 2102 ${folder} ${keys.folder}`);
    const [checkout, cart] = certificates;
    const to = (port: number) => ({
      address: `10.9.0.2:${port}`,
      identity: (keys as Pki).identityOf('cart'),
    });
    await start(far, [process.execPath, '-e', apps]);
    await startProxy(far, 'cart', {
      inbound: { host: '0.0.0.0', port: 4143, mode: 'transparent' },
      outbound: { host: '127.0.0.1', port: 4140, mode: 'transparent' },
      admin: { host: '0.0.0.0', port: 4191 },
      identity: cart,
      probes: {
        'app/web': { kind: 'http', port: 8080, path: '/x', timeoutMs: 5000 },
        'app/dead': { kind: 'tcp', port: 9999, timeoutMs: 5000 },
        'app/db': { kind: 'tcp', port: 3306, timeoutMs: 5000 },
      },
      state: state({
        destinations: [destination('cart', [to(8080)], { addresses: ['10.96.0.7:80'] })],
        servers: [
          server(8080, '127.0.0.1:8080', { name: 'http', protocol: 'http1' }),
          server(3306, '127.0.0.1:3306', { name: 'db', protocol: 'opaque' }),
          server(9000, '127.0.0.1:9000', { name: 'echo' }),
          server(0, '127.0.0.1:0', { name: 'undeclared', defaultPolicy: 'all-authenticated' }),
        ],
      }),
    });
    await startProxy(near, 'checkout', {
      outbound: { host: '127.0.0.1', port: 4140, mode: 'transparent' },
      identity: checkout,
      state: state({
        unknownDestinations: 'forward',
        destinations: [
          destination('cart', [{ ...to(8080), plainPorts: [4191] }], {
            addresses: ['10.96.0.7:80'],
          }),
          destination('db', [to(3306)], { addresses: ['10.96.0.8:3306'], protocol: 'opaque' }),
          destination('echo', [to(9000)], { addresses: ['10.96.0.9:9000'] }),
        ],
      }),
    });
    const client = keys.identityOf('checkout');
    const curl = (url: string): string => inside(near, `curl -sS -m 15 ${url}`);
    // By the service's address, whatever name is asked for; verified at both ends.
    expect(curl('http://10.96.0.7/a')).toBe(`/a ${client}\n`);
    expect(curl('-H "Host: elsewhere" http://10.96.0.7/b')).toBe(`/b ${client}\n`);
    // HTTP/2 is detected from its first bytes, and stays HTTP/2 up to an app that does not speak it.
    expect(curl('--http2-prior-knowledge http://10.96.0.7/c')).toBe(`/c ${client}\n`);
    // A server that speaks first: its destination is declared opaque.
    expect(talk('10.96.0.8', 3306, 'select 1')).toBe('ready\nselect 1');
    // Bytes that are not HTTP, found by detection; half-closed, and still answered.
    expect(talk('10.96.0.9', 9000, '\x01\x02binary')).toBe('\x01\x02binary');
    // An endpoint called by its own address, as a StatefulSet's peer is: its own identity is expected.
    expect(curl('http://10.9.0.2:8080/d')).toBe(`/d ${client}\n`);
    // Every other port of the pod, as dialled; a listener on loopback only is not reachable.
    expect(curl('http://10.9.0.2:9090/')).toBe(`9090 ${client}\n`);
    expect(curl('http://10.9.0.2:9092/')).toBe(`9092 ${client}\n`);
    expect(curl('-o /dev/null -w "%{http_code}" http://10.9.0.2:9091/')).toBe('502');
    // The proxy's own ports lead nowhere, and cause no loop.
    expect(curl('-o /dev/null -w "%{http_code}" http://10.9.0.2:4143/')).toBe('502');
    // A pod that calls its own Service comes in as any peer.
    const own = keys.identityOf('cart');
    inside(far, 'ip route add 10.96.0.0/16 via 10.9.0.1');
    expect(inside(far, 'curl -sS -m 15 http://10.96.0.7/e')).toBe(`/e ${own}\n`);
    // The proxy makes the kubelet's probes: no policy applies, and a port without an app is unhealthy.
    const probe = (name: string): string =>
      curl(`-o /dev/null -w "%{http_code}" http://10.9.0.2:4191/probes/app/${name}`);
    expect([probe('web'), probe('db'), probe('dead'), probe('none')]).toEqual([
      '200',
      '200',
      '503',
      '404',
    ]);
    const metrics = inside(near, 'curl -sS http://127.0.0.1:4191/metrics');
    expect(metrics).toMatch(/^response_total\{[^}]*dst="cart\.retail"[^}]*\} \d/m);
    expect(metrics).toMatch(/^tls_handshakes_total\{[^}]*\} [1-9]/m);
  },
);
