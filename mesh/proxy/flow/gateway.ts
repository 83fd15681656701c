/** Both sides of the flow and the parts that they share, made from a proxy's configuration. */
import type { Clock } from '../../../base/clock.js';
import type { Random } from '../../../base/random.js';
import { parseIdentity } from '../../identity/names.js';
import type { MeshState, ProxyConfig } from '../../model.js';
import { AccessLog, lineWriter } from '../telemetry/access-log.js';
import { labelsOf } from '../telemetry/labels.js';
import { processMetrics } from '../telemetry/process-metrics.js';
import { ProxyMetrics } from '../telemetry/proxy-metrics.js';
import type { Collector } from '../telemetry/sink.js';
import { otlpPost, SpanExporter } from '../telemetry/span-exporter.js';
import { Tap } from '../telemetry/tap.js';
import { Tracer } from '../telemetry/tracer.js';
import { collectBackends, type EndpointReport, reportEndpoints } from './endpoint-report.js';
import { FaultTable } from './fault/fault-table.js';
import { InboundFlow } from './inbound.js';
import { liveMemory } from './limit/live-memory.js';
import { MemoryGuard } from './limit/memory-guard.js';
import { OutboundFlow } from './outbound.js';
import { type FlowParts, ownDestination } from './parts.js';
import { RequestLabel } from './request-label.js';
import { collectServers } from './policy-collector.js';
import { WhyRing } from './why.js';

export type { EndpointReport } from './endpoint-report.js';

export interface Gateway {
  readonly outbound: OutboundFlow;
  readonly inbound: InboundFlow;
  readonly metrics: ProxyMetrics;
  /** The tables behind the admin port's /faults, /tap and /why. */
  readonly faults: FaultTable;
  readonly tap: Tap;
  readonly why: WhyRing;
  /** The fronts set its onPressure. */
  readonly memory: MemoryGuard;
  endpoints(): EndpointReport[];
  /** Applies to both sides or to none: throws when the state cannot be served, and the old state stays in use. */
  apply(state: MeshState): void;
  /** Flushes queued spans and access log lines, and stops the timers. */
  close(): Promise<void>;
}

export function createGateway(parts: {
  config: ProxyConfig;
  clock: Clock;
  random: Random;
  version: string;
  log(line: string): void;
}): Gateway {
  const { config, clock, random } = parts;
  const { workload } = config;
  const metrics = new ProxyMetrics(clock);
  const exporter = spanExporter(config, parts);
  const writer =
    config.accessLog === undefined || config.accessLog === 'off'
      ? undefined
      : lineWriter(config.accessLog);
  const shared: FlowParts = {
    clock,
    random,
    trustDomain: parseIdentity(config.identity?.name ?? '')?.trustDomain ?? '',
    workload,
    metrics,
    label: labelOf(config, clock, metrics),
    faults: new FaultTable(clock, random),
    tracer: new Tracer({
      sampleRatio: config.tracing?.sampleRatio ?? 0,
      random,
      sink: exporter,
    }),
    tap: new Tap({ clock, random }),
    accessLog: new AccessLog({ clock, write: writer?.write }),
    why: new WhyRing(clock),
    memory: new MemoryGuard({
      clock,
      limitBytes: config.limits?.maxMemoryBytes,
      usedBytes: liveMemory(),
      collect: (globalThis as { gc?: () => void }).gc,
    }),
    audit: parts.log,
  };
  const outbound = new OutboundFlow(shared);
  const inbound = new InboundFlow(shared);
  const dst = ownDestination(workload);
  const startSeconds = (clock.nowMs() - clock.monotonicMs()) / 1000;
  metrics.collect((sink) => collectBackends(outbound, clock, sink));
  metrics.collect((sink) => collectServers(inbound, dst, sink));
  metrics.collect(telemetryCollector(shared, exporter));
  metrics.collect(processMetrics({ version: parts.version, workload, startSeconds }));
  metrics.controllerConfigured = config.controller !== undefined;
  return {
    outbound,
    inbound,
    metrics,
    faults: shared.faults,
    tap: shared.tap,
    why: shared.why,
    memory: shared.memory,
    endpoints: () => reportEndpoints(outbound, clock),
    apply(state) {
      try {
        const commits = [outbound.prepare(state), inbound.prepare(state)];
        for (const commit of commits) commit();
      } catch (error) {
        metrics.configRefusals++;
        throw error;
      }
      metrics.configUpdates++;
      metrics.configVersion = state.version;
      metrics.configAppliedSeconds = clock.nowMs() / 1000;
    },
    async close() {
      shared.tap.close();
      shared.faults.clear();
      shared.memory.close();
      await Promise.all([shared.accessLog.close(), exporter?.close()]);
      writer?.close();
    },
  };
}

function labelOf(
  { requestLabel }: ProxyConfig,
  clock: Clock,
  metrics: ProxyMetrics,
): RequestLabel | undefined {
  if (!requestLabel) return undefined;
  const label = new RequestLabel(requestLabel, clock, () => metrics.overflowed(requestLabel.name));
  metrics.label = label;
  return label;
}

function spanExporter(
  { tracing, workload }: ProxyConfig,
  parts: { clock: Clock; version: string },
): SpanExporter | undefined {
  if (!tracing) return undefined;
  return new SpanExporter({
    clock: parts.clock,
    resource: {
      'service.name': tracing.service ?? workload.name,
      'service.namespace': workload.namespace,
      'telemetry.sdk.name': 'firedrill',
      'telemetry.sdk.version': parts.version,
    },
    post: otlpPost(tracing.otlpUrl),
  });
}

function telemetryCollector(
  { faults, tap, accessLog }: FlowParts,
  exporter: SpanExporter | undefined,
): Collector {
  const spans = labelsOf({ kind: 'spans' });
  const lines = labelsOf({ kind: 'access-log' });
  return (sink) => {
    if (exporter) {
      sink.value('telemetry_sent_total', spans, exporter.offered);
      const dropped = (reason: string, count: number): void =>
        sink.value('telemetry_dropped_total', spans.with('reason', reason), count);
      dropped('queue-full', exporter.droppedFull);
      dropped('export-failed', exporter.droppedFailed);
      sink.value('telemetry_queue_length', spans, exporter.queued);
    }
    if (accessLog.enabled) {
      sink.value('telemetry_sent_total', lines, accessLog.written);
      const full = lines.with('reason', 'queue-full');
      sink.value('telemetry_dropped_total', full, accessLog.dropped);
      const failed = lines.with('reason', 'export-failed');
      sink.value('telemetry_dropped_total', failed, accessLog.failed);
      sink.value('telemetry_queue_length', lines, accessLog.pendingBytes);
    }
    sink.value('tap_sessions', labelsOf({}), tap.sessions);
    sink.value('tap_skipped_total', labelsOf({}), tap.skippedTotal);
    for (const direction of ['inbound', 'outbound'] as const) {
      const labels = labelsOf({ direction });
      sink.value('fault_leases', labels, faults[direction]);
      sink.value('fault_effects_total', labels, faults[`${direction}Effects`]);
    }
  };
}
