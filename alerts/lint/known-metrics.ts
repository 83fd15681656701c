/** Metrics of widely used programs by name and type (`known/metrics.txt`), and facts about some of them. */
import { readFileSync } from 'node:fs';
import { asset } from '../../base/paths.js';
import type { MetricCatalogue, MetricType } from './catalogue.js';

/** Families that hold only counters, although their exporter does not declare the type. */
const countingFamilies = /^(ClickHouseErrorMetric|ClickHouseProfileEvents)_/;
export const countsByFamily = (name: string): boolean => countingFamilies.test(name);

/** Adds the metrics. Their types are certain, but the list is incomplete. */
export function addKnownMetrics(catalogue: MetricCatalogue): void {
  let type: MetricType | undefined;
  for (const line of readFileSync(asset('alerts/lint/known/metrics.txt'), 'utf8').split('\n')) {
    const head = /^\[.* (\w+)\]$/.exec(line);
    if (head) type = head[1] as MetricType;
    else
      for (const name of line.split(' '))
        if (name !== '') catalogue.add(name, { type, shared: true });
  }
}

export interface Renamed {
  /** The metric's new name, or an expression that replaces it. */
  now: string;
  since: string;
}

const nodeBytes =
  /^node_(?:memory_(?!HugePages_(?:Free|Rsvd|Surp|Total)$)[A-Z]\w*(?<!_bytes)|filesystem_(?:avail|free|size))$/;

const nodeRenames: Record<string, string> = {
  node_cpu: 'node_cpu_seconds_total',
  node_boot_time: 'node_boot_time_seconds',
  node_time: 'node_time_seconds',
  node_intr: 'node_intr_total',
  node_forks: 'node_forks_total',
  node_context_switches: 'node_context_switches_total',
  node_disk_bytes_read: 'node_disk_read_bytes_total',
  node_disk_bytes_written: 'node_disk_written_bytes_total',
  node_disk_reads_completed: 'node_disk_reads_completed_total',
  node_disk_writes_completed: 'node_disk_writes_completed_total',
  node_disk_io_time_ms: 'node_disk_io_time_seconds_total',
  node_disk_read_time_ms: 'node_disk_read_time_seconds_total',
  node_disk_write_time_ms: 'node_disk_write_time_seconds_total',
  node_network_receive_bytes: 'node_network_receive_bytes_total',
  node_network_transmit_bytes: 'node_network_transmit_bytes_total',
  node_network_receive_errs: 'node_network_receive_errs_total',
  node_network_transmit_errs: 'node_network_transmit_errs_total',
};

const windowsRenames: Record<string, string> = {
  windows_service_status: 'windows_service_state{state="running"}',
  windows_os_physical_memory_free_bytes: 'windows_memory_physical_free_bytes',
  windows_cs_physical_memory_bytes: 'windows_memory_physical_total_bytes',
  windows_os_visible_memory_bytes: 'windows_memory_physical_total_bytes',
  windows_cs_logical_processors: 'windows_cpu_logical_processor',
  windows_cs_hostname: 'windows_os_hostname',
  windows_os_process_memory_limit_bytes: 'windows_memory_process_memory_limit_bytes',
};

const others: Record<string, Renamed> = {
  apiserver_request_count: { now: 'apiserver_request_total', since: 'Kubernetes 1.14' },
  rest_client_request_latency_seconds: {
    now: 'rest_client_request_duration_seconds',
    since: 'Kubernetes 1.14',
  },
  kubelet_running_pod_count: { now: 'kubelet_running_pods', since: 'Kubernetes 1.19' },
  kubelet_running_container_count: { now: 'kubelet_running_containers', since: 'Kubernetes 1.19' },
  ceph_monitor_clock_skew_seconds: {
    now: 'ceph_health_detail{name="MON_CLOCK_SKEW"}',
    since: "Ceph's own module took the exporter's place",
  },
  ceph_monitor_avail_percent: {
    now: 'ceph_health_detail{name="MON_DISK_LOW"}',
    since: "Ceph's own module took the exporter's place",
  },
  pgbouncer_errors_count: {
    now: 'pgbouncer_pools_client_waiting_connections',
    since: 'pgbouncer_exporter counts no errors',
  },
};

const ksmResource = new RegExp(
  '^(kube_pod_container_resource_(?:requests|limits)|kube_node_status_(?:capacity|allocatable))_' +
    '(cpu_cores|memory_bytes|pods)$',
);

/** The metric's new name; undefined where the name is still current. */
export function renamed(name: string): Renamed | undefined {
  if (Object.hasOwn(nodeRenames, name)) {
    return { now: nodeRenames[name] as string, since: 'node_exporter 0.16' };
  }
  if (nodeBytes.test(name)) return { now: `${name}_bytes`, since: 'node_exporter 0.16' };
  if (Object.hasOwn(windowsRenames, name)) {
    return { now: windowsRenames[name] as string, since: 'windows_exporter 0.31' };
  }
  const resource = ksmResource.exec(name);
  if (resource) {
    const kind = (resource[2] as string).split('_')[0];
    return { now: `${resource[1]}{resource="${kind}"}`, since: 'kube-state-metrics 2.0' };
  }
  if (name.startsWith('kube_hpa_')) {
    const now = name.replace('kube_hpa_', 'kube_horizontalpodautoscaler_');
    return { now, since: 'kube-state-metrics 2.0' };
  }
  return Object.hasOwn(others, name) ? others[name] : undefined;
}

/** The new name of a label that a family of metrics had earlier. */
export function renamedLabel(metric: string, label: string): Renamed | undefined {
  if (metric.startsWith('container_') && (label === 'pod_name' || label === 'container_name')) {
    return { now: label.replace('_name', ''), since: 'Kubernetes 1.16' };
  }
  if (metric === 'cilium_operator_ipam_interface_creation_ops' && label === 'status') {
    return { now: '', since: 'Cilium 1.13' };
  }
  return undefined;
}

/** Durations of the phases of one probe, distinguished by the label `phase`. */
export const phased = /^probe_(http|icmp)_duration_seconds$/;

/** Gauges of a state: the meanings of their values from 0 on. */
export const states: Record<string, readonly string[]> = {
  ceph_health_status: ['well', 'a warning', 'an error'],
  opensearch_cluster_status: ['green', 'yellow', 'red'],
};

/** Metrics of Amazon's CloudWatch exporter, whose samples carry CloudWatch's own time, ten minutes ago. */
export const cloudWatch = /^aws_[a-z0-9]+_\w+_(average|sum|minimum|maximum|sample_count)$/;
