/**
 * The CPU that a new connection with mutual TLS costs the proxy that accepts it: handshake, one request, end. Ours
 * beside HAProxy and Envoy on the same upstream, in turn; each connection is new, and no session is resumed.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, createSecureContext, type SecureContext } from 'node:tls';
import { packageRoot } from '../base/paths.js';
import { median } from './median.js';
import { option } from './option.js';
import { cpuMicros } from './proxy-processes.js';
import { type Name, type Setup, start, startUpstream, type World } from './proxy-setups.js';
import { makeWorld } from './proxy-world.js';

const rounds = Number(option('rounds', '5'));
const connections = Number(option('connections', '400'));
const only = option('only', 'haproxy,envoy,firedrill').split(',') as Name[];
const waitMs = 5000;

/** One request over a connection of its own; rejects where it is not answered with 200. */
function once(port: number, servername: string, secureContext: SecureContext): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect({
      host: '127.0.0.1',
      port,
      servername,
      secureContext,
      checkServerIdentity: () => undefined,
      ALPNProtocols: ['http/1.1'],
    });
    socket.setTimeout(waitMs, () => socket.destroy(new Error(`no answer within ${waitMs} ms`)));
    socket.on('error', reject);
    socket.on('secureConnect', () =>
      socket.write('GET /items HTTP/1.1\r\nhost: cart\r\nconnection: close\r\n\r\n'),
    );
    let answer = '';
    socket.on('data', (chunk: Buffer) => (answer += chunk.toString('latin1')));
    socket.on('end', () => {
      socket.destroy();
      if (answer.startsWith('HTTP/1.1 200')) resolve();
      else reject(new Error(`answered ${answer.slice(0, 40)}`));
    });
  });
}

/** Milliseconds of CPU a connection. */
async function slice(
  { inner = 0, processes }: Setup,
  world: World,
  context: SecureContext,
): Promise<number> {
  const pid = processes[1]?.pid ?? -1;
  const before = cpuMicros(pid);
  for (let i = 0; i < connections; i++) await once(inner, world.identityOf('cart'), context);
  return (cpuMicros(pid) - before) / connections / 1000;
}

const folder = mkdtempSync(join(tmpdir(), 'firedrill-bench-'));
const upstream = await startUpstream(folder);
const world = await makeWorld(folder, upstream.ports);
const context = createSecureContext({
  cert: readFileSync(join(folder, 'checkout.crt')),
  key: readFileSync(join(folder, 'checkout.key')),
  ca: readFileSync(join(folder, 'pki/trust-anchor.crt')),
  minVersion: 'TLSv1.3',
});
const setups = new Map<Name, Setup>();
const figures = new Map<Name, number[]>(only.map((name) => [name, []]));
try {
  for (const name of only) setups.set(name, await start(name, 'mtls', world));
  // The first round warms up, and is not counted.
  for (let round = 0; round <= rounds; round++) {
    for (const [name, setup] of setups) {
      const ms = await slice(setup, world, context);
      if (round > 0) figures.get(name)?.push(ms);
      process.stderr.write(`round ${round}, ${name}: ${ms.toFixed(2)} ms\n`);
    }
  }
} finally {
  for (const setup of setups.values()) for (const process of setup.processes) await process.stop();
  await upstream.process.stop();
  rmSync(folder, { recursive: true, force: true });
}

const load = (loadavg()[0] ?? 0).toFixed(1);
const peer = figures.get('haproxy') ?? [];
const rows = [...figures].map(([name, values]) => {
  const ratio = median(values.map((v, i) => v / (peer[i] ?? NaN)));
  const range = `${Math.min(...values).toFixed(2)} to ${Math.max(...values).toFixed(2)}`;
  return `| ${name} | ${median(values).toFixed(2)} | ${range} | ${ratio.toFixed(2)} |`;
});
const text = `# A new connection with mutual TLS

CPU of the proxy that accepts it: a whole TLS 1.3 handshake with both certificates verified, one request to an upstream,
the end. ${rounds} rounds in turn of ${connections} connections each, one after the other; Node ${process.version} with
OpenSSL ${process.versions.openssl}, load average ${load} at the end. The ratio is the median of the rounds' ratios.

| proxy | CPU, ms (median) | rounds | beside HAProxy |
| --- | ---: | --- | ---: |
${rows.join('\n')}

Repeat with \`npm run bench:handshake\`.
`;
process.stdout.write(text);
if (process.argv.includes('--write')) {
  writeFileSync(join(packageRoot, 'bench/results/handshake.md'), text);
}
process.exit(0);
