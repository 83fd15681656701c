/**
 * The kill switch: a file that stops every run at once and blocks new runs until it is cleared. Each user has one,
 * regardless of the folder in which a run was started, and each state folder has one. A switch that cannot be read
 * counts as thrown.
 */
import { readFileSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { makeFolder } from '../../base/make-folder.js';
import { messageOf } from '../../base/errors.js';
import { writeFileWhole } from '../../base/write-file.js';

export interface Stop {
  reason: string;
  atMs: number;
}

const fileOf = (stateFolder: string): string => join(stateFolder, 'stop.json');

export function throwSwitch(stateFolder: string, stop: Stop): void {
  makeFolder(stateFolder, 0o700);
  writeFileWhole(fileOf(stateFolder), `${JSON.stringify(stop)}\n`);
}

/** Returns whether there was a switch. */
export function clearSwitch(stateFolder: string): boolean {
  const was = readOne(stateFolder) !== undefined;
  rmSync(fileOf(stateFolder), { force: true });
  return was;
}

/**
 * `$XDG_STATE_HOME/firedrill`, otherwise `~/.local/state/firedrill`: the switch in this folder stops every run of this
 * user.
 */
export const userStateFolder = (): string =>
  join(process.env.XDG_STATE_HOME ?? join(homedir(), '.local', 'state'), 'firedrill');

/** The user's switch, or otherwise that of the state folder. */
export const readSwitch = (stateFolder: string): Stop | undefined =>
  readOne(userStateFolder()) ?? readOne(stateFolder);

function readOne(stateFolder: string): Stop | undefined {
  let text: string;
  try {
    text = readFileSync(fileOf(stateFolder), 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    return { reason: `the switch cannot be read: ${messageOf(error)}`, atMs: 0 };
  }
  try {
    return JSON.parse(text) as Stop;
  } catch {
    return { reason: 'the switch cannot be read: it is no JSON', atMs: 0 };
  }
}
