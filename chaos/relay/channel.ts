/** One direction of a relayed connection: pieces in order, each passed on when it is due. */
import type { Socket } from 'node:net';
import type { Clock, Timer } from '../../base/clock.js';
import type { RelayFault } from './relay-fault.js';

export interface ChannelParts {
  clock: Clock;
  /** Faults that affect these bytes, each with its own probability, from 0 to 1. */
  effects(): Iterable<Effect>;
  /** Counts received bytes. */
  count(bytes: number): void;
}

export interface Effect {
  fault: RelayFault;
  random(): number;
  /** Called when the fault makes a difference to bytes; of a loss, for each time that a piece is lost. */
  struck(): void;
}

/** A line that is slower by less than this, in milliseconds, is not slow. */
const noticedMs = 1;

interface Piece {
  dueMs: number;
  /** Undefined: the end. */
  bytes: Buffer | undefined;
}

/**
 * TCP retransmits a segment after this time in milliseconds, and doubles the time after each attempt (RFC 6298; Linux
 * begins at 200 ms).
 */
export const resendMs = 200;
const resendsMax = 6;

/** The delay of a piece that is lost with that probability at each attempt. */
function lossDelayMs(lossRatio: number, { random, struck }: Effect): number {
  let delayMs = 0;
  for (let tries = 0; tries < resendsMax && random() < lossRatio; tries++) {
    delayMs += resendMs * 2 ** tries;
    struck();
  }
  return delayMs;
}

/** Bytes that are held before the source is paused. */
const maxHeldBytes = 1024 * 1024;

export class Channel {
  readonly #from: Socket;
  readonly #to: Socket;
  readonly #parts: ChannelParts;
  readonly #pieces: Piece[] = [];
  #heldBytes = 0;
  #lastDueMs = 0;
  #timer: Timer | undefined;

  constructor(from: Socket, to: Socket, parts: ChannelParts) {
    this.#from = from;
    this.#to = to;
    this.#parts = parts;
  }

  get busy(): boolean {
    return this.#pieces.length > 0;
  }

  start(): void {
    this.#from.on('data', (bytes: Buffer) => this.#take(bytes));
    this.#from.on('end', () => this.#push({ dueMs: this.#lastDueMs, bytes: undefined }));
    this.#to.on('drain', () => this.#flush());
    this.#from.resume();
  }

  /** Makes all held bytes due now. */
  hurry(): void {
    for (const piece of this.#pieces) piece.dueMs = 0;
    this.#lastDueMs = 0;
    this.#flush();
  }

  stop(): void {
    this.#timer?.cancel();
    this.#pieces.length = 0;
  }

  #take(bytes: Buffer): void {
    this.#parts.count(bytes.length);
    const nowMs = this.#parts.clock.monotonicMs();
    let delayMs = 0;
    let bytesPerSecond = Infinity;
    for (const effect of this.#parts.effects()) {
      const { fault } = effect;
      if (fault.kind === 'blackhole' || fault.kind === 'half-open') return effect.struck();
      if (fault.kind === 'latency') {
        delayMs += fault.latencyMs + effect.random() * (fault.jitterMs ?? 0);
        effect.struck();
      } else if (fault.kind === 'loss') {
        delayMs += lossDelayMs(fault.lossRatio, effect);
      } else if (fault.kind === 'bandwidth') {
        bytesPerSecond = Math.min(bytesPerSecond, fault.bytesPerSecond);
        if ((bytes.length / fault.bytesPerSecond) * 1000 >= noticedMs) effect.struck();
      }
    }
    // Pieces of a tenth of a second, so that a slow line trickles.
    const size = Math.max(1, Math.min(bytes.length, Math.ceil(bytesPerSecond / 10)));
    for (let at = 0; at < bytes.length; at += size) {
      const piece = bytes.subarray(at, at + size);
      const paceMs = (piece.length / bytesPerSecond) * 1000;
      this.#lastDueMs = Math.max(nowMs + delayMs, this.#lastDueMs) + paceMs;
      this.#push({ dueMs: this.#lastDueMs, bytes: piece });
    }
  }

  #push(piece: Piece): void {
    this.#pieces.push(piece);
    this.#heldBytes += piece.bytes?.length ?? 0;
    if (this.#heldBytes >= maxHeldBytes) this.#from.pause();
    this.#flush();
  }

  #flush(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    const nowMs = this.#parts.clock.monotonicMs();
    for (;;) {
      const [piece] = this.#pieces;
      if (!piece || this.#to.destroyed) break;
      if (piece.dueMs > nowMs) {
        this.#timer = this.#parts.clock.after(piece.dueMs - nowMs, () => this.#flush());
        break;
      }
      if (this.#to.writableNeedDrain) break;
      this.#pieces.shift();
      this.#heldBytes -= piece.bytes?.length ?? 0;
      if (piece.bytes) this.#to.write(piece.bytes);
      else this.#to.end();
    }
    if (this.#heldBytes < maxHeldBytes / 2 && this.#from.isPaused()) this.#from.resume();
  }
}
