/**
 * The write-ahead undo journal: each fault is on disk, with its undo, before it is set. After a crash, the next run (or
 * `firedrill gameday recover`) undoes the faults that the journal names. Each run has one file of JSON lines, synced to
 * disk.
 */
import {
  closeSync,
  existsSync,
  fstatSync,
  fsyncSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { UserError } from '../../base/errors.js';
import { makeFolder } from '../../base/make-folder.js';
import type { Undo } from '../faults/undo.js';

export type JournalLine =
  /** `startTicks` distinguishes a process from a later one with the same id. */
  | { kind: 'begin'; atMs: number; run: string; pid: number; startTicks: string | undefined }
  /** A process that must not outlive the run. */
  | {
      kind: 'process';
      atMs: number;
      pid: number;
      startTicks: string | undefined;
      name: string;
      /** The process leads a process group, and the whole group must not outlive the run. */
      group?: boolean;
    }
  /** A folder that must not outlive the run. */
  | { kind: 'folder'; atMs: number; path: string }
  /** Written before the fault is set. Its undo is `DELETE url`, or `undo` if nobody answers at that URL. */
  | {
      kind: 'intent';
      atMs: number;
      fault: string;
      target: string;
      url: string;
      undo?: Undo;
    }
  | { kind: 'undone'; atMs: number; url: string }
  | { kind: 'end'; atMs: number };

export class Journal {
  readonly file: string;
  readonly run: string;
  #fd: number | undefined;
  readonly #nowMs: () => number;
  /** A write did not get to its end: the next line must not continue it. */
  #isTorn = false;
  /** Also here, because the file can be deleted during the run. */
  readonly #lines: JournalLine[] = [];

  constructor(stateFolder: string, run: string, nowMs: () => number) {
    const folder = journalFolder(stateFolder);
    makeFolder(folder, 0o700);
    this.run = run;
    this.file = join(folder, `${run}.jsonl`);
    this.#nowMs = nowMs;
    this.#fd = openSync(this.file, 'ax', 0o600);
    const { pid } = process;
    this.#write({ kind: 'begin', atMs: nowMs(), run, pid, startTicks: startTicksOf(pid) });
  }

  process(pid: number, name: string, group = false): void {
    if (this.#fd === undefined) return;
    const startTicks = startTicksOf(pid);
    const atMs = this.#nowMs();
    this.#write({ kind: 'process', atMs, pid, startTicks, name, ...(group && { group }) });
  }

  /** The known processes that must not outlive the run. */
  get processes(): Extract<JournalLine, { kind: 'process' }>[] {
    return this.#lines.filter((line) => line.kind === 'process');
  }

  folder(path: string): void {
    this.#write({ kind: 'folder', atMs: this.#nowMs(), path });
  }

  /** The intent is on disk when this method returns. */
  intent(fault: string, target: string, url: string, undo?: Undo): void {
    if (this.#fd !== undefined && fstatSync(this.#fd).nlink === 0) {
      throw new UserError({
        message: `the journal ${this.file} was deleted during the run: the undo of ${fault} would be nowhere`,
        expected: 'a state folder that stays until the run has ended',
      });
    }
    const atMs = this.#nowMs();
    this.#write({ kind: 'intent', atMs, fault, target, url, ...(undo && { undo }) });
  }

  undone(url: string): void {
    this.#write({ kind: 'undone', atMs: this.#nowMs(), url });
  }

  /** Deletes the file if everything is undone; otherwise keeps it for the recovery. */
  close(): void {
    if (this.#fd === undefined) return;
    const left = openIntents(this.#lines);
    if (left.length === 0) this.#write({ kind: 'end', atMs: this.#nowMs() });
    closeSync(this.#fd);
    this.#fd = undefined;
    if (left.length === 0) rmSync(this.file, { force: true });
  }

  #write(line: JournalLine): void {
    if (this.#fd === undefined) throw new Error('the journal is closed');
    const bytes = Buffer.from(`${this.#isTorn ? '\n' : ''}${JSON.stringify(line)}\n`);
    this.#isTorn = true;
    for (let at = 0; at < bytes.length;) at += writeSync(this.#fd, bytes, at);
    this.#isTorn = false;
    fsyncSync(this.#fd);
    this.#lines.push(line);
  }
}

export const journalFolder = (stateFolder: string): string => join(stateFolder, 'journal');

export function journalFiles(stateFolder: string): string[] {
  const folder = journalFolder(stateFolder);
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .filter((name) => name.endsWith('.jsonl'))
    .sort()
    .map((name) => join(folder, name));
}

/** Skips a line that a crash or a full disk cut short: its fault had not been set yet. */
export function readJournal(file: string): JournalLine[] {
  const lines: JournalLine[] = [];
  for (const text of readFileSync(file, 'utf8').split('\n')) {
    if (text === '') continue;
    try {
      lines.push(JSON.parse(text) as JournalLine);
    } catch {
      continue;
    }
  }
  return lines;
}

export type Intent = Extract<JournalLine, { kind: 'intent' }>;

/** The intents that are not undone, the last first: faults are undone in reverse order. */
export function openIntents(lines: readonly JournalLine[]): Intent[] {
  const undone = new Map<string, number>();
  for (const line of lines) {
    if (line.kind === 'undone') undone.set(line.url, (undone.get(line.url) ?? 0) + 1);
  }
  const open: Intent[] = [];
  for (const line of lines) {
    if (line.kind !== 'intent') continue;
    const count = undone.get(line.url) ?? 0;
    if (count > 0) undone.set(line.url, count - 1);
    else open.push(line);
  }
  return open.toReversed();
}

/** Start time of a process in the kernel's ticks; undefined if there is no such process, or no /proc. */
export function startTicksOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The name in parentheses may contain spaces; the 22nd field is the 20th after the name.
    return stat
      .slice(stat.lastIndexOf(')') + 2)
      .split(' ')
      .at(19);
  } catch {
    return undefined;
  }
}

/** Whether this very process still runs. */
export function isAlive(pid: number, startTicks: string | undefined): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
  return startTicks === undefined || startTicksOf(pid) === startTicks;
}
