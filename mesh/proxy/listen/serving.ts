/**
 * Answers a front's questions about a connection: the peer's identity, and the flow of each request. One object for
 * each connection.
 */
import type { ServerState, InboundFlow } from '../flow/inbound.js';
import type { DestinationState, OutboundFlow } from '../flow/outbound.js';
import type { Flow, RequestInfo, TlsLabel } from '../flow/contract.js';
import type { Serving } from '../seam.js';
import type { Peer } from '../../policy/authorize.js';
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
 * Answers whether the policy would still let an opaque connection in: asked again only after a change of the policy
 * and at the end of the client's certificate, from which on the client has no identity.
 */
export function standing(
  flow: InboundFlow,
  server: ServerState,
  peer: Peer & { tls: TlsLabel },
  wire: Wire,
  nowMs: () => number,
): () => boolean {
  let { generation } = flow;
  let wasExpired = false;
  return () => {
    const isExpired = wire.expiresMs <= nowMs();
    if (generation === flow.generation && isExpired === wasExpired) return true;
    ({ generation } = flow);
    wasExpired = isExpired;
    const { address, tls } = peer;
    const identity = isExpired ? undefined : peer.identity;
    return flow.mayStay(server, { address, identity }, tls);
  };
}

export class InboundServing implements Serving {
  readonly #flow: InboundFlow;
  readonly #port: number;
  readonly #originalDst: string | undefined;
  readonly peerIdentity: string | undefined;
  readonly peerAddress: string;
  readonly tls: TlsLabel;
  #server: ServerState;
  #generation: number;

  constructor(
    flow: InboundFlow,
    server: ServerState,
    port: number,
    peer: { identity: string | undefined; address: string; tls: TlsLabel },
    originalDst?: string,
  ) {
    this.#originalDst = originalDst;
    this.#flow = flow;
    this.#server = server;
    this.#port = port;
    this.#generation = flow.generation;
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
    const flow = this.#flow;
    if (this.#generation !== flow.generation) {
      this.#generation = flow.generation;
      // Policy may change during a connection; a removed server serves the requests that it has.
      this.#server = flow.serverFor(this.#port, this.#originalDst) ?? this.#server;
    }
    return flow.begin(this.#server, request);
  }
}
