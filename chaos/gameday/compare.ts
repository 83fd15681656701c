/** Compares game days: the newest day's regressions, and the last pass of each failure mode. */
import type { GameDayResult } from '../../runbooks/report/result.js';
import { alertText, ownLabels } from '../../runbooks/words.js';

type ScenarioResult = GameDayResult['scenarios'][number];

export interface ComparedScenario {
  id: string;
  title: string;
  /** `F3`; empty if the scenario names none. */
  failureMode: string;
  /** In the order of the days; undefined if it was not run. */
  verdicts: (ScenarioResult['verdict'] | undefined)[];
  /** The time of the last pass, ISO; undefined: never in these days. */
  lastPassed: string | undefined;
  alerts: ComparedAlert[];
}

export interface ComparedAlert {
  alert: string;
  severity: string;
  /** Where the scenario expects the same alert more than once: `dst=payment.retail`. */
  labels?: string;
  /** Seconds after the fault's confirmation, in the order of the days; undefined if it did not fire. */
  seconds: (number | undefined)[];
  inTime: (boolean | undefined)[];
  /** `inhibited` or `silenced` where the alert fired and was hidden, as the scenario expects. */
  hidden: (string | undefined)[];
}

export interface Comparison {
  days: { id: string; startedAt: string; timeScale: string; verdict: string }[];
  scenarios: ComparedScenario[];
  /** One sentence each. */
  regressions: string[];
}

/** Oldest first. Times of different scales are not compared. */
export function compareDays(given: readonly GameDayResult[]): Comparison {
  const days = [...given].sort((a, b) => (a.startedAt < b.startedAt ? -1 : 1));
  const ids = [...new Set(days.flatMap((d) => d.scenarios.map((s) => s.id)))];
  const scenarios = ids.map((id) => compared(id, days));
  return {
    days: days.map(({ id, startedAt, timeScale, verdict }) => {
      return { id, startedAt, timeScale, verdict };
    }),
    scenarios,
    regressions: scenarios.flatMap((s) => regressionsOf(s, days)),
  };
}

const hiding = new Set(['inhibited', 'silenced']);

function compared(id: string, days: readonly GameDayResult[]): ComparedScenario {
  const own = days.map((day) => day.scenarios.find((s) => s.id === id));
  const last = own.findLast((s) => s !== undefined) as ScenarioResult;
  const alerts = new Map<string, ComparedAlert>();
  own.forEach((scenario, i) => {
    for (const e of scenario?.expectedAlerts ?? []) {
      const { name: alert, severity } = e;
      const labels = ownLabels(e, scenario?.expectedAlerts ?? []);
      const key = `${alert} ${severity} ${labels}`;
      const blank = (): undefined[] => days.map(() => undefined);
      const row = alerts.get(key) ?? {
        alert,
        severity,
        ...(labels !== '' && { labels }),
        seconds: blank(),
        inTime: blank(),
        hidden: blank(),
      };
      row.seconds[i] = e.firedAfterSeconds ?? undefined;
      row.inTime[i] = e.inTime;
      if (e.inTime && hiding.has(e.outcome ?? '')) row.hidden[i] = e.outcome;
      alerts.set(key, row);
    }
  });
  return {
    id,
    title: last.title,
    failureMode: last.failureMode ?? '',
    verdicts: own.map((s) => s?.verdict),
    lastPassed: own.findLast((s) => s?.verdict === 'PASS')?.startedAt,
    alerts: [...alerts.values()],
  };
}

/** A factor above the slowest earlier time that random variation of the machine does not explain. */
const slowerBy = 1.5;
const slowerSeconds = 2;

function regressionsOf(s: ComparedScenario, days: readonly GameDayResult[]): string[] {
  const newest = days.length - 1;
  const now = s.verdicts[newest];
  const before = s.verdicts.slice(0, newest);
  const passed = before.includes('PASS');
  if (now === undefined) return passed ? [`${s.id}: passed before, and was not run`] : [];
  const found = passed && now !== 'PASS' ? [`${s.id}: passed before, and is ${now}`] : [];
  for (const { alert, severity, labels, seconds, inTime } of s.alerts) {
    const name = `${s.id}: ${alertText(alert, severity, labels)}`;
    if (inTime[newest] === false && inTime.slice(0, newest).includes(true)) {
      found.push(`${name} came in time before, and does not`);
      continue;
    }
    if (now === 'PASS' && inTime[newest] === undefined && inTime.includes(true)) {
      found.push(`${name} came in time before, and is expected no more`);
    }
    const scale = days[newest]?.timeScale;
    const earlier = seconds.slice(0, newest).flatMap((x, i) => {
      return x === undefined || days[i]?.timeScale !== scale ? [] : [x];
    });
    const slowest = Math.max(...earlier);
    const own = seconds[newest];
    if (own === undefined || earlier.length === 0) continue;
    if (own > slowerBy * slowest && own - slowest > slowerSeconds) {
      found.push(`${name} took ${own.toFixed(1)} s, and ${slowest.toFixed(1)} s at most before`);
    }
  }
  return found;
}
