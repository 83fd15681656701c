/** The resource use of the process under prom-client's names, read only when asked. */
import { readdirSync, readFileSync } from 'node:fs';
import { LabelSet, noLabels } from './labels.js';
import type { Collector } from './sink.js';

export function processMetrics(info: {
  version: string;
  workload: { name: string; namespace: string };
  startSeconds: number;
}): Collector {
  const build = new LabelSet([
    ['version', info.version],
    ['workload', info.workload.name],
    ['namespace', info.workload.namespace],
  ]);
  const node = new LabelSet([['version', process.version]]);
  const maxDescriptors = fileLimit();
  let before = performance.eventLoopUtilization();
  return (sink) => {
    const { user, system } = process.cpuUsage();
    sink.value('process_cpu_user_seconds_total', noLabels, user / 1e6);
    sink.value('process_cpu_system_seconds_total', noLabels, system / 1e6);
    sink.value('process_cpu_seconds_total', noLabels, (user + system) / 1e6);
    sink.value('process_start_time_seconds', noLabels, info.startSeconds);
    const memory = process.memoryUsage();
    sink.value('process_resident_memory_bytes', noLabels, memory.rss);
    const own = privateBytes();
    if (own !== undefined) sink.value('process_private_memory_bytes', noLabels, own);
    sink.value('nodejs_heap_size_total_bytes', noLabels, memory.heapTotal);
    sink.value('nodejs_heap_size_used_bytes', noLabels, memory.heapUsed);
    sink.value('nodejs_external_memory_bytes', noLabels, memory.external);
    const now = performance.eventLoopUtilization();
    sink.value(
      'nodejs_eventloop_utilization',
      noLabels,
      performance.eventLoopUtilization(now, before).utilization,
    );
    before = now;
    const descriptors = openDescriptors();
    if (descriptors !== undefined) sink.value('process_open_fds', noLabels, descriptors);
    if (maxDescriptors !== undefined) sink.value('process_max_fds', noLabels, maxDescriptors);
    sink.value('nodejs_version_info', node, 1);
    sink.value('proxy_build_info', build, 1);
  };
}

function openDescriptors(): number | undefined {
  try {
    return readdirSync('/proc/self/fd').length - 1;
  } catch {
    return undefined;
  }
}

/** The process's limit of open file descriptors; undefined where the system does not report it. */
export function fileLimit(): number | undefined {
  try {
    const text = readFileSync('/proc/self/limits', 'utf8');
    const [, limit] = /^Max open files +(\d+)/m.exec(text) ?? [];
    return limit === undefined ? undefined : Number(limit);
  } catch {
    return undefined;
  }
}

/** Memory of the process alone, in bytes; undefined when the system does not report it. */
export function privateBytes(): number | undefined {
  try {
    const kilobytes = /^RssAnon:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1];
    return kilobytes === undefined ? undefined : Number(kilobytes) * 1024;
  } catch {
    return undefined;
  }
}
