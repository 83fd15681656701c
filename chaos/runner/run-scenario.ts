/**
 * Runs one scenario from its baseline to its verdict: measures, injects faults, waits for the alerts, rolls back, and
 * waits for recovery. Every fault is rolled back before it returns, also after Ctrl-C, the kill switch or an error.
 */
import { formatProblem, messageOf } from '../../base/errors.js';
import type {
  ArmRecord,
  CheckRecord,
  DeathRecord,
  LatenessRecord,
  MeasureRecord,
  PhaseKind,
  PhaseRecord,
  ScenarioRecord,
} from '../../runbooks/record.js';
import { longestOf } from '../scenarios/length.js';
import { fillQuery } from '../scenarios/query.js';
import type { ReadScenario } from '../scenarios/read.js';
import type { Scenario, ScenarioFault } from '../scenarios/schema.js';
import { AbortWatch } from './abort.js';
import { runArms } from './arms.js';
import { type Awaited, cameOf, unresolvedOf } from './awaited.js';
import { evaluateChecks } from './checks.js';
import type { RunContext } from './context.js';
import { addDeaths, deathsOf } from './deaths.js';
import { gatherEvidence } from './evidence.js';
import { firingsOf } from './firings.js';
import { Halt, LoadEnded, NotInjected } from './halt.js';
import { firstConfirmedMs, Injection, isRolledBack } from './injection.js';
import { type ArmStretch, judge } from './judge.js';
import { LatenessMeter } from './lateness.js';
import { LiveEvents } from './live-events.js';
import { measure, type Sources, type Stretch } from './measure.js';
import { askPage, proveRunbook } from './prove.js';
import { findResidue } from './residue.js';
import { silencesOf } from './silences.js';
import { type Hints, hintsOf } from './hints.js';
import { Sightings } from './sightings.js';
import { notSteady, type Unsteady } from './steady.js';
import { counted } from '../../base/terminal.js';
import { tellUnscraped } from './unscraped.js';
import { Steps } from './steps.js';
import { theoriesOf, theoryFor } from './theories.js';

const tickMs = 50;
const abortEveryMs = 250;
const lookEveryMs = 500;
/** Maximum number of baselines until the system has settled. */
const baselineAttempts = 4;

export class ScenarioRun {
  readonly context: RunContext;
  readonly scenario: Scenario;
  readonly sources: Sources;
  readonly phases: PhaseRecord[] = [];
  readonly injections: Injection[] = [];
  readonly armStretches: ArmStretch[] = [];
  readonly arms: ArmRecord[] = [];
  readonly steps: Steps;
  readonly residue: string[] = [];
  /** Injection points that no longer answer, and processes that ended by themselves. */
  readonly dead: DeathRecord[] = [];
  readonly sightings: Sightings;
  readonly live: LiveEvents;
  readonly hints: Hints;
  injectedMs: number | undefined;
  /** Called when a fault was confirmed. */
  whenConfirmed: (() => void) | undefined;
  abortReason: string | undefined;
  interrupted = false;
  /** The fault that could not be injected, and the reason. */
  notInjected: string | undefined;
  readonly #abort: AbortWatch;
  readonly #file: string;
  #lastAbortMs = 0;
  /** The reasons, other than the baseline's measures, why no fault or no further fault was injected. */
  unsteady: Unsteady[] = [];
  #before: MeasureRecord[] = [];
  #during: MeasureRecord[] = [];
  #after: MeasureRecord[] = [];
  #checks: CheckRecord[] = [];

  constructor(context: RunContext, read: ReadScenario) {
    this.context = context;
    this.scenario = read.scenario;
    this.#file = read.file;
    const { timeScale, scrapeIntervalMs } = context.timing;
    this.sources = {
      points: context.load.points,
      watch: context.watch,
      fill: (template) => fillQuery(template, timeScale, scrapeIntervalMs),
    };
    this.#abort = new AbortWatch(read.scenario.abort, timeScale, context.clock, this.sources);
    this.steps = new Steps(context, read.scenario);
    this.sightings = new Sightings(context.watch, read.scenario.expect.mustFire);
    this.live = new LiveEvents(context, read.scenario);
    this.hints = hintsOf(this);
  }

  get nowMs(): number {
    return this.context.clock.nowMs();
  }

  /** Converts a nominal duration to real milliseconds. */
  real(nominalMs: number): number {
    return nominalMs * this.context.timing.timeScale;
  }

  async run(): Promise<ScenarioRecord> {
    const startedMs = this.nowMs;
    this.live.scenario('started');
    const meter = new LatenessMeter(this.context.clock, this.context.cpuStalledMs);
    let rollback: Stretch | undefined;
    try {
      await this.#baseline();
      if (this.#steady) {
        await this.#askGuard();
        await askPage(this, 'before');
        this.injectedMs = this.nowMs;
        if (this.scenario.arms) await runArms(this);
        else await this.#breakIt();
      }
    } catch (error) {
      this.#halted(error);
    } finally {
      rollback = await this.rollBack();
    }
    if (this.injectedMs !== undefined && !this.interrupted) {
      await this.#recover(rollback).catch((error: unknown) => this.#halted(error));
    }
    const record = await this.#record(startedMs, rollback, meter.stop());
    this.live.ended(record);
    return record;
  }

  /** Asks whether faults are still allowed: meanwhile an alert may fire, or an incident may be open. */
  async #askGuard(): Promise<void> {
    const [refusal] = (await this.context.guard?.refusals(this.#longestMs)) ?? [];
    if (refusal !== undefined) throw new Halt(`the guard refuses: ${refusal}`);
  }

  /** Counted from the first injection. */
  get #longestMs(): number {
    return this.real(longestOf(this.scenario) - this.scenario.baseline);
  }

  #halted(error: unknown): void {
    if (this.context.signal.aborted) this.interrupted = true;
    else if (error instanceof LoadEnded) return;
    else if (error instanceof NotInjected) this.notInjected ??= error.message;
    else this.abortReason ??= error instanceof Halt ? error.message : messageOf(error);
  }

  get #steady(): boolean {
    return this.#before.every((m) => m.held) && this.unsteady.length === 0;
  }

  async #baseline(): Promise<void> {
    const lengthMs = this.real(this.scenario.baseline);
    for (let attempt = 1; attempt <= baselineAttempts; attempt++) {
      const stretch = await this.phase('baseline', undefined, async () => {
        await this.wait(lengthMs, 'baseline', false);
      });
      this.#before = await this.#measureAll(stretch, () => true);
      this.unsteady = await notSteady(this.context, this.scenario, stretch, this.sources);
      if (this.#steady) break;
      if (attempt < baselineAttempts) this.phases.pop();
    }
    // A Prometheus that has just started knows its targets only now.
    await tellUnscraped(this.context.watch, (workload, text) => {
      this.say(workload, text);
      this.context.line?.(`${workload}: ${text}`);
    });
  }

  #measureAll(
    stretch: Stretch,
    which: (m: Scenario['hypothesis']['measures'][number]) => boolean,
  ): Promise<MeasureRecord[]> {
    const { measures } = this.scenario.hypothesis;
    return Promise.all(measures.filter(which).map((m) => measure(m, stretch, this.sources)));
  }

  async #breakIt(): Promise<void> {
    const { fault } = this.scenario;
    if (!fault) return;
    const startMs = this.nowMs;
    const atLeastMs = this.real(fault.atLeast);
    const atMostMs = this.real(fault.atMost);
    const waiting = [...this.scenario.faults].sort((a, b) => a.start - b.start);
    const stretch = await this.phase('fault', undefined, async () => {
      for (;;) {
        const sinceMs = this.nowMs - startMs;
        while (waiting[0] && this.real(waiting[0].start) <= sinceMs) {
          await this.inject(waiting.shift() as ScenarioFault);
        }
        for (const injection of this.injections) {
          const { stop } = injection.fault;
          if (stop !== undefined && this.real(stop) <= sinceMs) await this.endInjection(injection);
        }
        this.steps.due(sinceMs);
        const fired = cameOf(this.#awaited);
        const all = this.scenario.expect.mustFire.length;
        this.context.progress(`fault on, ${fired} of ${counted(all, 'alert')} received`);
        const done = fired === all && waiting.length === 0 && this.steps.done && this.confirmed;
        if ((done && sinceMs >= atLeastMs) || sinceMs >= atMostMs) break;
        await this.tick();
      }
      await this.steps.finish();
    });
    if (this.scenario.hypothesis.measures.some((m) => m.throughout)) {
      await this.context.sleep(this.context.load.lagMs, this.context.signal);
    }
    this.#during = await this.#measureAll(stretch, (m) => m.throughout);
    this.#checks.push(...(await evaluateChecks(this, 'fault', stretch)));
    await proveRunbook(this);
  }

  /** Whether all expected alerts have resolved, and the system is steady. */
  async isOver(startMs: number): Promise<boolean> {
    void this.sightings.look(this.nowMs);
    const windowMs = Math.max(1000, this.real(this.scenario.baseline) / 2);
    const endMs = this.nowMs - this.context.load.lagMs;
    if (endMs - startMs < windowMs) return false;
    this.#after = await this.#measureAll({ startMs: endMs - windowMs, endMs }, () => true);
    const left = unresolvedOf(this.#awaited);
    const steady = this.#after.length > 0 && this.#after.every((m) => m.held);
    const how = steady ? 'steady again' : 'not steady yet';
    this.context.progress(`${how}, ${counted(left, 'alert')} still firing`);
    return steady && left === 0;
  }

  get confirmed(): boolean {
    return this.injections.length > 0 && this.injections.every((i) => i.confirmed);
  }

  get #awaited(): Awaited {
    const { injectedMs } = this;
    const confirmedMs = firstConfirmedMs(this.injections);
    const { notifications } = this.context.watch;
    const wanted = this.scenario.expect.mustFire;
    return { wanted, injectedMs, confirmedMs, notifications, sightings: this.sightings.all };
  }

  /** Begins a fault, and reports it. */
  async inject(fault: ScenarioFault): Promise<Injection> {
    const { clock, journal, system, run, local, guard } = this.context;
    const targets = [...this.injections.map((i) => i.fault.target), fault.target];
    const excess = guard?.excess(system.description, targets);
    if (excess) {
      const why = formatProblem({ place: excess.place, message: excess.text });
      throw new Halt(`the guard refuses the fault ${fault.id}: ${why}`);
    }
    const name = `${run}-${this.scenario.id}-${this.injections.length}`;
    const rampMs = this.real(fault.ramp ?? 0);
    const injection = new Injection({ clock, journal, system, run: name, local, rampMs }, fault);
    this.injections.push(injection);
    this.say(fault.target, `fault ${fault.id}: ${injection.record.description}`);
    await injection.begin().catch((error: unknown) => {
      throw new NotInjected(`${fault.id} could not be injected: ${messageOf(error)}`);
    });
    this.live.fault(injection.record, 'put');
    this.live.confirmed(injection.record);
    return injection;
  }

  async endInjection(injection: Injection): Promise<void> {
    if (injection.record.endedMs !== undefined || injection.record.requestedMs === 0) return;
    this.residue.push(...(await injection.end()));
    this.live.confirmed(injection.record);
    this.live.fault(injection.record, 'removed');
    this.say(injection.fault.target, `fault ${injection.fault.id} is rolled back`);
  }

  /** Rolls back all faults that are still active, the last first. Never throws. */
  async rollBack(): Promise<Stretch | undefined> {
    const open = this.injections.filter((i) => i.record.endedMs === undefined).toReversed();
    if (open.length === 0 && this.injectedMs === undefined) return undefined;
    this.context.progress('rollback');
    return this.phase('rollback', undefined, async () => {
      await this.steps.finish().catch(() => undefined);
      await this.context.beforeRollback?.().catch(() => undefined);
      for (const injection of open) await this.endInjection(injection);
    });
  }

  async #recover(rollback: Stretch | undefined): Promise<void> {
    const startMs = rollback?.endMs ?? this.nowMs;
    const endMs = startMs + this.real(this.scenario.recovery);
    const stretch = await this.phase('recovery', undefined, async () => {
      for (;;) {
        if ((await this.isOver(startMs)) || this.nowMs >= endMs) break;
        await this.wait(tickMs * 4, undefined, false);
      }
    });
    this.#checks.push(...(await evaluateChecks(this, 'recovery', stretch)));
    const found = await findResidue(this.context);
    this.residue.push(...found.left);
    addDeaths(this.dead, found.dead);
  }

  /** Measures the client's view of the phase; recorded even if `work` throws. */
  async phase(
    kind: PhaseKind,
    arm: string | undefined,
    work: () => Promise<void>,
  ): Promise<Stretch> {
    const startMs = this.nowMs;
    this.live.phase(kind, arm, 'started');
    try {
      await work();
    } finally {
      const endMs = this.nowMs;
      this.live.phase(kind, arm, 'ended');
      // Read again at the end, because the last answers are still in flight.
      const client = this.sources.points.totals(startMs, endMs);
      this.phases.push({ kind, ...(arm !== undefined && { arm }), startMs, endMs, client });
    }
    return { startMs, endMs: this.nowMs };
  }

  /** Waits a moment; throws if the run must end. */
  async tick(): Promise<void> {
    await this.context.sleep(tickMs, this.context.signal);
    this.#halt();
    const nowMs = this.nowMs;
    this.hints.look(nowMs, this.injectedMs);
    for (const injection of this.injections) {
      const { record } = injection;
      if (record.endedMs !== undefined || record.requestedMs === 0) continue;
      if (!injection.confirmed || nowMs % lookEveryMs <= tickMs) await injection.look();
      if (!this.live.confirmed(record)) continue;
      this.whenConfirmed?.();
      this.say(injection.fault.target, `fault ${record.id} takes effect`);
    }
    if (nowMs - this.#lastAbortMs < abortEveryMs) return;
    this.#lastAbortMs = nowMs;
    void this.sightings.look(nowMs);
    const reason = await this.#abort.tripped();
    this.live.distances([...this.#abort.readings.values()]);
    void this.live.foresee((wanted, confirmedMs) =>
      theoryFor(this, wanted, undefined, confirmedMs, { nowMs: this.nowMs }),
    );
    if (reason !== undefined) throw new Halt(`abort condition: ${reason}`);
  }

  async wait(forMs: number, what: string | undefined, withAbort: boolean): Promise<void> {
    const endMs = this.nowMs + forMs;
    if (what !== undefined) this.context.progress(what);
    while (this.nowMs < endMs) {
      if (withAbort) await this.tick();
      else {
        const leftMs = Math.max(1, endMs - this.nowMs);
        await this.context.sleep(Math.min(tickMs, leftMs), this.context.signal);
        this.#halt();
      }
    }
  }

  #halt(): void {
    if (this.context.signal.aborted) throw new Halt('interrupted');
    const gone = this.context.systemGone?.();
    if (gone !== undefined) throw new Halt(gone);
    const stop = this.context.stopSwitch();
    if (stop) throw new Halt(`stopped by the kill switch: ${stop.reason}`);
    if (this.context.load.failure !== undefined) throw new LoadEnded();
  }

  say(subject: string, text: string): void {
    const scenario = this.scenario.id;
    this.context.event({ source: 'runner', subject, text, scenario, major: true });
  }

  async #record(
    startedMs: number,
    rollback: Stretch | undefined,
    lateness: LatenessRecord,
  ): Promise<ScenarioRecord> {
    const { scenario, context } = this;
    const endedMs = this.nowMs;
    await context.sleep(context.load.lagMs);
    for (const phase of this.phases) {
      phase.client = this.sources.points.totals(phase.startMs, phase.endMs);
    }
    const faults = this.injections.map((i) => i.record);
    const confirmedMs = firstConfirmedMs(this.injections);
    const all = firingsOf(context.watch.notifications);
    const firings = context.proof?.withoutItsOwn(all, scenario) ?? all;
    const { theories, onsetMs } = await theoriesOf(this, confirmedMs, firings);
    const stretch = { startMs: startedMs, endMs: endedMs };
    const gathered = await gatherEvidence(this, firings, stretch);
    addDeaths(
      this.dead,
      deathsOf(gathered.processEvents, stretch, scenario, context.system.description.workloads),
    );
    const silences = await silencesOf(this, firings);
    const client = this.sources.points.totals(startedMs, endedMs);
    const checks = [...this.steps.checks, ...this.#checks];
    const judgement = judge({
      scenario,
      scale: context.timing.timeScale,
      allowanceMs: context.timing.allowanceMs,
      injectedMs: this.injectedMs,
      confirmedMs,
      rollbackEndMs: rollback?.endMs,
      armStretches: this.armStretches,
      firings,
      ...gathered,
      notSteady: this.unsteady,
      faults,
      before: this.#before,
      during: this.#during,
      after: this.#after,
      checks,
      arms: this.arms,
      theories,
      load: {
        requests: client.requests,
        // Requests that were due in the last second may still be in flight.
        due: context.load.due?.(startedMs, endedMs - 1000) ?? 0,
        failure: context.load.failure,
      },
      abort: this.abortReason,
      notInjected: this.notInjected,
      interrupted: this.interrupted,
      lateness,
      scrapeIntervalMs: context.timing.scrapeIntervalMs,
      residue: this.residue,
      silences,
      dead: this.dead,
    });
    const { verdict, reasons, expectations, allowed, unexpected, alreadyFiring } = judgement;
    return {
      id: scenario.id,
      title: scenario.title,
      description: scenario.description,
      ...(scenario.failureMode !== undefined && { failureMode: scenario.failureMode }),
      file: this.#file,
      startedMs,
      endedMs,
      blastRadius: scenario.blastRadius,
      hypothesis: {
        title: scenario.hypothesis.title,
        before: this.#before,
        during: this.#during,
        after: this.#after,
      },
      phases: this.phases,
      faults,
      ...(confirmedMs !== undefined && { confirmedMs }),
      ...(onsetMs !== undefined && { onsetMs }),
      expectations,
      allowed,
      unexpected,
      alreadyFiring,
      checks,
      arms: this.arms,
      ...(this.abortReason !== undefined && {
        abort: { condition: this.abortReason, atMs: rollback?.startMs ?? endedMs },
      }),
      rollback: {
        done: faults.every((f) => isRolledBack(f, this.residue)),
        ...(rollback && { startedMs: rollback.startMs, endedMs: rollback.endMs }),
        residue: this.residue,
        ...(this.dead.length > 0 && { dead: this.dead }),
      },
      client,
      ...(silences.length > 0 && { silences }),
      ...(context.proof && this.injectedMs !== undefined && { runbookProof: context.proof.record }),
      ...(this.hints.given.length > 0 && { hints: this.hints.given }),
      lateness,
      budgetSpent: [],
      runbook: scenario.runbook,
      verdict,
      reasons,
    };
  }
}
