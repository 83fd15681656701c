/** Reports the events of a scenario as typed events, as they happen. */
import { type DrillEvent, faultWords, theoryEvent, withheldEvent } from '../../runbooks/events.js';
import type {
  FaultRecord,
  PhaseKind,
  ScenarioRecord,
  TheoryRecord,
} from '../../runbooks/record.js';
import type { Expected, Scenario } from '../scenarios/schema.js';
import type { RunContext } from './context.js';
import type { AbortReading } from './abort.js';
import { firingsOf, fulfils, isBlip, receivedMs } from './firings.js';
import { leaseMs } from './injection.js';
import { withheldOf } from './withheld.js';

/** Interval in milliseconds for reports on the abort conditions. */
const distanceEveryMs = 1000;
/** Milliseconds between two looks at the expected times; never less than a step of the rules. */
const foreseeEveryMs = 250;

type Context = Pick<RunContext, 'clock' | 'emit' | 'timing' | 'watch'>;

export class LiveEvents {
  readonly #context: Context;
  readonly #scenario: Scenario;
  /** Start of the deadline for each place in `mustFire`: the time when the fault was confirmed. */
  readonly #armed = new Map<number, number>();
  /** Alerts count from here on, as for the judge: the first fault was put. */
  #putAtMs = Infinity;
  readonly #since = new Map<number, number>();
  readonly #confirmed = new Set<FaultRecord>();
  /** Places in `mustFire` of the alerts that arrived. */
  readonly #came = new Set<number>();
  readonly #stop: () => void;
  #distancesAtMs = -Infinity;
  /** The last band of each place in `mustFire`, in tenths of a second. */
  readonly #foreseen = new Map<number, string>();
  #foreseenAtMs = -Infinity;
  #foresees = false;
  #isOver = false;

  constructor(context: Context, scenario: Scenario) {
    this.#context = context;
    this.#scenario = scenario;
    this.#stop = context.watch.onNotification(() => this.#look());
  }

  scenario(state: 'started'): void {
    const { id, title } = this.#scenario;
    this.#emit({ kind: 'scenario', atMs: this.#nowMs, scenario: id, state, title });
  }

  phase(phase: PhaseKind, arm: string | undefined, state: 'started' | 'ended'): void {
    const scenario = this.#scenario.id;
    const own = { kind: 'phase' as const, atMs: this.#nowMs, scenario, phase, state };
    this.#emit({ ...own, ...(arm !== undefined && { arm }) });
  }

  fault(record: FaultRecord, state: 'put' | 'confirmed' | 'removed'): void {
    const times = {
      put: record.requestedMs,
      confirmed: record.confirmedMs,
      removed: record.endedMs,
    };
    const atMs = times[state] ?? this.#nowMs;
    if (state === 'put') this.#putAtMs = Math.min(this.#putAtMs, atMs);
    const own = { kind: 'fault' as const, atMs, scenario: this.#scenario.id, state };
    this.#emit({ ...own, ...faultWords(record), ...(state === 'put' && { leaseMs }) });
    if (state === 'confirmed') this.arm(undefined, atMs);
  }

  /** True the first time that the effect is known: a renewal of the lease may see it before the runner looks. */
  confirmed(record: FaultRecord): boolean {
    if (record.confirmedMs === undefined || this.#confirmed.has(record)) return false;
    this.#confirmed.add(record);
    this.fault(record, 'confirmed');
    return true;
  }

  /**
   * Starts the deadlines of that arm's expectations, or of the expectations without an arm. An alert may have come
   * before, from `sinceMs` on: a rule can see a fault sooner than its own counter is read.
   */
  arm(arm: string | undefined, confirmedMs: number, sinceMs = this.#putAtMs): void {
    const { timeScale, allowanceMs } = this.#context.timing;
    this.#scenario.expect.mustFire.forEach((wanted, i) => {
      if (wanted.arm !== arm || this.#armed.has(i)) return;
      this.#armed.set(i, confirmedMs);
      this.#since.set(i, sinceMs);
      const deadlineAtMs = confirmedMs + wanted.within * timeScale + allowanceMs;
      const withheld = withheldOf(wanted);
      const own = { ...this.#expectation(wanted), atMs: confirmedMs, state: 'armed' as const };
      this.#emit({ ...own, deadlineAtMs, ...(withheld && { withheld }) });
    });
    this.#look();
  }

  distances(readings: readonly AbortReading[]): void {
    const atMs = this.#nowMs;
    if (atMs - this.#distancesAtMs < distanceEveryMs) return;
    this.#distancesAtMs = atMs;
    const scenario = this.#scenario.id;
    for (const { condition, value, above, below, heldMs, forMs } of readings) {
      this.#emit({
        kind: 'distance',
        atMs,
        scenario,
        condition,
        ...(value !== undefined && { value: Number(value.toPrecision(4)) }),
        ...(above !== undefined && { above }),
        ...(below !== undefined && { below }),
        heldMs,
        forMs,
      });
    }
  }

  /** Reports when the awaited alerts should fire, as far as `theoryOf` can say from the disturbance so far. */
  async foresee(
    theoryOf: (wanted: Expected, confirmedMs: number) => Promise<TheoryRecord | undefined>,
  ): Promise<void> {
    const { timeScale, stepMs } = this.#context.timing;
    const everyMs = Math.max(foreseeEveryMs, stepMs * timeScale);
    if (this.#foresees || this.#nowMs - this.#foreseenAtMs < everyMs) return;
    this.#foresees = true;
    for (const [i, fromMs] of this.#armed) {
      if (this.#came.has(i)) continue;
      const wanted = this.#scenario.expect.mustFire[i]!;
      const theory = await theoryOf(wanted, fromMs).catch(() => undefined);
      // Meanwhile the alert may have come, and the scenario may be over.
      if (!theory || this.#came.has(i) || this.#isOver) continue;
      const { earliestMs, latestMs } = theory;
      const said = `${Math.round(earliestMs / 100)} ${Math.round(latestMs / 100)}`;
      if (this.#foreseen.get(i) === said) continue;
      this.#foreseen.set(i, said);
      const band = { earliestMs, latestMs };
      this.#emit(theoryEvent(this.#wanted(wanted), this.#nowMs, fromMs, band));
    }
    this.#foreseenAtMs = this.#nowMs;
    this.#foresees = false;
  }

  #look(): void {
    if (this.#armed.size === 0) return;
    const firings = firingsOf(this.#context.watch.notifications);
    this.#scenario.expect.mustFire.forEach((wanted, i) => {
      const fromMs = this.#armed.get(i);
      if (fromMs === undefined || this.#came.has(i)) return;
      const sinceMs = Math.min(fromMs, this.#since.get(i) ?? fromMs);
      const own = firings.find(
        (f) => f.firedAtMs >= sinceMs && !isBlip(f, fromMs) && fulfils(f, wanted),
      );
      if (!own) return;
      this.#came.add(i);
      const atMs = receivedMs(own, wanted.receiver);
      const state = 'notified' as const;
      this.#emit({ ...this.#expectation(wanted), atMs, state, afterMs: atMs - fromMs });
    });
  }

  /** Facts that are only known after the verdict. */
  ended(record: ScenarioRecord): void {
    this.#stop();
    this.#isOver = true;
    const scenario = record.id;
    const { before, during, after } = record.hypothesis;
    for (const [when, list] of Object.entries({ before, during, after })) {
      for (const { name, bound, value, held } of list) {
        this.#emit({
          kind: 'measure',
          atMs: record.endedMs,
          scenario,
          when: when as 'before',
          name,
          bound,
          ...(value !== undefined && { value }),
          held,
        });
      }
    }
    record.expectations.forEach((e, i) => {
      const hidden = withheldEvent(record, e);
      if (hidden) this.#emit(hidden);
      const fromMs = this.#armed.get(i);
      if (e.theory && fromMs !== undefined) {
        const wanted = this.#wanted(this.#scenario.expect.mustFire[i]!);
        this.#emit(theoryEvent(wanted, record.endedMs, fromMs, e.theory));
      }
      if (e.inTime || !e.outcome) return;
      const wanted = this.#scenario.expect.mustFire[i]!;
      const { kind: outcome, text } = e.outcome;
      const atMs = record.endedMs;
      this.#emit({ ...this.#expectation(wanted), atMs, state: 'missed', outcome, text });
    });
    if (record.abort) {
      this.#emit({ kind: 'abort', scenario, ...record.abort });
    }
    const { endedMs: atMs, title, verdict, reasons } = record;
    this.#emit({ kind: 'scenario', atMs, scenario, state: 'ended', title, verdict, reasons });
  }

  #expectation(wanted: Expected) {
    return { kind: 'expectation' as const, ...this.#wanted(wanted) };
  }

  #wanted({ alert, severity, labels }: Expected) {
    return { scenario: this.#scenario.id, alert, severity, labels };
  }

  get #nowMs(): number {
    return this.#context.clock.nowMs();
  }

  #emit(event: DrillEvent): void {
    this.#context.emit?.(event);
  }
}
