/** `firedrill gameday plan`: the steps of a game day and the deadlines of its alerts; nothing is started. */
import { formatDurationMs } from '../../base/duration.js';
import { parse, walk } from '../../slo/promql/index.js';
import type { AlertingRule } from '../../slo/rules/model.js';
import { timeText } from '../../runbooks/words.js';
import { faultKind } from '../faults/kinds.js';
import { longestOf } from '../scenarios/length.js';
import type { GuardAnswer } from '../guard/guard.js';
import type { Timing } from '../runner/context.js';
import type { Judging } from './judging.js';
import { routeWarning } from './routed.js';
import type { Expected, Scenario, ScenarioFault } from '../scenarios/schema.js';

export interface PlannedAlert {
  alert: string;
  labels: Record<string, string>;
  severity: string;
  receiver?: string;
  /** Real milliseconds, including the allowance. */
  deadlineMs: number;
  /** The `for` of its rule. */
  forMs: number;
  /** Its severity, labels and receiver, the arm in which it must fire, and the way in which it must be withheld. */
  terms: string[];
  /** A reason, known before the run, why the expectation will fail. */
  warning?: string;
}

export interface PlannedScenario {
  id: string;
  title: string;
  blastRadius: string;
  faults: { id: string; kind: string; target: string; does: string }[];
  expected: PlannedAlert[];
  /** Each with its labels and its arm. */
  mustNotFire: string[];
  aborts: string[];
  /** Real milliseconds, at most. */
  atMostMs: number;
}

export function planOf(
  scenarios: readonly Scenario[],
  rules: readonly AlertingRule[],
  judging: Pick<Judging, 'timing' | 'routing'>,
): PlannedScenario[] {
  const { timing } = judging;
  return scenarios.map((scenario, i) => {
    const historyMs =
      scenarios.slice(0, i + 1).reduce((sum, s) => sum + longestOf(s), 0) * timing.timeScale;
    const faults = [
      ...scenario.faults,
      ...(scenario.arms?.trigger ?? []),
      ...(scenario.arms?.runs.flatMap((run) => run.faults) ?? []),
    ];
    return {
      id: scenario.id,
      title: scenario.title,
      blastRadius: scenario.blastRadius,
      faults: faults.map(plannedFault),
      expected: scenario.expect.mustFire.map((wanted) =>
        plannedAlert(wanted, rules, historyMs, judging),
      ),
      mustNotFire: scenario.expect.mustNotFire.map((not) => withTerms(not.alert, termsOf(not))),
      aborts: scenario.abort.map((condition) => condition.name),
      atMostMs: longestOf(scenario) * timing.timeScale,
    };
  });
}

const plannedFault = ({ id, kind, target }: ScenarioFault): PlannedScenario['faults'][number] => ({
  id,
  kind,
  target,
  does: faultKind(kind).summary,
});

function plannedAlert(
  wanted: Expected,
  rules: readonly AlertingRule[],
  historyMs: number,
  { timing: { timeScale, allowanceMs }, routing }: Pick<Judging, 'timing' | 'routing'>,
): PlannedAlert {
  const deadlineMs = wanted.within * timeScale + allowanceMs;
  const own = rules.filter(
    (r) => r.alert === wanted.alert && (r.labels.severity ?? 'none') === wanted.severity,
  );
  const forMs = Math.min(...own.map((r) => r.forMs));
  const slow = Number.isFinite(forMs)
    ? slowWarning(forMs, wanted.within * timeScale, deadlineMs)
    : undefined;
  const young = own.length > 0 && own.every((rule) => oldestMs(rule) > historyMs);
  const lasting = keepsFiring(own, wanted, timeScale, allowanceMs);
  const warning =
    slow ??
    (young ? youngDrill : undefined) ??
    lasting ??
    (routing && routeWarning(routing, own, wanted));
  return {
    alert: wanted.alert,
    labels: wanted.labels,
    severity: wanted.severity,
    ...(wanted.receiver !== undefined && { receiver: wanted.receiver }),
    deadlineMs,
    forMs: Number.isFinite(forMs) ? forMs : 0,
    terms: termsOf(wanted),
    ...(warning !== undefined && { warning }),
  };
}

function termsOf(wanted: Partial<Expected>): string[] {
  const { severity, labels = {}, receiver, arm, inhibitedBy, silencedBy } = wanted;
  return [
    severity,
    ...Object.entries(labels).map(([name, value]) => `${name}=${value}`),
    receiver && `to ${receiver}`,
    inhibitedBy && `inhibited by ${inhibitedBy}`,
    silencedBy && `silenced by ${silencedBy}`,
    arm && `in the arm ${arm}`,
  ].filter((term) => term !== undefined);
}

const withTerms = (alert: string, terms: readonly string[]): string =>
  terms.length === 0 ? alert : `${alert} (${terms.join(', ')})`;

/** All in real milliseconds; `withinMs` is the deadline without the drill's allowance. */
function slowWarning(forMs: number, withinMs: number, deadlineMs: number): string | undefined {
  const waits = `its rule waits for ${timeText(forMs)} (for)`;
  if (forMs > deadlineMs) return `${waits}: it cannot fire before its deadline`;
  if (forMs < withinMs) return undefined;
  return `${waits}: in production it cannot fire before its deadline, which is drawn out in a drill`;
}

const youngDrill = 'its rule asks for data (offset) that is older than the drill: there is none';

/** The longest offset in the rule's own expression, in real milliseconds. */
function oldestMs({ expr }: AlertingRule): number {
  let oldest = 0;
  walk(parse(expr), (node) => {
    if (node.kind !== 'selector' || node.offset?.kind !== 'seconds') return;
    oldest = Math.max(oldest, node.offset.seconds * 1000);
  });
  return oldest;
}

function keepsFiring(
  rules: readonly AlertingRule[],
  { resolveWithin }: Expected,
  timeScale: number,
  allowanceMs: number,
): string | undefined {
  if (resolveWithin === undefined || rules.length === 0) return undefined;
  const keptMs = Math.min(...rules.map((rule) => rule.keepFiringForMs));
  if (keptMs <= resolveWithin * timeScale + allowanceMs) return undefined;
  const longer = `its rule fires for ${timeText(keptMs)} longer (keep_firing_for) than its condition`;
  return `${longer}: it cannot resolve in time`;
}

/** Ends with a newline. */
export function planText(
  plan: readonly PlannedScenario[],
  timing: Timing,
  guard: readonly GuardAnswer[] = [],
): string {
  const nominal = (ms: number): string => formatDurationMs(Math.round(ms / timing.timeScale));
  const lines = plan.flatMap((s) => [
    `${s.id}: ${s.title}`,
    `  breaks      ${s.faults.map((f) => `${f.target} (${f.kind}: ${f.does})`).join('; ')}`,
    `  blast       ${s.blastRadius}`,
    ...s.expected.flatMap(expectedLines),
    ...(s.mustNotFire.length > 0 ? [`  must not    ${s.mustNotFire.join(', ')}`] : []),
    `  aborts on   ${s.aborts.join('; ')}`,
    `  at most     ${timeText(s.atMostMs)} (${nominal(s.atMostMs)} in production time)`,
    '',
  ]);
  for (const { field, held, text } of guard) {
    lines.push(`guard: ${field}: ${text}${held ? '' : ': a drill would be refused now'}`);
  }
  lines.push(
    'every alert, target, route, counter, receiver and runbook page is there; nothing was started',
  );
  return `${lines.join('\n')}\n`;
}

function expectedLines(e: PlannedAlert): string[] {
  const waits = e.forMs > 0 ? `, for ${timeText(e.forMs)}` : '';
  const line = `  must fire   ${withTerms(e.alert, e.terms)} within ${timeText(e.deadlineMs)}${waits}`;
  return e.warning === undefined ? [line] : [line, `              warning: ${e.warning}`];
}
