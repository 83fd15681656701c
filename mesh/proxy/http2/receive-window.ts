/**
 * A connection's receive window. Octets are credited at once while few are held here, so that one slow stream does
 * not stop the others; otherwise only as the held octets shrink.
 */
import { defaultWindow } from './frame.js';
import type { Holdings } from '../listen/holdings.js';
import type { ConnectionLimits } from './limits.js';

export class ReceiveWindow {
  readonly #limits: ConnectionLimits;
  readonly #memory: Holdings;
  readonly #update: (increment: number) => void;
  #window = defaultWindow;
  /** `#unacknowledged` goes with the next WINDOW_UPDATE; `#owed` waits until memory allows. */
  #unacknowledged = 0;
  #owed = 0;
  /** Octets received and not passed on. */
  #heldBytes = 0;

  constructor(limits: ConnectionLimits, memory: Holdings, update: (increment: number) => void) {
    this.#limits = limits;
    this.#memory = memory;
    this.#update = update;
  }

  /** The first frames widen the window beyond the protocol's default. */
  open(): void {
    const more = this.#limits.connectionWindow - defaultWindow;
    if (more <= 0) return;
    this.#window += more;
    this.#update(more);
  }

  /** False: the peer sent more than was allowed. */
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

  /** Credits the owed octets, if memory allows. */
  settle(): void {
    if (this.#owed === 0 || !this.#mayGive()) return;
    const bytes = this.#owed;
    this.#owed = 0;
    this.give(bytes);
  }

  #mayGive(): boolean {
    return this.#heldBytes <= this.#limits.maxBufferedBytes && !this.#memory.isTight;
  }

  /** Credits octets now, or together with later ones. */
  give(bytes: number): void {
    this.#unacknowledged += bytes;
    if (this.#unacknowledged * 2 < this.#limits.connectionWindow) return;
    const increment = this.#unacknowledged;
    this.#unacknowledged = 0;
    this.#window += increment;
    this.#update(increment);
  }
}
