/**
 * What the process keeps for slow peers: heads and bodies that have not come whole, answers that nobody reads. Where
 * all of it together is too much, whoever has been slow for longest is let go, so that others need not pay for it.
 */

/** Something that keeps bytes for a slow peer and can do without it. */
export interface Holder {
  /** Kept by hold() alone. */
  heldBytes: number;
  /** Ends what it does for the peer; gives back all that it holds before it returns. */
  letGo(): void;
}

export class Holdings {
  /** Of all holders, and of whoever counts here without being one. */
  usedBytes = 0;
  /** The whole process has too little memory: nothing new begins. */
  isShort = false;
  limitBytes: number;
  /** How many were let go. */
  letGoTotal = 0;
  /** In the order in which they became slow. */
  readonly #holders = new Set<Holder>();
  #isScheduled = false;

  constructor(limitBytes: number) {
    this.limitBytes = limitBytes;
  }

  /** Time to stop what can be stopped: windows stay shut, and whoever is stalled is let go soon. */
  get isTight(): boolean {
    return this.isShort || this.usedBytes * 2 > this.limitBytes;
  }

  /** Nothing new may begin until room is made. */
  get isFull(): boolean {
    return this.isShort || this.usedBytes > this.limitBytes;
  }

  /** So many bytes more, or fewer. */
  hold(holder: Holder, bytes: number): void {
    holder.heldBytes += bytes;
    this.usedBytes += bytes;
    if (holder.heldBytes <= 0) this.#holders.delete(holder);
    else this.#holders.add(holder);
    if (this.usedBytes <= this.limitBytes || this.#isScheduled) return;
    // Later: the holder is in the middle of something now.
    this.#isScheduled = true;
    setImmediate(() => this.#makeRoom());
  }

  /** It has been read from, or has brought something: it is not the slowest any more. */
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

/** An eighth of what the process may use, unless told otherwise. */
export const holdingsShare = 1 / 8;

/** The process's own. */
export const holdings = new Holdings(32 * 1024 * 1024);
