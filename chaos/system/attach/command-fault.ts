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
  /** Called with the reason if the fault could not be injected, or was not confirmed. */
  onTrouble(text: string): void;
}

const pollMs = 250;
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
  /** True from the start of `inject`. */
  #isTouched = false;

  constructor(parts: CommandFaultParts) {
    this.#parts = parts;
  }

  /** Resolves when the injection is under way; rejects with a failure within the first four seconds. */
  async begin(id: string): Promise<void> {
    this.#work = this.#inject(id);
    this.#work.catch((error: Error) => this.#parts.onTrouble(error.message));
    await Promise.race([this.#work, sleep(soonMs, this.#stop.signal)]);
  }

  /** An injection that still runs is ended first. */
  async end(id: string): Promise<void> {
    this.#stop.abort();
    await this.#work?.catch(() => undefined);
    if (!this.#isTouched) return;
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
      if (confirmed.code === 0) return this.#parts.onConfirmed(id);
      if (performance.now() > end) {
        const why = failureOf(confirmed) as string;
        throw new UserError(`${name}: it was injected, and nothing confirms it: ${why}`);
      }
      await sleep(pollMs, this.#stop.signal);
    }
  }

  #run({ command, within }: CommandStep, id: string): Promise<CommandEnd> {
    return runCommand({
      argv: argvOf(command),
      folder: this.#parts.folder,
      limitMs: within,
      env: { FIREDRILL_FAULT: id },
      onStart: (pid) => this.#parts.onStart(this.#parts.name, pid),
      signal: this.#stop.signal,
      dieWithParent: true,
    });
  }
}
