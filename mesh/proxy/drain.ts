/**
 * An orderly shutdown: the proxy is no longer ready, but still answers every request and lets the app's own calls
 * out, until no request has come for a while or the time is up.
 */
import type { Clock, Timer } from '../../base/clock.js';

export interface Drainable {
  /** Requests in flight. */
  readonly busy: number;
  /**
   * Requests and connections begun since the start: a request that begins and ends between two looks shows only here.
   */
  readonly begun: number;
  /** Connections of the inbound side close with their next answer. */
  beginDrain(): void;
  closeIdle(): void;
  closeInbound(): void;
  stop(): Promise<void>;
}

const lookMs = 100;
/** The drain ends after this long without a request in flight. */
const quietMs = 1000;
/** The last part of the time, at most half of it, in which no new connection is taken: requests in flight may end. */
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

  /** Resolves when every connection has ended. */
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
    const lastCallAtMs = this.#limitMs - Math.min(lastCallMs, this.#limitMs / 2);
    this.#target.beginDrain();
    this.#timer = this.#clock.every(lookMs, () => {
      const nowMs = this.#clock.monotonicMs();
      const { busy } = this.#target;
      if (busy > 0 || this.#target.begun > begun) lastBusyMs = nowMs;
      ({ begun } = this.#target);
      if (nowMs - lastBusyMs >= quietMs) return this.#end();
      if (nowMs - startMs < lastCallAtMs) return;
      if (!isLastCall) {
        isLastCall = true;
        this.#target.closeInbound();
        this.#target.closeIdle();
      }
      if (busy === 0 || nowMs - startMs >= this.#limitMs) this.#end();
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
