/** JUnit XML, so that any CI shows which alert was late: one suite for each scenario, one case for each expectation. */
import { type JunitCase, type JunitSuite, junitXml } from '../../base/junit.js';
import { pagerTally, type PagerTally } from '../pager.js';
import type { ArmRecord, ExpectationRecord, GameDayRecord, ScenarioRecord } from '../record.js';
import {
  deathText,
  outcomeText,
  silenceText,
  theoryMissText,
  timesText,
  wasJudged,
  expectedText,
} from '../words.js';

/** The claims of a game day, with one suite for each scenario. */
export function gameDayJunit(record: GameDayRecord): string {
  const suites = record.scenarios.map((s): JunitSuite => {
    const alerts = record.alerts.filter((a) => a.scenario === s.id);
    return {
      name: s.id,
      cases: casesOf(s).map((c) => ({ group: `gameday.${s.id}`, ...c })),
      seconds: (s.endedMs - s.startedMs) / 1000,
      startedMs: s.startedMs,
      properties: propertiesOf(pagerTally({ alerts, scenarios: [s] })),
    };
  });
  const seconds = (record.endedMs - record.startedMs) / 1000;
  return junitXml(suites, { name: record.title, seconds });
}

/** Numbers of pages and tickets: `pages.unexpected`. */
const propertiesOf = ({ pages, tickets }: PagerTally): Record<string, number> =>
  Object.fromEntries(
    Object.entries({ pages, tickets }).flatMap(([name, { expected, allowed, unexpected }]) =>
      Object.entries({ expected, allowed, unexpected }).map(([how, n]) => [`${name}.${how}`, n]),
    ),
  );

function casesOf(s: ScenarioRecord): JunitCase[] {
  const cases: JunitCase[] = s.expectations.flatMap((e) =>
    wasJudged(s)
      ? expectationCases(e, expectedText(e, s.expectations))
      : [notJudged(expectedText(e, s.expectations))],
  );
  const claim = (name: string, held: boolean, why: string): void => {
    cases.push({ name, seconds: 0, ...(held ? {} : { failures: [why] }) });
  };
  claim(
    'nothing else fires',
    s.unexpected.length === 0,
    `unexpected: ${s.unexpected.map((u) => u.name).join(', ')}`,
  );
  const { before, during, after } = s.hypothesis;
  for (const [when, list] of Object.entries({ before, during, after })) {
    for (const m of list) {
      claim(`${m.name} ${m.bound} ${when}`, m.held, `measured ${m.value ?? 'nothing'} ${m.unit}`);
    }
  }
  for (const c of s.checks) claim(c.name, c.held, c.detail);
  for (const silence of s.silences ?? []) {
    const allowed = !s.reasons.some((r) => r.includes(silenceText(silence)));
    claim(`callers of ${silence.route} that fail are noticed`, allowed, silenceText(silence));
  }
  for (const a of s.arms) {
    const wrong = s.reasons.filter((r) => r.includes(`arm '${a.name}'`));
    claim(`arm '${a.name}': ${armText(a)}`, wrong.length === 0, wrong.join('; '));
  }
  const { done, residue, dead = [] } = s.rollback;
  if (dead.length > 0)
    claim('every process lives', false, dead.map((d) => deathText(d, s.faults)).join('; '));
  const whole = (done || s.faults.length === 0) && residue.length === 0;
  claim('every fault is rolled back', whole, residue.join('; ') || 'the rollback did not finish');
  // A bad verdict without a failed claim must not look green.
  const red = cases.some((c) => c.failures !== undefined);
  const why = s.reasons.join('; ') || s.verdict;
  if (s.verdict === 'INCONCLUSIVE' || s.verdict === 'ABORTED') {
    cases.push({ name: 'verdict', seconds: 0, error: `${s.verdict}: ${why}` });
  } else if (s.verdict === 'FAIL' && !red) {
    cases.push({ name: 'verdict', seconds: 0, failures: [why] });
  }
  return cases;
}

const armText = (a: ArmRecord): string => `${a.verdict}, ${timesText(a.amplificationDuring)}`;

const notJudged = (alert: string): JunitCase => ({
  name: `${alert} fires in time`,
  seconds: 0,
  skipped: 'no fault took effect',
});

function expectationCases(e: ExpectationRecord, alert: string): JunitCase[] {
  const fires: JunitCase = {
    name: `${alert} fires in time`,
    seconds: Math.max(0, e.receivedAfterMs ?? e.deadlineMs) / 1000,
    ...(e.inTime ? {} : { failures: [outcomeText(e)] }),
  };
  const cases = [fires];
  const missed = theoryMissText(e);
  if (missed !== undefined && e.theory?.mayMiss === undefined) {
    cases.push({
      name: `${alert} fires when expected`,
      seconds: Math.max(0, e.firedAfterMs ?? 0) / 1000,
      failures: [`${missed}: ${e.theory?.basis}`],
    });
  }
  // An alert that never fired has nothing to resolve: it is one failure, not two.
  if (!e.resolve || e.receivedAfterMs === undefined) return cases;
  const stops: JunitCase = {
    name: `${alert} stops after the rollback`,
    seconds: Math.max(0, e.resolve.resolvedAfterMs ?? e.resolve.withinMs) / 1000,
    ...(e.resolve.inTime ? {} : { failures: ['it did not stop in time'] }),
  };
  return [...cases, stops];
}
