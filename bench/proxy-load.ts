/** Load by third-party programs: wrk as fast as it goes, h2load at a fixed rate. */
import { spawn } from 'node:child_process';
import { readFileSync, rmSync } from 'node:fs';
import { requireTool } from '../base/tools.js';

export interface Load {
  requests: number;
  /** Socket errors, timeouts, and answers other than 2xx or 3xx: a run with any of these has no figure. */
  errors: number;
  rps: number;
}

function output(command: string, args: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    let text = '';
    child.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (text += chunk.toString()));
    child.on('error', reject);
    child.on('exit', (code) =>
      code === 0 ? resolve(text) : reject(new Error(`${command} ended with ${code}: ${text}`)),
    );
  });
}

export async function full(port: number, connections: number, seconds: number): Promise<Load> {
  const text = await output(requireTool('wrk'), [
    '-t1',
    `-c${connections}`,
    `-d${seconds}s`,
    '--timeout',
    '5s',
    '-H',
    'Host: cart',
    `http://127.0.0.1:${port}/items/1`,
  ]);
  const requests = Number(/(\d+) requests in/.exec(text)?.[1] ?? 0);
  const socket = /Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)/.exec(text);
  const bad = Number(/Non-2xx or 3xx responses: (\d+)/.exec(text)?.[1] ?? 0);
  const errors = bad + (socket?.slice(1).reduce((sum, n) => sum + Number(n), 0) ?? 0);
  return { requests, errors, rps: Number(/Requests\/sec:\s+([\d.]+)/.exec(text)?.[1] ?? 0) };
}

/** The 99th percentile in milliseconds, from every request's own time. */
export async function fixedRate(
  port: number,
  rps: number,
  connections: number,
  seconds: number,
  logFile: string,
): Promise<Load & { p50Ms: number; p99Ms: number }> {
  const text = await output(requireTool('h2load'), [
    '--h1',
    '-t1',
    `-c${connections}`,
    `-n${Math.round(rps * seconds)}`,
    `--rps=${rps / connections}`,
    `--log-file=${logFile}`,
    `http://127.0.0.1:${port}/items/1`,
  ]);
  const counted = /requests: (\d+) total, \d+ started, (\d+) done, (\d+) succeeded/.exec(text);
  const done = Number(counted?.[2] ?? 0);
  const times = readFileSync(logFile, 'utf8')
    .split('\n')
    .map((line) => Number(line.split('\t')[2]))
    .filter((t) => t > 0)
    .sort((a, b) => a - b);
  rmSync(logFile, { force: true });
  const at = (share: number): number => (times[Math.floor(times.length * share)] ?? NaN) / 1000;
  return {
    requests: done,
    errors: done - Number(counted?.[3] ?? 0),
    rps: done / seconds,
    p50Ms: at(0.5),
    p99Ms: at(0.99),
  };
}
