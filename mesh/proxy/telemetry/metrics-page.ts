/** Generates METRICS.md from names.ts: `node dist/mesh/proxy/telemetry/metrics-page.js > mesh/proxy/METRICS.md`. */
import { pathToFileURL } from 'node:url';
import { latencyBoundsMs, metricNames, metricSpecs, type MetricSpec } from './names.js';

export function metricsPage(): string {
  const rows = metricNames.map((name) => {
    const { type, help, labels, protobufOnly }: MetricSpec = metricSpecs[name];
    const shown = labels.map((l) => `\`${l}\``).join(', ');
    const note = protobufOnly ? ' Only in the protobuf exposition.' : '';
    return `| \`${name}\` | ${type} | ${help}${note} | ${shown} |`;
  });
  return `# The proxy's metrics

Generated from \`telemetry/names.ts\`; a test compares this page with it, and a live scrape with both. Names are
Linkerd's if it has one for the metric, so that dashboards for Linkerd work. \`GET /metrics\` on the admin port answers
in text, or in Prometheus's protobuf format if the scraper asks for it (a Prometheus with native histograms does).

- \`direction\` is \`inbound\` or \`outbound\`; \`dst\` is \`service.namespace\` (inbound: the workload itself);
  \`dst="unknown"\` counts requests that no destination covers. \`rt_route\` is the route's name, \`default\` when none
  matched.
- \`classification\` is \`success\`, \`failure\` or \`canceled\`. A response fails by its route's failure statuses (5xx,
  and gRPC 2, 4, 7, 13, 14, 15 by default), or because it broke off. A client that leaves before the head counts with
  \`status_code="499"\`: within a second as \`canceled\`, later as \`failure\`, because it was made to wait.
- The usual failures (500, 502, 503, 504; gRPC 4, 13, 14) of \`response_total\` are present with 0 as soon as a route
  has an answer, so that \`increase()\` sees the first ones of an incident.
- \`tls\` of outbound responses is that of the connection to the endpoint; of inbound ones, of the client's.
- Latencies have the bounds ${latencyBoundsMs.join(', ')} ms. \`response_latency_native_ms\` is the same
  distribution as a native histogram (schema 3): any percentile of it is at most 4.4% off.
  The protobuf exposition also gives the last trace id of each bucket of \`response_latency_ms\` as an exemplar.
- If the configuration has a \`requestLabel\`, \`request_total\`, \`response_total\` and
  \`response_latency_ms\` carry it as one more label (\`none\` when a request has no value,
  \`overflow\` beyond the limit); their sums do not change.
- An unused route has no series. Series of removed objects stay for ten minutes. At most 2000 routes (500 of one
  destination), 1000 endpoints, 500 clients of a server and 100 kinds of response of a route have series of their own;
  the rest is summed under \`overflow\` (responses: \`status_code="0"\`) and counted by
  \`metrics_label_overflow_total\`.

| name | type | meaning | labels |
| --- | --- | --- | --- |
${rows.join('\n')}
`;
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  process.stdout.write(metricsPage());
}
