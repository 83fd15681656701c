/** The metrics of a running Prometheus: names, types and labels, and the scrape interval. */
import { exitCode, UserError, whyUnanswered } from '../../base/errors.js';
import { parseDurationMs } from '../../base/duration.js';
import { defaultStepMs, sloNames } from '../../slo/index.js';
import type { MetricCatalogue, MetricType } from './catalogue.js';

const timeoutMs = 10_000;

export interface LiveFacts {
  scrapeIntervalMs: number | undefined;
  /** Mean events an hour over the last day by the SLO's id, for SLOs whose rules run there. */
  eventsPerHour: ReadonlyMap<string, number>;
}

interface Vector {
  result: { metric: Record<string, string>; value: [number, string] }[];
}

/** Events an hour, from the recorded steps. */
const trafficQuery =
  `sum by (${sloNames.sloLabel}) (avg_over_time(${sloNames.totalIncrease(defaultStepMs)}[1d]))` +
  ` * ${3_600_000 / defaultStepMs}`;

const trafficIn = ({ result }: Vector): Map<string, number> =>
  new Map(result.map(({ metric, value }) => [metric[sloNames.sloLabel] ?? '', Number(value[1])]));

/** Adds the metrics of a Prometheus; labels are queried only for `wanted`, the metrics that the rules read. */
export async function addLiveMetrics(
  catalogue: MetricCatalogue,
  url: string,
  wanted: readonly string[],
): Promise<LiveFacts> {
  const ask = async <T>(path: string): Promise<T> => {
    let response: Response;
    try {
      response = await fetch(new URL(path, url.endsWith('/') ? url : `${url}/`), {
        signal: AbortSignal.timeout(timeoutMs),
      });
    } catch (error) {
      throw new UserError(`${url} does not answer: ${whyUnanswered(error)}`, exitCode.environment);
    }
    const body = (await response.json().catch(() => ({}))) as { data?: T; error?: string };
    if (response.ok && body.data !== undefined) return body.data;
    throw new UserError(
      `${url}/${path}: ${body.error ?? `HTTP ${response.status}`}`,
      exitCode.environment,
    );
  };
  const names = await ask<string[]>('api/v1/label/__name__/values');
  const metadata = await ask<Record<string, { type: string }[]>>('api/v1/metadata');
  for (const [name, [first]] of Object.entries(metadata)) {
    const type = first?.type;
    if (type && /^(counter|gauge|histogram|summary|info)$/.test(type)) {
      catalogue.add(name, { type: type as MetricType });
    }
  }
  for (const name of names) catalogue.add(name);
  const known = new Set(names);
  for (const name of wanted) {
    if (!known.has(name)) continue;
    const match = encodeURIComponent(`{__name__=${JSON.stringify(name)}}`);
    const labels = await ask<string[]>(`api/v1/labels?match[]=${match}`);
    catalogue.add(name, { labels: new Set(labels) });
  }
  catalogue.complete = true;
  const config = await ask<{ yaml: string }>('api/v1/status/config').catch(() => undefined);
  const interval = /^\s*scrape_interval:\s*(\S+)/m.exec(config?.yaml ?? '');
  return {
    scrapeIntervalMs: interval ? parseDurationMs(interval[1] as string) : undefined,
    eventsPerHour: await ask<Vector>(`api/v1/query?query=${encodeURIComponent(trafficQuery)}`).then(
      trafficIn,
    ),
  };
}
