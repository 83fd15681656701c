/** Scores firings against incidents: found or missed, detection time, budget spent by then, false alarms. */
import { budgetRatio, type Slo, type Theory, theoryOf } from '../../../slo/index.js';
import type { CompileOptions, Plan } from '../../../slo/rules/plan.js';
import type { Firing } from './evaluate.js';
import { Running, type StepEvents } from './events.js';
import { type Expectation, type Incident, shareOf } from './incidents.js';

export interface IncidentScore {
  name: string;
  kind: string;
  expect: Expectation;
  startMs: number;
  endMs: number;
  /** Milliseconds from the incident's start until the expected alert fired; absent if it never fired. */
  detectMs?: number;
  /** Milliseconds from the incident's end until that alert resolved; 0 if it resolved before. */
  resetMs?: number;
  /**
   * Expected by multi-window arithmetic; only for incidents with a constant error ratio and nothing else in the
   * windows.
   */
  theory?: { detectMs: number; earliestMs: number; latestMs: number; resetMs?: number };
  asTheory?: boolean;
  /** Share of the period's budget spent before the alert, and by the whole incident. */
  budgetBefore: number;
  budgetSpent: number;
}

export interface SeverityScore extends Quality {
  fired: number;
  perWeek: number;
  /** Firings that belong to no incident of this severity. */
  wrong: number;
  expected: number;
  found: number;
}

export interface Quality {
  /** Null if nothing fired. */
  precision: number | null;
  /** Null if nothing was to be found. */
  recall: number | null;
}

export interface Score {
  incidents: IncidentScore[];
  page: SeverityScore;
  ticket: SeverityScore;
  /** Firings that belong to no incident that expects them. */
  wrong: Firing[];
  budget: { bad: number; total: number; spent: number };
}

/** An alert may fire this long after its incident's end and still belong to it, because long windows react late. */
export const graceMs = { page: 30 * 60_000, ticket: 6 * 3_600_000 };

export function scoreOf(
  plan: Plan,
  events: StepEvents,
  firings: readonly Firing[],
  incidents: readonly Incident[],
): Score {
  const { slo } = plan;
  const endMs = events.startMs + events.total.length * events.stepMs;
  const own = incidents.filter((i) => i.slos.length === 0 || i.slos.includes(slo.id));
  const ledger = new Ledger(plan, events);
  const scores = own.map((incident) => incidentScore(incident, own, firings, plan, ledger));
  const wrong = firings.filter((f) => !own.some((incident) => belongs(f, incident)));
  const weeks = (endMs - events.startMs) / 604_800_000;
  const severity = (name: 'page' | 'ticket'): SeverityScore => {
    const fired = firings.filter((f) => f.severity === name);
    const wrongs = wrong.filter((f) => f.severity === name).length;
    const expected = scores.filter((s) => severityOf(s.expect, slo) === name);
    const found = expected.filter((s) => s.detectMs !== undefined).length;
    return {
      fired: fired.length,
      perWeek: fired.length / weeks,
      wrong: wrongs,
      expected: expected.length,
      found,
      precision: fired.length === 0 ? null : (fired.length - wrongs) / fired.length,
      recall: expected.length === 0 ? null : found / expected.length,
    };
  };
  return {
    incidents: scores,
    page: severity('page'),
    ticket: severity('ticket'),
    wrong,
    budget: ledger.whole(),
  };
}

function severityOf(expect: Expectation, slo: Slo): 'page' | 'ticket' | undefined {
  if (expect === 'none') return undefined;
  if (expect !== 'no-data') return expect;
  return slo.alerting.noData === false ? undefined : slo.alerting.noData.severity;
}

/** A ticket during an incident that deserves a page is right; a page during one that deserves a ticket is wrong. */
function belongs(firing: Firing, incident: Incident): boolean {
  const latest = incident.endMs + graceMs[firing.severity];
  if (firing.firedMs < incident.startMs || firing.firedMs > latest) return false;
  if (firing.cause === 'noData') return incident.expect === 'no-data';
  if (incident.expect === 'page') return true;
  return incident.expect === 'ticket' && firing.severity === 'ticket';
}

function incidentScore(
  incident: Incident,
  all: readonly Incident[],
  firings: readonly Firing[],
  plan: Plan,
  ledger: Ledger,
): IncidentScore {
  const severity = severityOf(incident.expect, plan.slo);
  const burning = firings.find(
    (f) =>
      f.severity === severity &&
      f.firedMs <= incident.startMs &&
      f.resolvedMs !== undefined &&
      f.resolvedMs > incident.startMs,
  );
  // An alert that was already firing counts from the incident's first moment.
  const first =
    firings.find((f) => f.severity === severity && belongs(f, incident)) ??
    (severity !== undefined && burning && burning.cause === 'burn' ? burning : undefined);
  const score: IncidentScore = {
    name: incident.name,
    kind: incident.kind,
    expect: incident.expect,
    startMs: incident.startMs,
    endMs: incident.endMs,
    budgetBefore: ledger.spent(
      incident.startMs,
      Math.max(incident.startMs, first?.firedMs ?? incident.endMs),
    ),
    budgetSpent: ledger.spent(incident.startMs, incident.endMs),
  };
  if (first) {
    score.detectMs = Math.max(0, first.firedMs - incident.startMs);
    if (first.resolvedMs !== undefined) {
      score.resetMs = Math.max(0, first.resolvedMs - incident.endMs);
    }
  }
  const theory = severity && expectedBy(incident, all, severity, plan, ledger);
  if (theory?.detection) {
    const { exactMs, earliestMs, latestMs } = theory.detection;
    const resetMs = theory.reset?.exactMs;
    score.theory = {
      detectMs: exactMs,
      earliestMs,
      latestMs,
      ...(resetMs === undefined ? {} : { resetMs }),
    };
    if (score.detectMs !== undefined) {
      score.asTheory = score.detectMs >= earliestMs && score.detectMs <= latestMs;
    }
  }
  return score;
}

/**
 * The expected times; only an incident with a constant error ratio has them, and only if no other incident is within
 * the windows before it.
 */
function expectedBy(
  incident: Incident,
  all: readonly Incident[],
  severity: 'page' | 'ticket',
  plan: Plan,
  ledger: Ledger,
): Theory | undefined {
  if (!['outage', 'slow-burn', 'deploy-spike', 'surge', 'low-traffic'].includes(incident.kind)) {
    return undefined;
  }
  if (incident.expect === 'no-data') return undefined;
  const longest = Math.max(
    0,
    ...plan.windows.filter((w) => w.severity === severity).map((w) => w.longMs),
  );
  const historyMs = incident.startMs - ledger.startMs;
  const near = all.some(
    (other) =>
      other !== incident &&
      other.endMs > incident.startMs - longest &&
      other.startMs < incident.endMs,
  );
  if (near) return undefined;
  const baseline = ledger.ratio(incident.startMs - Math.min(historyMs, longest), incident.startMs);
  const added = shareOf(incident, plan.budget);
  const options: CompileOptions = plan.options;
  return theoryOf(
    plan.slo,
    severity,
    {
      baseline,
      errorRatio: 1 - (1 - baseline) * (1 - added),
      trafficRatio: incident.traffic,
      historyMs,
      durationMs: incident.endMs - incident.startMs,
      scrapeIntervalMs: ledger.stepMs,
    },
    options,
  );
}

/** Error budget spent over time. */
class Ledger {
  readonly startMs: number;
  readonly stepMs: number;
  readonly #bad: Running;
  readonly #total: Running;
  readonly #allowed: number;
  readonly #count: number;
  readonly #budget: number;

  constructor(plan: Plan, events: StepEvents) {
    this.startMs = events.startMs;
    this.stepMs = events.stepMs;
    this.#bad = new Running(events.bad);
    this.#total = new Running(events.total);
    this.#count = events.total.length;
    this.#budget = budgetRatio(plan.slo.objective);
    const total = this.#total.over(this.#count - 1, this.#count) || 0;
    // The budget of a whole period at this history's rate of traffic, for histories shorter or longer than the period.
    this.#allowed = this.#budget * total * (plan.periodMs / (this.#count * this.stepMs));
  }

  #place(ms: number): number {
    const place = Math.floor((ms - this.startMs) / this.stepMs);
    return Math.min(this.#count - 1, Math.max(0, place));
  }

  #sum(of: Running, fromMs: number, toMs: number): number {
    const [from, to] = [this.#place(fromMs), this.#place(toMs)];
    return to <= from ? 0 : of.over(to, to - from) || 0;
  }

  /** Share of the period's budget spent between two moments. */
  spent(fromMs: number, toMs: number): number {
    const bad = this.#sum(this.#bad, fromMs, toMs);
    return this.#allowed === 0 ? 0 : bad / this.#allowed;
  }

  ratio(fromMs: number, toMs: number): number {
    const total = this.#sum(this.#total, fromMs, toMs);
    return total === 0 ? 0 : this.#sum(this.#bad, fromMs, toMs) / total;
  }

  whole(): Score['budget'] {
    const endMs = this.startMs + this.#count * this.stepMs;
    const bad = this.#sum(this.#bad, this.startMs, endMs);
    const total = this.#sum(this.#total, this.startMs, endMs);
    return { bad, total, spent: this.spent(this.startMs, endMs) };
  }
}
