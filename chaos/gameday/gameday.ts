/**
 * A game day: starts the system under test, its load and its watch, runs the scenarios one after the other, and
 * collects all measurements in one record. However it ends, every process and every fault is gone when it returns.
 */
import { randomBytes } from 'node:crypto';
import { type CoverageRun, keepCoverage } from '../../alerts/coverage/index.js';
import { startExisting } from '../../alerts/watch/existing/existing.js';
import { startWatch, type Target, type Watch, type WatchKind } from '../../alerts/watch/index.js';
import { type Clock, realClock, sleep } from '../../base/clock.js';
import { formatDurationMs } from '../../base/duration.js';
import { exitCode, messageOf, UserError } from '../../base/errors.js';
import { packageVersion } from '../../base/paths.js';
import { counted } from '../../base/terminal.js';
import { findTool } from '../../base/tools.js';
import { wakes } from '../../runbooks/pager.js';
import type { DrillEvent } from '../../runbooks/events.js';
import { scenarioRecordEvent } from '../../runbooks/recorded.js';
import { pageFor, readPages } from '../../runbooks/pages.js';
import type {
  AlertRecord,
  GameDayRecord,
  RunbookFact,
  ScenarioRecord,
  TimelineEvent,
} from '../../runbooks/record.js';
import type { RuleGroup, Slo } from '../../slo/index.js';
import type { Guard } from '../guard/guard.js';
import { localScrape, targetProblem } from '../faults/kinds.js';
import { type ClientMetrics, startClientMetrics } from '../load/client-metrics.js';
import { type Load, startPlan } from '../load/load.js';
import type { RunContext, Timing } from '../runner/context.js';
import { firingsOf } from '../runner/firings.js';
import type { LocalPoint } from '../runner/injection.js';
import { Journal } from '../runner/journal.js';
import { cpuStalledMs } from '../runner/lateness.js';
import { ScenarioRun } from '../runner/run-scenario.js';
import { readSwitch } from '../runner/stop-switch.js';
import { startWarden } from '../runner/warden.js';
import { type ReadScenario, readScenarios } from '../scenarios/read.js';
import type { Scenario, ScenarioFault } from '../scenarios/schema.js';
import { answersFor, factsFor } from './alert-facts.js';
import { openHintDesk } from './hint-desk.js';
import { acknowledgementEvents, acknowledgements } from './acknowledgement.js';
import { budgetEvents, budgetOf, eventsOf, periodShare } from './budgets.js';
import { coverageRunOf } from './coverage.js';
import { systemEvent, tellDay } from './day-events.js';
import { CertificateLifetimes } from './lifetimes.js';
import { judgingFor } from './existing.js';
import type { Judging } from './judging.js';
import { type GameDayOptions, scaleText } from './options.js';
import { proofFor } from './runbook-steps.js';
import { clientSeries, proxySeries } from './series.js';
import type { System } from '../system/model.js';
import { namesOf } from '../system/names.js';
import { type RunningSystem, startSystem } from '../system/start.js';
import {
  isExpected,
  loadOf,
  loadText,
  watchText,
  machineOf,
  measurementOf,
  systemOf,
  verdictCode,
  worst,
} from './day-record.js';
import { alertEvent, alertEvents, inOrder } from './timeline.js';
import { guardOf, refuseImpossible, worldOf } from './world.js';

export interface GameDayView {
  /** A temporary status line. */
  progress(text: string): void;
  /** A permanent line. */
  line(text: string): void;
  /** Reports events as they happen. */
  event?(event: DrillEvent): void;
}

/** The record, and the facts for runbooks that are not in the record. */
export interface GameDayOutcome {
  record: GameDayRecord;
  shared: {
    proxies: string[];
    controller: string;
    prometheus?: string;
    slos: string;
    window: string;
  };
}

const hourMs = 3_600_000;
const shortestCertificateMs = 4000;

export async function runGameDay(
  options: GameDayOptions,
  view: GameDayView,
  signal: AbortSignal,
  clock: Clock = realClock,
): Promise<GameDayOutcome> {
  // All mistakes of the user are found before anything is started.
  const scenarios = readScenarios(options.scenarios);
  const judging = await judgingFor(options);
  const stop = readSwitch(options.stateFolder);
  if (stop) {
    throw new UserError(
      `the kill switch is thrown (${stop.reason}): firedrill gameday stop --clear`,
      exitCode.aborted,
    );
  }
  const guard = guardOf(options, judging, scenarios, clock);
  refuseImpossible(
    scenarios,
    worldOf(await namesOf(options.drill), judging, options.drill.load),
    guard,
  );
  guard.confirmed(options.confirm);
  await guard.refuse();
  const startedMs = clock.nowMs();
  const id = `${new Date(startedMs).toISOString().slice(0, 19).replaceAll(':', '-')}-${randomBytes(2).toString('hex')}`;
  const journal = new Journal(options.stateFolder, id, () => clock.nowMs());
  const warden = startWarden(journal.file);
  const parts = { options, view, signal, clock, id, journal, judging, guard };
  const day = new GameDay({ ...parts, ...judging });
  view.event?.({
    kind: 'day',
    atMs: startedMs,
    state: 'started',
    title: `Game day of ${options.drill.name}`,
    scenarios: scenarios.map((s) => s.scenario.id),
  });
  try {
    await day.start(scenarios);
    for (const scenario of scenarios) {
      if (signal.aborted) break;
      await day.run(scenario, scenarios[scenarios.indexOf(scenario) + 1]);
    }
    return await day.outcome(startedMs);
  } finally {
    view.progress('stopping every process');
    await day.stop();
    journal.close();
    warden.stop();
  }
}

interface Parts {
  options: GameDayOptions;
  view: GameDayView;
  signal: AbortSignal;
  clock: Clock;
  id: string;
  journal: Journal;
  judging: Judging;
  guard: Guard;
  slos: readonly Slo[];
  groups: readonly RuleGroup[];
  timing: Timing;
}

class GameDay {
  readonly #parts: Parts;
  readonly #events: TimelineEvent[] = [];
  readonly #scenarios: ScenarioRecord[] = [];
  #stopTelling: () => void = () => undefined;
  readonly #facts = new Map<string, Promise<RunbookFact[]>>();
  /** By the key of a firing: the first of each name in a scenario. */
  readonly #answers = new Map<string, Promise<AlertRecord['answers']>>();
  readonly #asked = new Set<string>();
  #running: RunningSystem | undefined;
  /** Parts that are starting: they are stopped too if another part fails meanwhile. */
  readonly #starting: Promise<unknown>[] = [];
  #watch: Watch | undefined;
  #load: Load | undefined;
  #client: ClientMetrics | undefined;
  #lifetimes: CertificateLifetimes | undefined;
  #watchedSinceMs = 0;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  get #system(): System {
    if (!this.#running) throw new Error('the system is not started');
    return this.#running.system;
  }

  async start(scenarios: readonly ReadScenario[]): Promise<void> {
    const { options, view, timing, judging, clock, id, journal, signal } = this.#parts;
    for (const remark of judging.remarks) view.line(`  ${remark}`);
    const lifetimes = scenarios.map((s) => this.#lifetimeOf(s.scenario));
    const { drill } = options;
    view.progress(`starting ${drill.name}`);
    this.#running = await startSystem(drill, {
      journal,
      certificateLifetimeMs: Math.min(...lifetimes),
      say: (line) => {
        const busyPort = line.includes('other ports are chosen');
        if (busyPort || process.env.FIREDRILL_DEBUG !== undefined) view.line(`  ${line}`);
      },
    });
    this.#checkTargets(scenarios.map((s) => s.scenario));
    const real = findTool('prometheus') !== undefined && findTool('alertmanager') !== undefined;
    const kind: WatchKind =
      options.prometheus === 'auto' ? (real ? 'prometheus' : 'embedded') : options.prometheus;
    // A real Prometheus takes seconds to find its targets, so the system starts meanwhile.
    if (kind === 'embedded') await this.#unlessOver(this.#running.ready);
    this.#client = await startClientMetrics();
    const planned = JSON.stringify(this.#targets());
    const { existing } = options;
    const starting = existing
      ? startExisting(existing, timing.evaluationIntervalMs)
      : startWatch(kind, {
          targets: this.#targets(),
          groups: this.#parts.groups,
          scrapeIntervalMs: timing.scrapeIntervalMs,
          evaluationIntervalMs: timing.evaluationIntervalMs,
          ...(judging.alertmanager && { alertmanager: judging.alertmanager }),
          say: (line) => view.line(`  ${line}`),
        });
    const watching = starting.then((watch) => (this.#watch = watch));
    this.#starting.push(watching);
    watching.catch(() => undefined);
    await this.#unlessOver(this.#running.ready);
    const loading = startPlan(drill.load, {
      driver: options.load,
      url: this.#system.description.url,
      ...(options.requestsPerSecond !== undefined && { rate: options.requestsPerSecond }),
    }).then((load) => {
      this.#client?.follow(load.points, load.routes);
      return (this.#load = load);
    });
    this.#starting.push(loading);
    loading.catch(() => undefined);
    view.progress('starting Prometheus and the load');
    const [watch, load] = await Promise.all([watching, loading]);
    // A port that was taken meanwhile was replaced by another one.
    const targets = this.#targets();
    if (!existing && JSON.stringify(targets) !== planned) await watch.setTargets(targets);
    this.#watchedSinceMs = clock.nowMs();
    watch.onNotification((n) => {
      view.event?.(alertEvent(n));
      if (n.status === 'firing') this.#gatherFacts();
    });
    const lifetimeMs = lifetimes[0] as number;
    this.#lifetimes = new CertificateLifetimes({
      system: this.#system,
      clock,
      run: id,
      lifetimeMs,
    });
    await this.#lifetimes.want(lifetimeMs);
    await this.#lifetimes.settle(watch, signal);
    const { description } = this.#system;
    const emit = (event: DrillEvent): void => view.event?.(event);
    emit(systemEvent(description, clock.nowMs()));
    const fromMs = clock.nowMs();
    this.#stopTelling = tellDay(
      {
        load,
        nowMs: () => clock.nowMs(),
        budgets: () => budgetEvents(watch, this.#parts.slos, timing, fromMs, clock.nowMs()),
        answers: () => acknowledgements(this.#parts.options.stateFolder, fromMs, clock.nowMs()),
      },
      emit,
    );
    view.line(
      `${description.name}: ${counted(description.workloads.length, 'workload')}, ` +
        `${loadText(load)}, watched by ${watchText(watch.version)}, ` +
        `time scale ${scaleText(timing.timeScale)}`,
    );
  }

  #lifetimeOf(scenario: Scenario): number {
    const nominalMs = scenario.system.certificateLifetime ?? 24 * hourMs;
    return Math.max(shortestCertificateMs, nominalMs * this.#parts.timing.timeScale);
  }

  #checkTargets(scenarios: readonly Scenario[]): void {
    const faults: ScenarioFault[] = scenarios.flatMap((s) => [
      ...s.faults,
      ...(s.arms?.trigger ?? []),
      ...(s.arms?.runs.flatMap((run) => run.faults) ?? []),
    ]);
    const { existing } = this.#parts.options;
    const isOurs = (f: ScenarioFault): boolean => !existing || f.kind !== 'scrape-loss';
    const problems = faults.flatMap((f) =>
      isOurs(f)
        ? (targetProblem(this.#system, f.kind, f.target) ?? [])
        : {
            message: `${f.id}: scrape-loss changes a Prometheus, and Firedrill did not start this one`,
          },
    );
    if (problems.length > 0) throw new UserError(problems);
  }

  /** The system's own targets, and the metrics of the load's client. */
  #targets(which?: 'without-proxies'): Target[] {
    return [...this.#system.targets(which), ...(this.#client ? [this.#client.target] : [])];
  }

  /** The range of queries about the present: five minutes in the rules' time, at least four scrapes. */
  #window(): string {
    const { timeScale, scrapeIntervalMs } = this.#parts.timing;
    return formatDurationMs(Math.round(Math.max(300_000 * timeScale, 4 * scrapeIntervalMs)));
  }

  #scrapeLoss(watch: Watch): LocalPoint {
    const scraped = async (): Promise<number> => (await watch.query('count(up)'))[0]?.value ?? 0;
    let before: number | undefined;
    return {
      put: async () => {
        before ??= await scraped();
        const lost = before - (await scraped());
        if (lost <= 0) await watch.setTargets(this.#targets('without-proxies'));
        return Math.max(0, lost);
      },
      remove: () => watch.setTargets(this.#targets()),
    };
  }

  /** Gathers facts once for each alert that fires, while it fires. */
  #gatherFacts(): void {
    const watch = this.#watch;
    if (!watch) return;
    for (const firing of firingsOf(watch.notifications)) {
      const key = `${firing.name} ${firing.firedAtMs} ${JSON.stringify(firing.labels)}`;
      if (this.#facts.has(key) || this.#facts.size > 500) continue;
      const asked = `${this.#scenarios.length} ${firing.name}`;
      if (!this.#asked.has(asked)) {
        this.#asked.add(asked);
        this.#answers.set(
          key,
          answersFor(firing, watch, this.#window()).catch(() => undefined),
        );
      }
      this.#facts.set(
        key,
        factsFor(firing, this.#system, watch).catch((error: unknown) => [
          { name: 'facts', value: messageOf(error) },
        ]),
      );
    }
  }

  async run(read: ReadScenario, next: ReadScenario | undefined): Promise<void> {
    const { view, clock, signal, journal, slos, groups, timing, options, id } = this.#parts;
    const watch = this.#watch as Watch;
    const load = this.#load as Load;
    const { scenario } = read;
    view.progress(`${scenario.title}: preparing`);
    await this.#lifetimes?.want(this.#lifetimeOf(scenario));
    await this.#lifetimes?.settle(watch, signal, () => this.#isOver());
    await this.#quiet(scenario.title);
    await this.#system.refresh().catch(() => undefined);
    if (signal.aborted) return;
    const proving = options.proveRunbooks
      ? proofFor(scenario, {
          system: this.#system,
          watch,
          clock,
          shared: { window: this.#window(), slos: options.slos.join(',') },
        })
      : undefined;
    const context: RunContext = {
      ...(proving && { proof: proving.proof }),
      clock,
      sleep,
      cpuStalledMs,
      run: id,
      system: this.#system,
      watch,
      watchedSinceMs: this.#watchedSinceMs,
      load,
      journal,
      slos,
      groups,
      timing,
      signal,
      systemGone: () => this.#running?.gone(),
      guard: this.#parts.guard,
      stopSwitch: () => readSwitch(options.stateFolder),
      hints: openHintDesk(options.stateFolder, options.drill.roles, clock.nowMs()),
      event: (event) => this.#events.push({ atMs: clock.nowMs(), ...event }),
      emit: (event) => view.event?.(event),
      progress: (text) => view.progress(`${scenario.title}: ${text}`),
      line: (text) => view.line(`  ${text}`),
      local: { [localScrape]: this.#scrapeLoss(watch) },
      beforeRollback: async () => {
        // Certificates that are requested from now on already have the lifetime for the next scenario.
        if (next)
          await this.#lifetimes?.want(this.#lifetimeOf(next.scenario)).catch(() => undefined);
      },
    };
    const record = await new ScenarioRun(context, read).run().finally(() => proving?.stop());
    this.#scenarios.push(record);
    view.event?.(scenarioRecordEvent(record));
    view.line(`${record.verdict}  ${scenario.title}`);
  }

  /** Waits, for ten minutes at most, until no paging alert of an earlier scenario fires. */
  async #quiet(title: string): Promise<void> {
    const { clock, timing, options, view } = this.#parts;
    // Before the first one, a page of a Prometheus that runs already is none of ours, and need not end.
    if (options.existing && this.#scenarios.length === 0) return;
    const end = clock.nowMs() + Math.min(600_000, Math.max(5000, hourMs * timing.timeScale));
    while (!this.#isOver() && clock.nowMs() < end) {
      const open = firingsOf((this.#watch as Watch).notifications).find(
        (f) => f.resolvedAtMs === undefined && wakes(f.severity),
      );
      if (!open) return;
      view.progress(`${title}: waiting until ${open.name} resolves`);
      await sleep(100);
    }
  }

  /** Whether nothing is left to wait for: the next scenario ends at once, and says why. */
  #isOver(): boolean {
    const { signal, options } = this.#parts;
    return (
      signal.aborted ||
      this.#running?.gone() !== undefined ||
      readSwitch(options.stateFolder) !== undefined
    );
  }

  /** A system may take minutes to come up: Ctrl-C and the kill switch do not wait for it. */
  async #unlessOver(ready: Promise<void>): Promise<void> {
    const { signal, options } = this.#parts;
    const stop = () => readSwitch(options.stateFolder);
    const done = new AbortController();
    const up = ready.finally(() => done.abort());
    const either = AbortSignal.any([done.signal, signal]);
    const over = async (): Promise<void> => {
      while (!either.aborted && !stop()) await sleep(100, either);
      if (done.signal.aborted) return;
      up.catch(() => undefined);
      const why = stop();
      if (!why) throw new Error('nothing was broken yet, and every process was stopped');
      throw new UserError(`stopped by the kill switch: ${why.reason}`, exitCode.aborted);
    };
    await Promise.all([up, over()]);
  }

  async outcome(startedMs: number): Promise<GameDayOutcome> {
    const { options, slos, timing, clock, id, view, judging } = this.#parts;
    view.progress('gathering what was measured');
    const watch = this.#watch as Watch;
    const load = this.#load as Load;
    const endedMs = clock.nowMs();
    const fromMs = this.#scenarios[0]?.startedMs ?? startedMs;
    const description = this.#system.description;
    const alerts = await this.#alerts(fromMs);
    const budgets = await Promise.all(slos.map((s) => budgetOf(watch, s, timing, fromMs, endedMs)));
    for (const scenario of this.#scenarios) {
      scenario.budgetSpent = await Promise.all(
        slos.map(async (slo, i) => {
          const events = await eventsOf(watch, slo, timing, scenario.startedMs, scenario.endedMs);
          const whole = budgets[i] as { bad: number; total: number };
          const ratio = periodShare(events, whole, slo, timing, endedMs - fromMs);
          return { slo: slo.id, ratio, ...events };
        }),
      );
    }
    const series = [
      ...clientSeries(load.points, fromMs, endedMs),
      ...(await proxySeries(watch, slos, timing, fromMs, endedMs)),
    ];
    const sections = await this.#system.sections();
    const acks = acknowledgements(options.stateFolder, fromMs, endedMs);
    const answers = acknowledgementEvents(acks, alerts, options.drill.roles);
    const ofSystem = await this.#system.events();
    const events = [
      ...this.#events,
      ...ofSystem,
      ...alertEvents(alerts, this.#targets()),
      ...answers,
    ];
    const verdict = worst(this.#scenarios.map((s) => s.verdict));
    const coverage = await this.#coverage({ id, startedMs, endedMs, alerts });
    const record: GameDayRecord = {
      version: 1,
      id,
      title: `Game day of ${description.name}`,
      command: options.command,
      ...(options.drill.roles && { roles: options.drill.roles }),
      firedrillVersion: packageVersion(),
      startedMs,
      endedMs,
      verdict,
      exitCode: this.#parts.signal.aborted ? exitCode.interrupted : verdictCode[verdict],
      timeScale: {
        factor: timing.timeScale,
        text: scaleText(timing.timeScale),
        hourMs: hourMs * timing.timeScale,
        ...(options.scaleWhy !== undefined && { why: options.scaleWhy }),
      },
      ...(judging.remarks.length > 0 && { remarks: judging.remarks }),
      measurement: measurementOf(watch, options, timing),
      load: loadOf(load, { fromMs, startedMs, endedMs }),
      system: systemOf(this.#system, sections),
      scenarios: this.#scenarios,
      series,
      alerts,
      timeline: inOrder(events, this.#scenarios),
      budgets,
      ...(coverage && { coverage: coverage.alerts }),
      machine: machineOf(),
    };
    return {
      record,
      shared: {
        proxies: description.workloads.flatMap(({ ports }) =>
          ports.proxyAdmin === undefined ? [] : [`127.0.0.1:${ports.proxyAdmin}`],
        ),
        controller: this.#system.controllerAdmin ?? '',
        ...(watch.url !== undefined && { prometheus: watch.url }),
        slos: options.slos.join(' '),
        window: this.#window(),
      },
    };
  }

  /** Which alerts the day proved. Where it cannot be kept for later days, this day's report still has it. */
  async #coverage(
    own: Pick<GameDayRecord, 'id' | 'startedMs' | 'endedMs' | 'alerts'>,
  ): Promise<CoverageRun | undefined> {
    const { options, timing, groups, view } = this.#parts;
    let coverage: CoverageRun | undefined;
    try {
      coverage = await coverageRunOf({
        ...own,
        watch: this.#watch as Watch,
        system: this.#system.description.name,
        timeScale: timing.timeScale,
        groups,
        scenarios: this.#scenarios,
      });
      if (coverage.scenarios.length > 0) keepCoverage(options.stateFolder, coverage);
    } catch (error) {
      view.line(`the alert coverage is not kept in ${options.stateFolder}: ${messageOf(error)}`);
    }
    return coverage;
  }

  /** The alerts of the run; alerts that fired and resolved during the start are left out. */
  async #alerts(fromMs: number): Promise<AlertRecord[]> {
    const firings = firingsOf((this.#watch as Watch).notifications).filter(
      (f) => f.resolvedAtMs === undefined || f.resolvedAtMs >= fromMs,
    );
    const pages = readPages();
    const records = await Promise.all(
      firings.map(async (f): Promise<AlertRecord> => {
        const scenario = this.#scenarios.find(
          (s) => f.firedAtMs >= s.startedMs && f.firedAtMs <= s.endedMs,
        );
        const key = `${f.name} ${f.firedAtMs} ${JSON.stringify(f.labels)}`;
        const answers = await this.#answers.get(key);
        const page = pageFor(pages, f.name, f.labels.slo !== undefined);
        return {
          ...f,
          ...(scenario && { scenario: scenario.id }),
          expected: scenario !== undefined && isExpected(scenario, f),
          facts: (await this.#facts.get(key)) ?? [],
          ...(answers && { answers }),
          ...(page !== undefined && { runbook: page.name }),
        };
      }),
    );
    return records.sort((a, b) => a.firedAtMs - b.firedAtMs);
  }

  async stop(): Promise<void> {
    this.#stopTelling();
    this.#lifetimes?.stop();
    await Promise.allSettled(this.#starting);
    const parts = { load: this.#load, watch: this.#watch, system: this.#running };
    const stops = Object.entries(parts).map(([name, part]) => this.#stopOne(name, part));
    await Promise.all(stops);
    await this.#stopOne("client's metrics", this.#client);
  }

  /** A part that does not stop must not keep the others; what it left is named. */
  async #stopOne(
    name: string,
    part: { stop(): Promise<unknown> | void } | undefined,
  ): Promise<void> {
    try {
      await part?.stop();
    } catch (error) {
      this.#parts.view.line(`the ${name} could not be stopped: ${messageOf(error)}`);
    }
  }
}
