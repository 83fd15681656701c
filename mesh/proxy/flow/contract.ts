/**
 * What passes between the flow, which decides and counts, and the fronts, which move bytes. No sockets here.
 *
 * `../tries.ts` asks the flow at each fixed point and tells the front: it is the one loop of all protocols. A front
 * begins (`outbound.begin(outbound.destinationFor(authority, originalDst), request)`), reports `responded` at the head
 * of an answer, and tells the end by `ended`, exactly once, whatever happened.
 */

/**
 * `true` mutual TLS, `no_identity` TLS without a client's certificate, `disabled` plaintext, `loopback` the app's own
 * side of the proxy.
 */
export type TlsLabel = 'true' | 'no_identity' | 'disabled' | 'loopback';

/**
 * Implemented by the fronts' request objects; nothing is copied until asked for. Stays as it is until ended();
 * that may
 * be dear, so the flow asks for headers and isGrpc only where a policy needs them.
 */
export interface RequestInfo {
  readonly method: string;
  /** With the query. */
  readonly path: string;
  /** `:authority` or Host, as sent. */
  readonly authority: string;
  readonly isGrpc: boolean;
  /** It says that it is a copy of a request (x-firedrill-mirror). */
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
 * Changes to a message's head. One object for each route, never changed afterwards: a front may keep a serialised
 * form by it. Order: remove, then set (replaces), then add; edits.ts is the rule.
 */
export interface HeaderEdits {
  /** Lower case. */
  readonly remove: readonly string[];
  /** Names in lower case. */
  readonly set: readonly (readonly [string, string])[];
  readonly add: readonly (readonly [string, string])[];
}

/**
 * Headers that replace any of the same name, as name, value, name, value…, names in lower case. The same array comes
 * again for like requests wherever possible, so a front may key a small cache by it.
 */
export type HeaderList = readonly string[];

/** What to do instead of going on. */
export interface Refused {
  /**
   * `answer`: say so, which of an opaque connection is its end. `reset`: close without an answer (TCP RST, RST_STREAM).
   * `blackhole`: answer nothing until the client leaves.
   */
  readonly kind: 'answer' | 'reset' | 'blackhole';
}

/** What to answer a request. */
export interface Refusal extends Refused {
  readonly status: number;
  /** Of a gRPC request, which is answered 200 with this and the message in trailers; -1: not gRPC. */
  readonly grpcStatus: number;
  /** For instance retry-after, location, l5d-proxy-error. */
  readonly headers: HeaderList;
  /** Plain text, one short line; empty for redirects. */
  readonly body: string;
  /** A metric label: `fail-fast`, `no-endpoint`, `rate-limit`, `shed`, `unauthorized`, `fault`, `timeout` … */
  readonly reason: string;
}

/** Why a try got no response head. `tls:<reason>` as in tls_handshake_failures_total. */
export type TryFailure =
  | 'refused'
  | 'connect-timeout'
  | 'unreachable'
  | 'reset'
  /**
   * The idle connection it was sent on had just been closed: no byte was answered; is retried once without
   * budget.
   */
  | 'stale-connection'
  /** RST_STREAM with REFUSED_STREAM, or a stream above a GOAWAY's last id: certainly not processed. */
  | 'not-processed'
  /** No head within perTryTimeoutMs. */
  | 'try-timeout'
  /** requestTimeoutMs has passed: answered 504, never retried. */
  | 'request-timeout'
  | 'bad-response'
  /** The pool's limits of connections and pending requests are full, or it waited too long for one. */
  | 'overflow'
  /** The client neither sent its body nor read the answer while others waited for a connection: 408. */
  | 'slow-client'
  | `tls:${string}`;

/** How a request ended, after its response's head was relayed or its refusal answered. */
export type End =
  | 'complete'
  /** The client closed or reset first. */
  | 'client-gone'
  /** The upstream closed, reset or broke the protocol in mid response. */
  | 'upstream-broke'
  /** requestTimeoutMs passed in mid response. */
  | 'request-timeout'
  /** idleTimeoutMs passed in mid stream. */
  | 'idle-timeout';

/** Where a try goes. The fronts keep their pool on it. */
export interface EndpointState {
  /** `ip:port`, and its parts. */
  readonly address: string;
  readonly host: string;
  readonly port: number;
  /** Speak mutual TLS to it, expecting this DNS SAN; undefined: plaintext. */
  readonly identity: string | undefined;
  readonly http2: boolean;
  /** The address that connections to it are made from; undefined: whichever the system takes. */
  readonly localAddress?: string | undefined;
  /** Limits of its pool. */
  readonly maxConnections: number;
  readonly maxPending: number;
  /** For a connection while all are in use, in milliseconds. */
  readonly maxWaitMs: number;
  /** Set by the front; undefined at first. Let go of it in OutboundFlow.onEndpointRemoved. */
  pool: unknown;
}

export interface MirrorTarget {
  readonly endpoint: EndpointState;
  /** Marks the copy, so that nobody mistakes it for a request whose answer counts. */
  readonly header: readonly [string, string];
  /** Bodies beyond this are not mirrored, in bytes. */
  readonly maxBodyBytes: number;
  /** Call once, with whether it was answered: frees the slot that bounds mirrors under way. */
  ended(answered: boolean): void;
}

export interface RouteLabel {
  readonly name: string;
}

/** What a request and an opaque connection have in common, and tries.ts drives. */
export interface Tried {
  /** Looked at after the beginning, after a pick() of undefined and after a 'fail': then it is what to do. */
  readonly refusal: Refused | undefined;
  /** Injected: wait so long before the first pick, or before answering the refusal. */
  readonly delayMs: number;
  /** Injected: pass on at most so many bytes a second in each direction; 0: no limit. */
  readonly bytesPerSecond: number;
  /** Of an injected delay or silence: whoever waits is called when that is over before its time. */
  readonly hold?: { release: (() => void) | undefined } | undefined;
  /** After a pick() of undefined without a refusal: ask again then. */
  readonly waitMs: number;
  /** From each pick to the response's head; 0: none. */
  readonly perTryTimeoutMs: number;
  /** After the first pick() that gave an endpoint: where a copy goes. */
  readonly mirror: MirrorTarget | undefined;
  /** The endpoint of the next try, never one tried already while another is ready. */
  pick(): EndpointState | undefined;
  tryFailed(failure: TryFailure): 'retry' | 'fail';
  /** How long to wait before the retry's pick(); full jitter, 0 to the backoff. */
  retryDelayMs(): number;
}

/** One request with all its tries. */
export interface Flow extends Tried {
  readonly route: RouteLabel;
  readonly refusal: Refusal | undefined;
  /** From begin to the response's end; 0: none. */
  readonly requestTimeoutMs: number;
  /** Between two reads or writes of the stream; 0: none. */
  readonly idleTimeoutMs: number;
  /** Protocols that the client may change to by Upgrade, in lower case. */
  readonly upgrades: readonly string[];
  /** Keep at most so many bytes of the body for a retry. 0: no retry can come, keep nothing. */
  readonly retryBufferBytes: number;
  readonly requestHeaders: HeaderEdits | undefined;
  readonly responseHeaders: HeaderEdits | undefined;
  /** Differs with the request: trace context, l5d-client-id, x-request-id. Set after requestHeaders. */
  readonly moreRequestHeaders: HeaderList | undefined;
  /** Rewritten path with its query, and authority; undefined: as the client sent it. */
  readonly path: string | undefined;
  readonly authority: string | undefined;
  /** The body outgrew retryBufferBytes, or it has been passed on and was not kept: no retry from here on. */
  forbidRetry(): void;
  /** At the response's head; `grpcStatus` where it is there already (trailers only), else -1. Not for 1xx but 101. */
  responded(status: number, grpcStatus: number): 'relay' | 'retry';
  /**
   * `grpcStatus` from the trailers, else -1; 2 of a gRPC response that ended without one. Bytes of
   * bodies, as the client sent and received them.
   */
  ended(how: End, grpcStatus: number, requestBytes: number, responseBytes: number): void;
}

/**
 * One opaque TCP connection, outbound or inbound: its answer begins when it is connected. `tryFailed` comes before
 * connected() only: a connection whose bytes have been passed on is never tried again.
 */
export interface ConnectionFlow extends Tried {
  /** The connection to the endpoint is up (after its TLS handshake). */
  connected(): void;
  ended(how: End, sentBytes: number, receivedBytes: number): void;
}
