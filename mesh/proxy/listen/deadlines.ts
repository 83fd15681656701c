/**
 * Thousands of deadlines at little cost: postponing one only stores a number, and only the earliest slot has a timer.
 * A deadline fires at most one slot width late, never early.
 */
import type { Clock, Timer } from '../../../base/clock.js';
import { faults } from './wire.js';

const slotMs = 8;

/**
 * Runs later, after the events that already wait have been processed. Node runs timers before it reads sockets: after
 * a stall the answer may lie in the kernel when its deadline is found to have passed.
 */
export type AfterPoll = (run: () => void) => void;

export const afterPoll: AfterPoll = (run) => void setImmediate(run);
/** A power of two: 16 s ahead; a later deadline is checked again after that time. */
const slots = 2048;

/** One for each connection, armed again and again. */
export class Deadline {
  readonly #wheel: DeadlineWheel;
  readonly run: (nowMs: number) => void;
  /** When the deadline is due; Infinity: not armed. */
  dueMs = Infinity;
  /** The slot that holds the deadline; -1: none. */
  slot = -1;
  previous: Deadline | undefined;
  next: Deadline | undefined;

  constructor(wheel: DeadlineWheel, run: (nowMs: number) => void) {
    this.#wheel = wheel;
    this.run = run;
  }

  /** Moves the deadline, to an earlier or a later time. Infinity disarms it. */
  at(dueMs: number): void {
    this.dueMs = dueMs;
    if (dueMs !== Infinity) this.#wheel.place(this);
  }

  /** Disarms the deadline of a closed connection. */
  cancel(): void {
    this.dueMs = Infinity;
    this.#wheel.remove(this);
  }
}

export class DeadlineWheel {
  readonly #clock: Clock;
  readonly #heads: (Deadline | undefined)[] = Array.from({ length: slots }, () => undefined);
  /** The last slot that was processed, counted from the clock's zero. */
  #done: number;
  #timer: Timer | undefined;
  #timerSlot = Infinity;
  #count = 0;
  #isTurning = false;
  readonly #afterPoll: AfterPoll;

  /** Without `settle` deadlines run directly in the timer: for uses that read no sockets. */
  constructor(clock: Clock, settle: AfterPoll = (run) => run()) {
    this.#clock = clock;
    this.#afterPoll = settle;
    this.#done = Math.floor(clock.monotonicMs() / slotMs);
  }

  nowMs(): number {
    return this.#clock.monotonicMs();
  }

  after(delayMs: number, run: () => void): Timer {
    const deadline = new Deadline(this, run);
    deadline.at(this.nowMs() + delayMs);
    return deadline;
  }

  place(deadline: Deadline): void {
    // Rounded up: never early.
    let slot = Math.ceil(deadline.dueMs / slotMs);
    if (deadline.slot >= 0) {
      // The deadline is in an earlier slot already, and is moved on from there if it is not yet due then.
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
      // Taken now, since processing the sockets may take a while.
      const nowMs = this.#clock.monotonicMs();
      this.#afterPoll(() => this.#turn(nowMs));
    });
  }

  #turn(nowMs: number): void {
    this.#timerSlot = Infinity;
    this.#isTurning = true;
    const now = Math.floor(nowMs / slotMs);
    // After a long stall every slot is processed once, not once for each turn missed.
    const from = Math.max(this.#done + 1, now - slots + 1);
    for (let slot = from; slot <= now; slot++) {
      this.#done = slot;
      // Every deadline of the slot runs or moves on, even if running one removes or adds others.
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
