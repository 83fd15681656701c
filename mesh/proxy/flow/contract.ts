/**
 * The contract between the flow, which decides and counts, and the fronts, which move bytes. No sockets here.
 *
 * `../tries.ts` asks the flow at each fixed point and tells the front the decision: it is the one loop of all
 * protocols. A front begins (`outbound.begin(outbound.destinationFor(authority, originalDst), request)`), reports
 * `responded` at the head of an answer, and reports the end by `ended`, exactly once, whatever happened.
 */

/**
 * `true` mutual TLS, `no_identity` TLS without a client's certificate, `disabled` plaintext, `loopback` the app's own
 * side of the proxy.
 */
export type TlsLabel = 'true' | 'no_identity' | 'disabled' | 'loopback';

/**
 * Implemented by the fronts' request objects. The values stay the same until ended(). Nothing is copied until it is
 * asked for: a read may be expensive, so the flow asks for headers and isGrpc only where a policy needs them.
 */
export interface RequestInfo {
  readonly method: string;
  /** The path with its query. */
  readonly path: string;
  /** `:authority` or Host, as sent. */
  readonly authority: string;
  readonly isGrpc: boolean;
  /** The request says that it is a copy (x-firedrill-mirror). */
  readonly isMirror?: boolean;
  /** The first value, or values joined by commas. The name is in lower case. */
  header(name: string): string | undefined;
  /** The verified identity of the client's certificate. */
  readonly peerIdentity: string | undefined;
  /** IP address, no port. */
  readonly peerAddress: string;
  readonly tls: TlsLabel;
}

/**
 * Changes to a message's head. Each route has one object, which never changes afterwards, so a front may keep a
 * serialised form under it. Order: remove, then set (replaces), then add; edits.ts implements the rule.
 */
export interface HeaderEdits {
  /** Lower case. */
  readonly remove: readonly string[];
  /** Names in lower case. */
  readonly set: readonly (readonly [string, string])[];
  readonly add: readonly (readonly [string, string])[];
  /** Other spellings of these names, in lower case, are dropped: policy has judged fields of the name itself. */
  readonly alone?: readonly string[];
}

/**
 * Headers that replace any of the same name: name, value, name, value…, names in lower case. Wherever possible the
 * same array is used for similar requests, so a front may key a small cache by it.
 */
export type HeaderList = readonly string[];

/** The action to take instead of going on. */
export interface Refused {
  /**
   * `answer`: send an answer; an opaque connection is closed instead. `reset`: close without an answer (TCP RST,
   * RST_STREAM). `blackhole`: send nothing until the client leaves.
   */
  readonly kind: 'answer' | 'reset' | 'blackhole';
}

/** The answer to a refused request. */
export interface Refusal extends Refused {
  readonly status: number;
  /** A gRPC request is answered 200 with this status and the message in trailers; -1: not gRPC. */
  readonly grpcStatus: number;
  /** For instance retry-after, location, l5d-proxy-error. */
  readonly headers: HeaderList;
  /** Plain text, one short line; empty for redirects. */
  readonly body: string;
  /** A metric label: `fail-fast`, `no-endpoint`, `rate-limit`, `shed`, `unauthorized`, `fault`, `timeout` … */
  readonly reason: string;
}

/** The reason why an attempt got no response head. `tls:<reason>` as in tls_handshake_failures_total. */
export type TryFailure =
  | 'refused'
  | 'connect-timeout'
  | 'unreachable'
  | 'reset'
  /**
   * The idle connection had just been closed and no byte was answered. Such a request is retried once without budget.
   */
  | 'stale-connection'
  /** RST_STREAM with REFUSED_STREAM, or a stream above a GOAWAY's last id: certainly not processed. */
  | 'not-processed'
  /** No head came within perTryTimeoutMs. */
  | 'try-timeout'
  /** requestTimeoutMs has passed: answered 504, never retried. */
  | 'request-timeout'
  | 'bad-response'
  /** The pool's limits of connections and pending requests are reached, or the wait for a connection took too long. */
  | 'overflow'
  /** This machine has no port, file descriptor or memory left for a connection; nothing was sent. */
  | 'exhausted'
  /** This proxy has no certificate yet, so that it cannot prove its identity; nothing was sent. */
  | 'no-certificate'
  /** The address turned out to be the proxy's own port: each request would come back without end. */
  | 'loop'
  /** The client neither sent its body nor read the answer while others waited for a connection: 408. */
  | 'slow-client'
  | `tls:${string}`;

/** The proxy's own failure. */
export const isOwn = (why: TryFailure): boolean =>
  why === 'exhausted' || why === 'no-certificate' || why === 'loop';

/** Says nothing of the endpoint's health. */
export const isNeutral = (why: TryFailure): boolean =>
  why === 'stale-connection' || why === 'not-processed' || why === 'overflow' || isOwn(why);

/** Nobody took the connection. */
export const isUnconnected = (why: TryFailure): boolean =>
  why === 'refused' || why === 'unreachable' || why === 'connect-timeout';

/** No request was sent: no connection, or none that TLS accepted. */
export const isUnsent = (why: TryFailure): boolean => isUnconnected(why) || why.startsWith('tls:');

/** How a request ended, after its response's head was relayed or its refusal answered. */
export type End =
  | 'complete'
  /** The client closed or reset first. */
  | 'client-gone'
  /** The policy, or the denial of a certificate, ended an upgraded or opaque connection. */
  | 'unauthorized'
  /** The upstream closed, reset or broke the protocol in mid response. */
  | 'upstream-broke'
  /** requestTimeoutMs passed in mid response. */
  | 'request-timeout'
  /** idleTimeoutMs passed in mid stream. */
  | 'idle-timeout';

/** The destination of an attempt. The fronts keep their pool on it. */
export interface EndpointState {
  /** `ip:port`, and its parts. */
  readonly address: string;
  readonly host: string;
  readonly port: number;
  /** Use mutual TLS and expect this DNS SAN; undefined: plaintext. */
  readonly identity: string | undefined;
  readonly http2: boolean;
  /** The local address of connections to the endpoint; undefined: the system chooses. */
  readonly localAddress?: string | undefined;
  /** Limits of its pool. */
  readonly maxConnections: number;
  readonly maxPending: number;
  /** The longest wait for a connection while all are in use, in milliseconds. */
  readonly maxWaitMs: number;
  /** Set by the front; undefined at first. Release the pool in OutboundFlow.onEndpointRemoved. */
  pool: unknown;
}

export interface MirrorTarget {
  readonly endpoint: EndpointState;
  /** Marks the copy, so that its answer is not counted as a real request's. */
  readonly header: readonly [string, string];
  /** Larger bodies are not mirrored, in bytes. */
  readonly maxBodyBytes: number;
  /**
   * Call once; this frees the slot that limits mirrors in flight. `unsent`: the request was broken off, its body is too
   * large, or there was no connection for it through no fault of the endpoint.
   */
  ended(how: 'answered' | 'failed' | 'unsent'): void;
}

export interface RouteLabel {
  readonly name: string;
}

/** The part that a request and an opaque connection have in common; tries.ts drives it. */
export interface Tried {
  /** Read after the beginning, after a pick() of undefined and after a 'fail': if set, it is the action to take. */
  readonly refusal: Refused | undefined;
  /** Injected: wait this long before the first pick, or before answering the refusal, in milliseconds. */
  readonly delayMs: number;
  /** Injected: pass on at most this many bytes a second in each direction; 0: no limit. */
  readonly bytesPerSecond: number;
  /** Called when bytes have to wait for that limit by `noticedMs` or more. */
  readonly slowed?: (() => void) | undefined;
  /** For an injected delay or silence: `release` is called if the fault ends early. */
  readonly hold?: { release: (() => void) | undefined } | undefined;
  /** After a pick() of undefined without a refusal: pick again after this many milliseconds. */
  readonly waitMs: number;
  /** From each pick to the response's head, in milliseconds; 0: none. */
  readonly perTryTimeoutMs: number;
  /** Set after the first pick() that gave an endpoint: the destination of a copy. */
  readonly mirror: MirrorTarget | undefined;
  /** The endpoint of the next attempt, never one tried already while another is ready. */
  pick(): EndpointState | undefined;
  tryFailed(failure: TryFailure): 'retry' | 'fail';
  /** Milliseconds to wait before the retry's pick(); full jitter, 0 to the backoff. */
  retryDelayMs(): number;
}

/** A copy of a request without a body, sent to another endpoint while its first attempt is slow. */
export interface Hedge {
  /** From an attempt to its copy, in milliseconds. */
  readonly afterMs: number;
  /** The copy's endpoint; undefined: no copy may be sent. */
  pick(): EndpointState | undefined;
  /** Whether an answer is passed on although the other attempt may bring a better one. */
  isGood(status: number): boolean;
  /** One of two attempts under way is over: the other answered, or the reason or status of its failure. */
  over(loser: 'first' | 'copy', why: TryFailure | 'slower' | number): void;
}

/** One request with all its attempts. */
export interface Flow extends Tried {
  /** Undefined: the request has no copies. */
  readonly hedge?: Hedge | undefined;
  readonly route: RouteLabel;
  readonly refusal: Refusal | undefined;
  /** From begin to the response's end, in milliseconds; 0: none. */
  readonly requestTimeoutMs: number;
  /** Between two reads or writes of the stream, in milliseconds; 0: none. */
  readonly idleTimeoutMs: number;
  /** Protocols that the client may change to by Upgrade, in lower case. */
  readonly upgrades: readonly string[];
  /** Keep at most this many bytes of the body for a retry. 0: no retry can come, keep nothing. */
  readonly retryBufferBytes: number;
  readonly requestHeaders: HeaderEdits | undefined;
  readonly responseHeaders: HeaderEdits | undefined;
  /** Headers that differ between requests: trace context, l5d-client-id, x-request-id. Set after requestHeaders. */
  readonly moreRequestHeaders: HeaderList | undefined;
  /** Rewritten path with its query, and authority; undefined: as the client sent it. */
  readonly path: string | undefined;
  readonly authority: string | undefined;
  /**
   * No retry from here on: the body is larger than retryBufferBytes, or was passed on without being kept. `isKept`: a
   * request that was certainly not processed may still be sent again.
   */
  forbidRetry(isKept?: boolean): void;
  /**
   * Called at the response's head; `grpcStatus` is -1 unless the head has it (trailers only). Not called for 1xx
   * except 101.
   */
  responded(status: number, grpcStatus: number): 'relay' | 'retry';
  /**
   * `grpcStatus` comes from the trailers, else it is -1; it is 2 for a gRPC response that ended without one. The
   * bytes are those of bodies, as the client sent and received them.
   */
  ended(how: End, grpcStatus: number, requestBytes: number, responseBytes: number): void;
}

/**
 * One opaque TCP connection, outbound or inbound; being connected counts as the beginning of its answer. `tryFailed`
 * comes before connected() only: a connection whose bytes have been passed on is never tried again.
 */
export interface ConnectionFlow extends Tried {
  /** The connection to the endpoint is up (after its TLS handshake). */
  connected(): void;
  ended(how: End, sentBytes: number, receivedBytes: number): void;
}
