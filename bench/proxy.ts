/**
 * The cost of a request: firedrill beside HAProxy (1 thread) and Envoy (1 worker), on the same upstream, in turn,
 * several rounds. CPU time is the proxy's own process's; a run with any error has no figure.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { packageRoot } from '../base/paths.js';
import { proxyNodeFlags } from '../mesh/proxy/launch.js';
import { median } from './median.js';
import { option } from './option.js';
import { fixedRate, full, type Load } from './proxy-load.js';
import { cpuMicros, rssMb } from './proxy-processes.js';
import {
  type Hops,
  type Name,
  names,
  type Setup,
  start,
  startUpstream,
  type World,
} from './proxy-setups.js';
import { table } from './proxy-table.js';
import { makeWorld } from './proxy-world.js';

export interface Run {
  name: Name;
  hops: Hops;
  /** Requests a second that the load makes; 0: as fast as possible. */
  rate: number;
  round: number;
  requests: number;
  errors: number;
  rps: number;
  /** Microseconds for each hop. */
  cpuMicros: number[];
  rssMb: number[];
  /** Set at a fixed rate. */
  p99Ms?: number;
}

export interface LatencyRun {
  name: Name;
  hops: Hops;
  round: number;
  rps: number;
  errors: number;
  p50Ms: number;
  p99Ms: number;
}

export interface Result {
  node: string;
  nodeFlags: readonly string[];
  cores: number;
  runs: Run[];
  latency: LatencyRun[];
  /** Firedrill's resident memory after this many requests. */
  memory: { requests: number; rssMb: number }[];
}

/** Measured beside full load: these rates over the same connections, with mutual TLS. */
const rates = option('rates', '500,2000').split(',').map(Number);
const rounds = Number(option('rounds', '9'));
const seconds = Number(option('seconds', '1'));
const latencyRounds = Number(option('latency-rounds', '3'));
const latencySeconds = 3;
const connections = Number(option('connections', '100'));
const only = option('only', names.join(',')).split(',') as Name[];
const hopses = option('hops', 'plain,mtls').split(',') as Hops[];
const memoryRequests = Number(option('memory-requests', '1000000'));
const warmUpSeconds = 2;
const say = (line: string): void => void process.stderr.write(`${line}\n`);

/** Runs one setup's turn. */
async function slice(
  world: World,
  name: Name,
  hops: Hops,
  setup: Setup,
  rate: number,
  round: number,
): Promise<Run> {
  const before = setup.processes.map((p) => cpuMicros(p.pid));
  const log = join(world.folder, 'h2load.log');
  // A low rate needs a longer run, or the load's own start would weigh too much.
  const load: Load & { p99Ms?: number } =
    rate === 0
      ? await full(setup.port, connections, seconds)
      : await fixedRate(setup.port, rate, connections, Math.max(seconds, 2000 / rate), log);
  const used = setup.processes.map((p, i) => cpuMicros(p.pid) - (before[i] as number));
  return {
    name,
    hops,
    rate,
    round,
    requests: load.requests,
    errors: load.errors,
    rps: load.rps,
    cpuMicros: used.map((micros) => micros / load.requests),
    rssMb: setup.processes.map((p) => rssMb(p.pid)),
    ...(load.p99Ms !== undefined && { p99Ms: load.p99Ms }),
  };
}

async function measure(world: World): Promise<Result> {
  const runs: Run[] = [];
  const latency: LatencyRun[] = [];
  const memory: Result['memory'] = [];
  for (const hops of hopses) {
    // All setups are up, and take turns in short slices: other load on the machine affects all of them.
    const setups: { name: Name; setup: Setup }[] = [];
    const mine = only.filter((name) => hops === 'mtls' || name !== 'firedrill-http1');
    for (const name of mine) setups.push({ name, setup: await start(name, hops, world) });
    try {
      for (const { setup } of setups) await full(setup.port, connections, warmUpSeconds);
      for (let round = 1; round <= rounds; round++) {
        for (const { name, setup } of setups) {
          for (const rate of hops === 'mtls' ? [0, ...rates] : [0]) {
            const run = await slice(world, name, hops, setup, rate, round);
            runs.push(run);
            const shown = run.cpuMicros.map((c) => c.toFixed(1)).join(' + ');
            say(`${hops} ${round} ${name}: ${shown} us, ${run.rps.toFixed(0)}/s`);
          }
        }
      }
      const fastest = runs.filter((r) => r.hops === hops && r.name === 'haproxy' && r.rate === 0);
      const halfRps = fastest.length > 0 ? median(fastest.map((r) => r.rps)) / 2 : 0;
      for (let round = 1; round <= (halfRps > 0 ? latencyRounds : 0); round++) {
        for (const { name, setup } of setups) {
          const log = join(world.folder, 'h2load.log');
          const at = await fixedRate(setup.port, halfRps, connections, latencySeconds, log);
          latency.push({ name, hops, round, ...at });
          say(`${hops} ${round} ${name}: p99 ${at.p99Ms.toFixed(2)} ms at ${halfRps.toFixed(0)}/s`);
        }
      }
    } finally {
      for (const { setup } of setups) for (const p of setup.processes) await p.stop();
    }
  }
  if (only.includes('firedrill') && memoryRequests > 0) {
    const setup = await start('firedrill', 'plain', world);
    try {
      for (let done = 0; done < memoryRequests;) {
        done += (await full(setup.port, connections, 4)).requests;
        const [first] = setup.processes;
        memory.push({ requests: done, rssMb: rssMb(first?.pid ?? 0) });
      }
      const last = memory[memory.length - 1];
      say(`memory: ${last?.rssMb.toFixed(1)} MB after ${last?.requests} requests`);
    } finally {
      for (const p of setup.processes) await p.stop();
    }
  }
  return {
    node: process.version,
    nodeFlags: proxyNodeFlags,
    cores: cpus().length,
    runs,
    latency,
    memory,
  };
}

const folder = mkdtempSync(join(tmpdir(), 'firedrill-bench-proxy-'));
const upstream = await startUpstream(folder);
try {
  const result = await measure(await makeWorld(folder, upstream.ports));
  process.stdout.write(`${JSON.stringify(result, null, 2)}\n`);
  if (process.argv.includes('--write')) {
    writeFileSync(
      join(packageRoot, 'bench/results/proxy.json'),
      `${JSON.stringify(result, null, 2)}\n`,
    );
    writeFileSync(join(packageRoot, 'bench/results/proxy.md'), table(result));
  } else process.stderr.write(table(result));
} finally {
  await upstream.process.stop();
  rmSync(folder, { recursive: true, force: true });
}
process.exit(0);
