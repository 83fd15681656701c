/**
 * A program beside a run. Standard input is a pipe from the runner and ends with the runner. If the journal still
 * exists then, the runner died without rolling back, and the warden does the work of `firedrill gameday recover`. It
 * runs in its own session, so it survives signals to the runner's. Argument: the journal.
 */
import { existsSync } from 'node:fs';
import { spawn } from 'node:child_process';
import { sleep } from '../../base/clock.js';
import { outliveReaders } from '../../base/child.js';
import { program } from '../../base/paths.js';
import { removeDeadRunFolders } from '../../alerts/watch/run-folder.js';
import { recoverFile } from './recover.js';

/** Time in milliseconds for child processes that notice the runner's end to exit in good order. */
const noticeMs = 1500;

/** Started by the runner; ends by itself with the runner. */
export function startWarden(journalFile: string): { stop(): void } {
  const child = spawn(process.execPath, [program('chaos/runner/warden'), journalFile], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  });
  child.on('error', () => undefined);
  child.stdin.on('error', () => undefined);
  child.unref();
  (child.stdin as unknown as { unref(): void }).unref();
  return { stop: () => void child.stdin.destroy() };
}

async function watch(journalFile: string): Promise<void> {
  outliveReaders();
  await new Promise<void>((resolve) => {
    process.stdin
      .once('end', resolve)
      .once('error', () => resolve())
      .resume();
  });
  if (!existsSync(journalFile)) return;
  await sleep(noticeMs);
  await recoverFile(journalFile);
  removeDeadRunFolders();
}

const [, script, journalFile] = process.argv;
if (script === program('chaos/runner/warden') && journalFile !== undefined) {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.on(signal, () => undefined);
  // No top-level await: `require` refuses a module that has one, and the library contains this one.
  void watch(journalFile).finally(() => process.exit(0));
}
