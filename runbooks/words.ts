/** Numbers and verdicts in words for an on-call person, the same in report, postmortem and terminal. */
import type { HintRecord } from './hint-record.js';
import type {
  DeathRecord,
  ExpectationRecord,
  FaultRecord,
  OutcomeKind,
  ScenarioRecord,
  RunbookProofRecord,
  SilenceRecord,
  TheoryRecord,
  Verdict,
} from './record.js';

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

/** `99.95%`, with enough decimals to distinguish it from 0 and from 100. */
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

/** `09:30:14.2`, with the date if it differs from that of `besideMs`: `2026-05-13 09:30:14.2`. */
export const clockOn = (ms: number, besideMs: number): string => {
  if (!Number.isFinite(ms) || !Number.isFinite(besideMs)) return clockText(ms);
  const day = isoText(ms).slice(0, 10);
  return day === isoText(besideMs).slice(0, 10) ? clockText(ms) : `${day} ${clockText(ms)}`;
};

const isoText = (ms: number): string => {
  // A time beyond the range of Date means a broken clock, and must not break the page.
  const limit = 8.64e15;
  return new Date(Math.max(-limit, Math.min(limit, ms))).toISOString();
};

export const plural = (count: number, one: string, many = `${one}s`): string =>
  `${countText(count)} ${count === 1 ? one : many}`;

/** If no fault took effect, an alert that did not fire has not failed. */
export const wasJudged = (s: ScenarioRecord): boolean =>
  s.confirmedMs !== undefined || s.expectations.some((e) => e.inTime);

/** Marks that are distinguishable without colour. */
export const verdictMark: Record<Verdict, string> = {
  PASS: '✓',
  FAIL: '✗',
  INCONCLUSIVE: '?',
  ABORTED: '■',
};

/** The ratio of errors to requests, for tables. */
export const errorShare = (totals: { requests: number; errors: number }): number =>
  totals.requests > 0 ? totals.errors / totals.requests : 0;

/** The text with one full stop at its end. */
export const sentence = (text: string): string => (/[.!?]$/.test(text) ? text : `${text}.`);

/** Labels on one line: `dst=payment.retail reason=expired`. */
export const labelsText = (labels: Readonly<Record<string, string>>): string =>
  Object.entries(labels)
    .filter(([name]) => !['alertname', 'severity', 'owner', 'time_scale'].includes(name))
    // The port of a workload says nothing beside its name.
    .filter(([name]) => name !== 'instance' || labels.workload === undefined)
    .map(([name, value]) => `${name}=${value}`)
    .join(' ');

interface Expected {
  name: string;
  severity: string;
  labels: Readonly<Record<string, string>>;
}

/** The labels that tell an expected alert from others of its name and severity among `all`; empty: there are none. */
export const ownLabels = (e: Expected, all: readonly Expected[]): string =>
  all.filter((o) => o.name === e.name && o.severity === e.severity).length > 1
    ? labelsText(e.labels)
    : '';

/** `CheckoutLatency (page)`, or `CheckoutLatency (page, dst=payment.retail)` with these labels. */
export const alertText = (name: string, severity: string, labels = ''): string =>
  `${name} (${labels === '' ? severity : `${severity}, ${labels}`})`;

/** The same, with the labels that tell it from others of its name. */
export const expectedText = (e: Expected, all: readonly Expected[]): string =>
  alertText(e.name, e.severity, ownLabels(e, all));

/** Words for a table's cell, and for counts of outcomes. */
export const outcomeWords: Record<OutcomeKind, string> = {
  notified: 'in time',
  late: 'late',
  'too-early': 'too early',
  pending: 'pending only',
  'wrong-severity': 'wrong severity',
  'wrong-label': 'wrong label',
  'routed-elsewhere': 'routed elsewhere',
  'not-withheld': 'notified all the same',
  inhibited: 'inhibited',
  muted: 'muted',
  silenced: 'silenced',
  'not-delivered': 'not delivered',
  'rule-missing': 'no rule',
  'no-data': 'no data',
  inactive: 'never fired',
  'already-firing': 'fired before the fault',
  'already-pending': 'pending before the fault',
  'nobody-watching': 'nobody watching',
  'not-injected': 'not put to the test',
};

export const outcomeWord = (e: ExpectationRecord): string =>
  e.outcome
    ? outcomeWords[e.outcome.kind]
    : e.inTime
      ? 'in time'
      : e.receivedAfterMs === undefined
        ? 'missing'
        : 'late';

/** `after 3.7 s (deadline 8.0 s)` for an expectation; the reason if the alert did not arrive. */
export function outcomeText(e: ExpectationRecord): string {
  const deadline = `deadline ${timeText(e.deadlineMs)}`;
  if (e.withheld && e.inTime) return `${e.outcome?.text} (${deadline})`;
  if (e.receivedAfterMs === undefined) return `${e.outcome?.text ?? 'never came'} (${deadline})`;
  const took = timeText(e.receivedAfterMs);
  return e.inTime
    ? `after ${took} (${deadline})`
    : `after ${took}, ${timeText(e.receivedAfterMs - e.deadlineMs)} too late`;
}

/** `callers of browse failed for 50.0 s (398 of 400 requests), and nobody was told`. */
export function silenceText(s: SilenceRecord): string {
  const told = s.told === 'nobody' ? 'nobody was told' : 'nobody was paged (a ticket was filed)';
  const counted = s.slos.map(({ slo, badRatio }) =>
    badRatio === undefined ? `${slo} had no events` : `${slo} counted ${percentText(badRatio)} bad`,
  );
  const blind = counted.length === 0 ? '' : `; ${counted.slice(0, 4).join(', ')}`;
  return (
    `callers of ${s.route} failed for ${timeText(s.failedMs)} ` +
    `(${countText(s.errors)} of ${countText(s.requests)} requests), and ${told}${blind}`
  );
}

/** The smallest rule that would have fired on a silent failure, or the alert that did fire. */
export function ruleText({ rule, fired = [] }: SilenceRecord): string {
  if (fired.length > 0) {
    return `No rule is missing: ${fired.join(', ')} fired, and its notification reached nobody`;
  }
  if (!rule) return '';
  if (rule.probe !== undefined) return `A probe ${rule.probe} would have seen it: ${rule.expr}`;
  const after = rule.afterMs === undefined ? '' : ` after ${timeText(rule.afterMs)}`;
  return `This rule would have seen it${after}: ${rule.expr}`;
}

/** `4.0 s after the injection, asked for by payments on call: look at the resolver`. */
export const hintText = ({ afterMs, by, text }: HintRecord): string =>
  `${timeText(afterMs)} after the injection, ${by === undefined ? 'by its time' : `asked for by ${by}`}: ${text}`;

/** Whether the scenario's runbook helped, if the user asked for its proof. */
export function runbookText({ page, diagnosis, mitigation }: RunbookProofRecord): string {
  const told = diagnosis.filter((d) => d.differs).length;
  const asked = `${told} of ${plural(diagnosis.length, 'question')} answered otherwise than before`;
  const { steps, endedAfterMs, why, pages = [] } = mitigation;
  const failed = steps.filter((s) => s.code !== 0).length;
  const followed =
    endedAfterMs === undefined
      ? `followed (${plural(steps.length, 'step')}, ${failed} failed), the symptom did not end`
      : `followed, the symptom ended after ${timeText(endedAfterMs)}`;
  const meanwhile = pages.length === 0 ? '' : `; it paged itself: ${pages.join(', ')}`;
  return `runbook ${page}: ${asked}; ${why === undefined ? followed : `not followed: ${why}`}${meanwhile}`;
}

export function theoryMissText({ theory, firedAfterMs }: ExpectationRecord): string | undefined {
  if (!theory || theory.within || firedAfterMs === undefined) return undefined;
  const { earliestMs, latestMs } = theory;
  return firedAfterMs < earliestMs
    ? `${timeText(earliestMs - firedAfterMs)} earlier than expected`
    : `${timeText(firedAfterMs - latestMs)} later than expected`;
}

/** `unleash died by itself 54 ms after the fault cut was rolled back: it ended with 1: Error: read ECONNRESET`. */
export function deathText(
  { name, how, atMs }: DeathRecord,
  faults: readonly FaultRecord[],
): string {
  if (how === undefined) return `${name} died, and no fault of this scenario took it`;
  const moments = faults.flatMap((f) => [
    { atMs: f.requestedMs, what: `the fault ${f.id} was put` },
    ...(f.endedMs === undefined
      ? []
      : [{ atMs: f.endedMs, what: `the fault ${f.id} was rolled back` }]),
  ]);
  const last = moments
    .filter((m) => m.atMs > 0 && m.atMs <= (atMs ?? 0))
    .sort((a, b) => b.atMs - a.atMs)[0];
  const when = last === undefined ? '' : ` ${timeText((atMs ?? 0) - last.atMs)} after ${last.what}`;
  return `${name} died by itself${when}: it ${how}`;
}

/**
 * `714 ms to 1.6 s` after the fault's confirmation. Errors may begin before the confirmation: the range then begins at
 * 0.
 */
export const bandText = (theory: TheoryRecord | undefined): string =>
  theory ? `${timeText(Math.max(0, theory.earliestMs))} to ${timeText(theory.latestMs)}` : '';

/** `1 process killed`, `2 processes killed`: units are written in the plural. */
export function effectText({
  effect,
  effectUnit,
}: Pick<FaultRecord, 'effect' | 'effectUnit'>): string {
  const one = (word: string): string =>
    word
      .replace(/ies$/, 'y')
      .replace(/(ss)es$/, '$1')
      .replace(/([^s])s$/, '$1');
  const unit = effect === 1 ? effectUnit.split(' ').map(one).join(' ') : effectUnit;
  return `${countText(effect)} ${unit}`;
}
