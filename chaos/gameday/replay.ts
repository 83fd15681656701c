/** `firedrill gameday replay` and `report`: a recorded day at any speed, and its result and report once more. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { styleFor } from '../../base/terminal.js';
import { tryFolder } from '../../base/writable-folder.js';
import { type Clock, realClock, sleep } from '../../base/clock.js';
import { exitCode, UserError } from '../../base/errors.js';
import { eventText } from '../../runbooks/event-text.js';
import { type DrillEvent, drillEvents, parseEvents } from '../../runbooks/events.js';
import { readRecord } from '../../runbooks/record-schema.js';
import { recordedIn } from '../../runbooks/recorded.js';
import { terminalSummary } from '../../runbooks/report/terminal.js';
import { clockText } from '../../runbooks/words.js';
import { eventFileName } from './event-file.js';
import type { GameDayOutcome } from './gameday.js';
import { writeReport } from './report-folder.js';

export interface ReplayOptions {
  /** A factor of the original speed; `max` does not wait. */
  speed: string;
  format: string;
  /** The folder for a new report; `gameday report -o` is its name today. */
  report?: string;
}

/** The events in the folder of a report. */
export function eventsIn(folder: string): DrillEvent[] {
  const file = join(folder, eventFileName);
  const written = existsSync(file) ? parseEvents(file, readFileSync(file, 'utf8')) : [];
  // Facts that are only known at the end are written last, regardless of their time.
  if (written.length > 0) return written.toSorted((a, b) => a.atMs - b.atMs);
  return drillEvents(readRecord(folder));
}

export async function replayCommand(
  folder: string,
  options: ReplayOptions,
  clock: Clock = realClock,
): Promise<number> {
  const speed = options.speed === 'max' ? Infinity : Number(options.speed);
  if (!(speed > 0)) {
    throw new UserError({
      message: `bad --speed '${options.speed}'`,
      expected: 'such as 10, or max',
    });
  }
  if (options.format !== 'text' && options.format !== 'json') {
    throw new UserError({ message: `bad --format '${options.format}'`, expected: 'text or json' });
  }
  if (options.report !== undefined) {
    process.stderr.write('replay --report is called report -o now\n');
    reportAgain(folder, options.report);
    return exitCode.ok;
  }
  const events = eventsIn(folder);
  const startMs = clock.nowMs();
  const firstMs = events[0]?.atMs ?? 0;
  for (const event of events) {
    const dueMs = startMs + (event.atMs - firstMs) / speed;
    if (options.format === 'text' && event.kind.endsWith('-record')) continue;
    const waitMs = dueMs - clock.nowMs();
    if (waitMs > 0) await sleep(waitMs);
    process.stdout.write(
      options.format === 'json'
        ? `${JSON.stringify(event)}\n`
        : `${clockText(event.atMs)}  ${eventText(event)}\n`,
    );
  }
  if (!events.some((e) => e.kind === 'day' && e.state === 'ended')) {
    process.stderr.write(`${folder}: the day was cut off before its end, or goes on\n`);
  }
  return exitCode.ok;
}

/**
 * Prints the day's result from its events alone, and writes its report, byte for byte the same, into `out` if that is
 * given. Throws a UserError without a complete day in the folder.
 */
export function reportAgain(folder: string, out?: string): void {
  const file = join(folder, eventFileName);
  if (!existsSync(file)) {
    throw new UserError({
      message: `${file} cannot be read`,
      expected: "a game day's report folder",
    });
  }
  const recorded = recordedIn(file, parseEvents(file, readFileSync(file, 'utf8')));
  if (out !== undefined) tryFolder(out, 'the folder of the report');
  const outcome = recorded as GameDayOutcome;
  const paths = out === undefined ? undefined : writeReport(out, outcome);
  process.stdout.write(terminalSummary(outcome.record, styleFor(process.stdout), paths));
}
