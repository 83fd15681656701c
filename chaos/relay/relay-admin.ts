/** A relay's admin port: metrics and faults. */
import type { Server } from 'node:http';
import {
  adminServer,
  jsonBody,
  listenForAdmin,
  removedFault,
  sendJson,
  sendRemoved,
} from '../../mesh/admin-http.js';
import type { Relay } from './relay.js';
import { checkedRelayFault } from './relay-fault.js';

/** Resolves to the server and its port. */
export async function startRelayAdmin(
  relay: Relay,
  at: { host: string; port: number },
): Promise<{ server: Server; port: number }> {
  const server = adminServer(async (call, request, response) => {
    if (call === 'GET /metrics') {
      response.writeHead(200, { 'content-type': 'text/plain; version=0.0.4' });
      return response.end(await relay.metrics.text());
    }
    if (call === 'GET /live' || call === 'GET /ready') return sendJson(response, 200, {});
    if (call === 'GET /faults') return sendJson(response, 200, relay.faults.list());
    if (call === 'POST /faults') {
      const body = (await jsonBody(request)) as object;
      const fault = checkedRelayFault(body);
      return sendJson(response, 200, await relay.faults.put(body, fault));
    }
    const id = removedFault(call);
    if (id !== undefined) return sendRemoved(response, await relay.faults.remove(id));
    return sendJson(response, 404, { error: `${call}: no such call` });
  });
  return { server, port: await listenForAdmin(server, at) };
}
