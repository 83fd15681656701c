/**
 * Recovery after a crash: undoes the faults in journals, ends processes and removes folders that their run left behind.
 */
import { rmSync } from 'node:fs';
import { basename } from 'node:path';
import { exitCode, messageOf, UserError } from '../../base/errors.js';
import { runUndo } from '../faults/undo.js';
import { removeLinks } from '../system/processes/network.js';
import { signalStrays } from '../system/processes/strays.js';
import { askJson, Unreachable } from '../system/ask.js';
import {
  type Intent,
  isAlive,
  journalFiles,
  type JournalLine,
  openIntents,
  readJournal,
} from './journal.js';
import { endLeftovers } from './leftovers.js';

export interface Recovery {
  run: string;
  /** The journal's runner still runs, so nothing was touched. */
  running: boolean;
  /** One sentence for each completed action. */
  done: string[];
  /** Faults that could not be undone; the journal is kept. */
  failed: string[];
}

const endLimitMs = 2000;

/** One entry for each journal that was found. Faults of the run `forget` are not undone: somebody did it by hand. */
export async function recover(stateFolder: string, forget?: string): Promise<Recovery[]> {
  const files = journalFiles(stateFolder);
  if (forget !== undefined && !files.some((file) => runOf(file) === forget)) {
    const expected = files.length > 0 ? files.map(runOf).join(' or ') : 'none: nothing is left';
    throw new UserError({ message: `no run '${forget}' left anything here`, expected });
  }
  const recoveries: Recovery[] = [];
  for (const file of files) recoveries.push(await recoverFile(file, runOf(file) === forget));
  return recoveries;
}

/** Whether a drill with this state folder is under way. */
export const runsIn = (stateFolder: string): boolean =>
  journalFiles(stateFolder).some((file) => isRunning(readJournal(file)));

const isRunning = (lines: readonly JournalLine[]): boolean =>
  lines.some((line) => line.kind === 'begin' && isAlive(line.pid, line.startTicks));

const runOf = (file: string): string => basename(file, '.jsonl');

/**
 * Recovers before a new run, and tells by `say` what was left. Throws a UserError if something could not be undone.
 * Returns the run that is still under way, if there is one.
 */
export async function recoverFirst(
  stateFolder: string,
  say: (line: string) => void,
): Promise<string | undefined> {
  const recoveries = await recover(stateFolder);
  for (const { run, done, failed } of recoveries) {
    for (const text of [...done, ...failed]) say(`left by ${run}: ${text}`);
  }
  const stuck = recoveries.find(({ failed }) => failed.length > 0);
  if (stuck) {
    const message = 'what an earlier run left could not be cleaned up';
    const expected = `it to be cleaned up by hand, then firedrill gameday recover --forget ${stuck.run}`;
    throw new UserError({ message, expected }, exitCode.environment);
  }
  return recoveries.find(({ running }) => running)?.run;
}

/** Does nothing if the journal's runner still runs. */
export async function recoverFile(file: string, forget = false): Promise<Recovery> {
  const recovery: Recovery = {
    run: runOf(file),
    running: false,
    done: [],
    failed: [],
  };
  const lines = readJournal(file);
  if (isRunning(lines)) {
    recovery.running = true;
    return recovery;
  }
  for (const intent of openIntents(lines)) {
    const where = `${intent.fault} at ${intent.target}`;
    if (forget) {
      recovery.done.push(`${where} was forgotten`);
      continue;
    }
    try {
      recovery.done.push(`${where} ${await undo(intent)}`);
    } catch (error) {
      recovery.failed.push(`${where}: ${messageOf(error)}`);
    }
  }
  const processes = lines.filter((line) => line.kind === 'process');
  const { ended, left } = await endLeftovers(processes, endLimitMs);
  recovery.done.push(...ended.map(({ name }) => `${name} was ended`));
  recovery.failed.push(...left.map(({ name, pid }) => `${name} (process ${pid}) does not end`));
  const links = removeLinks(
    processes.map(({ pid }) => pid).filter((pid) => !isAlive(pid, undefined)),
  );
  recovery.done.push(...links.map((link) => `the network ${link} was removed`));
  for (const line of lines) {
    if (line.kind !== 'folder') continue;
    signalStrays(line.path, 'SIGKILL');
    rmSync(line.path, { recursive: true, force: true });
  }
  if (recovery.failed.length === 0) rmSync(file, { force: true });
  return recovery;
}

/** Long enough for a user's own undo, in milliseconds. */
const undoLimitMs = 45_000;

async function undo({ url, undo: own }: Intent): Promise<string> {
  // A rollback has no holder.
  if (own && !url.startsWith('http')) {
    await runUndo(own, url);
    return 'was undone';
  }
  try {
    await askJson(url, { method: 'DELETE', timeoutMs: undoLimitMs });
    return 'was undone';
  } catch (error) {
    // If nobody listens any more, the fault ended with its holder; if the holder does not know the fault, its lease has
    // lapsed.
    const gone = error instanceof Unreachable || / answered 404/.test(messageOf(error));
    if (!own) {
      if (gone) return 'had lapsed';
      throw error;
    }
  }
  // Faults without a lease are undone from here, because their undo may run twice.
  await runUndo(own, url.slice(url.lastIndexOf('/') + 1));
  return 'was undone';
}
