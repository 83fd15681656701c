/**
 * What passes between the two protocols, and between them and the listeners. The listeners hand over accepted
 * connections and open upstream ones; each protocol can carry a try of the other's request, and knows nothing of the
 * other but this.
 */
import type { EndpointState, Flow, RequestInfo, TlsLabel, TryFailure } from './flow/contract.js';
import type { Wire } from './listen/wire.js';

/**
 * Whose connection it is, and what becomes of its requests. One object for each accepted
 * connection.
 */
export interface Serving {
  readonly peerIdentity: string | undefined;
  readonly peerAddress: string;
  readonly tls: TlsLabel;
  /** Keeps the destination of the last authority, until the flow's generation changes. */
  begin(request: RequestInfo): Flow;
  /** Of the request begun last: its destination speaks HTTP/1.1 only (`protocol: http1`). */
  readonly http1Only?: boolean;
  /** The port is declared HTTP/2: what is no HTTP/1.1 either was meant as that, and gets no answer in words. */
  readonly meansHttp2?: boolean;
}

/** HTTP/2 between two proxies of ours, on which requests of HTTP/1.1 ride too: the other end turns them back. */
export const carryingProtocol = 'firedrill-h2';

export type Protocol = 'h2' | 'http/1.1' | typeof carryingProtocol;

/**
 * Opens TCP or mutual TLS (offering `protocols` by ALPN) to an endpoint. Exactly one of the two
 * is called, never before this returns. The wire's user is set by the receiver, which then calls
 * resume().
 */
export type Connect = (
  endpoint: EndpointState,
  protocols: readonly Protocol[],
  handler: {
    /** Over plaintext, the protocol is the first one asked for (prior knowledge). */
    connected(wire: Wire, protocol: Protocol): void;
    failed(failure: TryFailure): void;
  },
) => { cancel(): void };

/**
 * The head of a request on its way to an endpoint. Headers are name, value, name, value…, names
 * in lower case.
 */
export interface TryRequest {
  readonly method: string;
  readonly scheme: string;
  readonly authority: string;
  readonly path: string;
  /** Without Host, connection-specific headers and pseudo-headers. */
  readonly headers: readonly string[];
  /** False: the request ends with its head. */
  readonly hasBody: boolean;
  /** It says `te: trailers`, which in HTTP/1.1 is a header of the connection. */
  readonly acceptsTrailers?: boolean;
  /** It came in HTTP/1.1 and ends in it; what lies between is our own matter (`carryingProtocol`). */
  readonly isCarried?: boolean;
}

/** Whether requests of HTTP/1.1 may ride on the HTTP/2 sessions to an endpoint. */
export interface Carrier {
  /** Undefined: not known until a session is there. */
  carries(endpoint: EndpointState): boolean | undefined;
  /** Opens one to find out. `found` or `failed` is called once, never before this returns; not once it was left. */
  ask(
    endpoint: EndpointState,
    asker: { found(): void; failed(failure: TryFailure): void },
  ): { leave(): void };
  readonly openTry: OpenTry;
}

/**
 * Hears the answer to one try. Buffers are valid during the call only. After `ended` or `failed`
 * nothing comes.
 */
export interface TryHandler {
  /** Whose request it is, an identity or an address: those that wait take turns by it. */
  readonly client?: string;
  /** The connection that it came on, which may bring many. */
  readonly share?: string | undefined;
  informational(status: number, headers: readonly string[]): void;
  head(status: number, headers: readonly string[], ended: boolean): void;
  /**
   * Call Try.consumed with as many bytes once they are passed on: until then they count against
   * the window. `ended`: this is all.
   */
  data(buffer: Buffer, start: number, end: number, ended: boolean): void;
  /** What was read together with the head has been looked at: nothing more follows at once. */
  paused?(): void;
  /** After the last data; not called where `head` or `data` said ended. */
  ended(trailers: readonly string[] | undefined): void;
  /** Before the head or after it. */
  failed(failure: TryFailure): void;
  /** `write` returned false before; it may be called again. */
  drained(): void;
}

/** One try under way. */
export interface Try {
  /** The bytes are copied or written before it returns. False: no more until `drained`. */
  write(buffer: Buffer, start: number, end: number): boolean;
  /** The request's body is complete. */
  end(trailers: readonly string[] | undefined): void;
  consumed(bytes: number): void;
  /** The answer is no longer wanted; nothing is called afterwards. */
  abort(): void;
}

/** Implemented by both protocols, for the other's requests. */
export type OpenTry = (endpoint: EndpointState, request: TryRequest, handler: TryHandler) => Try;
