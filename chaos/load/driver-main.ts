/**
 * The embedded driver as its own process, so that the game day's work does not disturb the measurements:
 * `node dist/chaos/load/driver-main.js '{profile as JSON}'`. Prints one line for each request that ended:
 * `route,due (ms since the epoch),latency (ms),status,failure (empty if none)`, and `dropped,N` for N requests that
 * could not be begun.
 */
import { dieWithParent } from '../../base/child.js';
import { realClock } from '../../base/clock.js';
import { grpcSender } from './grpc-sender.js';
import { httpSender } from './http-sender.js';
import { Pacer } from './pacer.js';
import type { Failure } from './points.js';
import { type LoadProfile, type LoadRoute, paceOf } from './profile.js';

const flushMs = 100;
const maxLines = 100_000;

export interface Outcome {
  status: number;
  failure?: Failure;
}

/** Sends one request; `end` is called once, within the time limit. Numbers are the request's own. */
export type Sender = (route: LoadRoute, n: number, end: (outcome: Outcome) => void) => void;

const profile = JSON.parse(process.argv[2] ?? '{}') as LoadProfile;
const offsetMs = realClock.nowMs() - realClock.monotonicMs();
const overHttp = httpSender(profile);
const overGrpc = profile.routes.some((r) => r.grpc) ? grpcSender(profile) : overHttp;
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
  const send = route.grpc ? overGrpc : overHttp;
  send(route, sequence++, ({ status, failure }) => {
    inFlight--;
    const ms = realClock.monotonicMs() - dueMs;
    if (lines.length >= maxLines) dropped++;
    else {
      const due = Math.round(dueMs + offsetMs);
      lines.push(`${route.name},${due},${ms.toFixed(2)},${status},${failure ?? ''}`);
    }
  });
}

const pace = paceOf(profile.stages);
const pacers = profile.routes.map(
  (route, i) =>
    new Pacer(
      realClock,
      route.requestsPerSecond,
      (dueMs) => begin(route, dueMs),
      // The routes do not all start at the same time.
      i / profile.routes.length,
      pace,
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
