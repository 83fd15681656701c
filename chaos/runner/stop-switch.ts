/**
 * The kill switch: a file that stops every run at once and blocks new ones until it is cleared. A switch that cannot be
 * read counts as thrown: it fails closed.
 */
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { messageOf } from '../../base/errors.js';
import { writeFileWhole } from '../../base/write-file.js';

export interface Stop {
  reason: string;
  atMs: number;
}

const fileOf = (stateFolder: string): string => join(stateFolder, 'stop.json');

export function throwSwitch(stateFolder: string, stop: Stop): void {
  mkdirSync(stateFolder, { recursive: true, mode: 0o700 });
  writeFileWhole(fileOf(stateFolder), `${JSON.stringify(stop)}\n`);
}

/** Whether there was one. */
export function clearSwitch(stateFolder: string): boolean {
  const was = readSwitch(stateFolder) !== undefined;
  rmSync(fileOf(stateFolder), { force: true });
  return was;
}

export function readSwitch(stateFolder: string): Stop | undefined {
  let text: string;
  try {
    text = readFileSync(fileOf(stateFolder), 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    return { reason: `the switch cannot be read: ${messageOf(error)}`, atMs: 0 };
  }
  try {
    return JSON.parse(text) as Stop;
  } catch {
    return { reason: 'the switch cannot be read: it is no JSON', atMs: 0 };
  }
}
