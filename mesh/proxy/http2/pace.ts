/**
 * An injected limit of bandwidth, for one direction of one exchange: after each piece it pauses for as long as the
 * piece may take, and later octets wait here. Their number is limited, since they are not credited to any window.
 */
import { noticedMs } from '../tries.js';

interface Piece {
  bytes: Buffer;
  /** Passes it on. */
  pass(bytes: Buffer): void;
}

/** Smaller steps make a smoother flow. */
const stepBytes = 4096;

export class Pace {
  readonly #bytesPerSecond: number;
  readonly #queue: Piece[] = [];
  readonly #slowed: (() => void) | undefined;
  #restsUntilMs = 0;

  /** `slowed` is called when octets wait for a noticeable time. */
  constructor(bytesPerSecond: number, slowed?: () => void) {
    this.#bytesPerSecond = bytesPerSecond;
    this.#slowed = slowed;
  }

  /** Queues bytes to be passed on by run(); the bytes are copied, `pass` gets them in pieces. */
  add(
    buffer: Buffer,
    start: number,
    end: number,
    pass: (bytes: Buffer, isLast: boolean) => void,
  ): void {
    if (start === end) {
      this.#queue.push({ bytes: Buffer.alloc(0), pass: (bytes) => pass(bytes, true) });
      return;
    }
    for (let from = start; from < end; from += stepBytes) {
      const to = Math.min(end, from + stepBytes);
      this.#queue.push({
        bytes: Buffer.from(buffer.subarray(from, to)),
        pass: (bytes) => pass(bytes, to === end),
      });
    }
  }

  /** Passes on the pieces that are due. Returns when to call again; Infinity: nothing waits. */
  run(nowMs: number): number {
    while (this.#queue.length > 0 && nowMs >= this.#restsUntilMs) {
      const { bytes, pass } = this.#queue.shift() as Piece;
      const fromMs = Math.max(this.#restsUntilMs, nowMs - 100);
      this.#restsUntilMs = fromMs + (bytes.length / this.#bytesPerSecond) * 1000;
      pass(bytes);
    }
    if (this.#queue.length === 0) return Infinity;
    if (this.#restsUntilMs - nowMs >= noticedMs) this.#slowed?.();
    return this.#restsUntilMs;
  }

  clear(): void {
    this.#queue.length = 0;
  }
}
