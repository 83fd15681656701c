/**
 * Computes when an incident was noticed, mitigated and over from the record; times that were not recorded are absent.
 */
import { wakes } from '../pager.js';
import type { GameDayRecord, ScenarioRecord } from '../record.js';

export interface IncidentTimes {
  /** The first failure of callers; if none failed, the time when the fault was confirmed. */
  onsetMs: number | undefined;
  felt: boolean;
  /** The first page that reached a receiver. */
  detectedMs: number | undefined;
  detectedBy: string | undefined;
  /** The end of the last fault. */
  mitigatedMs: number | undefined;
  /** The resolution of the scenario's last alert. */
  resolvedMs: number | undefined;
  /** Each duration counts from the onset. */
  ttdMs: number | undefined;
  ttmMs: number | undefined;
  ttrMs: number | undefined;
}

export function timesOf(record: GameDayRecord, s: ScenarioRecord): IncidentTimes {
  const onsetMs = s.onsetMs ?? s.confirmedMs;
  const alerts = record.alerts.filter((a) => a.scenario === s.id);
  const pages = alerts
    .filter((a) => wakes(a.severity) && a.receivedAtMs >= (s.confirmedMs ?? s.startedMs))
    .sort((a, b) => a.receivedAtMs - b.receivedAtMs);
  const first = pages[0];
  const ends = s.faults.map((f) => f.endedMs);
  const mitigatedMs = ends.length === 0 || ends.includes(undefined) ? undefined : latest(ends);
  const stops = alerts.filter((a) => wakes(a.severity)).map((a) => a.resolvedAtMs);
  const resolvedMs = stops.includes(undefined) ? undefined : (latest(stops) ?? mitigatedMs);
  const since = (timeMs: number | undefined): number | undefined =>
    onsetMs === undefined || timeMs === undefined ? undefined : timeMs - onsetMs;
  return {
    onsetMs,
    felt: s.onsetMs !== undefined,
    detectedMs: first?.receivedAtMs,
    detectedBy: first?.name,
    mitigatedMs,
    resolvedMs,
    ttdMs: since(first?.receivedAtMs),
    ttmMs: since(mitigatedMs),
    ttrMs: since(resolvedMs),
  };
}

const latest = (times: readonly (number | undefined)[]): number | undefined =>
  times.reduce<number | undefined>(
    (most, t) => (t === undefined ? most : Math.max(most ?? t, t)),
    undefined,
  );
