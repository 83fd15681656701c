/**
 * The state of a drill at a moment, computed from its events only: the page shows nothing else. Live, the moment is
 * now; afterwards it is the one that the viewer selected.
 */
import type { DrillEvent } from '../../runbooks/events.js';
import { wakes } from '../../runbooks/pager.js';

type Of<K extends DrillEvent['kind']> = Extract<DrillEvent, { kind: K }>;

export interface Lane {
  alert: string;
  /** Labels that distinguish two alerts of one name. */
  labels: Record<string, string>;
  severity: string;
  armedAtMs: number;
  deadlineAtMs: number;
  /** The alert or silence that must hide it: then it must fire, and nobody may be notified. */
  hiddenBy?: { how: 'inhibited' | 'silenced'; by: string };
  /** It fired and was hidden, as the scenario expects. Known when the scenario is judged. */
  hidden?: { atMs: number; text: string };
  notifiedAtMs?: number;
  acknowledgedAtMs?: number;
  resolvedAtMs?: number;
  /** The reason why it counts as missed, once that is judged. */
  missed?: string;
  /** `within` is known when the scenario is judged. */
  theory?: { earliestAtMs: number; latestAtMs: number; within?: boolean };
}

export interface FaultView {
  id: string;
  kind: string;
  target: string;
  /** Services; undefined in events of older drills. */
  struck?: string[];
  putAtMs: number;
  confirmedAtMs?: number;
  removedAtMs?: number;
  /** The fault lapses by itself this long after its last renewal. */
  leaseMs?: number;
}

/** The part of its period's budget that one SLO has spent since the day began. */
export interface BudgetView {
  slo: string;
  spentOfPeriod: number;
  /** The whole budget as minutes of complete failure, in production time; undefined when unknown. */
  budgetMinutes?: number;
}

export interface OtherAlert {
  alert: string;
  labels: Record<string, string>;
  severity: string;
  atMs: number;
  resolvedAtMs?: number;
}

export interface ScenarioView {
  id: string;
  title: string;
  startedAtMs: number;
  endedAtMs?: number;
  verdict?: string;
  reasons: string[];
  phase: string;
  faults: FaultView[];
  lanes: Lane[];
  /** Alerts that reached a receiver during the scenario and have no lane. */
  others: OtherAlert[];
  /** Notifications of expected alerts that came before the effect of the fault was seen: their lanes begin later. */
  early: Of<'expectation'>[];
  measures: Of<'measure'>[];
  abort?: string;
  /** The latest distance of each abort condition. */
  distances: Of<'distance'>[];
}

export interface DayView {
  title: string;
  verdict?: string;
  endedAtMs?: number;
  /** In the order of the run. */
  planned: string[];
  scenarios: ScenarioView[];
  system?: Of<'system'>;
  load: Of<'load'>[];
  pages: number;
  tickets: number;
  /** Alerts that fire, by name and labels. */
  open: Set<string>;
  /** The SLO that spent most comes first. */
  budgets: BudgetView[];
  notes: Of<'note'>[];
  firstMs: number;
  lastMs: number;
}

/**
 * The state known at `untilMs`. Events may come in any order: the final ones are written last, whenever they
 * happened.
 */
export function viewAt(events: readonly DrillEvent[], untilMs: number): DayView {
  const known = events.filter((e) => e.atMs <= untilMs).toSorted((a, b) => a.atMs - b.atMs);
  const day: DayView = {
    title: 'Waiting for a drill',
    planned: [],
    scenarios: [],
    load: [],
    pages: 0,
    tickets: 0,
    open: new Set(),
    budgets: [],
    notes: [],
    firstMs: known[0]?.atMs ?? 0,
    lastMs: known.at(-1)?.atMs ?? 0,
  };
  for (const event of known) take(day, event);
  // The final expected detection time follows from the fault by a rule's arithmetic: a lane without an earlier one has
  // it from the beginning.
  for (const event of events) {
    if (event.kind !== 'theory' || event.atMs <= untilMs || event.within === undefined) continue;
    const scenario = day.scenarios.find((s) => s.id === event.scenario);
    if (scenario)
      takeTheory(
        sameLanes(scenario, event).filter((l) => !l.theory),
        event,
      );
  }
  day.budgets.sort((a, b) => b.spentOfPeriod - a.spentOfPeriod);
  return day;
}

function take(day: DayView, event: DrillEvent): void {
  switch (event.kind) {
    case 'day':
      day.title = event.title;
      if (event.scenarios) day.planned = event.scenarios;
      if (event.state === 'ended') {
        day.endedAtMs = event.atMs;
        if (event.verdict !== undefined) day.verdict = event.verdict;
      }
      return;
    case 'system':
      day.system = event;
      return;
    case 'load':
      day.load.push(event);
      return;
    case 'budget':
      return takeBudget(day, event);
    case 'note':
      day.notes.push(event);
      return;
    case 'acknowledgement':
      return takeAcknowledgement(day, event);
    case 'scenario-record':
    case 'day-record':
      return;
    case 'alert':
      // The record ends with the day, too.
      if (day.endedAtMs === undefined) takeAlert(day, event);
      return;
    default:
      return takeOfScenario(day, event);
  }
}

/** Without a name it answers the last page. */
function takeAcknowledgement(day: DayView, { atMs, alert }: Of<'acknowledgement'>): void {
  const pages = (day.scenarios.at(-1)?.lanes ?? []).filter(
    (l) =>
      l.notifiedAtMs !== undefined && (alert === undefined ? wakes(l.severity) : l.alert === alert),
  );
  const last = Math.max(...pages.map((l) => l.notifiedAtMs ?? 0));
  for (const lane of pages) if (lane.notifiedAtMs === last) lane.acknowledgedAtMs ??= atMs;
}

/** The final events of a day contain no minutes: those reported during the drill still apply. */
function takeBudget({ budgets }: DayView, event: Of<'budget'>): void {
  const { slo, spentOfPeriod, budgetMinutes } = event;
  const own = budgets.find((b) => b.slo === slo) ?? { slo, spentOfPeriod };
  if (!budgets.includes(own)) budgets.push(own);
  own.spentOfPeriod = spentOfPeriod;
  if (budgetMinutes !== undefined) own.budgetMinutes = budgetMinutes;
}

function takeAlert(day: DayView, { alert, severity, labels, state, atMs }: Of<'alert'>): void {
  const key = JSON.stringify([alert, Object.entries(labels).sort()]);
  if (state === 'resolved') day.open.delete(key);
  // The same firing at a second receiver does not wake another person.
  else if (!day.open.has(key)) {
    day.open.add(key);
    if (wakes(severity)) day.pages++;
    else day.tickets++;
  }
  const scenario = day.scenarios.at(-1);
  if (!scenario) return;
  const lane = scenario.lanes.find(
    (l) => l.alert === alert && l.severity === severity && bears({ labels }, l),
  );
  if (lane) {
    if (state === 'resolved' && lane.notifiedAtMs !== undefined) lane.resolvedAtMs = atMs;
    return;
  }
  const named = { alert, severity, labels };
  const open = scenario.others.findLast(
    (o) => o.alert === named.alert && o.severity === severity && o.resolvedAtMs === undefined,
  );
  if (state === 'resolved') {
    if (open) open.resolvedAtMs = atMs;
    return;
  }
  // The same alert at a second receiver is one alert.
  if (!open) scenario.others.push({ ...named, atMs });
}

type ScenarioEvent = Of<
  'scenario' | 'phase' | 'fault' | 'expectation' | 'theory' | 'measure' | 'abort' | 'distance'
>;

function takeOfScenario(day: DayView, event: ScenarioEvent): void {
  if (event.kind === 'scenario' && event.state === 'started') {
    day.scenarios.push({
      id: event.scenario,
      title: event.title,
      startedAtMs: event.atMs,
      reasons: [],
      phase: 'baseline',
      faults: [],
      lanes: [],
      others: [],
      early: [],
      measures: [],
      distances: [],
    });
    return;
  }
  const scenario = day.scenarios.find((s) => s.id === event.scenario);
  if (!scenario) return;
  switch (event.kind) {
    case 'scenario':
      scenario.endedAtMs = event.atMs;
      scenario.phase = 'over';
      if (event.verdict !== undefined) scenario.verdict = event.verdict;
      scenario.reasons = event.reasons ?? [];
      return;
    case 'phase':
      if (event.state === 'started') scenario.phase = event.phase;
      return;
    case 'fault':
      return takeFault(scenario, event);
    case 'measure':
      scenario.measures.push(event);
      return;
    case 'abort':
      scenario.abort = event.condition;
      return;
    case 'distance': {
      const at = scenario.distances.findIndex((d) => d.condition === event.condition);
      scenario.distances.splice(at < 0 ? scenario.distances.length : at, at < 0 ? 0 : 1, event);
      return;
    }
    default:
      return takeLane(scenario, event);
  }
}

function takeFault(
  { faults }: ScenarioView,
  { id, fault, target, struck, state, atMs, leaseMs }: Of<'fault'>,
): void {
  if (state === 'put') {
    const known = { ...(struck && { struck }), ...(leaseMs !== undefined && { leaseMs }) };
    faults.push({ id, kind: fault, target, putAtMs: atMs, ...known });
    return;
  }
  const own = faults.findLast((f) => f.id === id);
  if (!own) return;
  if (state === 'confirmed') own.confirmedAtMs = atMs;
  else own.removedAtMs = atMs;
}

function sameLanes({ lanes }: ScenarioView, event: Of<'expectation' | 'theory'>): Lane[] {
  const wanted = JSON.stringify(event.labels);
  return lanes.filter(
    ({ alert, severity, labels }) =>
      alert === event.alert && severity === event.severity && JSON.stringify(labels) === wanted,
  );
}

/** Events of earlier versions do not name their lane: they come in the lanes' order. */
function takeTheory(same: readonly Lane[], event: Of<'theory'>): void {
  const { armedAtMs, earliestAtMs, latestAtMs, within } = event;
  const own = same.find((l) =>
    armedAtMs === undefined ? l.theory === undefined : l.armedAtMs === armedAtMs,
  );
  if (own) own.theory = { earliestAtMs, latestAtMs, ...(within !== undefined && { within }) };
}

function takeLane(scenario: ScenarioView, event: Of<'expectation' | 'theory'>): void {
  const { alert, severity, labels } = event;
  if (event.kind === 'expectation' && event.state === 'armed') {
    const deadlineAtMs = event.deadlineAtMs ?? event.atMs;
    const lane = { alert, severity, labels, armedAtMs: event.atMs, deadlineAtMs };
    const { withheld: hiddenBy } = event;
    scenario.lanes.push({ ...lane, ...(hiddenBy && { hiddenBy }) });
    const early = scenario.early.findIndex((e) => sameLanes(scenario, e).length > 0);
    if (early >= 0) takeNotified(scenario, scenario.early.splice(early, 1)[0]!);
    return;
  }
  const same = sameLanes(scenario, event);
  if (event.kind === 'theory') return takeTheory(same, event);
  // A scenario of several arms expects the same alert in each: they come in this order.
  if (event.state === 'withheld') {
    const hidden = same.find((l) => !l.hidden);
    if (hidden) hidden.hidden = { atMs: event.atMs, text: event.text ?? 'fired, and was hidden' };
    return;
  }
  const own = same.find((l) => l.notifiedAtMs === undefined && l.missed === undefined);
  if (event.state === 'notified') {
    if (own) takeNotified(scenario, event);
    else scenario.early.push(event);
    return;
  }
  const late = own ?? same.findLast((l) => l.missed === undefined);
  if (late) late.missed = event.text ?? event.outcome ?? 'it did not come in time';
}

function takeNotified(scenario: ScenarioView, event: Of<'expectation'>): void {
  const own = sameLanes(scenario, event).find((l) => !l.notifiedAtMs && l.missed === undefined);
  // After the rollback, the alert that hid it may end first: that is no failure.
  const isOver = scenario.faults.every((f) => f.removedAtMs !== undefined);
  if (!own || (own.hiddenBy && isOver)) return;
  own.notifiedAtMs = event.atMs;
  // Before the lane began, its alert was listed among the others.
  const early = scenario.others.findIndex(
    (o) =>
      o.alert === own.alert &&
      o.severity === own.severity &&
      o.atMs <= own.armedAtMs &&
      bears(o, own),
  );
  const [listed] = early < 0 ? [] : scenario.others.splice(early, 1);
  if (listed?.resolvedAtMs !== undefined) own.resolvedAtMs = listed.resolvedAtMs;
}

const bears = (alert: Pick<OtherAlert, 'labels'>, lane: Pick<Lane, 'labels'>): boolean =>
  Object.entries(lane.labels).every(([name, value]) => alert.labels[name] === value);

export type LaneState = 'awaited' | 'came' | 'late';

/** An alert that must be hidden is late only by its verdict: no notification tells that it fired. */
export function laneState(lane: Lane, nowMs: number): LaneState {
  const { hiddenBy, hidden, notifiedAtMs, deadlineAtMs, missed } = lane;
  if (missed !== undefined) return 'late';
  if (hidden) return 'came';
  if (hiddenBy) return notifiedAtMs === undefined ? 'awaited' : 'late';
  if ((notifiedAtMs ?? nowMs) > deadlineAtMs) return 'late';
  return notifiedAtMs === undefined ? 'awaited' : 'came';
}

/** `CartLatency (cart-latency)`: two alerts of one name under two SLOs are two lanes. */
export function laneName({ alert, labels }: Lane): string {
  const values = Object.entries(labels).filter(([name]) => name !== 'severity');
  return values.length === 0 ? alert : `${alert} (${values.map(([, v]) => v).join(', ')})`;
}

/** The blast radius of a fault: the struck services, and their direct and indirect callers. */
export function blastRadius(
  { calls }: Pick<Of<'system'>, 'calls'>,
  struck: readonly string[],
): Set<string> {
  const hurt = new Set(struck);
  for (let before = -1; before !== hurt.size;) {
    before = hurt.size;
    for (const { from, to } of calls) if (hurt.has(to)) hurt.add(from);
  }
  return hurt;
}
