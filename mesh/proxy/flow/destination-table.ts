/** Finds the destination of a host name or a service address. */
import type { Destination, Endpoint } from '../../model.js';
import type { CompiledDestination } from './destination.js';

/** Remembered answers, by authority as clients write it (case, port). */
const maxRemembered = 2000;

/** The peer behind an address that a client dialled directly. */
export interface AddressedPeer {
  destination: CompiledDestination;
  /** Undefined: no proxy, plaintext. */
  identity: string | undefined;
}

export class DestinationTable {
  /** Built at the first question: `ip:port` of every endpoint, and `ip` of every meshed pod. */
  #peers: Map<string, [CompiledDestination, Endpoint]> | undefined;
  readonly #all: CompiledDestination[];
  readonly #hosts = new Map<string, CompiledDestination>();
  /** The key of `*.retail.svc` is `.retail.svc`. */
  readonly #suffixes = new Map<string, CompiledDestination>();
  readonly #addresses = new Map<string, CompiledDestination>();
  /** The destination of each port: the key is service, namespace and port, such as `cart.retail:9090`. */
  readonly #ports = new Map<string, CompiledDestination>();
  readonly #remembered = new Map<string, CompiledDestination | undefined>();

  /** If two destinations name the same host, the first one gets it. */
  constructor(destinations: Iterable<CompiledDestination>) {
    this.#all = [...destinations];
    for (const destination of this.#all) {
      for (const host of destination.source.hosts) {
        const lower = host.toLowerCase();
        const map = lower.startsWith('*.') ? this.#suffixes : this.#hosts;
        const key = lower.startsWith('*.') ? lower.slice(1) : lower;
        if (!map.has(key)) map.set(key, destination);
      }
      for (const address of destination.source.addresses) {
        if (!this.#addresses.has(address)) this.#addresses.set(address, destination);
        this.#addPort(destination, portOf(address));
      }
      this.#addPort(destination, portOf(destination.name));
    }
  }

  #addPort(destination: CompiledDestination, port: string): void {
    const { service, namespace } = destination.source;
    const key = `${service}.${namespace}${port}`;
    if (port !== '' && !this.#ports.has(key)) this.#ports.set(key, destination);
  }

  byAddress(address: string): CompiledDestination | undefined {
    return this.#addresses.get(address);
  }

  byAuthority(authority: string): CompiledDestination | undefined {
    const found = this.#remembered.get(authority);
    if (found !== undefined || this.#remembered.has(authority)) return found;
    const host = hostOf(authority);
    const port = portOf(authority);
    const exact = port === '' ? undefined : this.#hosts.get(host + port);
    // The authority may be a service's own address, such as 10.96.0.7:80; clients leave the usual port out.
    const named =
      this.#hosts.get(host) ??
      this.#bySuffix(host) ??
      this.#addresses.get(port === '' ? `${host}:80` : authority);
    const destination = exact ?? (named && this.#ofPort(named, port));
    if (this.#remembered.size >= maxRemembered) this.#remembered.clear();
    this.#remembered.set(authority, destination);
    return destination;
  }

  /** A service has one destination for each of its ports, and one name for all of them. */
  #ofPort(named: CompiledDestination, port: string): CompiledDestination {
    const { service, namespace } = named.source;
    return (port === '' ? undefined : this.#ports.get(`${service}.${namespace}${port}`)) ?? named;
  }

  /**
   * The endpoint of that address, or the meshed pod that has it: so a StatefulSet's peer, a headless service's short
   * name or a bare pod address is called with the identity that it has.
   */
  peer(address: string): AddressedPeer | undefined {
    const colon = address.lastIndexOf(':');
    const exact = this.#index().get(address);
    const [destination, endpoint] = exact ?? this.#index().get(address.slice(0, colon)) ?? [];
    if (!destination || !endpoint) return undefined;
    const isPlain = !exact && endpoint.plainPorts?.includes(Number(address.slice(colon + 1)));
    return { destination, identity: isPlain ? undefined : endpoint.identity };
  }

  /**
   * The destination within a headless service, found by the address that was dialled and the name that was asked for:
   * one name cannot tell its ports apart, and one of its pods asked for by its own name is that pod and no other.
   */
  headless(authority: string, address: string): CompiledDestination | undefined {
    const named = this.byAuthority(authority);
    if (!named?.source.headless) return undefined;
    const { service, namespace } = named.source;
    const dialled = this.#index().get(address)?.[0].source;
    const isSame = (d: Destination): boolean => d.service === service && d.namespace === namespace;
    if (!dialled || !isSame(dialled)) return undefined;
    return this.#all.find((d) => d.source === dialled);
  }

  #index(): Map<string, [CompiledDestination, Endpoint]> {
    if (this.#peers) return this.#peers;
    const peers = new Map<string, [CompiledDestination, Endpoint]>();
    for (const destination of this.#all) {
      for (const backend of destination.source.backends) {
        for (const endpoint of backend.endpoints) {
          const { address, plainPorts } = endpoint;
          const known = peers.get(address);
          if (!known || (destination.source.headless && !known[0].source.headless)) {
            peers.set(address, [destination, endpoint]);
          }
          if (!plainPorts || endpoint.identity === undefined) continue;
          peers.set(address.slice(0, address.lastIndexOf(':')), [destination, endpoint]);
        }
      }
    }
    this.#peers = peers;
    return peers;
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

/** `:8080`, or nothing. */
const portOf = (authority: string): string => /:\d+$/.exec(authority)?.[0] ?? '';

/** The host in lower case, without the port and a final dot. */
export function hostOf(authority: string): string {
  const host = authority.replace(/:\d*$/, '').toLowerCase();
  return host.endsWith('.') ? host.slice(0, -1) : host;
}
