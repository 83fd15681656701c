/**
 * Requests that wait for a connection: each client's in order of arrival, the clients in turn, so that a client with
 * many requests does not hold up all others.
 */

export interface Waits {
  /** Whose request it is: an identity or an address. */
  readonly client: string;
}

export class WaitingLine<T extends Waits> {
  /** The next turn is the first client's. Each request has the time since which it waits. */
  readonly #clients = new Map<string, Map<T, number>>();
  size = 0;

  push(one: T, nowMs: number): void {
    let line = this.#clients.get(one.client);
    if (!line) this.#clients.set(one.client, (line = new Map()));
    line.set(one, nowMs);
    this.size++;
  }

  /** Takes the next request that `may` accepts; undefined: none waits. */
  shift(may?: (one: T) => boolean): T | undefined {
    for (const [client, line] of this.#clients) {
      for (const one of line.keys()) {
        if (may && !may(one)) continue;
        this.delete(one);
        // The client moves behind the others.
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

  /**
   * Removes the newest request of the client that has most, if that is more than `client` would have with one more.
   */
  displace(client: string): T | undefined {
    let most: Map<T, number> | undefined;
    for (const line of this.#clients.values()) if (!most || line.size > most.size) most = line;
    if (!most || most.size <= (this.#clients.get(client)?.size ?? 0) + 1) return undefined;
    const newest = [...most.keys()].at(-1);
    if (newest) this.delete(newest);
    return newest;
  }

  /** Removes the requests that came before `beforeMs`. */
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
}
