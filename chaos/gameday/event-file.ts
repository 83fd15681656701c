/** `events.jsonl` in the report's folder, one line per event from the start: it stays complete after a crash. */
import {
  accessSync,
  closeSync,
  constants,
  existsSync,
  openSync,
  statSync,
  writeSync,
} from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { makeFolder } from '../../base/make-folder.js';
import { systemReason } from '../../base/write-file.js';
import { exitCode, messageOf, UserError } from '../../base/errors.js';
import type { DrillEvent } from '../../runbooks/events.js';

export const eventFileName = 'events.jsonl';

export class EventFile {
  readonly #folder: string;
  #fd: number | undefined;
  #closed = false;

  /** Throws a UserError (environment) if the folder cannot be written, before anything is started. */
  constructor(folder: string) {
    this.#folder = folder;
    let path = resolve(folder);
    while (!existsSync(path) && dirname(path) !== path) path = dirname(path);
    try {
      if (!statSync(path).isDirectory()) throw new Error(`${path} is no folder`);
      accessSync(path, constants.W_OK);
    } catch (error) {
      const text = `the report folder ${folder} cannot be written: ${systemReason(error) ?? messageOf(error)}`;
      throw new UserError(text, exitCode.environment);
    }
  }

  /** Never throws: a full disk must not end a drill with active faults. */
  write(event: DrillEvent): void {
    if (this.#closed) return;
    try {
      this.#fd ??= this.#open();
      writeSync(this.#fd, `${JSON.stringify(event)}\n`);
    } catch {
      this.close();
    }
  }

  #open(): number {
    makeFolder(this.#folder);
    return openSync(join(this.#folder, eventFileName), 'w');
  }

  close(): void {
    this.#closed = true;
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
  }
}
