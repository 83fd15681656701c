/**
 * The time of a person's answer to a page of a drill. `firedrill gameday ack`, run by the person who was paged or by
 * the pager's callback, adds a line to a file in the state folder; the game day reads the lines within its time.
 */
import { join } from 'node:path';
import type { Command } from 'commander';
import { exitCode, UserError } from '../../base/errors.js';
import { wakes } from '../../runbooks/pager.js';
import type { AlertRecord, TimelineEvent } from '../../runbooks/record.js';
import { otherRole, respondersText, type Roles } from './roles.js';
import { addLine, linesOf } from './state-lines.js';

export interface Acknowledgement {
  atMs: number;
  /** A role rather than a name: `payments on call`. */
  by: string;
  /** The acknowledged alert; absent: the last page before it. */
  alert?: string;
}

const fileOf = (stateFolder: string): string => join(stateFolder, 'acknowledged.jsonl');
const lineMax = 400;
const linesMax = 10_000;

export function acknowledge(stateFolder: string, { atMs, by, alert }: Acknowledgement): void {
  const said = { atMs, by: by.slice(0, 100), ...(alert !== undefined && { alert }) };
  if (JSON.stringify(said).length > lineMax) throw new UserError('the names are too long');
  addLine(fileOf(stateFolder), said);
}

/** Acknowledgements in a stretch of time, in order; invalid lines are skipped. */
export function acknowledgements(
  stateFolder: string,
  fromMs: number,
  toMs: number,
): Acknowledgement[] {
  return linesOf(
    fileOf(stateFolder),
    linesMax,
    ({ atMs, by }: Partial<Acknowledgement>) =>
      typeof atMs === 'number' && typeof by === 'string' && atMs >= fromMs && atMs <= toMs,
  );
}

/** Adds to each the time since its page; the page is the one that it names, or the last before it. */
export function acknowledgementEvents(
  given: readonly Acknowledgement[],
  alerts: readonly AlertRecord[],
  roles?: Roles,
): TimelineEvent[] {
  return given.map(({ atMs, by, alert }) => {
    const pages = alerts.filter(
      (a) => a.receivedAtMs <= atMs && (alert === undefined ? wakes(a.severity) : a.name === alert),
    );
    const page = pages.reduce<AlertRecord | undefined>(
      (last, a) => (last === undefined || a.receivedAtMs > last.receivedAtMs ? a : last),
      undefined,
    );
    const other = otherRole(roles, by);
    const text =
      roles && other !== undefined
        ? `seen by ${by}, ${other}: ${respondersText(roles)} must acknowledge it`
        : page === undefined
          ? `acknowledged by ${by}: no ${alert ?? 'page'} had come`
          : `acknowledged by ${by}, ${((atMs - page.receivedAtMs) / 1000).toFixed(1)} s after it was received`;
    return { atMs, source: 'alert', subject: page?.name ?? alert ?? 'page', text, major: true };
  });
}

export function registerAcknowledge(gameday: Command): void {
  gameday
    .command('ack')
    .description(
      'Acknowledge a page of the running drill; the report shows the time to acknowledge',
    )
    .option('--by <role>', "a role rather than a person's name", 'on call')
    .option('--alert <name>', "name of the alert (default: the last page's)")
    .option('--state <folder>', "folder of the drill's journal", '.firedrill')
    .addHelpText('after', "\nExample:\n  firedrill gameday ack --by 'payments on call'")
    .action(async ({ by, alert, state }: { by: string; alert?: string; state: string }) => {
      acknowledge(state, { atMs: Date.now(), by, ...(alert !== undefined && { alert }) });
      const { runsIn } = await import('../runner/recover.js');
      if (!runsIn(state)) {
        throw new UserError(`no drill is under way in ${state}`, exitCode.failed);
      }
      process.stdout.write('acknowledged\n');
    });
}
