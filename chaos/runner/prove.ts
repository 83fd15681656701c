/** Asks and follows a scenario's runbook: before the fault, under the fault, and instead of the drill's own undo. */
import type { ArmRecord } from '../../runbooks/record.js';
import type { Injection } from './injection.js';
import type { ScenarioRun } from './run-scenario.js';

const lookEveryMs = 200;

/** Before the fault the questions are asked twice, so that values that always move are known. */
export async function askPage(run: ScenarioRun, when: 'before' | 'under'): Promise<void> {
  const { proof, progress } = run.context;
  if (!proof) return;
  progress(`the runbook's questions, ${when} the fault`);
  await beside(run, when === 'under', async (signal) => {
    await proof.ask(signal);
    if (when === 'before') await proof.ask(signal);
  });
}

/**
 * Waits for the page's commands while the run is watched as usual: Ctrl-C, the kill switch and, with `withAbort`, an
 * abort condition end the running command and the wait. Throws the reason that ends the run.
 */
async function beside(
  run: ScenarioRun,
  withAbort: boolean,
  work: (signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const ending = new AbortController();
  const over = new AbortController();
  const working = work(ending.signal).finally(() => over.abort());
  try {
    while (!over.signal.aborted) await run.wait(lookEveryMs, undefined, withAbort);
  } finally {
    ending.abort();
    await working;
  }
}

/** Follows the page while the fault's leases are still renewed. */
export async function proveRunbook(run: ScenarioRun): Promise<void> {
  const { proof } = run.context;
  if (!proof) return;
  await askPage(run, 'under');
  if (run.injections.every((i) => i.record.endedMs !== undefined)) {
    return proof.notTried('the faults had ended by themselves');
  }
  if (!proof.hasMitigation) {
    return proof.notTried('no command of its Mitigation can be run as it stands');
  }
  await beside(run, true, (signal) =>
    proof.mitigate(
      run.injections,
      (command) => run.say(run.scenario.runbook, `the runbook's step: ${command}`),
      signal,
    ),
  );
  const limitMs = run.nowMs + run.real(run.scenario.recovery);
  await run.phase('recovery', 'by the runbook', async () => {
    const fromMs = run.nowMs;
    while (run.nowMs < limitMs) {
      await run.wait(lookEveryMs, undefined, false);
      if (!(await run.isOver(fromMs))) continue;
      proof.ended();
      break;
    }
  });
}

/** With arms, the page is proved in the first arm, if the arm's policy keeps the system down without the trigger. */
export async function proveByArm(
  run: ScenarioRun,
  { verdict }: ArmRecord,
  policy: readonly Injection[],
): Promise<void> {
  const { proof } = run.context;
  if (!proof || policy.length === 0) return;
  if (verdict === 'metastable') return proveRunbook(run);
  proof.notTried('the system had come back by itself');
}
