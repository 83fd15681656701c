/** Cells of the table of policies as unit tests for promtool: the same counters, each policy's own rules. */
import { budgetRatio, compileSlo, planOf, type RuleGroup, ruleFileText } from '../slo/index.js';
import { formatDurationMs } from '../base/duration.js';
import type { Interval } from '../alerts/proof/backtest/firings.js';
import { countersOf } from '../alerts/proof/policies/judge.js';
import { increaseOf, play, Raw } from '../alerts/proof/policies/play.js';
import { type Arm, periodMs, type Policy } from '../alerts/proof/policies/policies.js';
import type { ToldStory } from '../alerts/proof/policies/stories.js';

const stepMs = 30_000;
const hourMs = 3_600_000;
/** The time before the incident: longer than every window of a page. */
const warmMs = 8 * hourMs;
const afterMs = 8 * hourMs;

export interface Cell {
  rules: string;
  tests: string;
  /** The number of times that the page begins. */
  pages: number;
}

/**
 * One story under one policy, from eight hours before its incident: promtool must give the pages that the table's own
 * evaluation of all 60 days has there. Counters begin high, so that a rate's extrapolation meets no zero; for dynamic
 * burn rates the period's events are given, since promtool reads no 30 days of samples.
 */
export function cellOf(
  told: ToldStory,
  policy: Policy,
  file: string,
  bothEnds: boolean,
  hoursMax = 20,
): Cell {
  const counters = countersOf(told, stepMs);
  const raw = new Raw(counters, bothEnds);
  const fromMs = Math.floor((told.incident.startMs - counters.startMs - warmMs) / stepMs) * stepMs;
  const lengthMs = Math.min(
    hoursMax * hourMs,
    told.incident.endMs - told.incident.startMs + warmMs + afterMs,
  );
  const first = fromMs / stepMs;
  const last = first + Math.floor(lengthMs / stepMs);
  const slice = <T>(of: (i: number) => T): T[] =>
    Array.from({ length: last - first + 1 }, (_, i) => of(first + i));
  const series = (name: string, values: readonly number[], add: number): string =>
    `    - series: '${name}{job="a"}'\n      values: '${values
      .map((v) => (Number.isNaN(v) ? '_' : v + add))
      .join(' ')}'`;
  const inputs = [
    series(
      'bad_total',
      slice((i) => counters.bad[i] as number),
      1e6,
    ),
    series(
      'all_total',
      slice((i) => counters.total[i] as number),
      1e9,
    ),
    ...(policy.id === 'dynamic'
      ? [
          series(
            'period_events',
            slice((i) => increaseOf(raw, i, periodMs)),
            0,
          ),
        ]
      : []),
  ];
  const startMs = counters.startMs + fromMs;
  const intervals = play(policy, told.objective, raw).page;
  const from = startMs + warmMs - hourMs / 2;
  const { expected, pages } = expectations(intervals, startMs, from, (last - first) * stepMs);
  const tests = [
    `rule_files: [${file}]`,
    'evaluation_interval: 30s',
    'tests:',
    '  - interval: 30s',
    '    input_series:',
    ...inputs.map((text) => text.replace(/^ {4}/gm, '      ')),
    '    promql_expr_test:',
    ...expected,
    '',
  ].join('\n');
  return { rules: ruleFileText(groupsOf(policy, told.objective)), tests, pages };
}

/** Whether the page fires at each change and at the step before it, and the number of firing steps in all. */
function expectations(
  intervals: readonly Interval[],
  startMs: number,
  fromMs: number,
  lengthMs: number,
): { expected: string[]; pages: number } {
  const endMs = startMs + lengthMs;
  const own = intervals.filter((f) => f.firedMs <= endMs && (f.resolvedMs ?? Infinity) > fromMs);
  const fires = (atMs: number): boolean =>
    own.some((f) => f.firedMs <= atMs && atMs < (f.resolvedMs ?? Infinity));
  const moments = new Set([fromMs, endMs]);
  for (const f of own) {
    for (const at of [f.firedMs, f.resolvedMs ?? endMs]) {
      for (const ms of [at - stepMs, at]) if (ms >= fromMs && ms <= endMs) moments.add(ms);
    }
  }
  let steps = 0;
  for (let at = fromMs; at <= endMs; at += stepMs) if (fires(at)) steps++;
  const test = (expr: string, atMs: number, value: number | undefined): string =>
    `      - expr: ${expr}\n        eval_time: ${(atMs - startMs) / 1000}s\n        exp_samples: ` +
    (value === undefined ? '[]' : `[{ labels: '{}', value: ${value} }]`);
  return {
    pages: own.length,
    expected: [
      ...[...moments].map((at) => test('sum(page_fires)', at, fires(at) ? 1 : undefined)),
      test(
        `sum(sum_over_time(page_fires[${formatDurationMs(endMs - fromMs + stepMs - 1)}]))`,
        endMs,
        steps === 0 ? undefined : steps,
      ),
    ],
  };
}

const firesRule = {
  kind: 'record' as const,
  record: 'page_fires',
  expr: 'clamp_max(count(ALERTS{alertstate="firing",severity="page"}), 1)',
  labels: {},
};

function groupsOf(policy: Policy, objective: number): RuleGroup[] {
  if (policy.made.of === 'arms') {
    const pages = policy.made.arms.filter((a) => a.severity === 'page');
    const alerts = pages.map((a, i) => ({
      kind: 'alert' as const,
      alert: `Page${i}`,
      expr: armExpr(a, objective),
      forMs: a.forMs,
      keepFiringForMs: 0,
      labels: { severity: 'page' },
      annotations: {},
    }));
    return [{ name: 'policy', intervalMs: stepMs, rules: [...alerts, firesRule] }];
  }
  const slo = policy.made.slo(objective);
  const plan = planOf(slo);
  const [fine] = compileSlo(slo);
  if (!fine || plan.stepMs !== stepMs) throw new Error('the page is not in the first group');
  return [{ ...fine, rules: [...fine.rules, firesRule] }];
}

function armExpr(arm: Arm, objective: number): string {
  const window = formatDurationMs(arm.longMs);
  const factor =
    arm.factor === undefined
      ? `(sum(period_events) / sum(increase(all_total[${window}])) * ${arm.spent})`
      : String(arm.factor);
  const above = (ms: number): string => {
    const of = (name: string): string => `sum(rate(${name}[${formatDurationMs(ms)}]))`;
    return `${of('bad_total')} / ${of('all_total')} > (${factor} * ${budgetRatio(objective)})`;
  };
  return `(${above(arm.longMs)}) and (${above(arm.shortMs)})`;
}
