/**
 * The client's view as metrics for Prometheus, so that rules can page on callers, independent of the service's own
 * metrics. Every outcome of every known route begins at 0, so that a ratio without failures is 0, not empty.
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Counter, Histogram, Registry } from 'prom-client';
import type { Target } from '../../alerts/watch/index.js';
import { exitCode, messageOf, UserError } from '../../base/errors.js';
import type { Failure, LoadPoints } from './points.js';

const clientJob = 'firedrill-client';
const outcomes: readonly ('expected' | Failure)[] = [
  'expected',
  'no-answer',
  'timeout',
  'status',
  'body',
];
/** Seconds. */
const bounds = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

export interface ClientMetrics {
  target: Target;
  /** Counts the requests of these points from now on. */
  follow(points: LoadPoints, routes?: readonly string[]): void;
  stop(): Promise<void>;
}

/** Listens on loopback, by default at a free port. */
export async function startClientMetrics(host = '127.0.0.1', port = 0): Promise<ClientMetrics> {
  const registry = new Registry();
  const requests = new Counter({
    name: 'firedrill_client_requests_total',
    help: 'Requests of the client that ended, by whether they were answered as expected.',
    labelNames: ['route', 'outcome'],
    registers: [registry],
  });
  const duration = new Histogram({
    name: 'firedrill_client_request_duration_seconds',
    help: 'From when a request was due to the end of its answer, or to its giving up.',
    labelNames: ['route'],
    buckets: bounds,
    registers: [registry],
  });
  const server = createServer((_request, response) => {
    registry.metrics().then(
      (text) => response.writeHead(200, { 'content-type': registry.contentType }).end(text),
      () => response.writeHead(500).end(),
    );
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) => {
      const message = `nothing can listen at ${host}:${port}: ${messageOf(error)}`;
      reject(new UserError(message, exitCode.environment));
    });
    server.listen(port, host, resolve);
  });
  const { port: bound } = server.address() as AddressInfo;
  return {
    target: { job: clientJob, url: `http://${host}:${bound}/metrics` },
    follow(points, routes = []) {
      for (const route of routes) {
        for (const outcome of outcomes) requests.inc({ route, outcome }, 0);
        duration.zero({ route });
      }
      points.onPoint(({ route, ok, failure, ms }) => {
        requests.inc({ route, outcome: ok ? 'expected' : (failure ?? 'status') });
        duration.observe({ route }, ms / 1000);
      });
    },
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
