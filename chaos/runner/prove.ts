/** Asks and follows a scenario's runbook: before the fault, under the fault, and instead of the drill's own undo. */
import type { ScenarioRun } from './run-scenario.js';

const lookEveryMs = 200;

/** Before the fault the questions are asked twice, so that values that always move are known. */
export async function askPage(run: ScenarioRun, when: 'before' | 'under'): Promise<void> {
  const { proof, progress } = run.context;
  if (!proof) return;
  progress(`the runbook's questions, ${when} the fault`);
  await proof.ask();
  if (when === 'before') await proof.ask();
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
  await proof.mitigate(run.injections, (command) =>
    run.say(run.scenario.runbook, `the runbook's step: ${command}`),
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
