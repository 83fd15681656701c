/**
 * The notifications of an on-call person: every page and ticket that reached a receiver, and whether it was expected.
 */
import type { AlertRecord, GameDayRecord, ScenarioRecord } from './record.js';
import { plural } from './words.js';

/** `outside` counts alerts that fired between scenarios, or still fired from before them. */
export interface PagerCount {
  expected: number;
  allowed: number;
  unexpected: number;
  outside: number;
}

export interface PagerTally {
  pages: PagerCount;
  tickets: PagerCount;
}

/** Severities that page, by the usual names in rule files; all others wait for the next working day. */
export const wakes = (severity: string): boolean =>
  /^(page|critical|emergency|disaster|p1)$/i.test(severity);

export const totalOf = (count: PagerCount): number =>
  count.expected + count.allowed + count.unexpected + count.outside;

/** A second firing of the same alert counts as another page. */
export function pagerTally(record: Pick<GameDayRecord, 'alerts' | 'scenarios'>): PagerTally {
  const none = (): PagerCount => ({ expected: 0, allowed: 0, unexpected: 0, outside: 0 });
  const tally: PagerTally = { pages: none(), tickets: none() };
  for (const alert of record.alerts) {
    const count = wakes(alert.severity) ? tally.pages : tally.tickets;
    count[standingOf(alert, record.scenarios)]++;
  }
  return tally;
}

function standingOf(alert: AlertRecord, scenarios: readonly ScenarioRecord[]): keyof PagerCount {
  const scenario = scenarios.find((s) => s.id === alert.scenario);
  if (!scenario) return 'outside';
  const labels = JSON.stringify(alert.labels);
  const isUnexpected = scenario.unexpected.some(
    (u) =>
      u.name === alert.name &&
      u.firedAtMs === alert.firedAtMs &&
      JSON.stringify(u.labels) === labels,
  );
  if (isUnexpected) return 'unexpected';
  if (alert.expected) return 'expected';
  return scenario.alreadyFiring.some(
    (a) => a.name === alert.name && a.firedAtMs === alert.firedAtMs,
  )
    ? 'outside'
    : 'allowed';
}

/** `People would have got 28 pages (7 expected, 21 allowed, 0 unexpected) and 18 tickets (...)`. */
export function pagerLine({ pages, tickets }: PagerTally): string {
  const parts = [
    { count: pages, name: 'page' },
    { count: tickets, name: 'ticket' },
  ]
    .filter(({ count }) => totalOf(count) > 0)
    .map(({ count, name }) => `${plural(totalOf(count), name)} (${shares(count)})`);
  return parts.length === 0
    ? 'Nobody would have got a page or a ticket.'
    : `People would have got ${parts.join(' and ')}.`;
}

const shares = ({ expected, allowed, unexpected, outside }: PagerCount): string =>
  `${expected} expected, ${allowed} allowed, ${unexpected} unexpected` +
  (outside > 0 ? `, ${outside} outside of the scenarios` : '');
