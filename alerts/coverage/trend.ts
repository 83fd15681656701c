/** Regressions of the newest run against earlier ones: an alert that no longer fires, or fires later. */
import { type AlertCoverage, type CoverageRun, keyOf } from './model.js';

export interface Regression {
  alert: string;
  severity: string;
  kind: 'gone' | 'cannot' | 'lost' | 'slower' | 'receiver';
  /** A clause after the alert's name: `is 4.1 s slower in killed-pod (...)`. */
  text: string;
}

/** Differences below this are the noise of scraping, evaluation and delivery. */
const noiseMs = 1500;
const noiseRatio = 1.5;

export function regressionsOf(runs: readonly CoverageRun[], system: string): Regression[] {
  const own = runs.filter((r) => r.system === system);
  const newest = own.at(-1);
  const before = own.slice(0, -1);
  if (!newest || before.length === 0) return [];
  const keys = new Map(before.flatMap((r) => r.alerts).map((a) => [keyOf(a), a]));
  return [...keys.values()].flatMap((alert) => regressionOf(alert, newest, before) ?? []);
}

function regressionOf(
  { alert, severity }: AlertCoverage,
  newest: CoverageRun,
  before: readonly CoverageRun[],
): Regression | undefined {
  const key = keyOf({ alert, severity });
  const now = newest.alerts.find((a) => keyOf(a) === key);
  const earlier = before.flatMap((r) =>
    r.alerts.filter((a) => keyOf(a) === key && a.proof).map((a) => ({ run: r, proof: a.proof! })),
  );
  const last = earlier.at(-1);
  const found = (kind: Regression['kind'], text: string): Regression => ({
    alert,
    severity,
    kind,
    text,
  });
  // An earlier run is comparable only if all its scenarios ran again: a scenario that did not run proves nothing, and
  // a counter may appear with its first event.
  const alike = before.findLast((r) => r.scenarios.every((s) => newest.scenarios.includes(s)));
  const was = alike?.alerts.find((a) => keyOf(a) === key)?.state;
  if (now?.state === 'cannot' && was !== undefined && was !== 'cannot') {
    return found('cannot', `could not fire: no series of ${now.missing?.join(', ')} any more`);
  }
  if (!last) return undefined;
  const once = `${seconds(last.proof.afterMs)} in ${last.proof.scenario}, run ${last.run.run}`;
  if (!now) return found('gone', `has no rule any more (fired after ${once})`);
  const again = earlier.findLast((e) => newest.scenarios.includes(e.proof.scenario));
  if (!now.proof) return again && found('lost', `did not fire (before: after ${once})`);
  const same = earlier.filter(
    (e) => e.proof.scenario === now.proof?.scenario && e.run.timeScale === newest.timeScale,
  );
  if (same.length === 0) return undefined;
  const usual = median(same.map((e) => e.proof.afterMs));
  if (now.proof.afterMs > usual + noiseMs && now.proof.afterMs > usual * noiseRatio) {
    const where = `in ${now.proof.scenario}`;
    return found(
      'slower',
      `fired after ${seconds(now.proof.afterMs)} ${where}, usually ${seconds(usual)}`,
    );
  }
  const receiver = same.at(-1)?.proof.receiver;
  if (receiver !== undefined && receiver !== now.proof.receiver) {
    return found(
      'receiver',
      `reached ${now.proof.receiver ?? 'nobody by name'}, before ${receiver}`,
    );
  }
  return undefined;
}

const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`;

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor((sorted.length - 1) / 2)] as number;
}
