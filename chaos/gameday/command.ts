/** `firedrill gameday run`: reads options, runs, writes the report, and ends with the verdict's exit code. */
import { constants, setPriority, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { exitCode, messageOf, UserError } from '../../base/errors.js';
import { outliveReaders } from '../../base/parent.js';
import { Progress, styleFor } from '../../base/terminal.js';
import { tryFolder } from '../../base/writable-folder.js';
import { writeFileWhole } from '../../base/write-file.js';
import { resultOf } from '../../runbooks/report/result.js';
import { terminalSummary } from '../../runbooks/report/terminal.js';
import { recoverFirst } from '../runner/recover.js';
import { findDrill } from '../system/bundled.js';
import { namesOf } from '../system/names.js';
import { drillEvents, parseEvents } from '../../runbooks/events.js';
import { dayRecordEvent, recordedIn, scenarioRecordEvent } from '../../runbooks/recorded.js';
import { EventFile, eventFileName } from './event-file.js';
import { noScenario } from '../scenarios/meant.js';
import { ownScenarios, readScenarios } from '../scenarios/read.js';
import type { Drill } from '../system/drill-file.js';
import { runGameDay, type GameDayOutcome, type GameDayView } from './gameday.js';
import { seedOf, surpriseOrder, veiled } from './surprise.js';
import { type ExistingFlags, existingOf, judgingFor } from './existing.js';
import { autoScale } from './judging.js';
import { type GameDayOptions, parseTimeScale } from './options.js';
import { type ReportPaths, writeReport } from './report-folder.js';
import { type PlannedScenario, planOf, planText } from './plan.js';
import type { GuardAnswer } from '../guard/guard.js';
import type { Timing } from '../runner/context.js';
import type { Roles } from './roles.js';
import { guardOf, refuseImpossible, worldOf } from './world.js';
import { parseDurationMs } from '../../base/duration.js';
import { readTimeMs } from '../../base/time-text.js';

export interface CommandOptions extends ExistingFlags {
  drill?: string;
  scenarios?: string[];
  timeScale?: string;
  load: string;
  rate?: string;
  input: string[];
  rules: string[];
  silences?: string;
  routingTime?: string;
  out: string;
  junit?: string;
  format: string;
  state: string;
  allowance: string;
  dryRun?: boolean;
  proveRunbooks?: boolean;
  confirm?: string;
  /** A seed, or true for a new one. */
  surprise?: string | true;
}

export interface Planned {
  scenarios: PlannedScenario[];
  /** The guard's checks, and their present answers. */
  guard: GuardAnswer[];
  timing: Timing;
  remarks: readonly string[];
  roles?: Roles;
}

/** Checks everything that can be known before the first fault. Throws a UserError if a scenario cannot work. */
export async function plannedDay(given: CommandOptions): Promise<Planned> {
  const options = optionsOf(given);
  const scenarios = readScenarios(options.scenarios);
  const judging = await judgingFor(options);
  const { timing, remarks } = judging;
  const guard = guardOf(options, judging, scenarios);
  const world = worldOf(await namesOf(options.drill), judging, options.drill.load);
  refuseImpossible(scenarios, world, guard);
  const plan = planOf(
    scenarios.map((s) => s.scenario),
    world.rules,
    judging,
  );
  const answers = [...guard.conditions(), ...(await guard.answers())];
  const { roles } = options.drill;
  return { scenarios: plan, guard: answers, timing, remarks, ...(roles && { roles }) };
}

/** Prints the plan. */
export async function planCommand(given: CommandOptions): Promise<number> {
  const { scenarios, guard, timing, remarks } = await plannedDay(given);
  const text =
    given.format === 'json'
      ? `${JSON.stringify({ scenarios, guard, remarks }, undefined, 2)}\n`
      : planText(scenarios, timing, guard);
  for (const remark of remarks) process.stderr.write(`${remark}\n`);
  process.stdout.write(text);
  return exitCode.ok;
}

export async function gameDayCommand(given: CommandOptions): Promise<number> {
  if (given.dryRun) return planCommand(given);
  const json = given.format === 'json';
  const progress = new Progress(process.stderr);
  const begun = performance.now();
  const clock = (): string => `${((performance.now() - begun) / 1000).toFixed(0).padStart(3)} s`;
  const view = {
    progress: (text: string) => progress.update(`${clock()}  ${text}`),
    line: (text: string) => progress.line(`${clock()}  ${text}`),
  };
  const options = optionsOf(given);
  tryFolder(options.stateFolder, 'the state folder', 'a writable folder after --state');
  tryFolder(given.out, 'the folder of the report', 'a writable folder after --out');
  tryFolder(tmpdir(), 'the temporary folder', 'another one in TMPDIR');
  if (given.junit !== undefined) tryFolder(dirname(given.junit), 'the folder of the JUnit file');
  const events = new EventFile(given.out);
  askForPriority();
  // If nobody reads the output any more (`| head` or a closed terminal), faults are rolled back, and the verdict is the
  // exit code.
  process.stdout.removeAllListeners('error');
  outliveReaders();
  const abort = new AbortController();
  const release = onInterrupt(abort, view.line);
  try {
    const running = await recoverFirst(options.stateFolder, view.line);
    if (running !== undefined) {
      throw new UserError({
        message: `another run is under way in ${options.stateFolder}: ${running}`,
        expected: 'its end, or a --state and an --out of its own',
      });
    }
    if (options.scaleWhy !== undefined) view.line(options.scaleWhy);
    const seen = surprised(options, given.surprise, view);
    const measured = await runGameDay(
      options,
      { ...seen, event: (event) => events.write(event) },
      abort.signal,
    );
    const outcome = fromEvents(measured);
    writeEnds(events, outcome);
    const paths = written(given, outcome);
    progress.clear();
    if (json) process.stdout.write(`${JSON.stringify(resultOf(outcome.record), undefined, 2)}\n`);
    else process.stdout.write(terminalSummary(outcome.record, styleFor(process.stdout), paths));
    if (abort.signal.aborted) {
      view.line(interruptedText(outcome.record));
      return exitCode.interrupted;
    }
    return outcome.record.exitCode;
  } catch (error) {
    if (!abort.signal.aborted) throw error;
    view.line(`interrupted: ${messageOf(error)}`);
    return exitCode.interrupted;
  } finally {
    progress.clear();
    events.close();
    release();
  }
}

function interruptedText({ scenarios }: GameDayOutcome['record']): string {
  const [left] = scenarios.flatMap((s) => s.rollback.residue);
  return left === undefined
    ? 'interrupted: every fault was rolled back, and every process was stopped'
    : `interrupted: every process was stopped, and this is left: ${left} (firedrill gameday recover)`;
}

/** With `--surprise`, puts the scenarios into a random order, and returns the view that hides them. */
function surprised<View extends GameDayView>(
  options: GameDayOptions,
  given: string | true | undefined,
  view: View,
): View {
  if (given === undefined) return view;
  const seed = seedOf(given);
  options.scenarios = surpriseOrder(options.scenarios, seed);
  view.line(`in a drawn order: --surprise ${seed} gives it again`);
  const titles = readScenarios(options.scenarios).map(({ scenario }) => scenario.title);
  return veiled(view, titles);
}

/** The report is made only from the events in the file, so that a replay shows the same. */
function fromEvents({ record, shared }: GameDayOutcome): GameDayOutcome {
  const events = [...record.scenarios.map(scenarioRecordEvent), dayRecordEvent(record, shared)];
  const written = events.map((event) => JSON.stringify(event)).join('\n');
  const recorded = recordedIn(eventFileName, parseEvents(eventFileName, written));
  return recorded as GameDayOutcome;
}

/** Writes the events that are only known at the day's end: the day's record, the budgets, the notes and the end. */
function writeEnds(events: EventFile, { record, shared }: GameDayOutcome): void {
  events.write(dayRecordEvent(record, shared));
  for (const event of drillEvents(record)) {
    const isEnd = event.kind === 'day' && event.state === 'ended';
    if (event.kind === 'budget' || event.kind === 'note' || isEnd) events.write(event);
  }
}

/** Version 0.1 used seconds: a bare number still means seconds. */
function allowanceOf(text: string): number {
  const ms = /^\d+(\.\d+)?$/.test(text) ? Number(text) * 1000 : parseDurationMs(text);
  if (ms !== undefined) return ms;
  throw new UserError({ message: `bad --allowance '${text}'`, expected: 'a duration such as 2s' });
}

function optionsOf(given: CommandOptions): GameDayOptions {
  const rate = given.rate === undefined ? undefined : Number(given.rate);
  if (rate !== undefined && !(rate >= 0.1 && rate <= 10_000)) {
    throw new UserError({ message: `bad --rate '${given.rate}'`, expected: '0.1 to 10000' });
  }
  const allowanceMs = allowanceOf(given.allowance);
  const drill = findDrill(given.drill);
  const rules = given.rules.length > 0 ? given.rules : drill.rules;
  const existing = existingOf(given, drill);
  const slos = given.input.length > 0 ? given.input : drill.slos;
  const { timeScale, why } = existing
    ? productionTime(given)
    : scaleOf(given, drill, { rules, slos });
  const scenarios =
    given.scenarios === undefined ? drill.scenarios : chosen(given.scenarios, drill.scenarios);
  if (scenarios.length === 0) {
    throw new UserError({
      message: `${drill.file}: no scenarios, so nothing would be broken`,
      expected: 'scenarios: [scenarios/*.yaml], or --scenarios',
    });
  }
  const alertmanager = given.alertmanager ?? drill.alertmanager;
  const silences = given.silences ?? drill.silences;
  if (existing && given.silences !== undefined) {
    throw new UserError('--silences: an Alertmanager that runs has silences of its own');
  }
  const prometheus = existing
    ? 'real'
    : oneOf('--prometheus', given.prometheus, ['auto', 'embedded', 'real', 'an address']);
  return {
    drill,
    scenarios,
    timeScale,
    ...(why !== undefined && { scaleWhy: why }),
    rules,
    ...(alertmanager !== undefined && !existing && { alertmanager }),
    ...(silences !== undefined && !existing && { silences }),
    ...(given.routingTime !== undefined && { routingMs: momentOf(given.routingTime) }),
    prometheus: prometheus === 'auto' || prometheus === 'embedded' ? prometheus : 'prometheus',
    ...(existing && { existing }),
    load: oneOf('--load', given.load, ['auto', 'embedded', 'k6']),
    ...(rate !== undefined && { requestsPerSecond: rate }),
    slos,
    stateFolder: given.state,
    allowanceMs,
    ...(given.confirm !== undefined && { confirm: given.confirm }),
    ...(given.proveRunbooks && { proveRunbooks: true }),
    command: `firedrill ${process.argv.slice(2).join(' ')}`.trim(),
  };
}

/** The drill's scenario of that id, otherwise the name as given: a file, or a built-in scenario. */
function chosen(names: readonly string[], ofDrill: readonly string[]): string[] {
  const known = readScenarios(ofDrill);
  return names.map((part) => {
    const name = part.trim();
    const at = known.findIndex((k) => k.scenario.id === name);
    if (at >= 0) return ofDrill[at] as string;
    if (/[./\\]/.test(name) || ownScenarios().includes(name)) return name;
    const ids = known.map((k) => k.scenario.id);
    const expected = `a file, one of the drill (${ids.join(', ')}), or one of ${ownScenarios().join(', ')}`;
    throw noScenario(name, [...ids, ...ownScenarios()], expected);
  });
}

/** A system that runs already only has production time. */
function productionTime({ timeScale }: CommandOptions): { timeScale: number; why: string } {
  if (timeScale !== undefined && parseTimeScale(timeScale) !== 1) {
    throw new UserError({
      message: `--time-scale ${timeScale}: a Prometheus that runs already knows production time alone`,
      expected: '1',
    });
  }
  return {
    timeScale: 1,
    why: 'production time: the rules are those of a Prometheus that runs already',
  };
}

/** The time scale from the command line, from the drill, or from the drill's rules. */
function scaleOf(
  given: CommandOptions,
  drill: Drill,
  by: { rules: readonly string[]; slos: readonly string[] },
): { timeScale: number; why?: string } {
  const text = given.timeScale ?? String(drill.timeScale);
  if (text !== 'auto') return { timeScale: parseTimeScale(text) };
  const { system } = drill;
  const targets = system.kind === 'processes' ? Object.keys(system.services).length : 1;
  const { scale, why } = autoScale(by, 2 * targets);
  return { timeScale: scale, ...(why !== undefined && { why }) };
}

function momentOf(text: string): number {
  const ms = /^\d{4}-\d\d-\d\dT/.test(text) ? readTimeMs(text) : Number.NaN;
  if (!Number.isNaN(ms)) return ms;
  const expected = 'a time such as 2026-12-01T22:00:00Z';
  throw new UserError({ message: `bad --routing-time '${text}'`, expected });
}

function oneOf<T extends string>(name: string, value: string, known: readonly T[]): T {
  const found = known.find((k) => k === value);
  if (found !== undefined) return found;
  throw new UserError({ message: `bad ${name} '${value}'`, expected: known.join(', ') });
}

/** If the report cannot be written, the measurements are kept in the state folder. */
function written(given: CommandOptions, outcome: GameDayOutcome): ReportPaths {
  try {
    return writeReport(given.out, outcome, given.junit);
  } catch (error) {
    const kept = join(given.state, `record-${outcome.record.id}.json`);
    let where = `what was measured is in ${kept}`;
    try {
      writeFileWhole(kept, `${JSON.stringify(outcome.record)}\n`);
    } catch {
      where = 'and neither could the record';
    }
    const why = `the report could not be written to ${given.out}: ${messageOf(error)}`;
    const text = `${outcome.record.verdict}, but ${why}; ${where}`;
    throw new UserError(text, exitCode.environment);
  }
}

/** Raises the priority if the kernel allows it: a rig that waits for a core measures the machine, and not the mesh. */
function askForPriority(): void {
  try {
    setPriority(constants.priority.PRIORITY_HIGH);
  } catch {
    // Only root may raise it on Linux; the runner measures and reports its own lateness.
  }
}

const sameSignalMs = 1000;

/** A closed terminal has the same effect as Ctrl-C; nobody reads the output then. */
const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** The first Ctrl-C rolls back in good order; the second leaves the rollback to the leases. */
function onInterrupt(abort: AbortController, line: (text: string) => void): () => void {
  let firstMs = 0;
  const stop = (): void => {
    const nowMs = performance.now();
    // `timeout` signals its child and its child's process group: that counts as one signal.
    if (abort.signal.aborted && nowMs - firstMs < sameSignalMs) return;
    if (abort.signal.aborted) {
      line('leaving at once: faults lapse by themselves, children end with this process');
      process.exit(exitCode.interrupted);
    }
    line('interrupted: rolling faults back and stopping every process (again to leave at once)');
    firstMs = nowMs;
    abort.abort();
  };
  for (const signal of signals) process.on(signal, stop);
  return () => {
    for (const signal of signals) process.off(signal, stop);
  };
}
