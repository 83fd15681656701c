/** Events for a live view beside the scenarios' own: the system, and its callers' results, once a second. */
import type { DrillEvent } from '../../runbooks/events.js';
import type { Load } from '../load/load.js';
import { totalsOf } from '../load/points.js';
import type { Acknowledgement } from './acknowledgement.js';
import type { SystemDescription } from '../system/model.js';

const everyMs = 1000;
const budgetEveryMs = 3000;

/** Workloads, and the calls between them with their sidecars or relays. */
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

/** Reports the day's spent budgets repeatedly. Returns a function that stops it. */
function tellBudgets(
  read: () => Promise<DrillEvent[]>,
  emit: (event: DrillEvent) => void,
): () => void {
  let busy = false;
  const timer = setInterval(() => {
    if (busy) return;
    busy = true;
    // Failed queries are reported elsewhere.
    read()
      .then(
        (events) => events.forEach(emit),
        () => undefined,
      )
      .finally(() => (busy = false));
  }, budgetEveryMs);
  return () => clearInterval(timer);
}

/** Reports people's acknowledgements since the start as they come. Returns a function that stops it. */
export function tellAcknowledgements(
  read: () => readonly Acknowledgement[],
  emit: (event: DrillEvent) => void,
): () => void {
  let told = 0;
  const timer = setInterval(() => {
    for (const said of read().slice(told)) {
      told++;
      emit({ kind: 'acknowledgement', ...said });
    }
  }, everyMs / 4);
  return () => clearInterval(timer);
}

/** Reports each whole second, after its last requests had time to end. Returns a function that stops it. */
function tellLoad(
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

interface Told {
  load: Pick<Load, 'points' | 'lagMs'>;
  nowMs: () => number;
  budgets: () => Promise<DrillEvent[]>;
  answers: () => readonly Acknowledgement[];
}

/** Reports the load, the budgets and people's acknowledgements. Returns a function that stops it. */
export function tellDay(told: Told, emit: (event: DrillEvent) => void): () => void {
  const stops = [
    tellLoad(told.load, told.nowMs, emit),
    tellBudgets(told.budgets, emit),
    tellAcknowledgements(told.answers, emit),
  ];
  return () => stops.forEach((stop) => stop());
}
