/** The metrics of servers: callers allowed and refused, limits, mismatches. */
import { LabelSet, labelsOf } from '../telemetry/labels.js';
import type { MetricSink } from '../telemetry/sink.js';
import type { InboundFlow } from './inbound.js';
import type { CompiledServer } from './server.js';

export function collectServers(inbound: InboundFlow, dst: string, sink: MetricSink): void {
  let mismatches = 0;
  for (const server of inbound.servers()) {
    mismatches += server.counts.mismatches;
    collectAuthorization(server, sink);
    for (const { metrics } of [...server.routes, server.defaultRoute]) {
      const labels = labelsOf({ srv_name: server.name, rt_route: metrics.source.route });
      for (const [scope, count] of [
        ['all', metrics.rateLimited],
        ['identity', metrics.rateLimitedByIdentity],
      ] as const) {
        if (count === 0) continue;
        sink.value('inbound_http_local_ratelimit_total', labels.with('scope', scope), count);
      }
    }
    if (server.shedder) {
      const labels = labelsOf({ srv_name: server.name });
      sink.value('inbound_http_concurrency_limit', labels, Math.floor(server.shedder.limit));
    }
  }
  if (mismatches > 0) {
    sink.value('route_mismatch_total', labelsOf({ direction: 'inbound', dst }), mismatches);
  }
}

function collectAuthorization(server: CompiledServer, sink: MetricSink): void {
  for (const cell of server.authorization.cells.values()) {
    const labels = new LabelSet([
      ['srv_name', cell.server],
      ['rt_route', cell.route],
      ['authz_name', cell.authorization],
      ['client_id', cell.client],
      ['tls', cell.tls],
    ]);
    const kind = cell.isConnection ? 'tcp' : 'http';
    if (cell.allowed > 0) sink.value(`inbound_${kind}_authz_allow_total`, labels, cell.allowed);
    if (cell.denied > 0) sink.value(`inbound_${kind}_authz_deny_total`, labels, cell.denied);
    if (cell.audited > 0) sink.value('inbound_authz_audited_total', labels, cell.audited);
  }
}
