/**
 * The embedded driver as a process of its own, so that the game day's own work does not disturb what it measures:
 * `node dist/chaos/load/driver-main.js '{profile as JSON}'`. One line on standard output for each request that ended:
 * `route,due (ms since the epoch),latency (ms),ok (1 or 0)`, and `dropped,N` where N more could not be begun.
 */
import { Agent, request } from 'node:http';
import { dieWithParent } from '../../base/child.js';
import { realClock } from '../../base/clock.js';
import { Pacer } from './pacer.js';
import type { LoadProfile, LoadRoute } from './profile.js';

const flushMs = 100;
const maxLines = 100_000;

const profile = JSON.parse(process.argv[2] ?? '{}') as LoadProfile;
const agent = new Agent({ keepAlive: true, maxSockets: Infinity, maxFreeSockets: 64 });
const target = new URL(profile.url);
const offsetMs = realClock.nowMs() - realClock.monotonicMs();
let lines: string[] = [];
let dropped = 0;
let inFlight = 0;
let sequence = 0;

function begin(route: LoadRoute, dueMs: number): void {
  if (inFlight >= profile.maxInFlight) {
    dropped++;
    return;
  }
  inFlight++;
  const key = `${process.pid}-${sequence++}`;
  const outgoing = request({
    host: target.hostname,
    port: target.port,
    method: route.method,
    path: route.path,
    agent,
    headers: {
      host: 'web.retail',
      'x-user': `user-${sequence % 500}`,
      ...(route.idempotencyKey && { 'idempotency-key': key }),
      ...(route.body !== undefined && { 'content-length': String(Buffer.byteLength(route.body)) }),
    },
  });
  let done = false;
  const end = (ok: boolean): void => {
    if (done) return;
    done = true;
    inFlight--;
    clearTimeout(deadline);
    const ms = realClock.monotonicMs() - dueMs;
    if (lines.length >= maxLines) dropped++;
    else lines.push(`${route.name},${Math.round(dueMs + offsetMs)},${ms.toFixed(2)},${ok ? 1 : 0}`);
  };
  const deadline = setTimeout(() => outgoing.destroy(), profile.timeoutMs);
  outgoing.on('error', () => end(false)).on('close', () => end(false));
  outgoing.on('response', (response) => {
    const status = response.statusCode ?? 0;
    response.on('end', () => end(status >= 200 && status < 400));
    response.on('error', () => end(false)).resume();
  });
  outgoing.end(route.body);
}

const pacers = profile.routes.map(
  (route, i) =>
    new Pacer(
      realClock,
      route.requestsPerSecond,
      (dueMs) => begin(route, dueMs),
      // Not all routes at the same instant.
      i / profile.routes.length,
    ),
);

setInterval(() => {
  if (dropped > 0) lines.push(`dropped,${dropped}`);
  dropped = 0;
  if (lines.length > 0) process.stdout.write(`${lines.join('\n')}\n`);
  lines = [];
}, flushMs);

const stop = (): void => {
  for (const pacer of pacers) pacer.stop();
  process.exit(0);
};
process.on('SIGTERM', stop).on('SIGINT', stop);
dieWithParent(stop);
process.stdout.write(`${JSON.stringify({ ready: true, pid: process.pid })}\n`);
