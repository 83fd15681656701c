/** Tries windows, factors and `for` of the page over one history: faster detection costs false alarms. */
import type { AlertWindow } from '../../../slo/rules/windows.js';
import { budgetPercent } from '../../../slo/rules/windows.js';
import type { Plan } from '../../../slo/rules/plan.js';
import type { History } from './evaluate.js';
import type { Incident } from './incidents.js';
import type { Interval } from './firings.js';
import { graceMs } from './score.js';

export interface Candidate {
  windows: AlertWindow[];
  forMs: number;
  expected: number;
  found: number;
  /** Mean over the incidents that were found; Infinity if none was. */
  meanDetectMs: number;
  maxDetectMs: number;
  fired: number;
  wrong: number;
}

export interface Tuning {
  slo: string;
  current: Candidate;
  candidates: Candidate[];
  /** Of the candidates that find most incidents, those that no other beats in both speed and false alarms. */
  front: Candidate[];
  recommended: Candidate;
  /** The windows that file tickets, which tuning leaves alone. */
  tickets: AlertWindow[];
}

const hourMs = 3_600_000;
// A twelfth of each, the short window, is a whole number of minutes.
const longMs = [0.2, 0.4, 1, 2, 4, 6].map((h) => h * hourMs);
const factors = [1.5, 2, 3, 4, 6, 8, 10, 14.4, 20];
const forMs = [0, 120_000, 300_000];

export function tune(history: History, incidents: readonly Incident[]): Tuning {
  const { plan } = history;
  const own = incidents.filter((i) => i.slos.length === 0 || i.slos.includes(plan.slo.id));
  const { page } = plan.slo.alerting;
  const currentWindows = plan.windows.filter((w) => w.severity === 'page');
  const current = judge(history, own, currentWindows, page === false ? 0 : page.forMs);
  const candidates: Candidate[] = [];
  for (const windows of combinations(singles(plan))) {
    const holds = history.anyHolds(windows, 'page');
    for (const ms of forMs) candidates.push(judge(history, own, windows, ms, holds));
  }
  const best = Math.max(current.found, ...candidates.map((c) => c.found));
  const finders = candidates.filter((c) => c.found === best);
  const pool = finders.length > 0 ? finders : candidates;
  const front = frontOf(pool);
  const recommended = recommend(pool, current);
  const tickets = plan.windows.filter((w) => w.severity === 'ticket');
  return { slo: plan.slo.id, current, candidates, front, recommended, tickets };
}

function singles(plan: Plan): AlertWindow[] {
  return longMs.flatMap((long) =>
    factors
      // A factor that even 100% errors cannot reach never fires.
      .filter((factor) => factor * plan.budget < 1)
      .map((factor): AlertWindow => {
        const window = { severity: 'page' as const, longMs: long, shortMs: long / 12, factor };
        return { ...window, budgetPercent: budgetPercent(window, plan.periodMs) };
      }),
  );
}

/** Each window alone, and each with a longer window of a lower factor. */
function* combinations(all: readonly AlertWindow[]): Generator<AlertWindow[]> {
  for (const fast of all) {
    yield [fast];
    for (const slow of all) {
      if (slow.longMs > fast.longMs && slow.factor < fast.factor) yield [fast, slow];
    }
  }
}

function judge(
  history: History,
  incidents: readonly Incident[],
  windows: AlertWindow[],
  pendingMs: number,
  holds = history.anyHolds(windows, 'page'),
): Candidate {
  const { page } = history.plan.slo.alerting;
  const keepMs = page === false ? 0 : page.keepFiringForMs;
  const intervals = history.intervals(holds, 'page', pendingMs, keepMs);
  const toFind = incidents.filter((i) => i.expect === 'page');
  const times: number[] = [];
  for (const incident of toFind) {
    const first = intervals.find(
      (f) =>
        (f.resolvedMs ?? Infinity) > incident.startMs && f.firedMs <= incident.endMs + graceMs.page,
    );
    if (first) times.push(Math.max(0, first.firedMs - incident.startMs));
  }
  const belongs = (f: Interval): boolean =>
    toFind.some((i) => f.firedMs >= i.startMs && f.firedMs <= i.endMs + graceMs.page);
  return {
    windows,
    forMs: pendingMs,
    expected: toFind.length,
    found: times.length,
    meanDetectMs: times.length === 0 ? Infinity : times.reduce((a, b) => a + b, 0) / times.length,
    maxDetectMs: times.length === 0 ? Infinity : Math.max(...times),
    fired: intervals.length,
    wrong: intervals.filter((f) => !belongs(f)).length,
  };
}

function frontOf(candidates: readonly Candidate[]): Candidate[] {
  const sorted = [...candidates].sort(
    (a, b) =>
      a.meanDetectMs - b.meanDetectMs ||
      a.wrong - b.wrong ||
      a.windows.length - b.windows.length ||
      b.forMs - a.forMs,
  );
  const front: Candidate[] = [];
  let quietest = Infinity;
  for (const candidate of sorted) {
    if (candidate.wrong >= quietest) continue;
    front.push(candidate);
    quietest = candidate.wrong;
  }
  return front;
}

/** Pages beyond one for each incident: the alert resolved and fired again while the incident went on. */
const repeats = (c: Candidate): number => c.fired - c.wrong - c.found;

/**
 * The fastest candidate among those with the fewest false alarms that do not repeat pages more often than the current
 * windows do.
 */
function recommend(pool: readonly Candidate[], current: Candidate): Candidate {
  const calm = frontOf(pool.filter((c) => repeats(c) <= Math.max(0, repeats(current))));
  const quiet = calm.reduce((a, b) => (b.wrong < a.wrong ? b : a), calm[0] ?? current);
  const better =
    quiet.found > current.found ||
    quiet.wrong < current.wrong ||
    (quiet.wrong === current.wrong && quiet.meanDetectMs < current.meanDetectMs);
  return better ? quiet : current;
}
