/**
 * The interface between the two protocols, and between them and the listeners. The listeners hand over accepted
 * connections and open upstream ones; each protocol can carry an attempt for the other's request, and knows nothing
 * else of the other.
 */
import type { EndpointState, Flow, RequestInfo, TlsLabel, TryFailure } from './flow/contract.js';
import type { Wire } from './listen/wire.js';

/** The identity of a connection's peer, and the flows of its requests. One object for each accepted connection. */
export interface Serving {
  readonly peerIdentity: string | undefined;
  readonly peerAddress: string;
  readonly tls: TlsLabel;
  /** Keeps the destination of the last authority, until the flow's generation changes. */
  begin(request: RequestInfo): Flow;
  /** Whether the policy would still allow the request, which upgraded its connection; absent: no policy applies. */
  mayStay?(request: RequestInfo): boolean;
  /** Whether the destination of the last request speaks HTTP/1.1 only (`protocol: http1`). */
  readonly http1Only?: boolean;
  /** The port is declared HTTP/2: bytes that are neither HTTP/2 nor HTTP/1.1 get no HTTP/1.1 answer. */
  readonly meansHttp2?: boolean;
}

/**
 * HTTP/2 between two firedrill proxies that also carries HTTP/1.1 requests: the other end turns them back into
 * HTTP/1.1.
 */
export const carryingProtocol = 'firedrill-h2';

/** Interim responses before one final one: a server that sends more is broken. */
export const maxInformational = 32;

export type Protocol = 'h2' | 'http/1.1' | typeof carryingProtocol;

/**
 * Opens TCP or mutual TLS (offering `protocols` by ALPN) to an endpoint. Exactly one of the two callbacks is called,
 * never before this returns. The receiver sets the wire's user and then calls resume().
 */
export type Connect = (
  endpoint: EndpointState,
  protocols: readonly Protocol[],
  handler: {
    /** Over plaintext the protocol is the first of `protocols` (prior knowledge). */
    connected(wire: Wire, protocol: Protocol): void;
    failed(failure: TryFailure): void;
  },
) => { cancel(): void };

/** The head of a request on its way to an endpoint. Headers are name, value, name, value…, names in lower case. */
export interface TryRequest {
  readonly method: string;
  readonly scheme: string;
  readonly authority: string;
  readonly path: string;
  /** Without Host, connection-specific headers and pseudo-headers. */
  readonly headers: readonly string[];
  /** False: the request ends with its head. */
  readonly hasBody: boolean;
  /** The request has `te: trailers`, which in HTTP/1.1 is a header of the connection. */
  readonly acceptsTrailers?: boolean;
  /**
   * The request came in HTTP/1.1 and must end in HTTP/1.1; HTTP/2 is used only between the proxies
   * (`carryingProtocol`).
   */
  readonly isCarried?: boolean;
}

/** Whether HTTP/2 sessions to an endpoint may carry HTTP/1.1 requests. */
export interface Carrier {
  /** Undefined: unknown until there is a session. */
  carries(endpoint: EndpointState): boolean | undefined;
  /**
   * Opens a session to find out. Calls `found` or `failed` once, never before this returns, and neither after
   * leave().
   */
  ask(
    endpoint: EndpointState,
    asker: { found(): void; failed(failure: TryFailure): void },
  ): { leave(): void };
  readonly openTry: OpenTry;
}

/**
 * Receives the answer to one attempt. Buffers are valid during the call only. No callback follows `ended` or
 * `failed`.
 */
export interface TryHandler {
  /** The client of the request, an identity or an address: waiting clients take turns. */
  readonly client?: string;
  /** The connection that the request came on, which may bring many. */
  readonly share?: string | undefined;
  informational(status: number, headers: readonly string[]): void;
  head(status: number, headers: readonly string[], ended: boolean): void;
  /**
   * Call Try.consumed with the same number of bytes once they are passed on: until then they count against the
   * window. `ended`: these are the last bytes.
   */
  data(buffer: Buffer, start: number, end: number, ended: boolean): void;
  /** Everything read together with the head has been processed: no more follows at once. */
  paused?(): void;
  /** Called after the last data, unless `head` or `data` said ended. */
  ended(trailers: readonly string[] | undefined): void;
  /** Before the head or after it. */
  failed(failure: TryFailure): void;
  /** After `write` returned false: `write` may be called again. */
  drained(): void;
}

/** One attempt in flight. */
export interface Try {
  /** Bytes may have left. Until then nothing is lost if the request goes elsewhere. */
  readonly isOpen: boolean;
  /** The bytes are copied or written before the call returns. False: wait for `drained`. */
  write(buffer: Buffer, start: number, end: number): boolean;
  /** The request's body is complete. */
  end(trailers: readonly string[] | undefined): void;
  consumed(bytes: number): void;
  /** The answer is no longer wanted; no callback follows. */
  abort(): void;
}

/** Implemented by both protocols, for the other's requests. */
export type OpenTry = (endpoint: EndpointState, request: TryRequest, handler: TryHandler) => Try;
