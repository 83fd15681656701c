/** The HTTP/2 front of a proxy: takes connections, keeps sessions to endpoints, drains. Start reading here. */
import type { Clock, Timer } from '../../../base/clock.js';
import type { EndpointState } from '../flow/contract.js';
import type { DeadlineWheel } from '../listen/deadlines.js';
import { Holdings, holdings } from '../listen/holdings.js';
import { Leaving } from '../listen/leaving.js';
import { poolsOf } from '../listen/pools.js';
import type { Wire } from '../listen/wire.js';
import { Exchange } from './exchange.js';
import type { Http2Parts } from './front-parts.js';
import type { RequestHead } from './heads.js';
import { Http2Try } from './http2-try.js';
import { type ConnectionLimits, defaultLimits, type Shared } from './limits.js';
import type { Carrier, Connect, OpenTry, Serving } from '../seam.js';
import { ServerConnection, type ServerHandler } from './server-connection.js';
import { SessionPool, type SessionWaiter } from './session-pool.js';
import type { Stream } from './stream.js';

const tickMs = 1000;

export class Http2Front implements Http2Parts, ServerHandler, Carrier {
  readonly deadlines: DeadlineWheel;
  readonly openHttp1Try: OpenTry | undefined;
  readonly memory: Holdings;
  readonly #shared: Shared;
  readonly #connect: Connect;
  readonly #servers = new Set<ServerConnection>();
  readonly #leaving = new Leaving();
  readonly #pools = new Set<SessionPool>();
  readonly #timer: Timer;
  #draining = false;

  constructor(parts: {
    clock: Clock;
    deadlines: DeadlineWheel;
    connect: Connect;
    openHttp1Try?: OpenTry;
    limits?: Partial<ConnectionLimits>;
    /** The front's own limit; absent: the process's limit. */
    memoryLimitBytes?: number;
  }) {
    this.deadlines = parts.deadlines;
    this.openHttp1Try = parts.openHttp1Try;
    this.#connect = parts.connect;
    const { memoryLimitBytes } = parts;
    this.memory = memoryLimitBytes === undefined ? holdings : new Holdings(memoryLimitBytes);
    this.#shared = {
      clock: parts.clock,
      limits: { ...defaultLimits, ...parts.limits },
      memory: this.memory,
    };
    this.#timer = parts.clock.every(tickMs, () => this.#tick());
  }

  /** An accepted connection that speaks HTTP/2: by ALPN, or by its first octets. */
  accept(wire: Wire, serving: Serving, firstBytes?: Buffer): void {
    const connection = new ServerConnection(wire, this.#shared, serving, this);
    this.#servers.add(connection);
    if (this.#draining) connection.drain();
    if (firstBytes) connection.onBytes(firstBytes, firstBytes.length);
    wire.resume();
  }

  onRequest(stream: Stream, head: RequestHead, _ended: boolean, serving: Serving): void {
    new Exchange(this, serving, head, stream).begin();
  }

  onServerGone(connection: ServerConnection): void {
    this.#servers.delete(connection);
    this.#leaving.add(connection.wire);
  }

  poolOf(endpoint: EndpointState): SessionPool {
    const pools = poolsOf(endpoint);
    if (pools.http2) return pools.http2 as SessionPool;
    const pool = new SessionPool(endpoint, this.#shared, this.#connect, () => {
      for (const other of this.#pools) other.doubt();
    });
    pools.http2 = pool;
    this.#pools.add(pool);
    return pool;
  }

  /** For requests that came in HTTP/1.1, to endpoints that want HTTP/2. */
  readonly openTry: OpenTry = (endpoint, request, handler) =>
    new Http2Try(this.poolOf(endpoint), request, handler);

  openEither(http1Only: boolean): OpenTry {
    return (endpoint, request, handler) => {
      const isOld = this.poolOf(endpoint).http1Only || (!endpoint.http2 && http1Only);
      return (isOld && this.openHttp1Try ? this.openHttp1Try : this.openTry)(
        endpoint,
        request,
        handler,
      );
    };
  }

  carries(endpoint: EndpointState): boolean | undefined {
    return this.poolOf(endpoint).carries;
  }

  ask(endpoint: EndpointState, asker: Parameters<Carrier['ask']>[1]): { leave(): void } {
    const pool = this.poolOf(endpoint);
    const found = (): void => asker.found();
    const waiter: SessionWaiter = {
      onSession: found,
      onHttp1Only: found,
      onSessionFailed: (failure) => asker.failed(failure),
    };
    let isAsking = true;
    if (pool.take(waiter)) setImmediate(() => isAsking && found());
    return {
      leave: () => {
        isAsking = false;
        pool.leave(waiter);
      },
    };
  }

  /** The endpoint was removed from the configuration; its sessions end with their last streams. */
  forget(endpoint: EndpointState): void {
    const pools = poolsOf(endpoint);
    const pool = pools.http2 as SessionPool | undefined;
    pools.http2 = undefined;
    pool?.forget();
  }

  #tick(): void {
    const nowMs = this.#shared.clock.monotonicMs();
    for (const connection of this.#servers) connection.tick(nowMs);
    for (const pool of this.#pools) {
      pool.tick(nowMs);
      if (pool.isForgotten && pool.isIdle) this.#pools.delete(pool);
    }
  }

  get connections(): number {
    return this.#servers.size;
  }

  /** Requests in flight, and connections with answers that the client has not taken. */
  get busy(): number {
    let count = this.#leaving.size;
    for (const { streams, output } of this.#servers) {
      count += streams.size > 0 || output.pendingBytes === 0 ? streams.size : 1;
    }
    return count;
  }

  /** Asks all clients to leave, later ones too: requests sent before that are answered. */
  drain(): void {
    this.#draining = true;
    for (const connection of this.#servers) connection.drain();
  }

  /** Closes connections without a request in flight. */
  endIdle(): void {
    for (const connection of this.#servers)
      if (connection.streams.size === 0) connection.drainNow();
  }

  /** While memory is short, new requests are refused. */
  set shedding(isShort: boolean) {
    this.memory.isShort = isShort;
  }

  /** Closes every connection now. */
  abandon(): void {
    this.#timer.cancel();
    for (const connection of this.#servers) connection.close();
    for (const pool of this.#pools) for (const session of pool.sessions.slice()) session.close();
  }
}
