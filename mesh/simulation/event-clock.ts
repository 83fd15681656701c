/** A clock that runs as fast as it can: due timers run in order, from a heap, a million of them in a second or two. */
import type { Clock, Timer } from '../../base/clock.js';

interface Event extends Timer {
  dueMs: number;
  order: number;
  run: (() => void) | undefined;
}

export class EventClock implements Clock {
  readonly #startMs: number;
  #nowMs = 0;
  #order = 0;
  /** A binary heap: the earliest event is at 0; the children of i are at 2i+1 and 2i+2 and are due no earlier. */
  readonly #heap: Event[] = [];

  constructor(startMs: number) {
    this.#startMs = startMs;
  }

  nowMs(): number {
    return this.#startMs + this.#nowMs;
  }

  monotonicMs(): number {
    return this.#nowMs;
  }

  after(delayMs: number, run: () => void): Timer {
    const event: Event = {
      dueMs: this.#nowMs + Math.max(0, delayMs),
      order: this.#order++,
      run,
      // The event stays in the heap until it is due, which is cheaper than searching for it.
      cancel: () => {
        event.run = undefined;
      },
    };
    this.#push(event);
    return event;
  }

  every(periodMs: number, run: () => void): Timer {
    let timer: Timer;
    const again = (): void => {
      timer = this.after(periodMs, again);
      run();
    };
    timer = this.after(periodMs, again);
    return { cancel: () => timer.cancel() };
  }

  /** Runs the events due up to `untilMs` of monotonic time. */
  run(untilMs: number): void {
    for (;;) {
      const next = this.#heap[0];
      if (!next || next.dueMs > untilMs) break;
      this.#pop();
      this.#nowMs = next.dueMs;
      next.run?.();
    }
    this.#nowMs = untilMs;
  }

  #push(event: Event): void {
    const heap = this.#heap;
    let i = heap.length;
    heap.push(event);
    while (i > 0) {
      const parent = (i - 1) >> 1;
      const above = heap[parent] as Event;
      if (isFirst(above, event)) break;
      heap[i] = above;
      i = parent;
    }
    heap[i] = event;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop() as Event;
    if (heap.length === 0) return;
    let i = 0;
    for (;;) {
      let child = 2 * i + 1;
      if (child >= heap.length) break;
      const right = heap[child + 1];
      if (right && isFirst(right, heap[child] as Event)) child++;
      const below = heap[child] as Event;
      if (isFirst(last, below)) break;
      heap[i] = below;
      i = child;
    }
    heap[i] = last;
  }
}

const isFirst = (a: Event, b: Event): boolean =>
  a.dueMs < b.dueMs || (a.dueMs === b.dueMs && a.order < b.order);
