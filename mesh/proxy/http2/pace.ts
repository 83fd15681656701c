/**
 * An injected limit of bandwidth, for one direction of one exchange: after each piece it pauses for as long as the
 * piece may take, and later octets wait here. Their number is limited, since they are not credited to any window.
 */

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
  #restsUntilMs = 0;

  constructor(bytesPerSecond: number) {
    this.#bytesPerSecond = bytesPerSecond;
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
    return this.#queue.length > 0 ? this.#restsUntilMs : Infinity;
  }

  clear(): void {
    this.#queue.length = 0;
  }
}
