/** What servers, proxies and meshes count of their requests: where `init` finds services, and what is bad in each. */

export interface KnownCounter {
  /** Whose metric it is. */
  of: string;
  metric: string;
  /** The label that names the service. */
  service: string;
  /** Of all events, beside the service's. */
  total?: string;
  /** Of the bad ones, beside these. */
  bad: string;
  /** The classic histogram of the same requests, in seconds or milliseconds by its name. */
  latency?: { histogram: string; threshold: string };
}

const grpcFailures = 'Unknown|DeadlineExceeded|Unimplemented|Internal|Unavailable|DataLoss';

/** The more telling first: a service that two of them see is taken from the first. */
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
