/** A relay's admin port: metrics and faults. */
import { createServer, type Server } from 'node:http';
import {
  jsonBody,
  listenForAdmin,
  refuseCaller,
  sendError,
  sendJson,
  whyRefused,
} from '../../mesh/admin-http.js';
import type { Relay } from './relay.js';
import { checkedRelayFault } from './relay-fault.js';

/** Resolves to the server and its port. */
export async function startRelayAdmin(
  relay: Relay,
  at: { host: string; port: number },
): Promise<{ server: Server; port: number }> {
  const server = createServer((request, response) => {
    void (async () => {
      const { pathname } = new URL(request.url ?? '/', 'http://admin');
      const call = `${request.method} ${pathname}`;
      const refused = whyRefused(request, call);
      if (refused !== undefined) return refuseCaller(response, refused);
      if (call === 'GET /metrics') {
        response.writeHead(200, { 'content-type': 'text/plain; version=0.0.4' });
        return void response.end(await relay.metrics.text());
      }
      if (call === 'GET /live' || call === 'GET /ready') return sendJson(response, 200, {});
      if (call === 'GET /faults') return sendJson(response, 200, relay.faults.list());
      if (call === 'POST /faults') {
        const body = (await jsonBody(request)) as object;
        const fault = checkedRelayFault(body);
        return sendJson(response, 200, await relay.faults.put(body, fault));
      }
      const id = /^DELETE \/faults\/(.+)$/.exec(call)?.[1];
      if (id !== undefined) {
        const removed = await relay.faults.remove(decodeURIComponent(id));
        return sendJson(response, removed ? 200 : 404, { removed });
      }
      sendJson(response, 404, { error: `${call}: no such call` });
    })().catch((error: unknown) => sendError(response, error));
  });
  return { server, port: await listenForAdmin(server, at) };
}
