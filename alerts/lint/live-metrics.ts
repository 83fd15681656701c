/** The metrics of a running Prometheus: names, types and labels, and the scrape interval. */
import { realClock } from '../../base/clock.js';
import { parseDurationMs } from '../../base/duration.js';
import { PrometheusClient } from '../../slo/budget/prometheus.js';
import { defaultStepMs, sloNames } from '../../slo/index.js';
import type { MetricCatalogue, MetricType } from './catalogue.js';

export interface LiveFacts {
  scrapeIntervalMs: number | undefined;
  /** Mean events an hour over the last day by the SLO's id, for SLOs whose rules run there. */
  eventsPerHour: ReadonlyMap<string, number>;
}

/** Events an hour, from the recorded steps. */
const trafficQuery =
  `sum by (${sloNames.sloLabel}) (avg_over_time(${sloNames.totalIncrease(defaultStepMs)}[1d]))` +
  ` * ${3_600_000 / defaultStepMs}`;

/** Adds the metrics of a Prometheus; labels are queried only for `wanted`, the metrics that the rules read. */
export async function addLiveMetrics(
  catalogue: MetricCatalogue,
  url: string,
  wanted: readonly string[],
): Promise<LiveFacts> {
  const client = new PrometheusClient(url);
  const names = await client.metricNames();
  for (const [name, type] of await client.metricTypes()) {
    if (/^(counter|gauge|histogram|summary|info)$/.test(type)) {
      catalogue.add(name, { type: type as MetricType });
    }
  }
  for (const name of names) catalogue.add(name);
  const known = new Set(names);
  for (const name of wanted) {
    if (!known.has(name)) continue;
    const labels = await client.labelNames(`{__name__=${JSON.stringify(name)}}`);
    catalogue.add(name, { labels: new Set(labels) });
  }
  catalogue.complete = true;
  const interval = /^\s*scrape_interval:\s*(\S+)/m.exec((await client.configuration()) ?? '');
  const traffic = await client.query(trafficQuery, realClock.nowMs());
  return {
    scrapeIntervalMs: interval ? parseDurationMs(interval[1] as string) : undefined,
    eventsPerHour: new Map(traffic.map((s) => [s.labels[sloNames.sloLabel] ?? '', s.value])),
  };
}
