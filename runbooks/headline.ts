/** The first lines of a game day's result, the same in terminal, report and postmortem. */
import { pagerLine, pagerTally } from './pager.js';
import type { ExpectationRecord, GameDayRecord, ScenarioRecord } from './record.js';
import {
  bandText,
  deathText,
  outcomeText,
  outcomeWord,
  plural,
  ruleText,
  silenceText,
  theoryMissText,
  wasJudged,
} from './words.js';

export interface Tally {
  expected: number;
  /** The scenarios among them whose fault never took effect. */
  notJudged: number;
  inTime: number;
  notInTime: ExpectationRecord[];
  /** Alerts that fired outside of their theoretical range without a reason in the scenario. */
  offTheory: ExpectationRecord[];
  unexpected: number;
  notResolved: ExpectationRecord[];
  leftOver: string[];
  dead: string[];
}

/** The counts that a verdict consists of. */
export function tallyOf(scenarios: readonly ScenarioRecord[]): Tally {
  const expectations = scenarios.filter(wasJudged).flatMap((s) => s.expectations);
  const all = scenarios.reduce((n, s) => n + s.expectations.length, 0);
  return {
    expected: all,
    notJudged: all - expectations.length,
    inTime: expectations.filter((e) => e.inTime).length,
    notInTime: expectations.filter((e) => !e.inTime),
    offTheory: expectations.filter(
      (e) => theoryMissText(e) !== undefined && e.theory?.mayMiss === undefined,
    ),
    unexpected: scenarios.reduce((n, s) => n + s.unexpected.length, 0),
    notResolved: expectations.filter(stayed),
    leftOver: scenarios.flatMap((s) => [
      ...s.rollback.residue,
      ...(s.rollback.done || s.faults.length === 0 || s.rollback.residue.length > 0
        ? []
        : [`${s.id}: the rollback did not finish`]),
    ]),
    dead: scenarios.flatMap((s) => (s.rollback.dead ?? []).map((d) => deathText(d, s.faults))),
  };
}

/** The alert fired and did not resolve; an alert that never fired has nothing to resolve. */
export const stayed = (e: ExpectationRecord): boolean =>
  e.resolve !== undefined && !e.resolve.inTime && e.receivedAfterMs !== undefined;

/** The verdict on one line. */
export function headlineOf(record: GameDayRecord): string {
  const tally = tallyOf(record.scenarios);
  const stopped = record.scenarios.find((s) => s.verdict === 'ABORTED');
  const unclear = record.scenarios.find((s) => s.verdict === 'INCONCLUSIVE');
  switch (record.verdict) {
    case 'PASS':
      return tally.expected === 0
        ? 'No alert had to fire, and every claim held.'
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
  const more = (count: number): string =>
    count > 1 ? `, and ${plural(count - 1, 'more failure')}` : '';
  const [wrong] = tally.notInTime;
  if (wrong) {
    const what = wrong.outcome?.text ?? outcomeText(wrong);
    return `${wrong.name} (${wrong.severity}) ${what}${more(tally.notInTime.length)}.`;
  }
  if (tally.leftOver.length > 0) return 'A fault was not rolled back.';
  const [silence] = record.scenarios.flatMap((s) => s.silences ?? []);
  if (silence) return `Silent failure: ${silenceText(silence)}.`;
  const [dead] = tally.dead;
  if (dead !== undefined) return `${dead}${more(tally.dead.length)}.`;
  if (tally.unexpected > 0) {
    return `${plural(tally.unexpected, 'alert')} fired that nobody expected.`;
  }
  const [off] = tally.offTheory;
  if (off) {
    return `${off.name} fired ${theoryMissText(off)}${more(tally.offTheory.length)}.`;
  }
  const [stuck] = tally.notResolved;
  if (stuck) return `${stuck.name} did not stop in time${more(tally.notResolved.length)}.`;
  const failed = record.scenarios.find((s) => s.verdict === 'FAIL');
  return failed?.reasons[0] === undefined
    ? 'An expectation did not hold.'
    : `${failed.reasons[0]}.`;
}

/** The details of the headline, one short sentence each. */
export function summaryLines(record: GameDayRecord): string[] {
  const tally = tallyOf(record.scenarios);
  const lines = [
    `${tally.inTime} of ${plural(tally.expected, 'expected alert')} came in time${others(tally)}.`,
  ];
  const { judgedAt, toldBesides = [] } = record.measurement;
  if (judgedAt !== undefined) {
    const besides = toldBesides.length > 0 ? `; also routed to: ${toldBesides.join(', ')}` : '';
    lines.push(`Judged ${judgedAt}${besides}.`);
  }
  if (tally.notJudged > 0) {
    lines.push(`${tally.notJudged} could not be judged: no fault took effect.`);
  }
  for (const e of tally.offTheory) {
    lines.push(`${e.name} fired ${theoryMissText(e)} (${bandText(e.theory)}).`);
  }
  for (const silence of record.scenarios.flatMap((s) => s.silences ?? [])) {
    lines.push(`Silent failure: ${silenceText(silence)}. ${ruleText(silence)}.`);
  }
  lines.push(pagerLine(pagerTally(record)));
  const names = new Set(record.scenarios.flatMap((s) => s.unexpected.map((u) => u.name)));
  if (names.size > 0) lines.push(`Nobody expected ${[...names].join(', ')}.`);
  const blind = record.budgets.filter((b) => b.total === 0).map((b) => b.slo);
  if (blind.length > 0) {
    lines.push(
      `Not measured: ${blind.join(', ')} (no event was counted, so no alert of it can fire).`,
    );
  }
  lines.push(
    tally.leftOver.length === 0
      ? 'Every fault was rolled back.'
      : `Left behind: ${tally.leftOver.join('; ')}.`,
  );
  return lines;
}

/** `; the others: 2 inhibited, 1 pending only`. */
function others({ notInTime }: Tally): string {
  if (notInTime.length === 0) return '';
  const words = notInTime.map(outcomeWord);
  const counted = [...new Set(words)].map((w) => `${words.filter((x) => x === w).length} ${w}`);
  return `; ${notInTime.length === 1 ? 'the other' : 'the others'}: ${counted.join(', ')}`;
}
