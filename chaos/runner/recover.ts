/** After a crash: undoes what journals name, ends processes and removes folders that their run left behind. */
import { rmSync } from 'node:fs';
import { basename } from 'node:path';
import { sleep } from '../../base/clock.js';
import { messageOf } from '../../base/errors.js';
import { askJson, Unreachable } from '../system/ask.js';
import { isAlive, journalFiles, openIntents, readJournal } from './journal.js';

export interface Recovery {
  run: string;
  /** Its runner is still at work: nothing was touched. */
  running: boolean;
  /** A sentence each. */
  done: string[];
  /** What could not be undone; the journal stays. */
  failed: string[];
}

const endLimitMs = 5000;

/** One entry for each journal that was found. */
export async function recover(stateFolder: string): Promise<Recovery[]> {
  const recoveries: Recovery[] = [];
  for (const file of journalFiles(stateFolder)) recoveries.push(await recoverFile(file));
  return recoveries;
}

async function recoverFile(file: string): Promise<Recovery> {
  const recovery: Recovery = {
    run: basename(file, '.jsonl'),
    running: false,
    done: [],
    failed: [],
  };
  const lines = readJournal(file);
  const begin = lines.find((line) => line.kind === 'begin');
  if (begin && isAlive(begin.pid, begin.startTicks)) {
    recovery.running = true;
    return recovery;
  }
  for (const intent of openIntents(lines)) {
    try {
      await askJson(intent.url, { method: 'DELETE' });
      recovery.done.push(`${intent.fault} at ${intent.target} was undone`);
    } catch (error) {
      // Where nobody listens any more the fault went with its holder; where it is unknown its lease has lapsed.
      const gone = error instanceof Unreachable || / answered 404/.test(messageOf(error));
      if (gone) recovery.done.push(`${intent.fault} at ${intent.target} had lapsed`);
      else recovery.failed.push(messageOf(error));
    }
  }
  for (const line of lines) {
    if (line.kind !== 'process' || !isAlive(line.pid, line.startTicks)) continue;
    if (await endProcess(line.pid, line.startTicks)) recovery.done.push(`${line.name} was ended`);
    else recovery.failed.push(`${line.name} (process ${line.pid}) does not end`);
  }
  for (const line of lines) {
    if (line.kind === 'folder') rmSync(line.path, { recursive: true, force: true });
  }
  if (recovery.failed.length === 0) rmSync(file, { force: true });
  return recovery;
}

async function endProcess(pid: number, startTicks: string | undefined): Promise<boolean> {
  for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
    try {
      process.kill(pid, signal);
    } catch {
      return true;
    }
    const end = performance.now() + endLimitMs;
    while (performance.now() < end) {
      if (!isAlive(pid, startTicks)) return true;
      await sleep(50);
    }
  }
  return !isAlive(pid, startTicks);
}
