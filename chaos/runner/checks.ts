/** The additional claims of a scenario, each measured over the phase that the claim names. */
import { messageOf } from '../../base/errors.js';
import type { CheckRecord } from '../../runbooks/record.js';
import type { Check } from '../scenarios/schema.js';
import { boundText, exprText, holds, type Stretch, valueOf } from './measure.js';
import { rollout } from './rollout.js';
import type { ScenarioRun } from './run-scenario.js';

/** Time limit for work that is due in the fault phase to arrive after its obstacle is removed. */
const arriveLimitMs = 10_000;

export async function evaluateChecks(
  run: ScenarioRun,
  phase: Check['phase'],
  stretch: Stretch,
): Promise<CheckRecord[]> {
  const records: CheckRecord[] = [];
  for (const check of run.scenario.checks) {
    const whole = check.phase === 'all' && phase === 'recovery';
    if (check.phase !== phase && !whole) continue;
    const over = whole ? { startMs: run.injectedMs ?? 0, endMs: stretch.endMs } : stretch;
    try {
      records.push(await evaluate(run, check, over));
    } catch (error) {
      records.push({ name: check.name, held: false, detail: messageOf(error) });
    }
  }
  return records;
}

async function evaluate(run: ScenarioRun, check: Check, stretch: Stretch): Promise<CheckRecord> {
  const { name } = check;
  if (check.rollout !== undefined) return rolloutRecord(run, check);
  if (check.counter !== undefined) {
    const { service, name: counter } = check.counter;
    const value = (await run.context.system.counters(service))[counter];
    const detail = `${service}.${counter} is ${value ?? 'unknown'}, expected ${boundText(check)}`;
    return { name, held: holds(value, check), detail };
  }
  const value = await valueOf(check, stretch, run.sources);
  const text = value === undefined ? 'without data' : String(Number(value.toPrecision(4)));
  const detail = `${exprText(check)} is ${text}, expected ${boundText(check)}`;
  return { name, held: holds(value, check), detail };
}

async function rolloutRecord(run: ScenarioRun, check: Check): Promise<CheckRecord> {
  const { revision } = run.steps;
  const { name } = check;
  if (revision === undefined) return { name, held: false, detail: 'nothing was published' };
  if (check.rollout === 'withheld') {
    const { have, lack } = await rollout(run.context.system, revision);
    const detail = `revision ${revision} is served by ${have.length} of ${have.length + lack.length} proxies`;
    return { name, held: have.length === 0, detail };
  }
  const end = run.nowMs + arriveLimitMs;
  for (;;) {
    const { have, lack } = await rollout(run.context.system, revision);
    const detail = `revision ${revision} is served by ${have.length} of ${have.length + lack.length} proxies`;
    if (lack.length === 0) return { name, held: true, detail };
    if (run.nowMs > end) {
      return { name, held: false, detail: `${detail}: not by ${lack.join(', ')}` };
    }
    await run.context.sleep(100, run.context.signal);
  }
}
