/** The inbound side: from a port to a server, who may call it, and from a request to the app. */
import type { InboundServer, MeshState } from '../../model.js';
import {
  type Authorizer,
  compileAuthorizer,
  mayConnect,
  type Peer,
} from '../../policy/authorize.js';
import type { ConnectionFlow, EndpointState, Flow, RequestInfo } from './contract.js';
import { EndpointRecord } from './endpoint.js';
import type { FlowParts } from './parts.js';
import { SimpleFlow } from './simple-flow.js';

/** One port of the workload, as compiled. */
export interface ServerState {
  readonly name: string;
  readonly port: number;
  readonly protocol: 'detect' | 'http1' | 'http2' | 'opaque';
  /** Where the app listens. */
  readonly target: EndpointState;
}

class CompiledServer implements ServerState {
  readonly name: string;
  readonly port: number;
  readonly protocol: ServerState['protocol'];
  readonly target: EndpointRecord;
  readonly source: InboundServer;
  readonly authorizer: Authorizer;

  constructor(source: InboundServer, trustDomain: string) {
    this.name = source.name;
    this.port = source.port;
    this.protocol = source.protocol;
    this.target = new EndpointRecord({ address: source.target });
    this.source = source;
    this.authorizer = compileAuthorizer(source, trustDomain);
  }
}

export class InboundFlow {
  readonly #parts: FlowParts;
  #servers: CompiledServer[] = [];
  onEndpointRemoved: (endpoint: EndpointState) => void = () => undefined;
  /** Grows with each apply(). */
  generation = 0;

  constructor(parts: FlowParts) {
    this.#parts = parts;
  }

  /** Throws where a state cannot be served; the old one stays. */
  apply(state: MeshState): void {
    this.#servers = state.servers.map((s) => new CompiledServer(s, this.#parts.trustDomain));
    this.generation++;
  }

  /** The server of the original destination's port (transparent), or of the proxy's own port, or the only one. */
  serverFor(port: number): ServerState | undefined {
    const only = this.#servers.length === 1 ? this.#servers[0] : undefined;
    return this.#servers.find((s) => s.port === port) ?? only;
  }

  /**
   * Asked once a connection, after the handshake, before any byte is read: false where no request could be
   * allowed.
   */
  mayConnect(server: ServerState, peer: Peer): boolean {
    const { source, authorizer } = server as CompiledServer;
    return mayConnect(source, authorizer, peer);
  }

  begin(server: ServerState, _request: RequestInfo): Flow {
    return new SimpleFlow([(server as CompiledServer).target], this.#parts.random);
  }

  /** An opaque connection: `refusal` is set where the server's policy does not let this peer in. */
  connect(server: ServerState, peer: Peer): ConnectionFlow {
    const { authorizer, target } = server as CompiledServer;
    return {
      refusal: authorizer(peer).allowed ? undefined : 'close',
      delayMs: 0,
      bytesPerSecond: 0,
      waitMs: 0,
      pick: () => target,
      connected: () => undefined,
      tryFailed: () => 'fail',
      ended: () => undefined,
    };
  }
}
