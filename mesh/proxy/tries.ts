/**
 * One request on its way to an answer, whatever protocol carries it: delay, pick, send, retry, mirror, refuse, give
 * up. It serves opaque connections too: for them being connected counts as the beginning of the answer.
 *
 *     begin → delay → pick → wait for an endpoint, pick again … → send → heard → over
 *                      ↑_____________ backoff _______________ failed
 *
 * The flow decides (flow/contract.ts), a front moves bytes, and this loop asks the flow and tells the front, so that
 * every protocol does the same at the same points. Each front has one of these for its request in flight; HTTP/1.1
 * reuses it for the next request of its connection.
 */
import type { EndpointState, End, MirrorTarget, Tried, TryFailure } from './flow/contract.js';
import { Deadline, type DeadlineWheel } from './listen/deadlines.js';

/** A pause of less than this, in milliseconds, is no effect of a limit. */
export const noticedMs = 1;

export interface Front<F extends Tried> {
  /**
   * Opens a connection to the endpoint and sends the available part of the request; then heard(), failed(), or it is
   * cancelled.
   */
  send(endpoint: EndpointState, flow: F): void;
  /** Drops the current attempt, which must make no more calls. `isOver`: its answer is complete. */
  cancel(isOver: boolean): void;
  /** Sends a copy to the mirror. */
  mirror(target: MirrorTarget, flow: F): void;
  /** Answers in place of an endpoint, and ends the request. */
  answer(refusal: NonNullable<F['refusal']>): void;
  /** Ends a request that cannot be answered completely, so that the part sent is not mistaken for the whole. */
  cut(how: End): void;
  /** Grows with every byte that moves. */
  readonly movedBytes: number;
  /** Whether the request is ended when no byte has moved for the idle time. */
  readonly endsIdle: boolean;
  /** An injected limit of bandwidth: no byte moves in either direction until the next call. */
  rest?(isResting: boolean): void;
  /** Called at the time that was set by lookAt(). */
  look?(nowMs: number): void;
}

const enum Phase {
  /** A delay, a backoff, or no endpoint is ready. */
  Waiting,
  /** The connection is being opened, or the request is out and its answer has not begun. */
  Trying,
  Answering,
  /** An injected black hole. */
  Silent,
}

export class Tries<F extends Tried> {
  readonly #front: Front<F>;
  readonly #wheel: DeadlineWheel;
  #deadline: Deadline | undefined;
  /** The request in flight; undefined: none. */
  flow: F | undefined;
  #phase: Phase = Phase.Waiting;
  #isMirrored = false;
  /** The time of the beginning, until the first attempt: saves a look at the clock. */
  #freshMs = 0;
  #requestDueMs = Infinity;
  #tryDueMs = Infinity;
  #waitDueMs = Infinity;
  #idleDueMs = Infinity;
  #lookDueMs = Infinity;
  #restDueMs = Infinity;
  #idleMs = 0;
  #movedBytes = 0;

  constructor(front: Front<F>, wheel: DeadlineWheel) {
    this.#front = front;
    this.#wheel = wheel;
  }

  /** The answer has begun: no retry is possible. */
  get isAnswering(): boolean {
    return this.#phase === Phase.Answering && this.flow !== undefined;
  }

  /** No answer will ever come. */
  get isSilent(): boolean {
    return this.#phase === Phase.Silent && this.flow !== undefined;
  }

  /** `requestMs` from `nowMs` to the answer's end, `idleMs` without a byte: 0 means no limit. */
  begin(flow: F, requestMs: number, idleMs: number, nowMs: number): void {
    this.flow = flow;
    this.#phase = Phase.Waiting;
    this.#isMirrored = false;
    this.#idleMs = idleMs;
    this.#freshMs = nowMs;
    if (requestMs > 0) this.#armFor((this.#requestDueMs = nowMs + requestMs));
    if (idleMs > 0) this.#markIdle(nowMs);
    if (flow.hold) flow.hold.release = () => this.#released(flow);
    if (flow.delayMs > 0) this.#wait(flow.delayMs);
    else this.#next(flow);
  }

  /** Asks the flow for endpoints, until an attempt is in flight or there is a refusal to answer. */
  #next(flow: F): void {
    if (flow.refusal) return this.#refuse(flow);
    const endpoint = flow.pick();
    if (!endpoint) {
      if (flow.refusal) return this.#refuse(flow);
      return this.#wait(Math.max(1, flow.waitMs));
    }
    this.#phase = Phase.Trying;
    if (flow.mirror && !this.#isMirrored) {
      this.#isMirrored = true;
      this.#front.mirror(flow.mirror, flow);
    }
    if (flow.perTryTimeoutMs > 0) {
      this.#tryDueMs = (this.#freshMs || this.#wheel.nowMs()) + flow.perTryTimeoutMs;
      this.#armFor(this.#tryDueMs);
    }
    this.#freshMs = 0;
    this.#front.send(endpoint, flow);
  }

  /** The attempt failed, before its answer or in the middle of it, and the front has dropped it. */
  failed(why: TryFailure): void {
    const { flow } = this;
    if (!flow) return;
    this.#tryDueMs = Infinity;
    if (this.#phase === Phase.Answering) {
      return this.#front.cut(why === 'slow-client' ? 'client-gone' : 'upstream-broke');
    }
    if (flow.tryFailed(why) === 'retry') this.#retry(flow);
    else this.#refuse(flow);
  }

  /** The answer's head has come in time; the verdict on it follows later. */
  isInTime(): void {
    this.#tryDueMs = Infinity;
  }

  /** The answer begins, or the flow wants a retry (`isOver`: the answer is complete). False: it is not passed on. */
  heard(verdict: 'relay' | 'retry', isOver: boolean): boolean {
    this.#tryDueMs = Infinity;
    if (verdict === 'relay') {
      this.#phase = Phase.Answering;
      return true;
    }
    this.#front.cancel(isOver);
    this.#retry(this.flow as F);
    return false;
  }

  #retry(flow: F): void {
    const delayMs = flow.retryDelayMs();
    if (delayMs > 0) this.#wait(delayMs);
    else this.#next(flow);
  }

  #refuse(flow: F): void {
    const { refusal } = flow;
    if (!refusal) throw new Error('a flow that failed without a refusal');
    this.#phase = Phase.Answering;
    if (refusal.kind === 'answer') return this.#front.answer(refusal);
    if (refusal.kind === 'reset') return this.#front.cut('complete');
    this.#phase = Phase.Silent;
    this.#requestDueMs = Infinity;
    this.#idleDueMs = Infinity;
  }

  /** The injected fault that held the request is over. */
  #released(flow: F): void {
    if (this.flow !== flow) return;
    if (flow.refusal?.kind === 'blackhole') this.#front.cut('complete');
    else if (this.#phase === Phase.Waiting) this.#wait(0);
  }

  /** The request is over: returns the flow, exactly once, so that the caller reports its end. */
  over(): F | undefined {
    const { flow } = this;
    this.flow = undefined;
    this.#requestDueMs = Infinity;
    this.#tryDueMs = Infinity;
    this.#waitDueMs = Infinity;
    this.#idleDueMs = Infinity;
    this.#lookDueMs = Infinity;
    this.#restDueMs = Infinity;
    return flow;
  }

  /** No more requests begin here. */
  close(): void {
    this.#deadline?.cancel();
  }

  // Time.

  /** Removes the request timeout: an upgraded connection lasts. */
  lasts(): void {
    this.#requestDueMs = Infinity;
  }

  /** Asks for a call of Front.look() at that time; an earlier request stays. */
  lookAt(dueMs: number): void {
    if (dueMs >= this.#lookDueMs) return;
    this.#lookDueMs = dueMs;
    this.#armFor(dueMs);
  }

  /** Bytes have been passed on: if a fault limits them, both directions pause for as long as they may take. */
  passed(bytes: number): void {
    const { flow } = this;
    if (!flow || flow.bytesPerSecond <= 0 || bytes <= 0) return;
    const nowMs = this.#wheel.nowMs();
    const fromMs = this.#restDueMs === Infinity ? nowMs : Math.max(nowMs, this.#restDueMs);
    const restMs = (bytes / flow.bytesPerSecond) * 1000;
    if (restMs >= noticedMs) flow.slowed?.();
    this.#restDueMs = fromMs + restMs;
    this.#armFor(this.#restDueMs);
    this.#front.rest?.(true);
  }

  get isResting(): boolean {
    return this.#restDueMs !== Infinity;
  }

  #wait(delayMs: number): void {
    this.#phase = Phase.Waiting;
    this.#freshMs = 0;
    this.#waitDueMs = this.#wheel.nowMs() + delayMs;
    this.#armFor(this.#waitDueMs);
  }

  /** Idleness is checked when the time may have passed, so that no read or write needs to look at a clock. */
  #markIdle(nowMs: number): void {
    this.#movedBytes = this.#front.movedBytes;
    this.#armFor((this.#idleDueMs = nowMs + this.#idleMs));
  }

  /** A deadline later than the armed one is checked when that one fires. */
  #armFor(dueMs: number): void {
    const deadline = (this.#deadline ??= new Deadline(this.#wheel, (nowMs) => this.#due(nowMs)));
    if (dueMs < deadline.dueMs) deadline.at(dueMs);
  }

  #due(nowMs: number): void {
    if (!this.flow) return;
    this.#look(this.flow, nowMs);
    const dueMs = Math.min(
      this.#requestDueMs,
      this.#tryDueMs,
      this.#waitDueMs,
      this.#idleDueMs,
      this.#lookDueMs,
      this.#restDueMs,
    );
    if (dueMs !== Infinity) this.#armFor(dueMs);
  }

  #look(flow: F, nowMs: number): void {
    if (this.#lookDueMs <= nowMs) {
      this.#lookDueMs = Infinity;
      this.#front.look?.(nowMs);
      if (this.flow !== flow) return;
    }
    if (this.#restDueMs <= nowMs) {
      this.#restDueMs = Infinity;
      this.#front.rest?.(false);
    }
    if (this.#requestDueMs <= nowMs) return this.#tooLate('request-timeout');
    if (this.#tryDueMs <= nowMs) {
      this.#front.cancel(false);
      return this.failed('try-timeout');
    }
    if (this.#waitDueMs <= nowMs) {
      this.#waitDueMs = Infinity;
      if (this.#phase === Phase.Waiting) this.#next(flow);
    } else if (this.#idleDueMs <= nowMs) {
      const isMoving = this.#front.movedBytes !== this.#movedBytes;
      if (isMoving || !this.#front.endsIdle) this.#markIdle(nowMs);
      else this.#tooLate('idle-timeout');
    }
  }

  #tooLate(how: 'request-timeout' | 'idle-timeout'): void {
    this.#requestDueMs = Infinity;
    this.#idleDueMs = Infinity;
    if (this.#phase === Phase.Answering) return this.#front.cut(how);
    this.#front.cancel(false);
    // Applies also when the client is the silent side.
    this.failed('request-timeout');
  }
}
