/** The controller's admin port, on loopback: metrics, health, each proxy's state, faults for drills. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Registry } from 'prom-client';
import {
  adminServer,
  jsonBody,
  listenForAdmin,
  removedFault,
  sendJson as json,
  sendRemoved,
} from '../admin-http.js';
import { notAfterMs, sha256Hex } from '../identity/x509.js';
import { issuerHash } from '../identity/issuing.js';
import type { Controller } from './controller.js';
import { bundleName } from './topics.js';
import { entryKey, type Entry } from './catalogue.js';
import { kinds } from './api/messages.js';

export interface AdminServer {
  port: number;
  close(): Promise<void>;
}

export async function startAdmin(
  controller: Controller,
  metrics: Registry,
  listen: { host: string; port: number },
): Promise<AdminServer> {
  const server = adminServer((call, request, response) =>
    answer(controller, metrics, call, request, response),
  );
  const port = await listenForAdmin(server, listen);
  return {
    port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function answer(
  controller: Controller,
  metrics: Registry,
  call: string,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  if (call === 'GET /metrics') {
    response.setHeader('content-type', metrics.contentType);
    response.end(await metrics.metrics());
    return;
  }
  if (call === 'GET /live') return json(response, 200, { live: true });
  if (call === 'GET /ready') {
    const waiting = controller.catalogue.unreported;
    if (waiting.length === 0) return json(response, 200, { ready: true });
    return json(response, 503, { ready: false, waiting });
  }
  if (call === 'GET /proxies') return json(response, 200, proxies(controller));
  if (call === 'GET /state') return json(response, 200, state(controller));
  if (call === 'GET /events') return json(response, 200, controller.events.recent);
  if (call === 'GET /faults') return json(response, 200, controller.faults.list());
  if (call === 'POST /faults') {
    return json(response, 200, controller.faults.put(await jsonBody(request)));
  }
  const id = removedFault(call);
  if (id !== undefined) return sendRemoved(response, controller.faults.remove(id));
  return json(response, 404, { error: `no ${call}` });
}

/** One row for each proxy: its acknowledged version, its backlog, its trust bundle, its clock skew. */
function proxies(controller: Controller): unknown[] {
  const bundle = controller.catalogue.get(entryKey(kinds.bundle, bundleName));
  return [...controller.sessions.all()].map((p) => ({
    workload: p.hello.workload,
    namespace: p.hello.namespace,
    identity: p.identity,
    version: p.hello.proxyVersion,
    connectedSeconds: (controller.clock.nowMs() - p.connectedAtMs) / 1000,
    acknowledged: p.ackedVersion,
    owed: p.owed,
    refused: p.nacks,
    ...(p.lastError && { lastError: p.lastError }),
    bundleCurrent: p.bundleVersion === bundle?.version,
    ...(p.issuer !== undefined && { issuer: p.issuer }),
    clockSkewSeconds: (p.hello.timeMs - p.connectedAtMs) / 1000,
  }));
}

function state(controller: Controller): unknown {
  const { issuing } = controller.authority;
  const [issuer] = issuing.chain;
  const show = (e: Entry): unknown => ({ name: e.name, version: e.version, topics: e.topics });
  const entries = [...controller.catalogue.entries()];
  return {
    version: controller.catalogue.version,
    trustDomain: controller.authority.trustDomain,
    leading: controller.lease.leading(),
    issuer: issuer && {
      hash: issuerHash(issuing),
      subject: issuer.subject,
      notAfter: new Date(notAfterMs(issuer)).toISOString(),
    },
    anchors: issuing.anchors.map((a) => ({
      hash: sha256Hex(a.raw),
      subject: a.subject,
      notAfter: new Date(notAfterMs(a)).toISOString(),
    })),
    problems: Object.fromEntries(controller.catalogue.problems),
    destinations: entries.filter((e) => e.kind === kinds.destination).map(show),
    servers: entries.filter((e) => e.kind === kinds.servers).map(show),
  };
}
