/**
 * Ports that no server names: a pod may listen on any port, declared or not, and each is served where it was dialled.
 */
import type { InboundServer } from '../../model.js';
import { relayAddress } from '../relay-address.js';
import type { EndpointState } from './contract.js';
import type { FlowParts } from './parts.js';
import { CompiledServer } from './server.js';

/** A client may dial one port after the other; the oldest is forgotten first. */
const maxPorts = 256;

export class UndeclaredPorts {
  readonly #parts: FlowParts;
  readonly #byAddress = new Map<string, CompiledServer>();
  #base: CompiledServer | undefined;
  onRemoved: (endpoint: EndpointState) => void = () => undefined;

  constructor(parts: FlowParts) {
    this.#parts = parts;
  }

  /** Takes the current server of port 0, if there is one. */
  apply(base: CompiledServer | undefined): void {
    if (base === this.#base) return;
    this.#base = base;
    for (const [address, server] of this.#byAddress) {
      if (base) this.#byAddress.set(address, this.#compile(base, address, server));
      else this.#forget(address, server);
    }
  }

  /** `dialled` is `ip:port`. */
  serverFor(dialled: string): CompiledServer | undefined {
    const base = this.#base;
    if (!base) return undefined;
    let server = this.#byAddress.get(dialled);
    if (server) return server;
    if (this.#byAddress.size >= maxPorts) {
      const [oldest] = this.#byAddress;
      if (oldest) this.#forget(...oldest);
    }
    server = this.#compile(base, dialled, undefined);
    this.#byAddress.set(dialled, server);
    return server;
  }

  #compile(
    base: CompiledServer,
    dialled: string,
    before: CompiledServer | undefined,
  ): CompiledServer {
    const port = Number(dialled.slice(dialled.lastIndexOf(':') + 1));
    const isOpaque = base.source.opaquePorts?.includes(port);
    const source: InboundServer = {
      ...base.source,
      port,
      target: dialled,
      protocol: isOpaque ? 'opaque' : base.protocol,
    };
    // All undeclared ports share the counters of one server.
    const server = new CompiledServer(source, this.#parts, before ?? base);
    if (server.target.host !== '127.0.0.1') server.target.localAddress = relayAddress;
    return server;
  }

  #forget(address: string, server: CompiledServer): void {
    this.#byAddress.delete(address);
    this.onRemoved(server.target);
  }
}
