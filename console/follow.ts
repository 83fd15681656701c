/**
 * The events of a report's folder as they come: those that stand in events.jsonl, then what a running drill adds to it.
 * A folder without one is an old report: its record says the same events, at once.
 */
import { closeSync, existsSync, fstatSync, readSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { messageOf } from '../base/errors.js';
import { eventFileName } from '../chaos/gameday/event-file.js';
import { type DrillEvent, drillEvents, parseEvents } from '../runbooks/events.js';
import { readRecord } from '../runbooks/record-schema.js';
import { openPlain, readOwn } from './report-file.js';

const chunkBytes = 256 * 1024;
/** A day of many scenarios has some thousand events; more than this is no drill. */
const maxEvents = 200_000;
/** Of one poll: a file without end keeps nobody waiting. */
const pollBytes = 16 * 1024 * 1024;
/** A whole scenario's record is a line. */
const maxLineBytes = 32 * 1024 * 1024;

/** Whole records are for reports: a hundred times the size of all else, and nothing of them is on the screen. */
const isShown = ({ kind }: DrillEvent): boolean =>
  kind !== 'scenario-record' && kind !== 'day-record';

export class Follow {
  readonly #folder: string;
  #fd: number | undefined;
  #inode: number | undefined;
  #position = 0;
  /** Of a line whose end has not come; put together once, when it has. */
  #rest: Buffer[] = [];
  #restBytes = 0;
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
      if (this.#events.length === 0 && readOwn(this.#folder, 'record.json')) {
        this.#events = drillEvents(readRecord(this.#folder));
      }
      return;
    }
    const { ino, size } = statSync(file);
    if (ino !== this.#inode || size < this.#position) this.#begin(ino);
    if (this.#fd === undefined) return;
    const until = Math.min(size, this.#position + pollBytes);
    while (this.#position < until) {
      const buffer = Buffer.alloc(Math.min(chunkBytes, until - this.#position));
      const length = readSync(this.#fd, buffer, 0, buffer.length, this.#position);
      if (length === 0) return;
      this.#position += length;
      this.#take(file, buffer.subarray(0, length));
    }
  }

  #begin(inode: number): void {
    this.close();
    this.#fd = openPlain(this.#folder, eventFileName);
    this.#inode = this.#fd === undefined ? inode : fstatSync(this.#fd).ino;
    this.#position = 0;
    this.#keep([]);
    this.#line = 0;
    if (this.#events.length > 0) this.generation++;
    this.#events = [];
    this.trouble = undefined;
  }

  #take(file: string, bytes: Buffer): void {
    const end = bytes.lastIndexOf(0x0a) + 1;
    const whole = end === 0 ? [] : [...this.#rest, bytes.subarray(0, end)];
    this.#keep(end === 0 ? [...this.#rest, bytes] : [bytes.subarray(end)]);
    if (this.#restBytes > maxLineBytes) {
      this.trouble = `${file}: a line of more than ${maxLineBytes / 2 ** 20} MB`;
      this.#keep([]);
    }
    const lines = Buffer.concat(whole).toString('utf8').split('\n').slice(0, -1);
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

  #keep(rest: Buffer[]): void {
    this.#rest = rest;
    this.#restBytes = rest.reduce((sum, chunk) => sum + chunk.length, 0);
  }

  close(): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
    this.#inode = undefined;
  }
}
