/** JUnit XML, so that any CI shows which alert came late: a suite a scenario, a case an expectation. */
import { pagerTally, type PagerTally } from '../pager.js';
import type { ArmRecord, ExpectationRecord, GameDayRecord, ScenarioRecord } from '../record.js';
import {
  deathText,
  outcomeText,
  silenceText,
  theoryMissText,
  timesText,
  wasJudged,
} from '../words.js';

/** XML 1.0 has no way to write control characters or half of a surrogate pair. */
const escapeXml = (text: string): string =>
  text
    // eslint-disable-next-line no-control-regex
    .replaceAll(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g, ' ')
    .replaceAll(/[\ud800-\udbff](?![\udc00-\udfff])/g, ' ')
    .replaceAll(/(?<![\ud800-\udbff])[\udc00-\udfff]/g, ' ')
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll(/[\t\n\r]/g, (c) => `&#${c.charCodeAt(0)};`);

interface Case {
  name: string;
  seconds: number;
  failure?: string;
  /** It could not be judged, which is not the alert's failure. */
  error?: string;
  /** Nothing happened that it could have been judged by. */
  skipped?: string;
}

export function junitXml(record: GameDayRecord): string {
  const suites = record.scenarios.map((s) => ({ s, cases: casesOf(s) }));
  const all = suites.flatMap((x) => x.cases);
  const parts = suites.map(({ s, cases }) =>
    suiteXml(
      s,
      cases,
      pagerTally({ alerts: record.alerts.filter((a) => a.scenario === s.id), scenarios: [s] }),
    ),
  );
  return (
    '<?xml version="1.0" encoding="UTF-8"?>\n' +
    `<testsuites name="${escapeXml(record.title)}" ${counts(all)} ` +
    `time="${secondsText(record.endedMs - record.startedMs)}">\n${parts.join('')}</testsuites>\n`
  );
}

const secondsText = (ms: number): string => (Math.max(0, ms) / 1000).toFixed(3);

const counts = (cases: readonly Case[]): string =>
  `tests="${cases.length}" failures="${cases.filter((c) => c.failure !== undefined).length}" ` +
  `errors="${cases.filter((c) => c.error !== undefined).length}" ` +
  `skipped="${cases.filter((c) => c.skipped !== undefined).length}"`;

/** How many pages and tickets people would have got, as properties of the suite. */
function propertiesXml({ pages, tickets }: PagerTally): string {
  const rows = Object.entries({ pages, tickets }).flatMap(([name, count]) =>
    Object.entries({
      expected: count.expected,
      allowed: count.allowed,
      unexpected: count.unexpected,
    }).map(([how, value]) => `      <property name="${name}.${how}" value="${value}"/>\n`),
  );
  return `    <properties>\n${rows.join('')}    </properties>\n`;
}

function suiteXml(s: ScenarioRecord, cases: readonly Case[], pager: PagerTally): string {
  const limitMs = 8.64e15;
  const at = new Date(Math.max(-limitMs, Math.min(limitMs, s.startedMs)))
    .toISOString()
    .slice(0, 19);
  return (
    `  <testsuite name="${escapeXml(s.id)}" ${counts(cases)} ` +
    `time="${secondsText(s.endedMs - s.startedMs)}" timestamp="${at}">\n` +
    `${propertiesXml(pager)}${cases.map((c) => caseXml(s, c)).join('')}  </testsuite>\n`
  );
}

function caseXml(s: ScenarioRecord, c: Case): string {
  const head =
    `    <testcase classname="${escapeXml(`gameday.${s.id}`)}" name="${escapeXml(c.name)}" ` +
    `time="${c.seconds.toFixed(3)}"`;
  const [tag, text] =
    c.failure !== undefined
      ? ['failure', c.failure]
      : c.error !== undefined
        ? ['error', c.error]
        : ['skipped', c.skipped];
  if (text === undefined) return `${head}/>\n`;
  return `${head}>\n      <${tag} message="${escapeXml(text)}"/>\n    </testcase>\n`;
}

function casesOf(s: ScenarioRecord): Case[] {
  const cases: Case[] = s.expectations.flatMap((e) =>
    wasJudged(s) ? expectationCases(e) : [notJudged(e)],
  );
  const claim = (name: string, held: boolean, why: string): void => {
    cases.push({ name, seconds: 0, ...(held ? {} : { failure: why }) });
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
  claim('every fault is taken back', whole, residue.join('; ') || 'the rollback did not finish');
  // A verdict that no single claim explains must not look green.
  const red = cases.some((c) => c.failure !== undefined);
  const why = s.reasons.join('; ') || s.verdict;
  if (s.verdict === 'INCONCLUSIVE' || s.verdict === 'ABORTED') {
    cases.push({ name: 'verdict', seconds: 0, error: `${s.verdict}: ${why}` });
  } else if (s.verdict === 'FAIL' && !red) {
    cases.push({ name: 'verdict', seconds: 0, failure: why });
  }
  return cases;
}

const armText = (a: ArmRecord): string => `${a.verdict}, ${timesText(a.amplificationDuring)}`;

const notJudged = (e: ExpectationRecord): Case => ({
  name: `${e.name} (${e.severity}) fires in time`,
  seconds: 0,
  skipped: 'no fault took effect',
});

function expectationCases(e: ExpectationRecord): Case[] {
  const fires: Case = {
    name: `${e.name} (${e.severity}) fires in time`,
    seconds: Math.max(0, e.receivedAfterMs ?? e.deadlineMs) / 1000,
    ...(e.inTime ? {} : { failure: outcomeText(e) }),
  };
  const cases = [fires];
  const missed = theoryMissText(e);
  if (missed !== undefined && e.theory?.mayMiss === undefined) {
    cases.push({
      name: `${e.name} (${e.severity}) fires when theory says`,
      seconds: Math.max(0, e.firedAfterMs ?? 0) / 1000,
      failure: `${missed}: ${e.theory?.basis}`,
    });
  }
  // An alert that never came has nothing to stop: it is one failure, and not two.
  if (!e.resolve || e.receivedAfterMs === undefined) return cases;
  const stops: Case = {
    name: `${e.name} (${e.severity}) stops after the rollback`,
    seconds: Math.max(0, e.resolve.resolvedAfterMs ?? e.resolve.withinMs) / 1000,
    ...(e.resolve.inTime ? {} : { failure: 'it did not stop in time' }),
  };
  return [...cases, stops];
}
