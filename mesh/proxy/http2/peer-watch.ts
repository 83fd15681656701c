/**
 * Finds out whether the proxy at a connection's other end is still there: a machine that is lost closes no connection.
 * The proxy gets a PING when it owes an answer and has been silent for a while, or when another proxy is in doubt: a
 * proxy that owes nothing would else be found only by a request that is lost. While nothing is owed no timer runs.
 */
import type { Clock, Timer } from '../../../base/clock.js';

export interface Watched {
  /** Whether answers are outstanding. */
  readonly isOwed: boolean;
  /** Whether new streams may be opened. */
  readonly isOpen: boolean;
  /** Set by every read, and reset here. */
  wasHeard: boolean;
  ask(nowMs: number): void;
  /** The peer should have answered by now. */
  doubted(): void;
  /** The peer has not answered in time. */
  gone(): void;
}

/** Silence before the PING. A proxy answers a PING in a millisecond, whatever its app does. */
const quietMs = 500;
/** From the PING to doubt, and from doubt to the end of the connection's use. */
const soonMs = 200;
const doubtMs = 500;
/** A timer that is later than this says that this process was busy, and nothing of the peer. */
const lateMs = 250;

const enum Phase {
  Idle,
  Quiet,
  Asked,
  Doubted,
}

export class PeerWatch {
  readonly #peer: Watched;
  readonly #clock: Clock;
  #phase: Phase = Phase.Idle;
  #timer: Timer | undefined;
  #dueMs = 0;

  constructor(peer: Watched, clock: Clock) {
    this.#peer = peer;
    this.#clock = clock;
  }

  /** Called when the peer owes one more answer. */
  owes(): void {
    if (this.#phase === Phase.Idle) this.#enter(Phase.Quiet, quietMs);
  }

  /** Sends a PING because another peer does not answer. */
  doubt(): void {
    if (!this.#peer.isOpen || this.#phase === Phase.Asked || this.#phase === Phase.Doubted) return;
    this.#peer.ask(this.#clock.monotonicMs());
    this.#enter(Phase.Doubted, doubtMs);
  }

  #enter(phase: Phase, forMs: number): void {
    this.#timer?.cancel();
    this.#phase = phase;
    this.#peer.wasHeard = false;
    this.#dueMs = this.#clock.monotonicMs() + forMs;
    this.#timer = this.#clock.after(forMs, () => this.#look());
  }

  #look(): void {
    const peer = this.#peer;
    const nowMs = this.#clock.monotonicMs();
    const phase = this.#phase;
    this.#phase = Phase.Idle;
    if (!peer.isOpen) return;
    if (peer.wasHeard || nowMs - this.#dueMs > lateMs) {
      if (peer.isOwed) this.owes();
    } else if (phase === Phase.Quiet) {
      if (!peer.isOwed) return;
      peer.ask(nowMs);
      this.#enter(Phase.Asked, soonMs);
    } else if (phase === Phase.Asked) {
      this.#enter(Phase.Doubted, doubtMs);
      peer.doubted();
    } else peer.gone();
  }
}
