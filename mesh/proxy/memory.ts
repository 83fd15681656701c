/** Watches resident memory: from a limit on new requests are refused, so that those under way can end. */
import type { Clock, Timer } from '../../base/clock.js';

const lookMs = 250;
/** Served again only when well below the limit, or it would swing. */
const backShare = 0.9;

export class MemoryGuard {
  readonly #limitBytes: number;
  readonly #onChange: (isShort: boolean) => void;
  readonly #read: () => number;
  #timer: Timer | undefined;
  isShort = false;
  /** How often it came to that. */
  episodes = 0;

  constructor(
    limitBytes: number,
    onChange: (isShort: boolean) => void,
    read: () => number = process.memoryUsage.rss,
  ) {
    this.#limitBytes = limitBytes;
    this.#onChange = onChange;
    this.#read = read;
  }

  start(clock: Clock): void {
    this.#timer = clock.every(lookMs, () => this.look());
  }

  stop(): void {
    this.#timer?.cancel();
  }

  look(): void {
    const bytes = this.#read();
    const isShort = bytes > this.#limitBytes * (this.isShort ? backShare : 1);
    if (isShort === this.isShort) return;
    this.isShort = isShort;
    if (isShort) this.episodes++;
    this.#onChange(isShort);
  }
}
