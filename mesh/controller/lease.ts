/** Elects the leader for work that only one replica should do: a lease in a shared file, taken over when it lapses. */
import { linkSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { type Clock, realClock, type Timer } from '../../base/clock.js';
import { writeFileWhole } from '../../base/write-file.js';

export interface Lease {
  /** Whether this replica leads now. Never true on two replicas whose clocks agree within half the duration. */
  leading(): boolean;
  stop(): Promise<void>;
}

/** The lease of a single replica. */
export const soleLeader: Lease = {
  leading: () => true,
  stop: () => Promise.resolve(),
};

interface Holder {
  replica: string;
  untilMs: number;
}

/**
 * A lease file. The holder extends it every third of the duration and considers itself the leader only until the end
 * that it wrote. Another replica takes over a lapsed lease by linking its claim under a lock name, which only one
 * can. The lock of a dead replica is passed over, and the next number is the lock: if it were removed, a second replica
 * that had found it dead would remove the lock of the first.
 */
export class FileLease implements Lease {
  readonly #file: string;
  readonly #replica: string;
  readonly #durationMs: number;
  readonly #clock: Clock;
  readonly #timer: Timer;
  #untilMs = 0;

  constructor(options: { file: string; replica: string; durationMs: number; clock?: Clock }) {
    this.#file = options.file;
    this.#replica = options.replica;
    this.#durationMs = options.durationMs;
    this.#clock = options.clock ?? realClock;
    this.#try();
    this.#timer = this.#clock.every(Math.max(10, options.durationMs / 3), () => this.#try());
  }

  leading(): boolean {
    return this.#clock.nowMs() < this.#untilMs;
  }

  /** Gives the lease up, so that another replica need not wait for its end. */
  stop(): Promise<void> {
    this.#timer.cancel();
    if (this.leading()) rmSync(this.#file, { force: true });
    this.#untilMs = 0;
    return Promise.resolve();
  }

  #try(): void {
    try {
      const holder = this.#read();
      const nowMs = this.#clock.nowMs();
      // This replica's own lease, once lapsed, may just now be taken by another one.
      if (!holder || holder.untilMs <= nowMs) this.#takeOver(nowMs, holder?.untilMs ?? 0);
      else if (holder.replica === this.#replica) this.#claim(nowMs);
      else this.#untilMs = 0;
    } catch {
      // The folder is not accessible: the lease runs out by itself.
    }
  }

  #claim(nowMs: number): void {
    const holder: Holder = { replica: this.#replica, untilMs: nowMs + this.#durationMs };
    writeFileWhole(this.#file, JSON.stringify(holder));
    this.#untilMs = holder.untilMs;
  }

  /** `lapsedMs`: the end of the lease that lapsed, to which the locks belong. */
  #takeOver(nowMs: number, lapsedMs: number): void {
    const mine = `${this.#file}.${this.#replica}`;
    const lock = (number: number): string => `${this.#file}.lock-${lapsedMs}-${number}`;
    writeFileSync(mine, String(nowMs));
    let number: number;
    try {
      number = this.#lock(mine, lock, nowMs);
    } finally {
      rmSync(mine, { force: true });
    }
    if (number < 0) return;
    try {
      // Checked again under the lock: another replica may have been faster, or this one was paused.
      const holder = this.#read();
      if (holder && holder.untilMs > nowMs) return;
      if (this.#clock.nowMs() - nowMs >= this.#durationMs) return;
      this.#claim(nowMs);
      while (number > 0) rmSync(lock(number--), { force: true });
    } finally {
      rmSync(lock(number), { force: true });
    }
  }

  /** Returns the number of the lock that this replica has got; -1: another replica has one. */
  #lock(mine: string, lock: (number: number) => string, nowMs: number): number {
    for (let number = 0; ; number++) {
      try {
        linkSync(mine, lock(number));
        return number;
      } catch {
        if (nowMs - Number(readFileSync(lock(number), 'utf8')) <= this.#durationMs) return -1;
      }
    }
  }

  #read(): Holder | undefined {
    try {
      const holder = JSON.parse(readFileSync(this.#file, 'utf8')) as Partial<Holder> | null;
      return typeof holder?.untilMs === 'number' ? (holder as Holder) : undefined;
    } catch {
      // Missing, or of no lease: free.
      return undefined;
    }
  }
}
