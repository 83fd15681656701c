/** The cost of the mesh (S6): CPU, memory and telemetry of the proxies, by service and by request, in money. */
import { formatDurationMs } from '../../base/duration.js';
import { exitCode, UserError } from '../../base/errors.js';
import type { PrometheusClient } from '../budget/prometheus.js';
import { meshMetrics as m } from '../spec/mesh-metrics.js';
import type { Prices } from './prices.js';

export interface Usage {
  /** Name of the scrape job, whose targets are the service's proxies. */
  service: string;
  proxies: number;
  requestsPerSecond: number;
  cores: number;
  memoryGb: number;
  series: number;
  spansPerSecond: number;
}

export interface Cost extends Usage {
  perMonth: number;
  /** Monthly cost of one request a second; undefined without traffic. */
  perQps: number | undefined;
}

const secondsOfMonth = 30 * 86_400;

/** Usage of the proxies over the range that ends at `atMs`, by the label that names the service. */
export async function usageOf(
  prometheus: PrometheusClient,
  atMs: number,
  rangeMs: number,
  by: string,
): Promise<Usage[]> {
  const range = formatDurationMs(rangeMs);
  // Only a process that counts requests is a proxy; applications also expose process metrics.
  const proxy = `and on (job, instance) group by (job, instance) (${m.requests})`;
  const ask = async (expr: string): Promise<Map<string, number>> => {
    const samples = await prometheus.query(expr, atMs);
    return new Map(samples.map((s) => [s.labels[by] ?? '', s.value]));
  };
  const sum = (vector: string): string => `sum by (${by}) (${vector})`;
  const proxies = await ask(`count by (${by}) (${m.memoryBytes} ${proxy})`);
  const requests = await ask(sum(`rate(${m.requests}{direction="inbound"}[${range}])`));
  const cores = await ask(sum(`rate(${m.cpuSeconds}[${range}]) ${proxy}`));
  const memory = await ask(sum(`avg_over_time(${m.memoryBytes}[${range}]) ${proxy}`));
  const series = await ask(sum(`scrape_samples_post_metric_relabeling ${proxy}`));
  const spans = await ask(sum(`rate(${m.telemetrySent}[${range}])`));
  if (proxies.size === 0) {
    throw new UserError(
      `${prometheus.url} holds no metrics of proxies (is ${m.requests} scraped?)`,
      exitCode.inconclusive,
    );
  }
  return [...proxies.keys()].sort().map((service) => ({
    service,
    proxies: proxies.get(service) ?? 0,
    requestsPerSecond: requests.get(service) ?? 0,
    cores: cores.get(service) ?? 0,
    memoryGb: (memory.get(service) ?? 0) / 1e9,
    series: series.get(service) ?? 0,
    spansPerSecond: spans.get(service) ?? 0,
  }));
}

export function costOf(usage: Usage, prices: Prices): Cost {
  const perMonth =
    usage.cores * prices.cpuCoreMonth +
    usage.memoryGb * prices.memoryGbMonth +
    usage.series * prices.seriesMonth +
    ((usage.spansPerSecond * secondsOfMonth) / 1e6) * prices.spansMillion;
  const { requestsPerSecond } = usage;
  return {
    ...usage,
    perMonth,
    perQps: requestsPerSecond > 0 ? perMonth / requestsPerSecond : undefined,
  };
}

export interface Saving {
  what: string;
  perMonth: number;
  /** Share of the total cost, 0 to 1. */
  share: number;
}

/**
 * Estimates savings from the measured usage: sampling scales the spans, one proxy for each node shares the memory that
 * each sidecar needs for itself, and fewer labels scale the series. CPU depends on the requests either way.
 */
export function savingsOf(
  costs: readonly Cost[],
  prices: Prices,
  change: { sampling?: number; perNode?: number; series?: number },
): Saving[] {
  const total = costs.reduce((sum, c) => sum + c.perMonth, 0);
  const savings: Saving[] = [];
  const add = (what: string, perMonth: number): void => {
    savings.push({ what, perMonth, share: total > 0 ? perMonth / total : 0 });
  };
  const all = (pick: (c: Cost) => number): number => costs.reduce((sum, c) => sum + pick(c), 0);
  if (change.sampling !== undefined) {
    const spans = ((all((c) => c.spansPerSecond) * secondsOfMonth) / 1e6) * prices.spansMillion;
    add(`${change.sampling * 100}% of the spans that are sent now`, spans * (1 - change.sampling));
  }
  if (change.perNode !== undefined) {
    const proxies = all((c) => c.proxies);
    const memory = all((c) => c.memoryGb) * prices.memoryGbMonth;
    const kept = proxies > 0 ? Math.min(1, change.perNode / proxies) : 1;
    add(
      `${change.perNode} proxies, one a node, instead of ${proxies} sidecars`,
      memory * (1 - kept),
    );
  }
  if (change.series !== undefined) {
    const series = all((c) => c.series) * prices.seriesMonth;
    add(`${change.series * 100}% of the series that are kept now`, series * (1 - change.series));
  }
  return savings;
}

/** Compares two measurements of one system, such as before and after a change; per request, since traffic differs. */
export function compareCosts(before: readonly Cost[], after: readonly Cost[]): string[] {
  return after.flatMap((now) => {
    const was = before.find((c) => c.service === now.service);
    if (!was || was.perQps === undefined || now.perQps === undefined) return [];
    const change = (now.perQps / was.perQps - 1) * 100;
    return [`${now.service}: ${change > 0 ? '+' : ''}${change.toFixed(1)}% a request`];
  });
}
