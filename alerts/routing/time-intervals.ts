/** Alertmanager's time intervals: whether a moment lies within one, in the interval's time zone. */
import { UserError } from '../../base/errors.js';
import type { AmTimeInterval } from './config.js';

const days = ['sunday', 'monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday'];
const months = [
  'january',
  'february',
  'march',
  'april',
  'may',
  'june',
  'july',
  'august',
  'september',
  'october',
  'november',
  'december',
];

export interface LocalTime {
  year: number;
  /** From 1. */
  month: number;
  day: number;
  /** 0 is Sunday. */
  weekday: number;
  /** Minutes since midnight. */
  minute: number;
}

const formats = new Map<string, Intl.DateTimeFormat>();

/** The local time in a time zone of the IANA list. */
export function localTime(atMs: number, zone: string): LocalTime {
  let format = formats.get(zone);
  if (!format) {
    try {
      format = new Intl.DateTimeFormat('en-GB', {
        timeZone: zone,
        year: 'numeric',
        month: 'numeric',
        day: 'numeric',
        hour: 'numeric',
        minute: 'numeric',
        hourCycle: 'h23',
      });
    } catch {
      throw new UserError({ message: `the time zone ${zone}`, expected: 'such as Europe/Berlin' });
    }
    formats.set(zone, format);
  }
  const parts = Object.fromEntries(
    format.formatToParts(atMs).map((p) => [p.type, Number(p.value)] as const),
  );
  const { year = 0, month = 0, day = 0, hour = 0, minute = 0 } = parts;
  const weekday = new Date(Date.UTC(year, month - 1, day)).getUTCDay();
  return { year, month, day, weekday, minute: hour * 60 + minute };
}

/** The moment of a local time; for a time that a daylight-saving change skips, a time one hour earlier or later. */
export function momentOf(time: Omit<LocalTime, 'weekday'>, zone: string): number {
  const asUtc = Date.UTC(time.year, time.month - 1, time.day) + time.minute * 60_000;
  let guess = asUtc;
  for (let i = 0; i < 3; i++) {
    const local = localTime(guess, zone);
    const said = Date.UTC(local.year, local.month - 1, local.day) + local.minute * 60_000;
    if (said === asUtc) break;
    guess += asUtc - said;
  }
  return guess;
}

export function minuteOf(text: string): number {
  const match = /^(\d\d):(\d\d)$/.exec(text);
  const minute = match ? Number(match[1]) * 60 + Number(match[2]) : Number.NaN;
  if (minute <= 1440 && Number(match?.[2]) < 60) return minute;
  throw new UserError({ message: `the time ${text}`, expected: 'such as 09:00, up to 24:00' });
}

/** Whether the interval contains the moment: every present field must hold, by any of its entries. */
export function contains(interval: AmTimeInterval, atMs: number): boolean {
  const local = localTime(atMs, zoneOf(interval.location));
  const lastDay = new Date(Date.UTC(local.year, local.month, 0)).getUTCDate();
  const any = <T>(list: readonly T[] | undefined, holds: (entry: T) => boolean): boolean =>
    list === undefined || list.length === 0 || list.some(holds);
  return (
    any(interval.times, (t) => {
      return local.minute >= minuteOf(t.start_time) && local.minute < minuteOf(t.end_time);
    }) &&
    any(interval.weekdays, (r) => inWeek(r, local.weekday)) &&
    any(interval.months, (r) => inRange(r, local.month, monthOf)) &&
    any(interval.years, (r) => inRange(r, local.year, Number)) &&
    // -1 is the last day of the month.
    any(interval.days_of_month, (r) =>
      inRange(r, local.day, (w) => (Number(w) < 0 ? lastDay + 1 + Number(w) : Number(w))),
    )
  );
}

const zoneOf = (location: string | undefined): string =>
  location === undefined || location === ''
    ? 'UTC'
    : location === 'Local'
      ? Intl.DateTimeFormat().resolvedOptions().timeZone
      : location;

const nameIn = (names: readonly string[], word: string, first: number): number => {
  const at = names.indexOf(word.toLowerCase());
  return at < 0 ? Number(word) : at + first;
};

const monthOf = (word: string): number => nameIn(months, word, 1);

/** Reads `monday:friday`, `3` or `-1`. */
function rangeOf(text: string, valueOf: (word: string) => number): [number, number] {
  const [from = '', to = from, more] = text.split(':');
  const [low, high] = [valueOf(from), valueOf(to)];
  if (Number.isInteger(low) && Number.isInteger(high) && more === undefined) return [low, high];
  throw new UserError({ message: `the range ${text}`, expected: 'such as monday:friday or 1:5' });
}

function inRange(text: string, value: number, valueOf: (word: string) => number): boolean {
  const [low, high] = rangeOf(text, valueOf);
  return value >= low && value <= high;
}

/** `friday:monday` goes on over the end of the week, since Alertmanager 0.35. */
function inWeek(text: string, weekday: number): boolean {
  const [low, high] = rangeOf(text, (w) => nameIn(days, w, 0));
  return low <= high ? weekday >= low && weekday <= high : weekday >= low || weekday <= high;
}

/** The checks of an interval, which Alertmanager makes when it reads it, by the path of each value. */
export function* checkInterval(
  interval: AmTimeInterval,
): Generator<[(string | number)[], () => void]> {
  for (const [i, { start_time: start, end_time: end }] of (interval.times ?? []).entries()) {
    yield [['times', i], () => inOrder(`${start} to ${end}`, minuteOf(start), minuteOf(end) - 1)];
  }
  const day = (word: string): number => days.indexOf(word.toLowerCase());
  const ranges = { weekdays: day, days_of_month: Number, months: monthOf, years: Number } as const;
  for (const field of ['weekdays', 'days_of_month', 'months', 'years'] as const) {
    for (const [i, text] of (interval[field] ?? []).entries()) {
      yield [
        [field, i],
        () => {
          const [low, high] = rangeOf(text, ranges[field]);
          if (field === 'days_of_month') checkDays(text, low, high);
          else if (field === 'weekdays') checkWeekdays(text, low, high);
          else inOrder(text, low, high);
          if (field === 'months' && (low < 1 || high > 12)) {
            throw new UserError({ message: `the month ${text}`, expected: '1 to 12, or a name' });
          }
        },
      ];
    }
  }
  const { location = '' } = interval;
  yield [['location'], () => checkZone(location)];
}

function inOrder(text: string, low: number, high: number): void {
  if (low <= high) return;
  const message = `${text} ends before it begins`;
  throw new UserError({
    message,
    expected: 'two entries, one up to the end and one from the start',
  });
}

function checkWeekdays(text: string, low: number, high: number): void {
  if (Math.min(low, high) >= 0) return;
  throw new UserError({ message: `the weekday ${text}`, expected: 'such as monday' });
}

function checkDays(text: string, low: number, high: number): void {
  if ([low, high].some((d) => d === 0 || Math.abs(d) > 31) || (low < 0 && high > 0)) {
    throw new UserError({
      message: `the days ${text}`,
      expected: 'such as 1:15, or -7:-1 for the last',
    });
  }
  // A month has at least 28 days.
  inOrder(text, low < 0 ? low + 28 : low, high < 0 ? high + 28 : high);
}

/** Go reads the zones as files: their names have capitals, and an offset is no name. */
function checkZone(zone: string): void {
  localTime(0, zoneOf(zone));
  if (/^[a-z]|^[+-]/.test(zone)) {
    throw new UserError({ message: `the time zone ${zone}`, expected: 'such as Europe/Berlin' });
  }
}
