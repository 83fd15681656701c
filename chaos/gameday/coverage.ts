/** The alerts that a game day proved: receipts while a fault was confirmed, and the existing series. */
import { type AlertProof, coverageOf, type CoverageRun } from '../../alerts/coverage/index.js';
import type { Watch } from '../../alerts/watch/index.js';
import type { AlertRecord, ScenarioRecord } from '../../runbooks/record.js';
import type { RuleGroup } from '../../slo/index.js';

export async function coverageRunOf(day: {
  id: string;
  system: string;
  timeScale: number;
  startedMs: number;
  endedMs: number;
  groups: readonly RuleGroup[];
  scenarios: readonly ScenarioRecord[];
  alerts: readonly AlertRecord[];
  watch: Pick<Watch, 'query'>;
}): Promise<CoverageRun> {
  const { id, system, timeScale, startedMs, endedMs, groups, scenarios, alerts, watch } = day;
  const proofs = alerts.flatMap((alert) => {
    const scenario = scenarios.find((s) => s.id === alert.scenario);
    const proof = scenario && proofOf(id, alert, scenario);
    return proof ? [{ alert: alert.name, severity: alert.severity, ...proof }] : [];
  });
  return {
    run: id,
    atMs: startedMs,
    system,
    timeScale,
    scenarios: scenarios.filter((s) => confirmedOf(s).length > 0).map((s) => s.id),
    drills: Object.fromEntries(
      scenarios.map(({ id: own, verdict, failureMode }) => {
        return [own, { verdict, ...(failureMode !== undefined && { failureMode }) }];
      }),
    ),
    alerts: await coverageOf({
      groups,
      proofs: proofs.sort((a, b) => a.atMs - b.atMs),
      query: (expr) => watch.query(expr, endedMs),
      lookBackMs: endedMs - startedMs,
    }),
  };
}

const confirmedOf = (scenario: ScenarioRecord): number[] =>
  scenario.faults.flatMap((f) => f.confirmedMs ?? []);

/** Undefined if no fault was confirmed at the receipt, which then proves nothing. */
function proofOf(
  run: string,
  alert: AlertRecord,
  scenario: ScenarioRecord,
): AlertProof | undefined {
  const confirmed = confirmedOf(scenario).filter((ms) => ms <= alert.receivedAtMs);
  if (confirmed.length === 0) return undefined;
  const [receiver] = Object.keys(alert.receipts ?? {});
  const { runbookProof } = scenario;
  const isEnded = runbookProof?.mitigation.endedAfterMs !== undefined;
  return {
    scenario: scenario.id,
    run,
    atMs: alert.receivedAtMs,
    afterMs: alert.receivedAtMs - Math.min(...confirmed),
    ...(receiver !== undefined && { receiver }),
    ...(isEnded && { endedBy: runbookProof.page }),
    // The labels do not matter: the rule was proven.
    expected: scenario.expectations.some(
      (e) => e.name === alert.name && e.severity === alert.severity,
    ),
  };
}
