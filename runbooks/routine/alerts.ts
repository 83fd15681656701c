/** Firings from samples of ALERTS: adjacent samples are one firing, and a gap ends it. */
import type { SampleSeries } from '../../slo/budget/prometheus.js';
import type { AlertHistory } from './model.js';

/** Series of one alert that differ in other labels are combined; overlapping firings become one. */
export function historyOf(series: readonly SampleSeries[], stepMs: number): AlertHistory[] {
  const byAlert = new Map<string, AlertHistory>();
  for (const { labels, points } of series) {
    const name = labels.alertname ?? 'unnamed';
    const severity = labels.severity ?? 'none';
    const service = labels.service ?? '';
    const key = JSON.stringify([name, severity, service]);
    const history = byAlert.get(key) ?? { name, severity, service, firings: [] };
    byAlert.set(key, history);
    history.firings.push(...firingsOf(points, stepMs));
  }
  for (const history of byAlert.values()) history.firings = merged(history.firings);
  return [...byAlert.values()];
}

type Firing = AlertHistory['firings'][number];

function firingsOf(points: readonly [number, number][], stepMs: number): Firing[] {
  const firings: Firing[] = [];
  for (const [timeMs, value] of points) {
    if (!(value > 0)) continue;
    const last = firings.at(-1);
    // A sample shows that the alert fired at that time; the precision is half a step on either side.
    if (last && timeMs - last.endMs <= stepMs * 1.01) last.endMs = timeMs;
    else firings.push({ startMs: timeMs, endMs: timeMs });
  }
  return firings.map(({ startMs, endMs }) => ({ startMs, endMs: endMs + stepMs }));
}

function merged(firings: readonly Firing[]): Firing[] {
  const result: Firing[] = [];
  for (const firing of firings.toSorted((a, b) => a.startMs - b.startMs)) {
    const last = result.at(-1);
    if (last && firing.startMs <= last.endMs) last.endMs = Math.max(last.endMs, firing.endMs);
    else result.push({ ...firing });
  }
  return result;
}
