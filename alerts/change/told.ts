/** Who would have been told of what fired, when: months of notifications, told by the routes of one configuration. */
import { SimulatedClock } from '../../base/clock.js';
import type { AmConfig } from '../routing/config.js';
import type { RuleFiring } from '../proof/backtest/rules.js';
import type { Span } from '../proof/backtest/measure.js';
import { type AlertUpdate, Notifier, oneRoute, type Routes } from '../watch/notifier.js';
import { CompiledRoutes } from './routes.js';

export interface Telling {
  atMs: number;
  receiver: string;
  /** The route that took it, from the root. */
  route: string;
  /** Which firings it tells of. */
  firings: RuleFiring[];
}

/** Without a configuration one receiver is told, as Alertmanager's defaults group. */
const nobodysRoute: Routes = oneRoute({
  by: ['alertname'],
  waitMs: 30_000,
  intervalMs: 300_000,
  repeatMs: 4 * 3_600_000,
});

/** Every notification that tells of something firing, in order; what is over is not counted as told. */
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
  for (const { atMs, updates } of momentsOf(firings)) {
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

/** What begins and what ends, by the moment at which it does. */
function momentsOf(firings: readonly RuleFiring[]): Moment[] {
  const moments = new Map<number, Moment['updates']>();
  const add = (atMs: number, firing: RuleFiring, endsAtMs?: number): void => {
    const labels = { ...firing.labels, alertname: firing.alert };
    const update: AlertUpdate = {
      key: keyOf(labels),
      labels,
      annotations: {},
      startsAtMs: firing.firedMs,
      ...(endsAtMs === undefined ? {} : { endsAtMs }),
    };
    const known = moments.get(atMs) ?? [];
    known.push({ firing, update });
    moments.set(atMs, known);
  };
  for (const firing of firings) {
    add(firing.firedMs, firing);
    if (firing.resolvedMs !== undefined) add(firing.resolvedMs, firing, firing.resolvedMs);
  }
  return [...moments].sort(([a], [b]) => a - b).map(([atMs, updates]) => ({ atMs, updates }));
}
