/**
 * Good clients beside an attack: their p99 at a fixed rate through an attacked proxy, relative to the p99 before the
 * attack in the same run, and the time until it recovers. `--only NAME,…`, `--rounds N`.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { loadavg, setPriority, tmpdir } from 'node:os';
import { join } from 'node:path';
import { packageRoot, program } from '../base/paths.js';
import { proxyEnvironment, proxyNodeFlags, proxyProgram } from '../mesh/proxy/launch.js';
import { type Attack, attacks } from './attacks.js';
import { median } from './median.js';
import { option } from './option.js';
import { fixedRate } from './proxy-load.js';
import { cpuMicros, freePorts, rssMb, sleep, startProcess } from './proxy-processes.js';

const rounds = Number(option('rounds', '3'));
const only = option('only', Object.keys(attacks).join(',')).split(',');
const rps = 200;
const connections = 10;
const seconds = 3;
/** The attack runs for this long before the measurement. */
const settleMs = 1500;
const bar = 2;

interface Row {
  name: string;
  ratio: number;
  calmMs: number;
  attackedMs: number;
  afterMs: number;
  failed: number;
  requests: number;
  rssMb: number;
  cores: number;
}

const folder = mkdtempSync(join(tmpdir(), 'firedrill-bench-attack-'));
const log = join(folder, 'h2load.log');
const good = (port: number): ReturnType<typeof fixedRate> =>
  fixedRate(port, rps, connections, seconds, log);

async function attacked(name: string, port: number, pid: number): Promise<Row> {
  const calm = await good(port);
  const attacker = spawn(process.execPath, [program('bench/attacks'), name, String(port)], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const ended = new Promise((resolve) => attacker.on('exit', resolve));
  // The attacker's own CPU use is not to be measured, so its priority is lowered.
  if (attacker.pid !== undefined) setPriority(attacker.pid, 10);
  await sleep(settleMs);
  const before = { micros: cpuMicros(pid), ms: performance.now() };
  const during = await good(port);
  const cores = (cpuMicros(pid) - before.micros) / 1000 / (performance.now() - before.ms);
  const rss = rssMb(pid);
  attacker.kill('SIGKILL');
  await ended;
  const after = await good(port);
  return {
    name,
    ratio: during.p99Ms / calm.p99Ms,
    calmMs: calm.p99Ms,
    attackedMs: during.p99Ms,
    afterMs: after.p99Ms,
    failed: during.errors + after.errors,
    requests: during.requests + after.requests,
    rssMb: rss,
    cores,
  };
}

async function measure(): Promise<Row[]> {
  const [port = 0, admin = 0, app = 0] = await freePorts(3);
  const file = join(folder, 'proxy.json');
  const cart = {
    name: 'cart.retail',
    hosts: ['cart', 'cart.retail', '127.0.0.1'],
    backends: [{ name: 'cart', endpoints: [{ address: `127.0.0.1:${app}` }] }],
    routes: [{ name: 'all', timeouts: { requestMs: 10_000 } }],
  };
  writeFileSync(
    file,
    JSON.stringify({
      workload: { name: 'cart', namespace: 'retail' },
      admin: { host: '127.0.0.1', port: admin },
      outbound: { host: '127.0.0.1', port },
      state: { destinations: [cart] },
    }),
  );
  const upstream = await startProcess(
    'app',
    process.execPath,
    [program('bench/attacks'), 'app', String(app)],
    [app],
  );
  const args = [...proxyNodeFlags, proxyProgram, '--config', file];
  const proxy = await startProcess('proxy', process.execPath, args, [port], proxyEnvironment);
  const rows: Row[] = [];
  try {
    await good(port);
    for (let round = 1; round <= rounds; round++) {
      for (const name of only) {
        const row = await attacked(name, port, proxy.pid);
        rows.push(row);
        const { ratio, calmMs, attackedMs, afterMs, failed } = row;
        const shown = [calmMs, attackedMs, afterMs].map((ms) => ms.toFixed(1)).join(', ');
        process.stderr.write(
          `${round} ${name}: ${ratio.toFixed(2)} (${shown} ms), ${failed} failed\n`,
        );
      }
    }
  } finally {
    await proxy.stop();
    await upstream.stop();
  }
  return rows;
}

function table(rows: readonly Row[]): string {
  const of = (name: string, value: (row: Row) => number): number =>
    median(rows.filter((row) => row.name === name).map(value));
  const lines = only.map((name) => {
    const mine = rows.filter((row) => row.name === name);
    const sum = (value: (row: Row) => number): number => mine.reduce((s, row) => s + value(row), 0);
    const ratio = of(name, (row) => row.ratio);
    const shown = ratio > bar ? `**${ratio.toFixed(2)}**` : ratio.toFixed(2);
    const p99 = [(r: Row) => r.calmMs, (r: Row) => r.attackedMs, (r: Row) => r.afterMs]
      .map((value) => of(name, value).toFixed(1))
      .join(' | ');
    const cores = of(name, (row) => row.cores).toFixed(2);
    const failed = `${sum((row) => row.failed)} of ${sum((row) => row.requests)}`;
    const { what } = attacks[name] as Attack;
    const rss = of(name, (row) => row.rssMb).toFixed(0);
    return `| ${name}: ${what} | ${shown} | ${p99} | ${failed} | ${cores} | ${rss} |`;
  });
  return `# Good clients beside an attack

\`npm run bench:attack\`: ${connections} connections of good clients, ${rps} requests a second through a proxy in
plaintext, before, during and after each attack; ${rounds} rounds, medians; Node ${process.version}, load average
${loadavg()[0]?.toFixed(0)}. The bar is a p99 of at most ${bar} × undisturbed in the same round. Failed: of the
requests during the attack and after it.

| attack | during / before | before, ms | during, ms | after, ms | failed | proxy's cores | RSS, MB |
| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |
${lines.join('\n')}
`;
}

try {
  const text = table(await measure());
  if (process.argv.includes('--write')) {
    writeFileSync(join(packageRoot, 'bench/results/attack.md'), text);
  } else process.stdout.write(text);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
process.exit(0);
