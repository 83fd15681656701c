/**
 * Follows the events of a report's folder: first those in events.jsonl, then those that a running drill appends. A
 * folder without that file is an old report, whose record contains the same events.
 */
import { closeSync, existsSync, fstatSync, readSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { messageOf } from '../base/errors.js';
import { eventFileName } from '../chaos/gameday/event-file.js';
import { type DrillEvent, drillEvents, parseEvent } from '../runbooks/events.js';
import { openPlain, recordIn } from './report-file.js';

const chunkBytes = 256 * 1024;
/** A day of many scenarios has some ten thousand events; a longer file is not a drill's. */
const maxEvents = 200_000;
/** Of the shown events' lines. */
const maxShownBytes = 64 * 1024 * 1024;
/** The limit for one poll, so that an endless file does not block the console. */
const pollBytes = 16 * 1024 * 1024;
/** One line may hold a whole scenario's record. */
const maxLineBytes = 32 * 1024 * 1024;

/** Whole records are for reports: they are a hundred times the size of all other events and are not shown. */
const isShown = ({ kind }: DrillEvent): boolean =>
  kind !== 'scenario-record' && kind !== 'day-record';

export class Follow {
  readonly #folder: string;
  #fd: number | undefined;
  #inode: number | undefined;
  #position = 0;
  /** Pieces of an incomplete line; joined once when its end has come. */
  #rest: Buffer[] = [];
  #restBytes = 0;
  #line = 0;
  #shownBytes = 0;
  /** The state of the record.json that was read last. */
  #record = '';
  #events: DrillEvent[] = [];
  /** Grows by one when a new drill begins in the same folder: events read before belong to another day. */
  generation = 0;

  constructor(folder: string) {
    this.#folder = folder;
  }

  get events(): readonly DrillEvent[] {
    return this.#events;
  }

  /** The last invalid line, with its place; other lines are still read. */
  trouble: string | undefined;

  /** Reads the lines that were added. Throws when the folder cannot be read. */
  poll(): void {
    const file = join(this.#folder, eventFileName);
    if (!existsSync(file)) return this.#readRecord();
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

  /** Once for each state of the file: an invalid one is not read again at each poll. */
  #readRecord(): void {
    const found = statSync(join(this.#folder, 'record.json'), { throwIfNoEntry: false });
    const state = found ? `${found.ino} ${found.size} ${found.mtimeMs}` : '';
    if (this.#events.length > 0 || state === this.#record) return;
    this.#record = state;
    this.trouble = undefined;
    try {
      const record = recordIn(this.#folder);
      if (record) this.#events = drillEvents(record);
    } catch (error) {
      this.trouble = messageOf(error);
    }
  }

  #begin(inode: number): void {
    this.close();
    this.#fd = openPlain(this.#folder, eventFileName);
    this.#inode = this.#fd === undefined ? inode : fstatSync(this.#fd).ino;
    this.#position = 0;
    this.#keep([]);
    this.#line = 0;
    this.#shownBytes = 0;
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
      if (line.trim() === '') continue;
      if (this.#events.length >= maxEvents || this.#shownBytes > maxShownBytes) {
        this.trouble = `${file} is longer than a drill's: only its first ${this.#events.length} events are shown`;
        return;
      }
      try {
        const event = parseEvent({ file, line: this.#line, column: 1 }, line);
        if (!isShown(event)) continue;
        this.#events.push(event);
        this.#shownBytes += line.length;
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
