/** Request counters of servers, proxies and meshes, by which `init` finds services and their failures. */

export interface KnownCounter {
  /** The program whose metric it is. */
  of: string;
  metric: string;
  /** The label that names the service. */
  service: string;
  /** Further matchers for all events. */
  total?: string;
  /** Further matchers for bad events. */
  bad: string;
  /** The classic histogram of the same requests; its name shows whether it is in seconds or milliseconds. */
  latency?: { histogram: string; threshold: string };
}

const grpcFailures = 'Unknown|DeadlineExceeded|Unimplemented|Internal|Unavailable|DataLoss';

/** The more informative first: a service that appears in two of them is taken from the first. */
export const knownCounters: readonly KnownCounter[] = [
  {
    of: 'Istio',
    metric: 'istio_requests_total',
    service: 'destination_service_name',
    total: 'reporter="destination"',
    bad: 'response_code=~"5..|0"',
    latency: { histogram: 'istio_request_duration_milliseconds', threshold: '500ms' },
  },
  {
    of: 'Linkerd',
    metric: 'response_total',
    service: 'deployment',
    total: 'direction="inbound"',
    bad: 'classification="failure"',
  },
  {
    of: 'ingress-nginx',
    metric: 'nginx_ingress_controller_requests',
    service: 'ingress',
    bad: 'status=~"5.."',
    latency: { histogram: 'nginx_ingress_controller_request_duration_seconds', threshold: '500ms' },
  },
  {
    of: 'Envoy',
    metric: 'envoy_cluster_upstream_rq_xx',
    service: 'envoy_cluster_name',
    bad: 'envoy_response_code_class="5"',
  },
  {
    of: 'the API server of Kubernetes',
    metric: 'apiserver_request_total',
    service: 'job',
    total: 'verb!~"WATCH|CONNECT"',
    bad: 'code=~"5.."',
  },
  {
    of: 'OpenTelemetry',
    metric: 'http_server_request_duration_seconds_count',
    service: 'job',
    bad: 'http_response_status_code=~"5.."',
    latency: { histogram: 'http_server_request_duration_seconds', threshold: '500ms' },
  },
  {
    of: 'OpenTelemetry, with its own names',
    metric: 'http.server.request.duration_seconds_count',
    service: 'job',
    bad: '"http.response.status_code"=~"5.."',
    latency: { histogram: 'http.server.request.duration_seconds', threshold: '500ms' },
  },
  {
    of: 'OpenTelemetry, with its own names and no unit',
    metric: 'http.server.request.duration_count',
    service: 'job',
    bad: '"http.response.status_code"=~"5.."',
    latency: { histogram: 'http.server.request.duration', threshold: '500ms' },
  },
  {
    of: 'gRPC servers',
    metric: 'grpc_server_handled_total',
    service: 'job',
    bad: `grpc_code=~"${grpcFailures}"`,
  },
];
