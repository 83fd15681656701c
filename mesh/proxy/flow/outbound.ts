/** The outbound side: from a host or address to a destination, and from a request to its tries. */
import type { Destination, MeshState } from '../../model.js';
import type { ConnectionFlow, EndpointState, Flow, RequestInfo } from './contract.js';
import type { FlowParts } from './parts.js';
import { EndpointRecord } from './endpoint.js';
import { SimpleFlow } from './simple-flow.js';

/** A destination as compiled; fronts read the name and the protocol, and pass it to begin(). */
export interface DestinationState {
  /** `cart.retail`; `unknown` for what no destination covers. */
  readonly name: string;
  readonly protocol: 'detect' | 'http1' | 'http2' | 'opaque';
  /** False: forwarded to the original address as it is (or refused at begin, by the state's policy). */
  readonly known: boolean;
}

class CompiledDestination implements DestinationState {
  readonly name: string;
  readonly protocol: DestinationState['protocol'];
  readonly known = true;
  readonly endpoints: EndpointRecord[];

  constructor(source: Destination) {
    this.name = source.name;
    this.protocol = source.protocol;
    this.endpoints = (source.backends[0]?.endpoints ?? []).map((e) => new EndpointRecord(e));
  }
}

class ForwardDestination implements DestinationState {
  readonly name = 'unknown';
  readonly protocol = 'detect';
  readonly known = false;
  readonly endpoint: EndpointRecord;

  constructor(address: string) {
    this.endpoint = new EndpointRecord({ address });
  }
}

export class OutboundFlow {
  readonly #parts: FlowParts;
  readonly #byHost = new Map<string, CompiledDestination>();
  readonly #forward = new Map<string, ForwardDestination>();
  /** The front closes the endpoint's idle connections and lets go of `endpoint.pool`; those in use finish. */
  onEndpointRemoved: (endpoint: EndpointState) => void = () => undefined;
  /** `ip:port` of this proxy's own listeners: never forwarded to, that would be a loop. */
  ownAddresses: ReadonlySet<string> = new Set();

  constructor(parts: FlowParts) {
    this.#parts = parts;
  }

  /** Throws where a state cannot be served; the old one stays. */
  apply(state: MeshState): void {
    this.#byHost.clear();
    for (const destination of state.destinations) {
      const compiled = new CompiledDestination(destination);
      for (const host of [...destination.hosts, ...destination.addresses]) {
        this.#byHost.set(host, compiled);
      }
    }
  }

  /**
   * By the original destination's `ip:port` where the connection was intercepted and it is a service's address,
   * else by
   * the authority (Host), with or without a port. Cheap, but keep the answer with the connection all the same, until
   * `generation` changes.
   */
  destinationFor(authority: string, originalDst?: string): DestinationState {
    const host = authority.replace(/:\d+$/, '').toLowerCase();
    const found = (originalDst && this.#byHost.get(originalDst)) || this.#byHost.get(host);
    if (found) return found;
    const address = originalDst ?? (authority === host ? `${host}:80` : authority);
    let forward = this.#forward.get(address);
    if (!forward) this.#forward.set(address, (forward = new ForwardDestination(address)));
    return forward;
  }

  /** Grows with each apply(). */
  generation = 0;

  begin(destination: DestinationState, _request: RequestInfo): Flow {
    const endpoints =
      destination instanceof CompiledDestination
        ? destination.endpoints
        : [(destination as ForwardDestination).endpoint];
    return new SimpleFlow(endpoints, this.#parts.random);
  }

  /** An opaque connection, balanced as one. */
  connect(destination: DestinationState, _peerAddress: string): ConnectionFlow {
    const flow = this.begin(destination, undefined as unknown as RequestInfo);
    return {
      get refusal() {
        return flow.refusal ? ('close' as const) : undefined;
      },
      delayMs: 0,
      bytesPerSecond: 0,
      waitMs: 0,
      pick: () => flow.pick(),
      connected: () => undefined,
      tryFailed: (failure) => flow.tryFailed(failure),
      ended: () => undefined,
    };
  }
}
