/**
 * The cost of a request in HTTP/2 and gRPC: firedrill beside HAProxy (1 thread) and Envoy (1 worker), the same
 * upstream, in turn, several rounds. CPU time is the proxy's own process's; a run with any error has no figure.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { packageRoot, program } from '../base/paths.js';
import { requireTool } from '../base/tools.js';
import { cpuMicros, freePorts, rssMb, sleep, startProcess } from './proxy-processes.js';
import { type Hops, type Name, names, start, type World } from './proxy-setups.js';
import { makeWorld } from './proxy-world.js';
import { median } from './median.js';
import { option } from './option.js';

interface Shape {
  name: string;
  hops: Hops;
  connections: number;
  streams: number;
  isGrpc: boolean;
}

const shapes: Shape[] = [
  {
    name: 'GET, 10 connections of 10 streams',
    hops: 'plain',
    connections: 10,
    streams: 10,
    isGrpc: false,
  },
  {
    name: 'gRPC unary, 10 connections of 10 streams',
    hops: 'plain',
    connections: 10,
    streams: 10,
    isGrpc: true,
  },
  {
    name: 'GET, 100 connections of 1 stream',
    hops: 'plain',
    connections: 100,
    streams: 1,
    isGrpc: false,
  },
  {
    name: 'gRPC unary, 100 connections of 1 stream',
    hops: 'plain',
    connections: 100,
    streams: 1,
    isGrpc: true,
  },
  {
    name: 'mutual TLS, out + in: gRPC unary, 10 connections of 10 streams',
    hops: 'mtls',
    connections: 10,
    streams: 10,
    isGrpc: true,
  },
];

interface Run {
  shape: string;
  name: Name;
  round: number;
  requests: number;
  errors: number;
  rps: number;
  cpuMicros: number[];
  rssMb: number[];
}

const rounds = Number(option('rounds', '3'));
const requests = Number(option('requests', '40000'));
const only = option('only', names.filter((name) => name !== 'firedrill-http1').join(',')).split(
  ',',
) as Name[];

async function startWorld(folder: string): Promise<World & { stop(): Promise<void> }> {
  writeFileSync(
    join(folder, 'message'),
    Buffer.concat([Buffer.from([0, 0, 0, 0, 100]), Buffer.alloc(100, 'z')]),
  );
  const ports = await freePorts(3);
  const upstream = await startProcess(
    'upstream',
    process.execPath,
    [program('bench/http2-upstream'), ...ports.map(String)],
    ports,
  );
  return { ...(await makeWorld(folder, ports)), http2: true, stop: () => upstream.stop() };
}

function load(
  port: number,
  shape: Shape,
  count: number,
  folder: string,
): Promise<{ requests: number; errors: number; rps: number }> {
  const args = ['-t1', `-n${count}`, `-c${shape.connections}`, `-m${shape.streams}`];
  if (shape.isGrpc) {
    args.push(
      '-d',
      join(folder, 'message'),
      '-H',
      'content-type: application/grpc',
      '-H',
      'te: trailers',
    );
  }
  return new Promise((resolve, reject) => {
    const child = spawn(requireTool('h2load'), [...args, `http://127.0.0.1:${port}/items/1`], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    let text = '';
    child.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()));
    child.on('error', reject);
    child.on('exit', () => {
      const counted = /(\d+) done, (\d+) succeeded/.exec(text);
      const done = Number(counted?.[1] ?? 0);
      resolve({
        requests: done,
        errors: count - Number(counted?.[2] ?? 0),
        rps: Number(/([\d.]+) req\/s/.exec(text)?.[1] ?? 0),
      });
    });
  });
}

async function measure(world: World): Promise<Run[]> {
  const runs: Run[] = [];
  for (let round = 1; round <= rounds; round++) {
    for (const hops of ['plain', 'mtls'] as const) {
      for (const name of only) {
        const setup = await start(name, hops, world);
        try {
          for (const shape of shapes.filter((s) => s.hops === hops)) {
            await load(setup.port, shape, requests / 2, world.folder);
            const before = setup.processes.map((p) => cpuMicros(p.pid));
            const done = await load(setup.port, shape, requests, world.folder);
            await sleep(50);
            const used = setup.processes.map((p, i) => cpuMicros(p.pid) - (before[i] as number));
            const run: Run = {
              shape: shape.name,
              name,
              round,
              ...done,
              cpuMicros: used.map((micros) => micros / done.requests),
              rssMb: setup.processes.map((p) => rssMb(p.pid)),
            };
            runs.push(run);
            const shown = run.cpuMicros.map((c) => c.toFixed(1)).join(' + ');
            const { rps, errors } = run;
            process.stderr.write(
              `${round} ${name}, ${shape.name}: ${shown} us, ${rps.toFixed(0)}/s, ${errors} errors\n`,
            );
          }
        } finally {
          for (const p of setup.processes) await p.stop();
        }
      }
    }
  }
  return runs;
}

const sum = (values: number[]): number => values.reduce((a, b) => a + b, 0);
const shown = (value: number, digits: number): string =>
  Number.isFinite(value) ? value.toFixed(digits) : '–';

function table(runs: Run[]): string {
  let text = `# What a request costs in HTTP/2

\`npm run bench:http2\` (Node ${process.version}; ${cpus().length} cores, shared with the load and the upstream). Every
feature of ours is on, as in proxy.md. CPU is user + system time of the proxy's process a request, hops added up, the
median of ${rounds} rounds; ratios are taken round by round.
`;
  for (const shape of shapes) {
    text += `\n## ${shape.name}\n\n`;
    text += '| | CPU a request, µs | requests/s | memory, MB | failed |\n';
    text += '| --- | ---: | ---: | ---: | ---: |\n';
    const of = (name: Name): Run[] => runs.filter((r) => r.shape === shape.name && r.name === name);
    const clean = (name: Name): Run[] => of(name).filter((r) => r.errors === 0);
    for (const name of only) {
      const cost = median(clean(name).map((r) => sum(r.cpuMicros)));
      const rps = median(clean(name).map((r) => r.rps));
      const memory = median(clean(name).map((r) => Math.max(...r.rssMb)));
      const errors = sum(of(name).map((r) => r.errors));
      text += `| ${name} | ${shown(cost, 1)} | ${shown(rps, 0)} | ${shown(memory, 0)} | ${errors} |\n`;
    }
    const ratio = (peer: Name): number =>
      median(
        clean('firedrill')
          .map((ours) => {
            const theirs = clean(peer).find((r) => r.round === ours.round);
            return theirs ? sum(ours.cpuMicros) / sum(theirs.cpuMicros) : NaN;
          })
          .filter(Number.isFinite),
      );
    text += `\nOurs is ${shown(ratio('envoy'), 2)} × Envoy (bar: 1.0), ${shown(ratio('haproxy'), 2)} × HAProxy.\n`;
  }
  return text;
}

const folder = mkdtempSync(join(tmpdir(), 'firedrill-bench-http2-'));
const world = await startWorld(folder);
try {
  const runs = await measure(world);
  process.stdout.write(`${JSON.stringify({ node: process.version, runs }, null, 2)}\n`);
  if (process.argv.includes('--write')) {
    const results = join(packageRoot, 'bench/results');
    writeFileSync(
      join(results, 'http2.json'),
      `${JSON.stringify({ node: process.version, runs }, null, 2)}\n`,
    );
    writeFileSync(join(results, 'http2.md'), table(runs));
  } else process.stderr.write(table(runs));
} finally {
  await world.stop();
  rmSync(folder, { recursive: true, force: true });
}
process.exit(0);
