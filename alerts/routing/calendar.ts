/** Planned maintenance: a calendar of windows, once or every week, turned into silences. */
import * as z from 'zod';
import { parseDurationMs } from '../../base/duration.js';
import { type Problem, UserError } from '../../base/errors.js';
import { checkYaml, type Path, parseYaml, readYaml, type YamlDocument } from '../../base/yaml.js';
import { readTimeMs } from '../../base/time-text.js';
import { inputName } from '../../base/input.js';
import { type AmSilence, toSilenceMatcher } from './alertmanager-api.js';
import { type AlertMatcher, parseMatcher } from './matchers.js';
import { localTime, minuteOf, momentOf } from './time-intervals.js';

const time = z.iso.datetime({
  offset: true,
  error: 'expected a time with its offset, such as 2026-12-01T22:00:00+01:00',
});
const days = [
  'sunday',
  'monday',
  'tuesday',
  'wednesday',
  'thursday',
  'friday',
  'saturday',
] as const;

const schema = z.strictObject({
  apiVersion: z.literal('firedrill.dev/v1'),
  kind: z.literal('MaintenanceCalendar'),
  windows: z.array(
    z.strictObject({
      name: z.string().regex(/^[a-z0-9][a-z0-9-]*$/, 'expected a word such as payment-database'),
      why: z.string().min(3),
      owner: z.string().min(1),
      /** Matchers, all of which an alert must match. */
      match: z.array(z.string()).min(1),
      from: time.optional(),
      to: time.optional(),
      every: z
        .strictObject({
          days: z.array(z.enum(days)).min(1).optional(),
          at: z.string(),
          for: z.string(),
          timezone: z.string().default('UTC'),
          until: time.optional(),
        })
        .optional(),
    }),
  ),
});

export interface PlannedWindow {
  name: string;
  comment: string;
  owner: string;
  matchers: AlertMatcher[];
  fromMs: number;
  toMs: number;
}

type Calendar = z.output<typeof schema>;

export const readCalendar = (file: string): Calendar => check(file, readYaml(file));
export const readCalendarText = (file: string, text: string): Calendar =>
  check(file, parseYaml(file, text));

/** A longer window is a decision rather than maintenance. */
const maxWindowMs = 7 * 86_400_000;

function check(file: string, documents: YamlDocument[]): Calendar {
  const [document] = documents;
  if (!document)
    throw new UserError({
      message: `${inputName(file)} is empty`,
      expected: 'kind MaintenanceCalendar',
    });
  const calendar = checkYaml(document, schema);
  const problems: Problem[] = [];
  const say = (path: Path, message: string, expected: string): void => {
    problems.push({ place: document.placeOf(path), message, expected });
  };
  const names = new Set<string>();
  calendar.windows.forEach((window, i) => {
    const path: Path = ['windows', i];
    if (names.has(window.name))
      say([...path, 'name'], `${window.name} appears twice`, 'a name each');
    names.add(window.name);
    window.match.forEach((text, j) => {
      try {
        parseMatcher(text);
      } catch {
        say([...path, 'match', j], `the matcher ${text}`, 'such as service="payment"');
      }
    });
    if (window.match.every(matchesAnything)) {
      say(
        [...path, 'match'],
        'this would silence everything',
        'a matcher for the system under maintenance',
      );
    }
    const once = window.from !== undefined || window.to !== undefined;
    if (once === (window.every !== undefined)) {
      say(path, `${window.name} needs either from and to, or every`, 'one of the two');
    } else if (once) {
      const lengthMs = readTimeMs(window.to ?? '') - readTimeMs(window.from ?? '');
      if (!(lengthMs > 0))
        say([...path, 'to'], 'the window ends before it begins', 'from, then to');
      else if (lengthMs > maxWindowMs)
        say([...path, 'to'], 'the window is longer than a week', 'less');
    }
    if (window.every) {
      const { at, for: length, timezone } = window.every;
      const lengthMs = parseDurationMs(length) ?? 0;
      if (lengthMs <= 0 || lengthMs > 86_400_000) {
        say([...path, 'every', 'for'], `for ${length}`, 'a duration of at most a day');
      }
      for (const [field, run] of [
        ['at', () => minuteOf(at)],
        ['timezone', () => localTime(0, timezone)],
      ] as const) {
        try {
          run();
        } catch (error) {
          if (!(error instanceof UserError)) throw error;
          const [problem] = error.problems;
          say([...path, 'every', field], problem?.message ?? '', problem?.expected ?? '');
        }
      }
    }
  });
  if (problems.length > 0) throw new UserError(problems);
  return calendar;
}

/** Whether the matcher also matches an alert without labels, so that it restricts nothing. */
export function matchesAnything(text: string): boolean {
  try {
    const matcher = parseMatcher(text);
    return (
      (matcher.matches({}) && matcher.matches({ [matcher.name]: 'a' })) ||
      /^\.[*+]$/.test(matcher.value)
    );
  } catch {
    return false;
  }
}

/** Every window that is not over and begins within the horizon, by start time. */
export function plannedWindows(
  calendar: Calendar,
  nowMs: number,
  horizonMs: number,
): PlannedWindow[] {
  const windows = calendar.windows.flatMap((window): PlannedWindow[] => {
    const of = (fromMs: number, toMs: number): PlannedWindow => ({
      name: window.name,
      comment: `${window.why} [calendar ${window.name}]`,
      owner: window.owner,
      matchers: window.match.map(parseMatcher),
      fromMs,
      toMs,
    });
    if (!window.every) return [of(readTimeMs(window.from ?? ''), readTimeMs(window.to ?? ''))];
    const { every } = window;
    const lengthMs = parseDurationMs(every.for) as number;
    const untilMs = every.until === undefined ? Infinity : readTimeMs(every.until);
    const wanted = new Set(every.days ?? days);
    const found: PlannedWindow[] = [];
    // Starts a day earlier, for a window that began yesterday. Days are those of the window's time zone; half of a day
    // at a time, because the day on which summer time begins is shorter than 24 hours.
    for (
      let atMs = nowMs - 86_400_000;
      atMs <= nowMs + horizonMs + 86_400_000;
      atMs += 43_200_000
    ) {
      const local = localTime(atMs, every.timezone);
      if (!wanted.has(days[local.weekday] as (typeof days)[number])) continue;
      const fromMs = momentOf({ ...local, minute: minuteOf(every.at) }, every.timezone);
      if (fromMs < untilMs) found.push(of(fromMs, fromMs + lengthMs));
    }
    return found;
  });
  const unique = new Map(windows.map((w) => [`${w.name} ${w.fromMs}`, w]));
  return [...unique.values()]
    .filter((w) => w.toMs > nowMs && w.fromMs <= nowMs + horizonMs)
    .sort((a, b) => a.fromMs - b.fromMs || (a.name < b.name ? -1 : 1));
}

export interface SilencePlan {
  create: AmSilence[];
  /** Silences made from the calendar that the calendar no longer contains. */
  expire: AmSilence[];
  keep: AmSilence[];
}

const ofCalendar = /\[calendar ([a-z0-9-]+)\]$/;

/** The changes that make the calendar's silences match the calendar; other silences stay untouched. */
export function planSilences(
  windows: readonly PlannedWindow[],
  present: readonly AmSilence[],
): SilencePlan {
  const ours = present.filter((s) => s.status?.state !== 'expired' && ofCalendar.test(s.comment));
  const wanted = windows.map(silenceOf);
  const keep = ours.filter((s) => wanted.some((w) => isSame(w, s)));
  return {
    create: wanted.filter((w) => !ours.some((s) => isSame(w, s))),
    expire: ours.filter((s) => !keep.includes(s)),
    keep,
  };
}

const silenceOf = (w: PlannedWindow): AmSilence => ({
  matchers: w.matchers.map(toSilenceMatcher),
  startsAt: new Date(w.fromMs).toISOString(),
  endsAt: new Date(w.toMs).toISOString(),
  createdBy: w.owner,
  comment: w.comment,
});

/** Alertmanager moves a start in the past to the present, so that such starts count as equal. */
function isSame(wanted: AmSilence, present: AmSilence): boolean {
  const [from, since] = [Date.parse(wanted.startsAt), Date.parse(present.startsAt)];
  const began = from === since || (present.status?.state === 'active' && from < since);
  return (
    began &&
    Date.parse(wanted.endsAt) === Date.parse(present.endsAt) &&
    wanted.comment === present.comment &&
    matcherKey(wanted) === matcherKey(present)
  );
}

const matcherKey = (s: AmSilence): string =>
  JSON.stringify(s.matchers.map((m) => [m.name, m.value, m.isRegex, m.isEqual ?? true]).sort());
