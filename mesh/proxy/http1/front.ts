/** HTTP/1.1 as a whole: takes over clients' connections, keeps pools to endpoints, and ends both in order. */
import type { EndpointState } from '../flow/contract.js';
import type { Carrier, Connect, OpenTry, Serving } from '../seam.js';
import type { DeadlineWheel } from '../listen/deadlines.js';
import type { Wire } from '../listen/wire.js';
import { Downstream } from './downstream.js';
import type { Head } from './head.js';
import type { RequestChanges } from './head-text.js';
import { Http2Lane } from './http2-lane.js';
import { UndecidedLane } from './undecided-lane.js';
import type { Lane } from './lane.js';
import { closePool, type Pool, poolOf } from './pool.js';
import type { UpstreamUser } from './upstream.js';

export interface Http1Limits {
  /** Of requests and of answers. */
  readonly maxHeadBytes: number;
  /** From a connection's start, or a head's first byte, to the head's end. */
  readonly headTimeoutMs: number;
  /** Between requests. */
  readonly idleTimeoutMs: number;
  /** Of a request that no route limits: between two reads or writes. */
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
  /** Whether a request to a peer's proxy may go on HTTP/2 and come out of it in HTTP/1.1. */
  mayRide(endpoint: EndpointState, head: Head, upgrade: string | undefined): boolean;
  /** Undefined where HTTP/2 is not served. */
  openHttp2Lane(
    endpoint: EndpointState,
    head: Head,
    changes: RequestChanges,
    user: UpstreamUser,
  ): Lane | undefined;
  /** Answers say `connection: close`. */
  isDraining(): boolean;
  onBadRequest(reason: string): void;
  /** CONNECT: the connection is the receiver's from here on. Absent: refused. */
  readonly openTunnel?: OpenTunnel | undefined;
  onClosed(connection: Downstream): void;
}

/** `head` as it came, `rest` what came behind it. */
export type OpenTunnel = (
  wire: Wire,
  serving: Serving,
  authority: string,
  head: string,
  rest: Buffer,
) => void;

/** Whoever allows fewer means to bound the requests under way, which sessions do not. */
const fewConnections = 1024;
/** HTTP/2 counts 32 bytes more for each field: what is near the peer's limit of heads stays as it is. */
const maxRiddenBytes = 16 * 1024;

const isRideable = (head: Head): boolean =>
  head.text.length + 32 * head.count <= maxRiddenBytes &&
  (head.hostAt < 0 || head.value(head.hostAt) !== '');

export class Http1Front {
  readonly #connections = new Set<Downstream>();
  readonly #parts: Http1Parts;
  #draining = false;
  /** Requests that were no requests, or took too long to become ones. */
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
      openTunnel: options.openTunnel,
      isDraining: () => this.#draining,
      onBadRequest: () => {
        this.badRequests++;
      },
      onClosed: (connection) => {
        this.#connections.delete(connection);
      },
    };
  }

  get parts(): Http1Parts {
    return this.#parts;
  }

  get connections(): number {
    return this.#connections.size;
  }

  /** `first` are bytes that were read to find out what is spoken; they are copied where needed. */
  accept(wire: Wire, serving: Serving, first?: Buffer): void {
    const connection = new Downstream(this.#parts, wire, serving);
    this.#connections.add(connection);
    wire.user = connection;
    wire.resume();
    if (first && first.length > 0) connection.onBytes(first, first.length);
  }

  /** The endpoint is no longer one. */
  forget(endpoint: EndpointState): void {
    closePool(endpoint);
  }

  /** From now on each answer is the last of its connection. */
  drain(): void {
    this.#draining = true;
  }

  /** Closes what waits between requests. */
  endIdle(): void {
    for (const connection of this.#connections) connection.endIdle();
  }

  /** How many have a request under way. */
  get busy(): number {
    let count = 0;
    for (const connection of this.#connections) if (!connection.isIdle) count++;
    return count;
  }

  /** Closes everything. */
  abandon(): void {
    for (const connection of this.#connections) connection.abandon();
  }
}
