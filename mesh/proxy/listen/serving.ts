/**
 * Answers a front's questions about a connection: the peer's identity, and the flow of each request. One object for
 * each connection.
 */
import type { ServerState, InboundFlow } from '../flow/inbound.js';
import type { DestinationState, OutboundFlow } from '../flow/outbound.js';
import type { Flow, RequestInfo, TlsLabel } from '../flow/contract.js';
import type { Clock } from '../../../base/clock.js';
import type { Serving } from '../seam.js';
import type { Wire } from './wire.js';

export class OutboundServing implements Serving {
  readonly #flow: OutboundFlow;
  readonly originalDst: string | undefined;
  readonly peerIdentity = undefined;
  readonly peerAddress: string;
  readonly tls: TlsLabel = 'loopback';
  #authority: string | undefined;
  #destination: DestinationState | undefined;
  #generation = -1;

  constructor(flow: OutboundFlow, peerAddress: string, originalDst?: string) {
    this.#flow = flow;
    this.peerAddress = peerAddress;
    this.originalDst = originalDst;
  }

  get http1Only(): boolean {
    return this.#destination?.protocol === 'http1';
  }

  begin(request: RequestInfo): Flow {
    const { authority } = request;
    const flow = this.#flow;
    let destination = this.#destination;
    if (!destination || authority !== this.#authority || this.#generation !== flow.generation) {
      destination = flow.destinationFor(authority, this.originalDst);
      this.#destination = destination;
      this.#authority = authority;
      this.#generation = flow.generation;
    }
    return flow.begin(destination, request);
  }
}

/**
 * Notices when a verdict must be given again: after a change of the policy, and when the client's certificate ends or
 * is denied. From then on the client has no identity.
 */
export class Standing {
  readonly #flow: InboundFlow;
  readonly #wire: Wire;
  readonly #clock: Clock;
  #generation: number;
  isProven = true;

  constructor(flow: InboundFlow, wire: Wire, clock: Clock) {
    this.#flow = flow;
    this.#wire = wire;
    this.#clock = clock;
    this.#generation = flow.generation;
  }

  /** Whether the policy has changed since the last call of either method. */
  hasNewPolicy(): boolean {
    const { generation } = this.#flow;
    if (generation === this.#generation) return false;
    this.#generation = generation;
    return true;
  }

  /** Whether the verdict must be given again. */
  hasChanged(): boolean {
    const wasProven = this.isProven;
    this.isProven = !this.#wire.isOutlived(this.#clock.nowMs());
    return this.hasNewPolicy() || this.isProven !== wasProven;
  }
}

export class InboundServing implements Serving {
  readonly #flow: InboundFlow;
  readonly #port: number;
  readonly #originalDst: string | undefined;
  readonly peerIdentity: string | undefined;
  readonly peerAddress: string;
  readonly tls: TlsLabel;
  #server: ServerState;
  readonly #standing: Standing;

  constructor(
    flow: InboundFlow,
    server: ServerState,
    port: number,
    peer: { identity: string | undefined; address: string; tls: TlsLabel },
    standing: Standing,
    originalDst?: string,
  ) {
    this.#originalDst = originalDst;
    this.#flow = flow;
    this.#server = server;
    this.#port = port;
    this.#standing = standing;
    this.peerIdentity = peer.identity;
    this.peerAddress = peer.address;
    this.tls = peer.tls;
  }

  get meansHttp2(): boolean {
    return this.#server.protocol === 'http2';
  }

  get http1Only(): boolean {
    return this.#server.protocol === 'http1';
  }

  begin(request: RequestInfo): Flow {
    // Policy may change during a connection.
    if (this.#standing.hasNewPolicy()) this.#server = this.#present;
    return this.#flow.begin(this.#server, request);
  }

  mayStay(request: RequestInfo): boolean {
    if (!this.#standing.hasChanged()) return true;
    const identity = this.#standing.isProven ? this.peerIdentity : undefined;
    return this.#flow.mayGoOn(this.#present, request, identity);
  }

  /** A removed server serves the requests that it has. */
  get #present(): ServerState {
    return this.#flow.serverFor(this.#port, this.#originalDst) ?? this.#server;
  }
}
