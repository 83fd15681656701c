/**
 * The memory that the process keeps for slow peers: incomplete heads and bodies, and answers that are not read. When
 * the total is too large, the peer that has been slow for longest is dropped, so that others do not pay for it.
 */

/** A part that keeps bytes for a slow peer and can drop them. */
export interface Holder {
  /** Changed only by hold(). */
  heldBytes: number;
  /** Ends its work for the peer; releases all that it holds before it returns. */
  letGo(): void;
}

export class Holdings {
  /** The total of all holders, and of other bytes that are counted here. */
  usedBytes = 0;
  /** The whole process has too little memory: no new requests begin. */
  isShort = false;
  limitBytes: number;
  /** Holders that were dropped. */
  letGoTotal = 0;
  /** In the order in which they became slow. */
  readonly #holders = new Set<Holder>();
  #isScheduled = false;

  constructor(limitBytes: number) {
    this.limitBytes = limitBytes;
  }

  /** Memory is getting short: windows stay closed, and stalled peers are dropped soon. */
  get isTight(): boolean {
    return this.isShort || this.usedBytes * 2 > this.limitBytes;
  }

  /** No new work may begin until memory is freed. */
  get isFull(): boolean {
    return this.isShort || this.usedBytes > this.limitBytes;
  }

  /** Adds to the holder's bytes; a negative number takes some away. */
  hold(holder: Holder, bytes: number): void {
    holder.heldBytes += bytes;
    this.usedBytes += bytes;
    if (holder.heldBytes <= 0) this.#holders.delete(holder);
    else this.#holders.add(holder);
    if (this.usedBytes <= this.limitBytes || this.#isScheduled) return;
    // Deferred: the holder is in the middle of its own work.
    this.#isScheduled = true;
    setImmediate(() => this.#makeRoom());
  }

  /** The holder made progress, so it is no longer the slowest. */
  moved(holder: Holder): void {
    if (this.#holders.delete(holder)) this.#holders.add(holder);
  }

  #makeRoom(): void {
    this.#isScheduled = false;
    for (const holder of this.#holders) {
      if (this.usedBytes <= this.limitBytes) return;
      this.#holders.delete(holder);
      this.letGoTotal++;
      holder.letGo();
    }
  }
}

/** By default an eighth of the memory that the process may use. */
export const holdingsShare = 1 / 8;

/** The process's own instance. */
export const holdings = new Holdings(32 * 1024 * 1024);
