/** What a view of a game day shows beside its scenarios: the system, and what its callers see, once a second. */
import type { DrillEvent } from '../../runbooks/events.js';
import type { Load } from '../load/load.js';
import { totalsOf } from '../load/points.js';
import type { SystemDescription } from '../system/model.js';

const everyMs = 1000;
const budgetEveryMs = 3000;

/** Workloads, and who calls whom by which sidecar or relay. */
export function systemEvent(system: SystemDescription, atMs: number): DrillEvent {
  const services = new Set(system.workloads.map((w) => w.service));
  const calls = system.workloads.flatMap((w) => w.calls.map((to) => `${w.service} ${to}`));
  return {
    kind: 'system',
    atMs,
    name: system.name,
    services: [...services],
    dependencies: system.dependencies,
    calls: [...new Set(calls)].map((pair) => {
      const [from = '', to = ''] = pair.split(' ');
      return { from, to };
    }),
  };
}

/** Again and again, what the day has spent of each budget. Returns how it is stopped. */
export function tellBudgets(
  read: () => Promise<DrillEvent[]>,
  emit: (event: DrillEvent) => void,
): () => void {
  let busy = false;
  const timer = setInterval(() => {
    if (busy) return;
    busy = true;
    // Whether the rules can be asked is watched elsewhere.
    read()
      .then(
        (events) => events.forEach(emit),
        () => undefined,
      )
      .finally(() => (busy = false));
  }, budgetEveryMs);
  return () => clearInterval(timer);
}

/** Of each whole second, once its last requests had time to end. Returns how it is stopped. */
export function tellLoad(
  load: Pick<Load, 'points' | 'lagMs'>,
  nowMs: () => number,
  emit: (event: DrillEvent) => void,
): () => void {
  let fromMs = Math.ceil(nowMs() / everyMs) * everyMs;
  const tell = (): void => {
    while (fromMs + everyMs + load.lagMs <= nowMs()) {
      const points = load.points.between(fromMs, fromMs + everyMs);
      const { requests, errors, p95Ms } = totalsOf(points);
      fromMs += everyMs;
      emit({ kind: 'load', atMs: fromMs, requests, errors, p95Ms });
    }
  };
  const timer = setInterval(tell, everyMs / 4);
  return () => clearInterval(timer);
}
