/** The HTTP/1.1 front: takes over clients' connections, keeps pools to endpoints, and shuts both down in order. */
import type { EndpointState } from '../flow/contract.js';
import type { Carrier, Connect, OpenTry, Serving } from '../seam.js';
import type { DeadlineWheel } from '../listen/deadlines.js';
import { Leaving } from '../listen/leaving.js';
import type { Wire } from '../listen/wire.js';
import { Downstream } from './downstream.js';
import type { Head } from './head.js';
import type { RequestChanges } from './head-text.js';
import { http1Tries } from './http1-try.js';
import { Http2Lane } from './http2-lane.js';
import { UndecidedLane } from './undecided-lane.js';
import type { Lane } from './lane.js';
import { closePool, type Pool, poolOf } from './pool.js';
import type { UpstreamUser } from './upstream.js';

export interface Http1Limits {
  /** The limit for heads of requests and of answers. */
  readonly maxHeadBytes: number;
  /** From a connection's start, or a head's first byte, to the head's end, in milliseconds. */
  readonly headTimeoutMs: number;
  /** Between requests, in milliseconds. */
  readonly idleTimeoutMs: number;
  /** Between two reads or writes of a request that no route limits, in milliseconds. */
  readonly streamIdleMs: number;
}

export const defaultLimits: Http1Limits = {
  maxHeadBytes: 64 * 1024,
  headTimeoutMs: 10_000,
  idleTimeoutMs: 600_000,
  streamIdleMs: 300_000,
};

export interface Http1Parts {
  readonly connect: Connect;
  readonly deadlines: DeadlineWheel;
  readonly limits: Http1Limits;
  readonly maxHeadBytes: number;
  /** Whether a request to a peer's proxy may be carried over HTTP/2 and become HTTP/1.1 again there. */
  mayRide(endpoint: EndpointState, head: Head, upgrade: string | undefined): boolean;
  /** Undefined when HTTP/2 is not served. */
  openHttp2Lane(
    endpoint: EndpointState,
    head: Head,
    changes: RequestChanges,
    user: UpstreamUser,
  ): Lane | undefined;
  /** For attempts that may have a copy: in HTTP/2 to endpoints that are known to take it, else in HTTP/1.1. */
  readonly openEither: OpenTry;
  /** While draining, answers carry `connection: close`. */
  isDraining(): boolean;
  onBadRequest(reason: string): void;
  /** CONNECT: the receiver owns the connection from here on. Absent: refused. */
  readonly openTunnel?: OpenTunnel | undefined;
  onClosed(connection: Downstream): void;
}

/** `head` as it came; `rest` holds the bytes behind it. */
export type OpenTunnel = (
  wire: Wire,
  serving: Serving,
  authority: string,
  head: string,
  rest: Buffer,
) => void;

/** A backend with a lower limit means to limit the requests in flight, which HTTP/2 sessions do not do. */
const fewConnections = 1024;
/** HTTP/2 counts 32 more bytes for each field: a head near the peer's limit stays in HTTP/1.1. */
const maxRiddenBytes = 16 * 1024;

const isRideable = (head: Head): boolean =>
  head.text.length + 32 * head.count <= maxRiddenBytes &&
  (head.hostAt < 0 || head.value(head.hostAt) !== '');

export class Http1Front {
  readonly #connections = new Set<Downstream>();
  readonly #leaving = new Leaving();
  readonly #parts: Http1Parts;
  #draining = false;
  /** Invalid requests, and heads that took too long. */
  badRequests = 0;

  constructor(options: {
    connect: Connect;
    deadlines: DeadlineWheel;
    limits?: Partial<Http1Limits>;
    openHttp2Try?: OpenTry;
    /** Absent: HTTP/1.1 stays HTTP/1.1 between proxies. */
    carrier?: Carrier | undefined;
    openTunnel?: OpenTunnel;
  }) {
    const { openHttp2Try, carrier } = options;
    const limits = { ...defaultLimits, ...options.limits };
    this.#parts = {
      connect: options.connect,
      deadlines: options.deadlines,
      limits,
      maxHeadBytes: limits.maxHeadBytes,
      mayRide: (endpoint, head, upgrade) =>
        carrier !== undefined &&
        upgrade === undefined &&
        endpoint.identity !== undefined &&
        endpoint.maxConnections >= fewConnections &&
        isRideable(head) &&
        carrier.carries(endpoint) !== false,
      openHttp2Lane: (endpoint, head, changes, user) => {
        if (carrier && !endpoint.http2 && carrier.carries(endpoint) === undefined) {
          const pool = (): Pool => poolOf(endpoint, this.#parts);
          return new UndecidedLane(carrier, endpoint, head, changes, user, pool);
        }
        return openHttp2Try && new Http2Lane(openHttp2Try, endpoint, head, changes, user);
      },
      openEither: (endpoint, request, handler) => {
        const isCarried = request.isCarried === true && !endpoint.http2;
        const rides = endpoint.http2 || carrier?.carries(endpoint) === true;
        if (openHttp2Try && rides)
          return openHttp2Try(endpoint, { ...request, isCarried }, handler);
        return http1Tries(this.#parts)(endpoint, request, handler);
      },
      openTunnel: options.openTunnel,
      isDraining: () => this.#draining,
      onBadRequest: () => {
        this.badRequests++;
      },
      onClosed: (connection) => {
        this.#connections.delete(connection);
        this.#leaving.add(connection.wire);
      },
    };
  }

  get parts(): Http1Parts {
    return this.#parts;
  }

  get connections(): number {
    return this.#connections.size;
  }

  /** `first` holds bytes that were read to detect the protocol; they are copied where needed. */
  accept(wire: Wire, serving: Serving, first?: Buffer): void {
    const connection = new Downstream(this.#parts, wire, serving);
    this.#connections.add(connection);
    wire.user = connection;
    wire.resume();
    if (first && first.length > 0) connection.onBytes(first, first.length);
  }

  /** The endpoint was removed. */
  forget(endpoint: EndpointState): void {
    closePool(endpoint);
  }

  /** From now on each answer is the last of its connection. */
  drain(): void {
    this.#draining = true;
  }

  /** Closes connections that wait between requests. */
  endIdle(): void {
    for (const connection of this.#connections) connection.endIdle();
  }

  /** Called every second, with the wall time. */
  review(nowMs: number): void {
    for (const connection of this.#connections) connection.review(nowMs);
  }

  /** Connections with a request in flight, or an answer that the client has not taken. */
  get busy(): number {
    let count = this.#leaving.size;
    for (const connection of this.#connections) if (!connection.isIdle) count++;
    return count;
  }

  /** Closes every connection. */
  abandon(): void {
    for (const connection of this.#connections) connection.abandon();
  }
}
