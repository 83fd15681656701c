/** Numbers and verdicts as an on-call person reads them: the report, the postmortem and the terminal say the same. */
import type { ExpectationRecord, GameDayRecord, ScenarioRecord, Verdict } from './record.js';

const absent = 'none';

/** `812 ms`, `3.7 s`, `2 min 5 s`, `2.1 h`, `3.0 d`. */
export function timeText(ms: number | undefined): string {
  if (ms === undefined || !Number.isFinite(ms)) return absent;
  const size = Math.abs(ms);
  const sign = ms < 0 ? '-' : '';
  if (size < 1000) return `${sign}${Math.round(size)} ms`;
  if (size < 99_950) return `${sign}${(size / 1000).toFixed(1)} s`;
  if (size < 7_200_000) {
    const seconds = Math.round(size / 1000);
    const rest = seconds % 60;
    return `${sign}${Math.floor(seconds / 60)} min${rest === 0 ? '' : ` ${rest} s`}`;
  }
  if (size < 172_800_000) return `${sign}${(size / 3_600_000).toFixed(1)} h`;
  return `${sign}${(size / 86_400_000).toFixed(1)} d`;
}

/** `99.95%`: as many decimals as tell it from 0 and from 100. */
export function percentText(ratio: number | undefined): string {
  if (ratio === undefined || !Number.isFinite(ratio)) return absent;
  const percent = ratio * 100;
  const size = Math.abs(percent);
  if (percent === 0 || percent === 100) return `${percent}%`;
  if (size >= 1000) return `${countText(Math.round(percent))}%`;
  if (size >= 99 && size < 100) return `${percent.toFixed(size > 99.9 ? 3 : 2)}%`;
  return `${percent.toFixed(size >= 10 ? 1 : size >= 0.1 ? 2 : 3)}%`;
}

/** `12,345`. */
export const countText = (value: number): string =>
  Number.isFinite(value) ? Math.round(value).toLocaleString('en') : absent;

export const timesText = (value: number): string =>
  Number.isFinite(value) ? `${value.toFixed(value >= 100 ? 0 : value >= 10 ? 1 : 2)}x` : absent;

/** A value in the unit of a record's measure or series. */
export function valueText(value: number | undefined, unit: string): string {
  if (value === undefined || !Number.isFinite(value)) return 'no data';
  switch (unit) {
    case 'ratio':
      return percentText(value);
    case 'ms':
      return timeText(value);
    case 's':
      return timeText(value * 1000);
    case 'x':
      return timesText(value);
    case 'per second':
      return `${Number(value.toPrecision(3))}/s`;
    default:
      return `${Number(value.toPrecision(4))}${unit === '' ? '' : ` ${unit}`}`;
  }
}

/** `2026-05-12 09:30:14 UTC`. */
export const instantText = (ms: number): string =>
  Number.isFinite(ms) ? `${isoText(ms).slice(0, 19).replace('T', ' ')} UTC` : absent;

/** `09:30:14.2`. */
export const clockText = (ms: number): string =>
  Number.isFinite(ms) ? isoText(ms).slice(11, 21) : absent;

const isoText = (ms: number): string => {
  // Beyond what a Date can hold is a broken clock, and must not break the page.
  const limit = 8.64e15;
  return new Date(Math.max(-limit, Math.min(limit, ms))).toISOString();
};

export const plural = (count: number, one: string, many = `${one}s`): string =>
  `${countText(count)} ${count === 1 ? one : many}`;

/** Where no fault took effect, an alert that did not fire is no failure of the alert. */
export const wasJudged = (s: ScenarioRecord): boolean =>
  s.confirmedMs !== undefined || s.expectations.some((e) => e.inTime);

export interface Tally {
  expected: number;
  /** Of those, the ones whose fault never took effect. */
  notJudged: number;
  inTime: number;
  late: ExpectationRecord[];
  missing: ExpectationRecord[];
  unexpected: number;
  notResolved: ExpectationRecord[];
  leftOver: string[];
}

/** What a verdict is made of. */
export function tallyOf(scenarios: readonly ScenarioRecord[]): Tally {
  const expectations = scenarios.filter(wasJudged).flatMap((s) => s.expectations);
  const all = scenarios.reduce((n, s) => n + s.expectations.length, 0);
  const came = (e: ExpectationRecord): boolean => e.receivedAfterMs !== undefined;
  return {
    expected: all,
    notJudged: all - expectations.length,
    inTime: expectations.filter((e) => e.inTime).length,
    late: expectations.filter((e) => !e.inTime && came(e)),
    missing: expectations.filter((e) => !e.inTime && !came(e)),
    unexpected: scenarios.reduce((n, s) => n + s.unexpected.length, 0),
    notResolved: expectations.filter((e) => e.resolve !== undefined && !e.resolve.inTime),
    leftOver: scenarios.flatMap((s) => [
      ...s.rollback.residue,
      ...(s.rollback.done || s.faults.length === 0 || s.rollback.residue.length > 0
        ? []
        : [`${s.id}: the rollback did not finish`]),
    ]),
  };
}

/** The verdict in a line. */
export function headlineOf(record: GameDayRecord): string {
  const tally = tallyOf(record.scenarios);
  const stopped = record.scenarios.find((s) => s.verdict === 'ABORTED');
  const unclear = record.scenarios.find((s) => s.verdict === 'INCONCLUSIVE');
  switch (record.verdict) {
    case 'PASS':
      return tally.expected === 0
        ? 'Nothing was expected to fire, and nothing did.'
        : 'Every alert that had to fire did, in time.';
    case 'ABORTED':
      return stopped?.abort
        ? `Stopped during ${stopped.title}: ${stopped.abort.condition}.`
        : 'Stopped before it was over.';
    case 'INCONCLUSIVE':
      return `No verdict: ${unclear?.reasons[0] ?? 'the run proves nothing'}.`;
    case 'FAIL':
      return failLine(record, tally);
  }
}

function failLine(record: GameDayRecord, tally: Tally): string {
  const names = (list: ExpectationRecord[]): string => {
    const all = [...new Set(list.map((e) => e.name))];
    return all.length <= 2 ? all.join(' and ') : `${all.slice(0, 2).join(', ')} and more`;
  };
  if (tally.missing.length > 0) return `${names(tally.missing)} never fired.`;
  if (tally.late.length > 0) return `${names(tally.late)} fired too late.`;
  if (tally.leftOver.length > 0) return 'A fault was not taken back.';
  if (tally.unexpected > 0)
    return `${plural(tally.unexpected, 'alert')} fired that nobody expected.`;
  if (tally.notResolved.length > 0) return `${names(tally.notResolved)} did not stop in time.`;
  const failed = record.scenarios.find((s) => s.verdict === 'FAIL');
  return failed?.reasons[0] === undefined
    ? 'An expectation did not hold.'
    : `${failed.reasons[0]}.`;
}

/** What stands behind the headline, a short sentence each. */
export function summaryLines(record: GameDayRecord): string[] {
  const tally = tallyOf(record.scenarios);
  const lines = [`${tally.inTime} of ${plural(tally.expected, 'expected alert')} came in time.`];
  if (tally.late.length > 0) lines.push(`${tally.late.length} came late.`);
  if (tally.missing.length > 0) lines.push(`${tally.missing.length} never came.`);
  if (tally.notJudged > 0) {
    lines.push(`${tally.notJudged} could not be judged: no fault took effect.`);
  }
  lines.push(
    tally.unexpected === 0
      ? 'No other alert fired.'
      : `${plural(tally.unexpected, 'alert')} fired that nobody expected.`,
  );
  lines.push(
    tally.leftOver.length === 0
      ? 'Every fault was taken back.'
      : `Left behind: ${tally.leftOver.join('; ')}.`,
  );
  return lines;
}

/** Marks that are told apart without colour. */
export const verdictMark: Record<Verdict, string> = {
  PASS: '✓',
  FAIL: '✗',
  INCONCLUSIVE: '?',
  ABORTED: '■',
};

/** `requests and errors`, for tables. */
export const errorShare = (totals: { requests: number; errors: number }): number =>
  totals.requests > 0 ? totals.errors / totals.requests : 0;

/** With one full stop at the end. */
export const sentence = (text: string): string => (/[.!?]$/.test(text) ? text : `${text}.`);

/** Where a labels' map is told in a line: `dst=payment.retail reason=expired`. */
export const labelsText = (labels: Readonly<Record<string, string>>): string =>
  Object.entries(labels)
    .filter(([name]) => !['alertname', 'severity', 'owner', 'time_scale'].includes(name))
    .map(([name, value]) => `${name}=${value}`)
    .join(' ');

/** `page after 3.7 s of 8.0 s`, for an expectation. */
export function outcomeText(e: ExpectationRecord): string {
  if (e.receivedAfterMs === undefined) return `never came (deadline ${timeText(e.deadlineMs)})`;
  const took = timeText(e.receivedAfterMs);
  return e.inTime
    ? `after ${took} (deadline ${timeText(e.deadlineMs)})`
    : `after ${took}, ${timeText(e.receivedAfterMs - e.deadlineMs)} too late`;
}
