/** Lines for the report's plots: the client's measurements in buckets, and the proxies' measurements. */
import type { Watch } from '../../alerts/watch/index.js';
import { formatDurationMs } from '../../base/duration.js';
import type { SeriesRecord } from '../../runbooks/record.js';
import { budgetRatio, planOf, type Slo, sloNames } from '../../slo/index.js';
import { type LoadPoint, type LoadPoints, quantile } from '../load/points.js';
import type { Timing } from '../runner/context.js';

type Points = SeriesRecord['points'];

const bucketMs = 500;

export function clientSeries(points: LoadPoints, startMs: number, endMs: number): SeriesRecord[] {
  const count = Math.max(1, Math.ceil((endMs - startMs) / bucketMs));
  const names = [...new Set(points.all().map((p) => p.route))].sort();
  const lines = (name: string, own: readonly LoadPoint[]): SeriesRecord[] => {
    const buckets: LoadPoint[][] = Array.from({ length: count }, () => []);
    for (const point of own) {
      // Counted at the time of the answer, because a fault also affects requests that were in flight when it began.
      const at = Math.floor((point.atMs + point.ms - startMs) / bucketMs);
      if (at >= 0 && at < count) (buckets[at] as LoadPoint[]).push(point);
    }
    const line = (
      panel: SeriesRecord['panel'],
      unit: SeriesRecord['unit'],
      value: (bucket: readonly LoadPoint[]) => number | null,
    ): SeriesRecord => ({
      panel,
      name,
      unit,
      source: 'client',
      // The value of a bucket is known at the bucket's end.
      points: buckets.map((bucket, i) => [startMs + (i + 1) * bucketMs, value(bucket)]) as Points,
    });
    return [
      line('success', 'ratio', (b) =>
        b.length === 0 ? null : b.filter((p) => p.ok).length / b.length,
      ),
      line('latency', 'ms', (b) => (b.length === 0 ? null : quantile(b, 0.95))),
      line('load', 'per second', (b) => (b.length * 1000) / bucketMs),
    ];
  };
  return names.flatMap((name) =>
    lines(
      name,
      points.all().filter((p) => p.route === name),
    ),
  );
}

export async function proxySeries(
  watch: Watch,
  slos: readonly Slo[],
  timing: Timing,
  startMs: number,
  endMs: number,
): Promise<SeriesRecord[]> {
  const rangeMs = Math.max(4 * timing.scrapeIntervalMs, 1000);
  const range = formatDurationMs(rangeMs);
  const ask = async (
    panel: SeriesRecord['panel'],
    unit: SeriesRecord['unit'],
    expr: string,
    nameOf: (labels: Record<string, string>) => string,
  ): Promise<SeriesRecord[]> => {
    const answers = await watch.queryRange(expr, startMs, endMs, bucketMs).catch(() => []);
    return answers.map((series) => ({
      panel,
      name: nameOf(series.labels),
      unit,
      source: 'proxies' as const,
      points: series.points.map(([atMs, value]) => [
        atMs,
        Number.isFinite(value) ? value : null,
      ]) as Points,
    }));
  };
  const burns = slos.map((slo) => {
    const ratio = `${sloNames.errorRatio(3_600_000)}{${sloNames.sloLabel}="${slo.id}"}`;
    const burn = `${ratio} / ${budgetRatio(slo.objective)}`;
    return ask('burn', 'x', burn, () => slo.id).then((lines) =>
      lines.map((line) => ({ ...line, thresholds: thresholdsOf(slo) })),
    );
  });
  const retries = ask(
    'retries',
    'per second',
    `sum by (dst) (rate(outbound_http_route_retry_requests_total[${range}]))`,
    (labels) => labels.dst ?? 'all',
  );
  const certificates = ask(
    'certificates',
    's',
    'min by (instance, workload) (identity_cert_expiration_timestamp_seconds) - time()',
    (labels) => labels.workload ?? labels.instance ?? 'proxy',
  );
  return (await Promise.all([retries, certificates, ...burns])).flat();
}

/** The burn rates at which the SLO's alerts fire: `page over 1h`. */
function thresholdsOf(slo: Slo): NonNullable<SeriesRecord['thresholds']> {
  const burns = new Map<number, string>();
  for (const { factor, severity, longMs } of planOf(slo).windows) {
    const text = `${severity} over ${formatDurationMs(longMs)}`;
    const before = burns.get(factor);
    burns.set(factor, before === undefined ? text : `${before}, ${text}`);
  }
  return [...burns].map(([at, text]) => ({ at, text }));
}
