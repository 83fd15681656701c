/**
 * New connections take turns: once a few of them have brought their first bytes in a turn of the event loop, the
 * others are not read before a later one. A burst of them then holds up neither the clients that are served already
 * nor the app, which does not get all of its requests at once.
 */
import type { Clock } from '../../../base/clock.js';
import { WaitingLine, type Waits } from './waiting-line.js';

export interface Newcomer extends Waits {
  /** Begins to read, at first and after a rest. */
  goOn(): void;
  rest(): void;
  /** Ends a connection that has waited too long. */
  giveUp(): void;
}

/** The runtime accepts one connection in a turn, so that more than one uses up any line. */
const firstsATurn = 4;
/** With more, the one that has been silent for longest is no newcomer any more: a turn must not pause thousands. */
const mostReading = 1024;
/** A longer line than this takes is no burst. */
const longestWaitMs = 10_000;

export class Newcomers {
  readonly #clock: Clock;
  readonly #defer: (run: () => void) => void;
  readonly #reading = new Set<Newcomer>();
  readonly #resting = new WaitingLine<Newcomer>();
  #heard = 0;
  #isArmed = false;

  /** `defer` runs its argument after all events of this turn. */
  constructor(clock: Clock, defer: (run: () => void) => void = setImmediate) {
    this.#clock = clock;
    this.#defer = defer;
  }

  /** Takes a connection that is not read yet. */
  add(one: Newcomer): void {
    if (this.#resting.size > 0) this.#resting.push(one, this.#clock.monotonicMs());
    else this.#read(one);
  }

  /** Its first bytes have come. */
  heard(one: Newcomer): void {
    if (!this.#reading.delete(one)) return;
    this.#arm();
    if (++this.#heard < firstsATurn) return;
    const nowMs = this.#clock.monotonicMs();
    for (const other of this.#reading) {
      other.rest();
      this.#resting.push(other, nowMs);
    }
    this.#reading.clear();
  }

  /** The connection is gone, or silent for so long that other code takes it. */
  left(one: Newcomer): void {
    if (!this.#reading.delete(one)) this.#resting.delete(one);
  }

  #read(one: Newcomer): void {
    const [silent] = this.#reading;
    if (silent && this.#reading.size >= mostReading) this.#reading.delete(silent);
    this.#reading.add(one);
    one.goOn();
  }

  #arm(): void {
    if (this.#isArmed) return;
    this.#isArmed = true;
    this.#defer(() => this.#nextTurn());
  }

  #nextTurn(): void {
    this.#isArmed = false;
    this.#heard = 0;
    const late = this.#resting.late(this.#clock.monotonicMs() - longestWaitMs);
    for (const one of late) one.giveUp();
    for (let i = 0; i < firstsATurn; i++) {
      const one = this.#resting.shift();
      if (!one) return;
      this.#read(one);
    }
    if (this.#resting.size > 0) this.#arm();
  }
}
