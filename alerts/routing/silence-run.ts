/** Runs `firedrill alerts silence`. */
import { parseDurationMs } from '../../base/duration.js';
import { UserError } from '../../base/errors.js';
import { counted, formatTable } from '../../base/terminal.js';
import { readTimeMs } from '../../base/time-text.js';
import {
  AlertmanagerApi,
  type AmSilence,
  silenceText,
  toSilenceMatcher,
} from './alertmanager-api.js';
import { matchesAnything, plannedWindows, planSilences, readCalendar } from './calendar.js';
import type { SilenceFlags } from './commands.js';
import { labelText } from './explain.js';
import { allMatch, parseMatchers } from './matchers.js';

/** People forget longer silences; longer maintenance belongs into a calendar. */
const maxSilenceMs = 7 * 86_400_000;

const say = (text: string): void => void process.stdout.write(`${text}\n`);

export async function create(flags: SilenceFlags): Promise<void> {
  const matchers = flags.match.flatMap(parseMatchers);
  if (matchers.length === 0 || flags.match.every(matchesAnything)) {
    throw new UserError({
      message: 'this would silence everything',
      expected: 'a matcher for the system under maintenance, such as -m service=payment',
    });
  }
  const durationMs = parseDurationMs(flags.duration) ?? 0;
  if (durationMs <= 0 || durationMs > maxSilenceMs) {
    throw new UserError({ message: `--duration ${flags.duration}`, expected: 'at most 7d' });
  }
  const startMs = flags.from === undefined ? Date.now() : readTimeMs(flags.from);
  if (Number.isNaN(startMs)) {
    throw new UserError({
      message: `--from ${flags.from}`,
      expected: 'such as 2026-12-01T22:00Z',
    });
  }
  if (flags.comment.trim().length < 3) {
    throw new UserError({ message: '--comment is empty', expected: 'the reason for the silence' });
  }
  if (flags.author === '')
    throw new UserError({ message: 'no author is given', expected: '--author NAME' });
  const api = new AlertmanagerApi(flags.alertmanager);
  const hidden = (await api.alerts()).filter((a) => allMatch(matchers, a.labels));
  for (const alert of hidden) say(`silences ${labelText(alert.labels)}`);
  const silence: AmSilence = {
    matchers: matchers.map(toSilenceMatcher),
    startsAt: new Date(startMs).toISOString(),
    endsAt: new Date(startMs + durationMs).toISOString(),
    createdBy: flags.author,
    comment: flags.comment,
  };
  const about = `${counted(hidden.length, 'alert')} firing now, until ${silence.endsAt}`;
  if (flags.dryRun) return say(`would silence ${about}`);
  say(`${await api.createSilence(silence)} silences ${about}`);
}

export async function list(flags: SilenceFlags): Promise<void> {
  const silences = (await new AlertmanagerApi(flags.alertmanager).silences())
    .filter((s) => flags.expired || s.status?.state !== 'expired')
    .sort((a, b) => Date.parse(a.startsAt) - Date.parse(b.startsAt));
  if (flags.format === 'json') return say(JSON.stringify(silences, undefined, 2));
  const rows = silences.map((s) => [
    s.id ?? '',
    s.status?.state ?? '',
    s.startsAt,
    s.endsAt,
    s.createdBy,
    silenceText(s),
    s.comment,
  ]);
  say(formatTable(['ID', 'STATE', 'FROM', 'TO', 'BY', 'MATCHES', 'WHY'], rows));
}

export async function expire(ids: readonly string[], flags: SilenceFlags): Promise<void> {
  const api = new AlertmanagerApi(flags.alertmanager);
  for (const id of ids) {
    await api.expireSilence(id);
    say(`${id} is over`);
  }
}

export async function plan(file: string, flags: SilenceFlags): Promise<void> {
  const calendar = readCalendar(file);
  const horizonMs = parseDurationMs(flags.window) ?? 0;
  if (horizonMs <= 0) {
    throw new UserError({ message: `--window ${flags.window}`, expected: 'such as 14d' });
  }
  const api = new AlertmanagerApi(flags.alertmanager);
  const windows = plannedWindows(calendar, Date.now(), horizonMs);
  const changes = planSilences(windows, await api.silences());
  for (const silence of changes.create) {
    say(
      `create ${silence.startsAt} to ${silence.endsAt} ${silenceText(silence)}: ${silence.comment}`,
    );
    if (!flags.dryRun) await api.createSilence(silence);
  }
  for (const silence of changes.expire) {
    say(`expire ${silence.id}: ${silence.comment}`);
    if (!flags.dryRun) await api.expireSilence(silence.id ?? '');
  }
  const { create: made, expire: ended, keep } = changes;
  const would = flags.dryRun ? ' (nothing was changed)' : '';
  say(`${made.length} created, ${ended.length} expired, ${keep.length} kept${would}`);
}
