/** Extracts one scenario of a game day as its own record: everything made from it is about that scenario alone. */
import type { BudgetRecord, GameDayRecord, ScenarioRecord } from './record.js';

export function onlyScenario(record: GameDayRecord, id: string): GameDayRecord | undefined {
  const scenario = record.scenarios.find((s) => s.id === id);
  if (!scenario) return undefined;
  const { startedMs, endedMs } = scenario;
  // Counts over the whole day are left out, because their share of this scenario is unknown.
  const { sections: _, ...own } = record.system;
  const alone = record.scenarios.length === 1;
  return {
    ...record,
    title: scenario.title,
    startedMs,
    endedMs,
    verdict: scenario.verdict,
    load: { ...record.load, total: scenario.client },
    system: alone ? record.system : own,
    scenarios: [scenario],
    alerts: record.alerts.filter((a) => a.scenario === id),
    timeline: record.timeline.filter(
      (e) => e.scenario === id || (e.scenario === undefined && within(scenario, e.atMs)),
    ),
    series: record.series.map((s) => ({
      ...s,
      points: s.points.filter(([atMs]) => within(scenario, atMs)),
    })),
    budgets: alone ? record.budgets : budgetsOf(record, scenario),
  };
}

const within = ({ startedMs, endedMs }: ScenarioRecord, atMs: number): boolean =>
  atMs >= startedMs && atMs <= endedMs;

/** Older records, from before budget events were kept by scenario, only have the share and no counts. */
function budgetsOf(record: GameDayRecord, scenario: ScenarioRecord): BudgetRecord[] {
  return scenario.budgetSpent.flatMap(({ slo, ratio, bad, total }): BudgetRecord[] => {
    const whole = record.budgets.find((b) => b.slo === slo);
    if (!whole || bad === undefined || total === undefined) return [];
    const allowed = (total * (100 - whole.objective)) / 100;
    return [
      {
        ...whole,
        bad,
        total,
        spentRatio: allowed > 0 ? bad / allowed : 0,
        spentOfPeriodRatio: ratio,
      },
    ];
  });
}
