/**
 * Runs an experiment of the Chaos Toolkit with our journal. Its rollbacks are on disk before its method begins, and run
 * however it ends: by itself, by a deviation, by a signal, and by a warden if this process is killed.
 */
import { dirname, resolve } from 'node:path';
import { sleep } from '../../base/clock.js';
import { messageOf, UserError } from '../../base/errors.js';
import { runUndo, type Undo } from '../faults/undo.js';
import type { Journal } from '../runner/journal.js';
import type { Stop } from '../runner/stop-switch.js';
import type { Activity, Experiment } from './experiment.js';
import { argvOf, type Doing, missing, perform, requestOf, undone } from './provide.js';
import { type Answer, isWithin } from './tolerance.js';

export interface ActivityRun {
  name: string;
  type: Activity['type'];
  status: 'succeeded' | 'failed';
  /** Only for probes with a tolerance. */
  withinTolerance?: boolean;
  answer?: Answer;
  /** The reason for the failure. */
  trouble?: string;
  tookMs: number;
}

export interface ExperimentRun {
  title: string;
  verdict: 'PASS' | 'FAIL' | 'INCONCLUSIVE' | 'ABORTED';
  /** The steady state was not met after the method. */
  deviated: boolean;
  reasons: string[];
  before?: ActivityRun[];
  method: ActivityRun[];
  after?: ActivityRun[];
  rollbacks: { name: string; done: boolean; trouble?: string }[];
}

export interface RunOptions {
  journal: Journal;
  signal: AbortSignal;
  stopSwitch(): Stop | undefined;
  say(line: string): void;
}

/** The undo in the journal's format, for any reader of the journal. */
export function undoOf({ provider }: Activity, folder: string): Undo {
  if (provider.type === 'http') return { kind: 'requests', requests: [requestOf(provider)] };
  const { timeoutMs: limitMs, env } = provider;
  return { kind: 'command', argv: argvOf(provider), folder, limitMs, env };
}

/** Throws a UserError, before anything is touched, if a program is missing. */
export function refuseMissing(experiment: Experiment): void {
  const folder = dirname(resolve(experiment.file));
  const all = [
    ...(experiment.hypothesis?.probes ?? []),
    ...experiment.method,
    ...experiment.rollbacks,
  ];
  const problems = all.flatMap(({ name, provider }) => {
    const what = provider.type === 'process' ? missing(provider, folder) : undefined;
    return what === undefined ? [] : [{ message: `${experiment.file}: ${name}: ${what}` }];
  });
  if (problems.length > 0) throw new UserError(problems);
}

const switchEveryMs = 100;

export async function runExperiment(
  experiment: Experiment,
  options: RunOptions,
): Promise<ExperimentRun> {
  const { journal, say } = options;
  const folder = dirname(resolve(experiment.file));
  const abort = new AbortController();
  options.signal.addEventListener('abort', () => abort.abort(), { once: true });
  if (options.signal.aborted) abort.abort();
  let stopped: Stop | undefined;
  const watching = setInterval(() => {
    stopped ??= options.stopSwitch();
    if (stopped) abort.abort();
  }, switchEveryMs);
  const doing: Doing = {
    folder,
    signal: abort.signal,
    onStart: (name, pid) => journal.process(pid, name, true),
  };
  const run: ExperimentRun = {
    title: experiment.title,
    verdict: 'PASS',
    deviated: false,
    reasons: [],
    method: [],
    rollbacks: [],
  };
  try {
    if (experiment.checked.before) {
      run.before = await checkHypothesis(experiment, doing, say);
      const bad = unmet(run.before);
      if (bad && !abort.signal.aborted) {
        run.verdict = 'INCONCLUSIVE';
        run.reasons.push(`not steady to begin with: ${bad}`);
        return run;
      }
    }
    // Nothing was done yet, so nothing is to be rolled back.
    if (abort.signal.aborted) return run;
    announce(experiment, folder, journal);
    try {
      run.method = await doMethod(experiment.method, doing, say);
      if (experiment.checked.after && !abort.signal.aborted) {
        run.after = await checkHypothesis(experiment, doing, say);
      }
    } finally {
      run.rollbacks = await rollBack(experiment, folder, journal, say);
    }
    judge(run, abort.signal.aborted);
    return run;
  } finally {
    clearInterval(watching);
    if (abort.signal.aborted) {
      run.verdict = 'ABORTED';
      run.reasons.unshift(stopped ? `the kill switch: ${stopped.reason}` : 'interrupted');
    }
  }
}

function judge(run: ExperimentRun, aborted: boolean): void {
  const bad = run.after && unmet(run.after);
  if (bad && !aborted) {
    run.deviated = true;
    run.reasons.push(`the steady state was lost: ${bad}`);
  }
  for (const { name, trouble } of run.method.filter((m) => m.status === 'failed')) {
    run.reasons.push(`${name} failed: ${trouble ?? 'out of its tolerance'}`);
  }
  for (const { name, trouble } of run.rollbacks.filter((r) => !r.done)) {
    run.reasons.push(`the rollback ${name} failed: ${trouble}`);
  }
  if (run.reasons.length > 0) run.verdict = 'FAIL';
  else if (!run.before?.length && !run.after?.length && !aborted) {
    run.verdict = 'INCONCLUSIVE';
    run.reasons.push('the hypothesis has no probe, so nothing was judged');
  }
}

const unmet = (runs: readonly ActivityRun[]): string | undefined => {
  const bad = runs.find((r) => r.withinTolerance === false || r.status === 'failed');
  if (!bad) return undefined;
  const what = bad.trouble ?? `${JSON.stringify(bad.answer).slice(0, 200)} is out of tolerance`;
  return `${bad.name}: ${what}`;
};

/** Checks the probes in order, up to the first that is not met. */
async function checkHypothesis(
  { hypothesis }: Experiment,
  doing: Doing,
  say: (line: string) => void,
): Promise<ActivityRun[]> {
  const runs: ActivityRun[] = [];
  for (const probe of hypothesis?.probes ?? []) {
    if (doing.signal.aborted) break;
    const run = await carryOut(probe, doing, say);
    runs.push(run);
    if (unmet([run]) !== undefined) break;
  }
  return runs;
}

/** Waits for background activities at the end. */
async function doMethod(
  method: readonly Activity[],
  doing: Doing,
  say: (line: string) => void,
): Promise<ActivityRun[]> {
  const runs: Promise<ActivityRun>[] = [];
  for (const activity of method) {
    if (doing.signal.aborted) break;
    const run = carryOut(activity, doing, say);
    runs.push(run);
    if (!activity.background) await run;
  }
  return Promise.all(runs);
}

/** Never rejects. */
async function carryOut(
  activity: Activity,
  doing: Doing,
  say: (line: string) => void,
): Promise<ActivityRun> {
  const { name, type, tolerance } = activity;
  await sleep(activity.pauseBeforeMs, doing.signal);
  const begun = performance.now();
  const took = (): number => Math.round(performance.now() - begun);
  let run: ActivityRun;
  try {
    if (doing.signal.aborted) throw new Error('stopped');
    const answer = await perform(activity, doing);
    const within = tolerance === undefined ? {} : { withinTolerance: isWithin(tolerance, answer) };
    const trouble = undone(activity, answer);
    const status = trouble === undefined ? 'succeeded' : 'failed';
    const why = trouble === undefined ? {} : { trouble };
    run = { name, type, status, answer, ...within, ...why, tookMs: took() };
  } catch (error) {
    run = { name, type, status: 'failed', trouble: messageOf(error), tookMs: took() };
  }
  say(
    `${type} ${name}: ${run.trouble ?? (run.withinTolerance === false ? 'out of tolerance' : 'ok')}`,
  );
  await sleep(activity.pauseAfterMs, doing.signal);
  return run;
}

const placeOf = (i: number): string => `rollback:${i}`;

/** The journal is read from its end, so the first rollback is written last. */
function announce({ rollbacks }: Experiment, folder: string, journal: Journal): void {
  for (const [i, activity] of [...rollbacks.entries()].toReversed()) {
    journal.intent('rollback', activity.name, placeOf(i), undoOf(activity, folder));
  }
}

/** Runs all rollbacks, even if one of them fails. */
async function rollBack(
  { rollbacks }: Experiment,
  folder: string,
  journal: Journal,
  say: (line: string) => void,
): Promise<ExperimentRun['rollbacks']> {
  const done: ExperimentRun['rollbacks'] = [];
  for (const [i, activity] of rollbacks.entries()) {
    const { name } = activity;
    try {
      await sleep(activity.pauseBeforeMs);
      await runUndo(undoOf(activity, folder), name);
      await sleep(activity.pauseAfterMs);
      journal.undone(placeOf(i));
      done.push({ name, done: true });
      say(`rollback ${name}: done`);
    } catch (error) {
      done.push({ name, done: false, trouble: messageOf(error) });
      say(`rollback ${name}: ${messageOf(error)}`);
    }
  }
  return done;
}
