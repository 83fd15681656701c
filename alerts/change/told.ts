/** The notifications that a configuration's routes would have sent for months of firings. */
import { SimulatedClock } from '../../base/clock.js';
import type { AmConfig } from '../routing/config.js';
import type { RuleFiring } from '../proof/backtest/rules.js';
import type { Span } from '../proof/backtest/measure.js';
import { type AlertUpdate, Notifier, oneRoute, type Routes } from '../watch/notifier.js';
import { CompiledRoutes } from './routes.js';

export interface Telling {
  atMs: number;
  receiver: string;
  /** The path from the root to the route that sent the notification. */
  route: string;
  /** The firings that the notification contains. */
  firings: RuleFiring[];
}

/** Without a configuration, one receiver gets everything, grouped as Alertmanager does by default. */
const nobodysRoute: Routes = oneRoute({
  by: ['alertname'],
  waitMs: 30_000,
  intervalMs: 300_000,
  repeatMs: 4 * 3_600_000,
});

/** Every notification that contains a firing alert, in order; notifications of resolved alerts alone do not count. */
export function tellings(
  firings: readonly RuleFiring[],
  config: AmConfig | undefined,
  span: Span,
): Telling[] {
  const clock = new SimulatedClock(span.startMs);
  const routes = config ? new CompiledRoutes(config, clock) : nobodysRoute;
  const told: Telling[] = [];
  const byKey = new Map<string, RuleFiring>();
  const notifier = new Notifier(clock, routes, (payload) => {
    const now = payload.alerts.filter((a) => a.status === 'firing');
    if (now.length === 0) return;
    told.push({
      atMs: clock.nowMs(),
      receiver: payload.receiver,
      route: payload.groupKey.replace(/:\{[^]*$/, ''),
      firings: now.flatMap((a) => byKey.get(keyOf(a.labels)) ?? []),
    });
  });
  for (const { atMs, updates } of momentsOf(firings, span)) {
    clock.advance(Math.max(0, atMs - clock.nowMs()));
    for (const { firing, update } of updates) byKey.set(update.key, firing);
    notifier.update(updates.map((u) => u.update));
  }
  clock.advance(Math.max(0, span.endMs - clock.nowMs()));
  notifier.stop();
  return told;
}

const keyOf = (labels: Readonly<Record<string, string>>): string =>
  JSON.stringify(Object.entries(labels).sort());

interface Moment {
  atMs: number;
  updates: { firing: RuleFiring; update: AlertUpdate }[];
}

/** Prometheus sends a firing alert again after a minute or more, and a resolved alert for a quarter of an hour. */
const resendDelayMs = 60_000;
const resolvedRetentionMs = 15 * 60_000;

/**
 * The firings' starts and ends, by time. An end is repeated as often as Prometheus sends it, because each repetition
 * is part of the group's next notification and may cause it. A firing that is sent again changes nothing.
 */
function momentsOf(firings: readonly RuleFiring[], span: Span): Moment[] {
  const moments = new Map<number, Moment['updates']>();
  const add = (atMs: number, firing: RuleFiring, update: AlertUpdate): void => {
    const known = moments.get(atMs) ?? [];
    known.push({ firing, update });
    moments.set(atMs, known);
  };
  const againMs = (Math.floor(resendDelayMs / span.stepMs) + 1) * span.stepMs;
  for (const [key, own] of byLabels(firings)) {
    for (const [i, firing] of own.entries()) {
      const labels = { ...firing.labels, alertname: firing.alert };
      const update = { key, labels, annotations: {}, startsAtMs: firing.firedMs };
      add(firing.firedMs, firing, update);
      if (firing.resolvedMs === undefined) continue;
      const over = { ...update, endsAtMs: firing.resolvedMs };
      const untilMs = Math.min(
        firing.resolvedMs + resolvedRetentionMs,
        own[i + 1] === undefined ? span.endMs : own[i + 1]!.firedMs - 1,
      );
      add(firing.resolvedMs, firing, over);
      for (let atMs = firing.resolvedMs + againMs; atMs <= untilMs; atMs += againMs) {
        add(atMs, firing, over);
      }
    }
  }
  return [...moments].sort(([a], [b]) => a - b).map(([atMs, updates]) => ({ atMs, updates }));
}

/** The firings of each alert, in order of time. */
function byLabels(firings: readonly RuleFiring[]): Map<string, RuleFiring[]> {
  const all = new Map<string, RuleFiring[]>();
  for (const firing of [...firings].sort((a, b) => a.firedMs - b.firedMs)) {
    const key = keyOf({ ...firing.labels, alertname: firing.alert });
    const own = all.get(key);
    if (own) own.push(firing);
    else all.set(key, [firing]);
  }
  return all;
}
