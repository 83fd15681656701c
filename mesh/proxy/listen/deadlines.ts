/**
 * Deadlines by the thousand at next to no cost: setting a later one is a store, and only the earliest slot has a
 * timer.
 * A deadline is kept to the slot's width after its time, never before.
 */
import type { Clock, Timer } from '../../../base/clock.js';
import { faults } from './wire.js';

const slotMs = 8;

/**
 * Runs later, once the events that wait already have been looked at. Node runs timers before it reads sockets: after a
 * stall the answer may lie in the kernel while its deadline is found to be over.
 */
export type AfterPoll = (run: () => void) => void;

export const afterPoll: AfterPoll = (run) => void setImmediate(run);
/** A power of two: 16 s ahead; what is due later is looked at again then. */
const slots = 2048;

/** One for each connection, armed again and again. */
export class Deadline {
  readonly #wheel: DeadlineWheel;
  readonly run: (nowMs: number) => void;
  /** When it is due; Infinity: not armed. */
  dueMs = Infinity;
  /** The slot that it waits in; -1: none. */
  slot = -1;
  previous: Deadline | undefined;
  next: Deadline | undefined;

  constructor(wheel: DeadlineWheel, run: (nowMs: number) => void) {
    this.#wheel = wheel;
    this.run = run;
  }

  /** Sets it, earlier or later than before. Infinity disarms. */
  at(dueMs: number): void {
    this.dueMs = dueMs;
    if (dueMs !== Infinity) this.#wheel.place(this);
  }

  /** Forgets it: for a connection that is gone. */
  cancel(): void {
    this.dueMs = Infinity;
    this.#wheel.remove(this);
  }
}

export class DeadlineWheel {
  readonly #clock: Clock;
  readonly #heads: (Deadline | undefined)[] = Array.from({ length: slots }, () => undefined);
  /** The last slot that was looked at, counted from the clock's zero. */
  #done: number;
  #timer: Timer | undefined;
  #timerSlot = Infinity;
  #count = 0;
  #isTurning = false;
  readonly #afterPoll: AfterPoll;

  /** Without `settle` deadlines run as the clock strikes: where nothing is read from sockets. */
  constructor(clock: Clock, settle: AfterPoll = (run) => run()) {
    this.#clock = clock;
    this.#afterPoll = settle;
    this.#done = Math.floor(clock.monotonicMs() / slotMs);
  }

  nowMs(): number {
    return this.#clock.monotonicMs();
  }

  place(deadline: Deadline): void {
    // Rounded up: never early.
    let slot = Math.ceil(deadline.dueMs / slotMs);
    if (deadline.slot >= 0) {
      // It waits in an earlier slot already, and is moved on from there if it is not yet due then.
      if (deadline.slot <= slot) return;
      this.remove(deadline);
    }
    if (this.#count === 0) this.#done = Math.floor(this.#clock.monotonicMs() / slotMs);
    slot = Math.min(Math.max(slot, this.#done + 1), this.#done + slots - 1);
    deadline.slot = slot;
    const index = slot & (slots - 1);
    const head = this.#heads[index];
    deadline.next = head;
    deadline.previous = undefined;
    if (head) head.previous = deadline;
    this.#heads[index] = deadline;
    this.#count++;
    if (slot < this.#timerSlot && !this.#isTurning) this.#wake(slot);
  }

  remove(deadline: Deadline): void {
    if (deadline.slot < 0) return;
    const { previous, next } = deadline;
    if (previous) previous.next = next;
    else this.#heads[deadline.slot & (slots - 1)] = next;
    if (next) next.previous = previous;
    deadline.slot = -1;
    deadline.previous = undefined;
    deadline.next = undefined;
    this.#count--;
  }

  #wake(slot: number): void {
    this.#timer?.cancel();
    this.#timerSlot = slot;
    const delayMs = Math.max(1, Math.ceil(slot * slotMs - this.#clock.monotonicMs()));
    this.#timer = this.#clock.after(delayMs, () => {
      // What is due by now, though looking at the sockets may take a while.
      const nowMs = this.#clock.monotonicMs();
      this.#afterPoll(() => this.#turn(nowMs));
    });
  }

  #turn(nowMs: number): void {
    this.#timerSlot = Infinity;
    this.#isTurning = true;
    const now = Math.floor(nowMs / slotMs);
    // After a long stall every slot is looked at once, not once for each turn missed.
    const from = Math.max(this.#done + 1, now - slots + 1);
    for (let slot = from; slot <= now; slot++) {
      this.#done = slot;
      // All that wait here are due or move on to another slot, whatever running them removes or adds.
      for (let d = this.#heads[slot & (slots - 1)]; d; d = this.#heads[slot & (slots - 1)]) {
        this.remove(d);
        if (d.dueMs > nowMs) {
          if (d.dueMs !== Infinity) this.place(d);
          continue;
        }
        d.dueMs = Infinity;
        try {
          d.run(nowMs);
        } catch (error) {
          faults.report(error);
        }
      }
    }
    this.#isTurning = false;
    if (this.#count === 0) return;
    for (let slot = this.#done + 1; slot <= this.#done + slots; slot++) {
      if (!this.#heads[slot & (slots - 1)]) continue;
      if (slot < this.#timerSlot) this.#wake(slot);
      return;
    }
  }
}
