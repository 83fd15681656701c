/** From a host name or a service address to its destination. */
import type { CompiledDestination } from './destination.js';

/** Authorities as clients write them (case, port) whose answer is remembered. */
const maxRemembered = 2000;

export class DestinationTable {
  readonly #hosts = new Map<string, CompiledDestination>();
  /** `.retail.svc` to what `*.retail.svc` selects. */
  readonly #suffixes = new Map<string, CompiledDestination>();
  readonly #addresses = new Map<string, CompiledDestination>();
  readonly #remembered = new Map<string, CompiledDestination | undefined>();

  /** Of two destinations that name the same host the first one has it. */
  constructor(destinations: Iterable<CompiledDestination>) {
    for (const destination of destinations) {
      for (const host of destination.source.hosts) {
        const lower = host.toLowerCase();
        const map = lower.startsWith('*.') ? this.#suffixes : this.#hosts;
        const key = lower.startsWith('*.') ? lower.slice(1) : lower;
        if (!map.has(key)) map.set(key, destination);
      }
      for (const address of destination.source.addresses) {
        if (!this.#addresses.has(address)) this.#addresses.set(address, destination);
      }
    }
  }

  byAddress(address: string): CompiledDestination | undefined {
    return this.#addresses.get(address);
  }

  byAuthority(authority: string): CompiledDestination | undefined {
    const found = this.#remembered.get(authority);
    if (found !== undefined || this.#remembered.has(authority)) return found;
    const host = hostOf(authority);
    // An authority that is a service's own address, such as 10.96.0.7:80.
    const destination =
      this.#hosts.get(host) ?? this.#bySuffix(host) ?? this.#addresses.get(authority);
    if (this.#remembered.size >= maxRemembered) this.#remembered.clear();
    this.#remembered.set(authority, destination);
    return destination;
  }

  /** The longest suffix wins. */
  #bySuffix(host: string): CompiledDestination | undefined {
    if (this.#suffixes.size === 0) return undefined;
    for (let dot = host.indexOf('.'); dot >= 0; dot = host.indexOf('.', dot + 1)) {
      const found = this.#suffixes.get(host.slice(dot));
      if (found) return found;
    }
    return undefined;
  }
}

/** In lower case, without the port and a final dot. */
export function hostOf(authority: string): string {
  const host = authority.replace(/:\d*$/, '').toLowerCase();
  return host.endsWith('.') ? host.slice(0, -1) : host;
}
