/**
 * The watcher of a `system: kubernetes` as a program: it reaches pods through the API server, holds their faults, and
 * rolls everything back when its parent ends. A fault that outlasts the watcher has a lease in the cluster.
 * `main.js FIREDRILL_YAML`; it prints its admin port as one JSON line.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { boundedText } from '../../../base/bounded-answer.js';
import { outliveReaders } from '../../../base/child.js';
import { realClock } from '../../../base/clock.js';
import { exitCode, messageOf, UserError } from '../../../base/errors.js';
import {
  adminServer,
  jsonBody,
  listenForAdmin,
  removedFault,
  sendJson,
  sendRemoved,
} from '../../../mesh/admin-http.js';
import { KubeApi } from '../../../mesh/kubernetes/client/api.js';
import { findCredentials } from '../../../mesh/kubernetes/client/credentials.js';
import type { Forwarded } from '../../../mesh/kubernetes/client/port-forward.js';
import { readDrill } from '../drill-file.js';
import { endAfter } from '../watcher-end.js';
import { accessOf } from './access.js';
import { Cluster } from './cluster.js';

/** Time limit for the rollback after the parent's end. */
const endLimitMs = 30_000;
const passLimitMs = 8000;

async function main(): Promise<void> {
  const file = process.argv[2];
  if (file === undefined) throw new UserError({ message: 'too few arguments', expected: 'FILE' });
  const { name, folder, system: spec } = readDrill(file);
  if (spec.kind !== 'kubernetes') throw new UserError(`${file}: not of a cluster`);
  outliveReaders();
  const access = accessOf(folder, spec);
  const api = new KubeApi(await findCredentials(access), { timeoutMs: 8000 });
  const cluster = new Cluster({ api, access, name, spec, clock: realClock });
  await cluster.find();
  endAfter(() => cluster.close(), endLimitMs);
  const listening = { host: '127.0.0.1', port: 0 };
  const controller = await listenForAdmin(
    adminServer(async (_, request, response, { pathname }) =>
      pass(await cluster.controllerAdmin(), request, response, pathname),
    ),
    listening,
  );
  let admin = 0;
  const server = adminServer((call, request, response, { pathname }) =>
    answer(cluster, { admin, controller }, { call, request, response, pathname }),
  );
  admin = await listenForAdmin(server, listening);
  process.stdout.write(`${JSON.stringify({ admin, pid: process.pid })}\n`);
  try {
    await cluster.start();
  } catch (error) {
    // The process stays, so that the reason can be queried; its parent ends it.
    cluster.failure = messageOf(error);
  }
}

interface Asked {
  call: string;
  request: IncomingMessage;
  response: ServerResponse;
  pathname: string;
}

async function answer(
  cluster: Cluster,
  ports: { admin: number; controller: number },
  asked: Asked,
): Promise<void> {
  const { call, request, response, pathname } = asked;
  const [, name, path] = /^\/pods\/([^/]+)(\/.*)$/.exec(pathname) ?? [];
  if (name !== undefined && path !== undefined) return atPod(cluster, name, path, asked);
  const id = removedFault(call);
  if (id !== undefined) {
    const removed = await cluster.leases.remove(id);
    return sendRemoved(response, removed, cluster.leases.troubleOf(id));
  }
  switch (call) {
    case 'GET /system':
      return sendJson(response, 200, cluster.describe(ports));
    case 'GET /events':
      return sendJson(response, 200, cluster.events);
    case 'GET /faults':
      return sendJson(response, 200, await cluster.list());
    case 'POST /faults':
      return sendJson(
        response,
        200,
        await cluster.put((await jsonBody(request)) as Record<string, unknown>),
      );
    case 'GET /certificate-events':
    case 'GET /sections':
      return sendJson(response, 200, []);
    default:
      sendJson(response, 404, { error: `no ${request.method} ${pathname}` });
  }
}

/** Asks the sidecar's admin port, or the pod's own metrics; a missing pod holds no fault. */
async function atPod(
  cluster: Cluster,
  name: string,
  path: string,
  { request, response }: Asked,
): Promise<void> {
  const place = cluster.pods.places.find((p) => p.name === decodeURIComponent(name));
  if (!place) return sendJson(response, 404, { error: `no pod '${name}'` });
  if (path === '/app-metrics') {
    return pass(await cluster.appOf(place), request, response, cluster.metricsPath(place));
  }
  const proxy = await cluster.proxyOf(place);
  if (!proxy && request.method === 'GET' && path === '/faults') return sendJson(response, 200, []);
  if (!proxy && request.method === 'DELETE') return sendRemoved(response, false);
  return pass(proxy, request, response, path);
}

interface Answered {
  status: number;
  type: string;
  text: string;
}

/** Concurrent requests for the same address share one answer: a slow pod is asked only once at a time. */
const fetching = new Map<string, Promise<Answered>>();

async function pass(
  to: Forwarded | undefined,
  request: IncomingMessage,
  response: ServerResponse,
  path: string,
): Promise<void> {
  if (!to) return sendJson(response, 503, { error: 'there is no running pod' });
  const { method = 'GET' } = request;
  const url = `http://${to.address}${path}`;
  try {
    const { status, type, text } =
      method === 'GET'
        ? await onlyOnce(url)
        : await fetchText(url, {
            method,
            // A request that is not repeated has its own connection.
            headers: { connection: 'close' },
            ...(method === 'POST' && { body: JSON.stringify(await jsonBody(request)) }),
          });
    response.writeHead(status, { 'content-type': type });
    response.end(text);
  } catch (error) {
    sendJson(response, 502, { error: to.problem() ?? messageOf(error) });
  }
}

function onlyOnce(url: string): Promise<Answered> {
  const known = fetching.get(url);
  if (known) return known;
  const asked = fetchText(url).finally(() => fetching.delete(url));
  fetching.set(url, asked);
  return asked;
}

async function fetchText(url: string, init: RequestInit = {}): Promise<Answered> {
  const response = await fetch(url, { ...init, signal: AbortSignal.timeout(passLimitMs) });
  const text = await boundedText(response);
  const type = response.headers.get('content-type') ?? 'text/plain';
  return { status: response.status, type, text };
}

main().catch((error: unknown) => {
  process.stderr.write(`${messageOf(error)}\n`);
  process.exit(error instanceof UserError ? error.exitCode : exitCode.environment);
});
