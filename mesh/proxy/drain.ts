/**
 * An orderly end: not ready any more, but everything that comes is still answered, and the app's own calls go out,
 * until
 * nothing has come for a while or the time is up.
 */
import type { Clock, Timer } from '../../base/clock.js';

export interface Drainable {
  /** Requests under way. */
  readonly busy: number;
  /** Requests and connections that ever began: those between two looks are not under way at either. */
  readonly begun: number;
  /** Connections of the inbound side end with their next answer. */
  beginDrain(): void;
  closeIdle(): void;
  closeInbound(): void;
  stop(): Promise<void>;
}

const lookMs = 100;
/** So long nothing may have been under way. */
const quietMs = 1000;
/** After the time is up what is under way has so long to end. */
const lastCallMs = 2000;

export class Drain {
  readonly #target: Drainable;
  readonly #clock: Clock;
  readonly #limitMs: number;
  #timer: Timer | undefined;
  #done: Promise<void> | undefined;
  #resolve: () => void = () => undefined;
  isDraining = false;

  constructor(target: Drainable, clock: Clock, limitMs: number) {
    this.#target = target;
    this.#clock = clock;
    this.#limitMs = limitMs;
  }

  /** Resolves when everything has ended. */
  start(): Promise<void> {
    if (this.#done) return this.#done;
    this.isDraining = true;
    this.#done = new Promise((resolve) => {
      this.#resolve = resolve;
    });
    const startMs = this.#clock.monotonicMs();
    let lastBusyMs = startMs;
    let { begun } = this.#target;
    let isLastCall = false;
    this.#target.beginDrain();
    this.#timer = this.#clock.every(lookMs, () => {
      const nowMs = this.#clock.monotonicMs();
      const { busy } = this.#target;
      if (busy > 0 || this.#target.begun > begun) lastBusyMs = nowMs;
      ({ begun } = this.#target);
      if (nowMs - lastBusyMs >= quietMs) return this.#end();
      if (nowMs - startMs < this.#limitMs) return;
      if (!isLastCall) {
        isLastCall = true;
        this.#target.closeInbound();
        this.#target.closeIdle();
      }
      if (busy === 0 || nowMs - startMs >= this.#limitMs + lastCallMs) this.#end();
    });
    return this.#done;
  }

  #end(): void {
    this.#timer?.cancel();
    this.#target.closeInbound();
    this.#target.closeIdle();
    void this.#target.stop().then(this.#resolve, this.#resolve);
  }
}
