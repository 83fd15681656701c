/** The step series of SLOs over the time before their rules ran, as OpenMetrics for `promtool tsdb`. */
import type { PrometheusClient } from '../budget/prometheus.js';
import type { Slo } from '../spec/model.js';
import { coarseStepMs, planOf } from './plan.js';
import { stepExprsOf } from './step-exprs.js';

/** Steps that one query may have. */
const stepsMax = 5000;

/** Lines by SLO, side and series. Coarse steps are the sums of the base steps up to them. */
export async function* backfillLines(
  slos: readonly Slo[],
  prometheus: Pick<PrometheusClient, 'range'>,
  fromMs: number,
  toMs: number,
): AsyncGenerator<string> {
  const all = new Map(slos.map((slo) => [slo.id, slo]));
  for (const slo of slos.filter(({ sli }) => sli.kind !== 'slices')) {
    const plan = planOf(slo);
    const exprs = stepExprsOf(slo, all, {});
    for (const side of ['total', 'bad'] as const) {
      /** The sum since the last coarse step, by series. */
      const open = new Map<string, number>();
      const stepMs = plan.stepMs;
      // Both kinds of steps end at multiples of their length.
      let at = Math.ceil(fromMs / coarseStepMs) * coarseStepMs + stepMs;
      for (; at <= toMs; at += stepsMax * stepMs) {
        const end = Math.min(toMs, at + (stepsMax - 1) * stepMs);
        const found = await prometheus.range(exprs[side], at, end, stepMs);
        for (const { labels, points } of found) {
          const text = Object.entries({ ...labels, ...plan.labels })
            .map(([name, value]) => `${name}=${JSON.stringify(value)}`)
            .join(',');
          for (const [timeMs, value] of points) {
            if (Number.isNaN(value)) continue;
            const line = (name: string, v: number): string =>
              `${name}{${text}} ${v} ${timeMs / 1000}\n`;
            const sum = (open.get(text) ?? 0) + value;
            yield line(plan.fine[side], value);
            open.set(text, timeMs % coarseStepMs === 0 ? 0 : sum);
            if (timeMs % coarseStepMs === 0) yield line(plan.coarse[side], sum);
          }
        }
      }
    }
  }
  yield '# EOF\n';
}
