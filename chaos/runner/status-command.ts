/** `firedrill gameday status`: the runs of a state folder, the faults that are on, and the kill switch. */
import { basename } from 'node:path';
import { isAlive, journalFiles, openIntents, readJournal } from './journal.js';
import { readSwitch, type Stop } from './stop-switch.js';

export interface RunStatus {
  run: string;
  /** Whether its runner runs; a run that does not has left something. */
  running: boolean;
  /** Faults that are on, or about to be: `cut at front/db`. */
  faults: string[];
}

export interface DrillStatus {
  stop: Stop | null;
  runs: RunStatus[];
}

export function statusOf(stateFolder: string): DrillStatus {
  const runs = journalFiles(stateFolder).map((file): RunStatus => {
    const lines = readJournal(file);
    const begin = lines.find((line) => line.kind === 'begin');
    const running = begin !== undefined && isAlive(begin.pid, begin.startTicks);
    const faults = openIntents(lines).map(({ fault, target }) => `${fault} at ${target}`);
    return { run: basename(file, '.jsonl'), running, faults };
  });
  return { stop: readSwitch(stateFolder) ?? null, runs };
}

export function statusText({ stop, runs }: DrillStatus): string {
  const lines = runs.map(({ run, running, faults }) => {
    const on = faults.length === 0 ? 'no fault is on' : faults.join(', ');
    return `${run}: ${running ? 'running' : 'dead, firedrill gameday recover cleans up'}; ${on}`;
  });
  if (lines.length === 0) lines.push('no run is under way');
  if (stop) lines.push(`the kill switch is thrown (${stop.reason}): no run begins`);
  return `${lines.join('\n')}\n`;
}
