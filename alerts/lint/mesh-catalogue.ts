/** The mesh's own metrics: the proxy's from its table of metrics, the controller's and injector's from this file. */
import { metricSpecs } from '../../mesh/proxy/telemetry/names.js';
import type { MetricCatalogue, MetricType } from './catalogue.js';

/** The controller's metrics and their labels; a test compares the list with the registered metrics. */
export const controllerMetricLabels: Readonly<Record<string, readonly string[]>> = {
  firedrill_controller_propagation_seconds: [],
  firedrill_controller_acknowledgement_seconds: [],
  firedrill_identity_issuer_cert_ttl_seconds: [],
  firedrill_identity_issuer_cert_expiration_timestamp_seconds: [],
  firedrill_identity_trust_anchor_expiration_timestamp_seconds: ['anchor'],
  firedrill_identity_certificates_issued_total: ['reason'],
  firedrill_identity_certificates_refused_total: ['reason'],
  firedrill_identity_events_lost_total: [],
  firedrill_controller_connected_proxies: [],
  firedrill_controller_newer_proxies: [],
  firedrill_controller_owed_proxies: [],
  firedrill_controller_config_version: [],
  firedrill_controller_propagation_oldest_seconds: [],
  firedrill_controller_acks_total: [],
  firedrill_controller_nacks_total: [],
  firedrill_controller_resources: ['kind'],
  firedrill_controller_proxy_clock_skew_seconds: [],
  firedrill_registry_errors_total: ['source'],
  firedrill_registry_problems: ['source'],
  firedrill_controller_leader: [],
  firedrill_controller_fault_effects_total: ['kind'],
};

const injectorMetrics: Readonly<Record<string, readonly string[]>> = {
  firedrill_webhook_cert_expiration_timestamp_seconds: [],
};

const histograms = new Set([
  'firedrill_controller_propagation_seconds',
  'firedrill_controller_acknowledgement_seconds',
]);

/** Names that other proxies, meshes and client libraries use as well. */
const commonNames =
  /^(process_|nodejs_|request_|response_|route_|tcp_|http_|identity_cert_|(in|out)bound_http_(errors|route)_)/;

/** The kubelet's, which the library reads beside the mesh's own; its labels depend on the container runtime. */
const kubeletCounter = 'container_cpu_usage_seconds_total';

/**
 * Adds all of the mesh's metrics and returns their number. Unless `certain` (the user says that the mesh exists), the
 * labels of a common name prove nothing, and no other name is reported as a typing error of it.
 */
export function addMeshMetrics(catalogue: MetricCatalogue, certain = true): number {
  for (const [name, { type, labels }] of Object.entries(metricSpecs)) {
    const shared = !certain && commonNames.test(name);
    catalogue.add(name, shared ? { shared } : { type, labels: new Set(labels) });
  }
  const others = Object.entries({ ...controllerMetricLabels, ...injectorMetrics });
  for (const [name, labels] of others) {
    const counted: MetricType = name.endsWith('_total') ? 'counter' : 'gauge';
    const type = histograms.has(name) ? 'histogram' : counted;
    catalogue.add(name, { type, labels: new Set(labels) });
  }
  if (certain) catalogue.add(kubeletCounter, { type: 'counter' });
  return Object.keys(metricSpecs).length + others.length;
}
