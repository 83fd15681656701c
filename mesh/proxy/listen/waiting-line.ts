/**
 * Requests that wait for a connection: each client's in the order in which they came, the clients in turn, so that one
 * that asks for much does not stand before all the others.
 */

export interface Waits {
  /** Whose request it is: an identity or an address. */
  readonly client: string;
}

export class WaitingLine<T extends Waits> {
  /** The next client's turn is the first one's. Each with since when it waits. */
  readonly #clients = new Map<string, Map<T, number>>();
  size = 0;

  push(one: T, nowMs: number): void {
    let line = this.#clients.get(one.client);
    if (!line) this.#clients.set(one.client, (line = new Map()));
    line.set(one, nowMs);
    this.size++;
  }

  /** Whose turn it is, of those that `may`; undefined: nobody waits. */
  shift(may?: (one: T) => boolean): T | undefined {
    for (const [client, line] of this.#clients) {
      for (const one of line.keys()) {
        if (may && !may(one)) continue;
        this.delete(one);
        // Behind the other clients.
        if (this.#clients.delete(client)) this.#clients.set(client, line);
        return one;
      }
    }
    return undefined;
  }

  delete(one: T): boolean {
    const line = this.#clients.get(one.client);
    if (!line?.delete(one)) return false;
    if (line.size === 0) this.#clients.delete(one.client);
    this.size--;
    return true;
  }

  /** Takes out the newest of the client with most here, where that is more than `client` would have with one more. */
  displace(client: string): T | undefined {
    let most: Map<T, number> | undefined;
    for (const line of this.#clients.values()) if (!most || line.size > most.size) most = line;
    if (!most || most.size <= (this.#clients.get(client)?.size ?? 0) + 1) return undefined;
    const newest = [...most.keys()].at(-1);
    if (newest) this.delete(newest);
    return newest;
  }

  /** Takes out those that came before `beforeMs`. */
  late(beforeMs: number): T[] {
    const late: T[] = [];
    for (const line of this.#clients.values()) {
      for (const [one, sinceMs] of line) {
        if (sinceMs >= beforeMs) break;
        late.push(one);
      }
    }
    for (const one of late) this.delete(one);
    return late;
  }

  /** When the one that has waited longest came; Infinity: nobody waits. */
  get oldestMs(): number {
    let oldest = Infinity;
    for (const line of this.#clients.values()) {
      for (const sinceMs of line.values()) {
        oldest = Math.min(oldest, sinceMs);
        break;
      }
    }
    return oldest;
  }

  /** Takes out all. */
  clear(): T[] {
    const all = [...this.#clients.values()].flatMap((line) => [...line.keys()]);
    this.#clients.clear();
    this.size = 0;
    return all;
  }
}
