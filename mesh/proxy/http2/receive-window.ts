/**
 * What a connection may still be sent, and when that is given back: at once as long as little is
 * held here, so that one slow stream does not stop the others; else only as what is held shrinks.
 */
import { defaultWindow } from './frame.js';
import type { Holdings } from '../listen/holdings.js';
import type { ConnectionLimits } from './limits.js';

export class ReceiveWindow {
  readonly #limits: ConnectionLimits;
  readonly #memory: Holdings;
  readonly #update: (increment: number) => void;
  #window = defaultWindow;
  /** Given back with the next WINDOW_UPDATE, and once memory allows. */
  #unacknowledged = 0;
  #owed = 0;
  /** Received and not passed on. */
  #heldBytes = 0;

  constructor(limits: ConnectionLimits, memory: Holdings, update: (increment: number) => void) {
    this.#limits = limits;
    this.#memory = memory;
    this.#update = update;
  }

  /** The first frames: a wider window than the protocol's. */
  open(): void {
    const more = this.#limits.connectionWindow - defaultWindow;
    if (more <= 0) return;
    this.#window += more;
    this.#update(more);
  }

  /** False: more than was allowed. */
  take(bytes: number): boolean {
    this.#window -= bytes;
    return this.#window >= 0;
  }

  hold(bytes: number): void {
    this.#heldBytes += bytes;
    if (this.#mayGive()) this.give(bytes);
    else this.#owed += bytes;
  }

  release(bytes: number): void {
    this.#heldBytes -= bytes;
    this.settle();
  }

  /** Gives back what is owed, if it may be by now. */
  settle(): void {
    if (this.#owed === 0 || !this.#mayGive()) return;
    const bytes = this.#owed;
    this.#owed = 0;
    this.give(bytes);
  }

  #mayGive(): boolean {
    return this.#heldBytes <= this.#limits.maxBufferedBytes && !this.#memory.isTight;
  }

  /** Now, or together with what follows. */
  give(bytes: number): void {
    this.#unacknowledged += bytes;
    if (this.#unacknowledged * 2 < this.#limits.connectionWindow) return;
    const increment = this.#unacknowledged;
    this.#unacknowledged = 0;
    this.#window += increment;
    this.#update(increment);
  }
}
