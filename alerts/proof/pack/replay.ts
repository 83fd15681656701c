/** Evaluates the rules again over the recorded series, and compares the order in which alerts fire. */
import type { ReadGroup } from '../../rules/read.js';
import { GroupState } from '../../rules/group.js';
import { type UnitSeries, UnitWorld } from '../unit/world.js';
import { type Fired, inOrder, keyOf } from './recorded.js';

export interface Replay {
  fired: Fired[];
  /** The firing alerts with their annotations, at each evaluation at which they changed. */
  changes: { atMs: number; alerts: FiringAlert[] }[];
}

export interface FiringAlert {
  labels: Record<string, string>;
  annotations: Record<string, string>;
}

/** Times are relative to the series' first point. */
export function replay(
  groups: readonly ReadGroup[],
  series: readonly UnitSeries[],
  stepMs: number,
): Replay {
  const world = new UnitWorld(
    { startMs: 0, intervalMs: stepMs, externalLabels: {}, externalUrl: '', series },
    { evaluationIntervalMs: stepMs, closedRanges: false },
  );
  const states = groups.map((group) => new GroupState(group, world));
  const open = new Map<string, Fired>();
  const fired: Fired[] = [];
  const changes: Replay['changes'] = [];
  const steps = Math.max(0, ...series.map((s) => s.points.length));
  let before = '';
  for (let i = 0; i < steps; i++) {
    const atMs = i * stepMs;
    world.loadUntil(atMs);
    for (const state of states) state.evaluate(atMs);
    const alerts = states
      .flatMap((s) => s.alerting)
      .flatMap((rule) => rule.active().filter((a) => a.state === 'firing'))
      .map((a) => ({ labels: a.labels.toObject(), annotations: a.annotations }));
    const keys = new Map(alerts.map((a) => [keyOf(a.labels), a]));
    for (const [key, one] of open) {
      if (keys.has(key)) continue;
      one.endedMs = atMs;
      open.delete(key);
    }
    for (const [key, alert] of keys) {
      if (open.has(key)) continue;
      const one: Fired = { labels: alert.labels, firedMs: atMs };
      open.set(key, one);
      fired.push(one);
    }
    const now = [...keys.keys()].sort().join('\n');
    if (now !== before) changes.push({ atMs, alerts });
    before = now;
  }
  return { fired: inOrder(fired), changes };
}

export interface Matched {
  labels: Record<string, string>;
  measuredMs?: number;
  replayedMs?: number;
}

/**
 * The first firing of each alert on both sides, and whether both sides have the same order; alerts of the same
 * evaluation have no order among themselves.
 */
export function matched(
  measured: readonly Fired[],
  replayed: readonly Fired[],
  toleranceMs: number,
): { alerts: Matched[]; same: boolean } {
  const all = new Map<string, Matched>();
  for (const [side, list] of [
    ['measuredMs', measured],
    ['replayedMs', replayed],
  ] as const) {
    for (const { labels, firedMs } of list) {
      const one = all.get(keyOf(labels)) ?? { labels };
      one[side] ??= firedMs;
      all.set(keyOf(labels), one);
    }
  }
  const alerts = [...all.values()];
  const both = alerts.every((a) => a.measuredMs !== undefined && a.replayedMs !== undefined);
  const swapped = alerts.some((a) =>
    alerts.some(
      (b) =>
        (b.measuredMs ?? 0) - (a.measuredMs ?? 0) > toleranceMs &&
        (b.replayedMs ?? 0) < (a.replayedMs ?? 0),
    ),
  );
  return { alerts, same: both && !swapped };
}
