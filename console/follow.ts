/**
 * The events of a report's folder as they come: those that stand in events.jsonl, then what a running drill adds to it.
 * A folder without one is an old report: its record says the same events, at once.
 */
import { closeSync, existsSync, fstatSync, openSync, readSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { messageOf } from '../base/errors.js';
import { eventFileName } from '../chaos/gameday/event-file.js';
import { type DrillEvent, drillEvents, parseEvents } from '../runbooks/events.js';
import { readRecord } from '../runbooks/record-schema.js';

const chunkBytes = 256 * 1024;
/** A day of many scenarios has some thousand events; more than this is no drill. */
const maxEvents = 200_000;

/** Whole records are for reports: a hundred times the size of all else, and nothing of them is on the screen. */
const isShown = ({ kind }: DrillEvent): boolean =>
  kind !== 'scenario-record' && kind !== 'day-record';

export class Follow {
  readonly #folder: string;
  #fd: number | undefined;
  #inode: number | undefined;
  #position = 0;
  #rest: Buffer = Buffer.alloc(0);
  #line = 0;
  #events: DrillEvent[] = [];
  /** Grows by one where a new drill began in the same folder: what was read before is of another day. */
  generation = 0;

  constructor(folder: string) {
    this.#folder = folder;
  }

  get events(): readonly DrillEvent[] {
    return this.#events;
  }

  /** Of the last line that is no event, with its place; the others are read all the same. */
  trouble: string | undefined;

  /** Reads whatever was added. Throws where the folder cannot be read. */
  poll(): void {
    const file = join(this.#folder, eventFileName);
    if (!existsSync(file)) {
      if (this.#events.length === 0 && existsSync(join(this.#folder, 'record.json'))) {
        this.#events = drillEvents(readRecord(this.#folder));
      }
      return;
    }
    const { ino, size } = statSync(file);
    if (ino !== this.#inode || size < this.#position) this.#begin(file, ino);
    while (this.#position < size) {
      const buffer = Buffer.alloc(Math.min(chunkBytes, size - this.#position));
      const length = readSync(this.#fd as number, buffer, 0, buffer.length, this.#position);
      if (length === 0) return;
      this.#position += length;
      this.#take(file, Buffer.concat([this.#rest, buffer.subarray(0, length)]));
    }
  }

  #begin(file: string, inode: number): void {
    this.close();
    this.#fd = openSync(file, 'r');
    this.#inode = fstatSync(this.#fd).ino ?? inode;
    this.#position = 0;
    this.#rest = Buffer.alloc(0);
    this.#line = 0;
    if (this.#events.length > 0) this.generation++;
    this.#events = [];
    this.trouble = undefined;
  }

  #take(file: string, bytes: Buffer): void {
    const end = bytes.lastIndexOf(0x0a) + 1;
    this.#rest = bytes.subarray(end);
    if (end === 0) return;
    const lines = bytes.subarray(0, end).toString('utf8').split('\n').slice(0, -1);
    for (const line of lines) {
      this.#line++;
      if (this.#events.length >= maxEvents) return;
      try {
        // Its place in the file, by empty lines before it.
        const read = parseEvents(file, `${'\n'.repeat(this.#line - 1)}${line}\n`);
        this.#events.push(...read.filter(isShown));
      } catch (error) {
        this.trouble = messageOf(error);
      }
    }
  }

  close(): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
    this.#inode = undefined;
  }
}
