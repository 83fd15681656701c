/** A fault by the user's own commands: injected, confirmed and undone, each within a time limit. */
import { sleep } from '../../../base/clock.js';
import { UserError } from '../../../base/errors.js';
import { argvOf, type CommandEnd, failureOf, runCommand } from '../../faults/run-command.js';
import { runUndo, type Undo } from '../../faults/undo.js';
import type { AttachedFault, CommandStep } from './attach-schema.js';

export interface CommandFaultParts {
  name: string;
  spec: AttachedFault;
  /** The commands' working folder. */
  folder: string;
  /** Called when a command runs, with the id of its process group. */
  onStart(name: string, pid: number): void;
  /** Called when the effect is confirmed. */
  onConfirmed(id: string): void;
  /** Called with the reason if the fault could not be injected, was not confirmed, or is confirmed no longer. */
  onTrouble(id: string, text: string): void;
}

const pollMs = 250;
/** Interval in milliseconds at which a confirmed fault is asked for again: it may end by itself. */
const againMs = 1000;
/** Time limit in milliseconds for the last question, before the undo. */
const lastLimitMs = 2000;
/** Time in milliseconds for which the request that sets a fault waits for an early failure. */
const soonMs = 4000;

export const undoOf = (spec: AttachedFault, folder: string): Undo => ({
  kind: 'command',
  argv: argvOf(spec.undo.command),
  folder,
  limitMs: spec.undo.within,
  confirm: argvOf(spec.confirm.command),
});

export class CommandFault {
  readonly #parts: CommandFaultParts;
  readonly #stop = new AbortController();
  #work: Promise<void> | undefined;
  #watching: Promise<void> | undefined;
  /** True from the start of `inject`. */
  #isTouched = false;
  /** True while the effect is confirmed. */
  #isConfirmed = false;

  constructor(parts: CommandFaultParts) {
    this.#parts = parts;
  }

  /** Resolves when the injection is under way; rejects with a failure within the first four seconds. */
  async begin(id: string): Promise<void> {
    this.#work = this.#inject(id);
    this.#work.catch((error: Error) => this.#parts.onTrouble(id, error.message));
    await Promise.race([this.#work, sleep(soonMs, this.#stop.signal)]);
  }

  /** An injection that still runs is ended first. */
  async end(id: string): Promise<void> {
    this.#stop.abort();
    await this.#work?.catch(() => undefined);
    await this.#watching;
    if (!this.#isTouched) return;
    if (this.#isConfirmed) await this.#askLast(id);
    await runUndo(undoOf(this.#parts.spec, this.#parts.folder), id);
  }

  async #inject(id: string): Promise<void> {
    const { name, spec } = this.#parts;
    const before = await this.#run(spec.confirm, id);
    if (before.code === 0) {
      throw new UserError(
        `${name}: confirm succeeds before anything is injected: it proves nothing`,
      );
    }
    if (before.code === undefined) {
      throw new UserError(`${name}: confirm cannot be run: ${before.trouble}`);
    }
    this.#isTouched = true;
    const failure = failureOf(await this.#run(spec.inject, id));
    if (failure !== undefined) throw new UserError(`${name}: inject failed: ${failure}`);
    const end = performance.now() + spec.confirm.within;
    while (!this.#stop.signal.aborted) {
      const confirmed = await this.#run(spec.confirm, id);
      if (confirmed.code === 0) {
        this.#isConfirmed = true;
        this.#watching = this.#watch(id);
        return this.#parts.onConfirmed(id);
      }
      if (performance.now() > end) {
        const why = failureOf(confirmed) as string;
        throw new UserError(`${name}: it was injected, and nothing confirms it: ${why}`);
      }
      await sleep(pollMs, this.#stop.signal);
    }
  }

  /** Asks until the end of the fault; one answer that differs may be an accident, two in a row are none. */
  async #watch(id: string): Promise<void> {
    const { confirm } = this.#parts.spec;
    let misses = 0;
    while (this.#isConfirmed) {
      await sleep(misses > 0 ? pollMs : againMs, this.#stop.signal);
      if (this.#stop.signal.aborted) return;
      const answer = await this.#run(confirm, id);
      if (this.#stop.signal.aborted || answer.code === undefined) continue;
      misses = answer.code === 0 ? 0 : misses + 1;
      if (misses > 1) this.#isOver(id, answer);
    }
  }

  async #askLast(id: string): Promise<void> {
    const { command, within } = this.#parts.spec.confirm;
    const last = { command, within: Math.min(within, lastLimitMs) };
    const answer = await this.#run(last, id, new AbortController().signal);
    if (answer.code !== undefined && answer.code !== 0) this.#isOver(id, answer);
  }

  #isOver(id: string, answer: CommandEnd): void {
    this.#isConfirmed = false;
    const why = failureOf(answer) as string;
    this.#parts.onTrouble(id, `it ended by itself: its confirm no longer succeeds (${why})`);
  }

  #run(
    { command, within }: CommandStep,
    id: string,
    signal = this.#stop.signal,
  ): Promise<CommandEnd> {
    return runCommand({
      argv: argvOf(command),
      folder: this.#parts.folder,
      limitMs: within,
      env: { FIREDRILL_FAULT: id },
      onStart: (pid) => this.#parts.onStart(this.#parts.name, pid),
      signal,
      dieWithParent: true,
    });
  }
}
