/** F2: proxies that run out of memory; M6 and M7: limits of CPU and memory; proxies that have disappeared. */
import { meshMetrics as m } from '../../slo/spec/mesh-metrics.js';
import { type LibraryEntry, proxy } from './entry.js';

/** M7: memory that a proxy may use. */
const memoryMaxBytes = 150e6;
/** The default memory limit of an injected proxy (200Mi), used where Kubernetes does not report the real one. */
const limitBytes = 200 * 1024 * 1024;
const container = 'container="firedrill-proxy"';

export const memoryAlerts: LibraryEntry[] = [
  {
    name: 'MeshProxyOutOfMemory',
    // Kubernetes reports the reason; elsewhere a restart just after memory reached its limit stands for it.
    expr: (t) => {
      const range = t.range('10m');
      return (
        `sum by (namespace, pod) ` +
        `(increase(kube_pod_container_status_restarts_total{${container}}[${range}])) > 0\n` +
        `and on (namespace, pod)\n` +
        `(max by (namespace, pod) ` +
        `(kube_pod_container_status_last_terminated_reason{${container},reason="OOMKilled"}) == 1)\n` +
        `or\n` +
        `sum by (instance) (changes(${m.startTime}{${t.proxy}}[${range}])) > 0\n` +
        `and on (instance)\n` +
        `(max by (instance) (max_over_time(${m.memoryBytes}{${t.proxy}}[${range}])) > ${0.9 * limitBytes})`
      );
    },
    for: '0s',
    keepFiringFor: '10m',
    timing:
      'A kill has happened when it is seen: there is nothing to wait for. Kept for 10m, since ' +
      'it comes back as soon ' +
      'as memory has grown again.',
    about: 'mesh',
    summary:
      'The proxy of {{ $labels.pod }}{{ $labels.instance }} was killed for lack of memory ' +
      '{{ $value | printf "%.0f" }} times',
    description:
      'Requests under way were cut off, and the pod is out of the mesh until the proxy is ' +
      'back. It will happen again ' +
      'while the cause lasts: a leak, large buffered bodies, or too many metrics series.',
    dashboard: 'firedrill-debug',
  },
  {
    name: 'MeshProxyMemoryRunningOut',
    expr: (t) =>
      `predict_linear(${m.memoryBytes}{${t.proxy}}[${t.range('15m')}], ${t.seconds('30m')}) > ${limitBytes}\n` +
      `and ${m.memoryBytes}{${t.proxy}} > ${0.7 * limitBytes}`,
    for: '5m',
    timing:
      'A line through 15m of growth that meets the limit within 30m leaves time to act before ' +
      'the kill; 5m and the ' +
      'floor of 70% leave out the growth of a start.',
    about: 'mesh',
    summary: `The ${proxy} will hold {{ $value | humanize1024 }}B in half an hour, above its limit`,
    description:
      'It grows steadily and is killed when it meets its limit (200 MiB by default). Restart ' +
      'it at a quiet moment, and ' +
      'find out what it keeps: connections, buffered bodies, series.',
    dashboard: 'firedrill-debug',
  },
  {
    name: 'MeshProxyMemoryHigh',
    expr: (t) => `${m.memoryBytes}{${t.proxy}} > ${memoryMaxBytes}`,
    for: '15m',
    timing: 'M7 is a bound on the steady state; 15m leave out what garbage collection takes back.',
    about: 'mesh',
    summary: `The ${proxy} uses {{ $value | humanize1024 }}B of memory`,
    description: 'A proxy should stay below 150 MB (M7). Its limit is not far above.',
    dashboard: 'firedrill-debug',
  },
  {
    name: 'MeshProxyRestarting',
    expr: (t) => `changes(${m.startTime}{${t.proxy}}[${t.range('30m')}]) > 2`,
    for: '0s',
    keepFiringFor: '30m',
    timing:
      'Three restarts within 30m are no rollout, which makes new pods. Kept for 30m so that it ' +
      'does not come and go ' +
      'with the back-off between restarts.',
    about: 'mesh',
    summary: `The ${proxy} has restarted {{ $value | printf "%.0f" }} times within half an hour`,
    description: 'Each restart cuts requests off. Its last log lines say why it ended.',
    dashboard: 'firedrill-debug',
  },
  {
    name: 'MeshProxyDown',
    expr: (t) => `up{${t.proxy}} == 0`,
    for: '5m',
    timing: 'Five minutes are longer than a restart or a drain takes.',
    about: 'mesh',
    summary: `The ${proxy} does not answer scrapes`,
    description: 'It is down, or its admin port cannot be reached from Prometheus (NetworkPolicy).',
    dashboard: 'firedrill-debug',
  },
  {
    name: 'MeshProxyCpuHigh',
    // M6: in Kubernetes a share of the pod's CPU; elsewhere a share of one core, the most that an event loop can use.
    expr: (t) => {
      const range = t.range('10m');
      const cpu = 'container_cpu_usage_seconds_total';
      return (
        `sum by (namespace, pod) (rate(${cpu}{${container}}[${range}]))\n` +
        `/ sum by (namespace, pod) (rate(${cpu}{container!="",pod!=""}[${range}])) > 0.1\n` +
        `and on (namespace, pod)\n` +
        `(sum by (namespace, pod) (rate(${cpu}{${container}}[${range}])) > 0.1)\n` +
        `or\n` +
        `rate(${m.cpuSeconds}{${t.proxy}}[${range}]) > 0.85`
      );
    },
    for: '15m',
    timing:
      'M6 is a bound on the steady state: 15m leave out a rollout, when all certificates are made.',
    about: 'mesh',
    summary:
      'The proxy of {{ $labels.pod }}{{ $labels.instance }} uses {{ $value | humanizePercentage }} of its CPU',
    description:
      'Above a tenth of its pod (M6) the mesh costs too much; above 85% of a core its one ' +
      'event loop is full, and ' +
      'latency grows.',
    dashboard: 'firedrill-debug',
  },
];
