/**
 * The connections to one endpoint: idle ones are reused, last in first out; new ones are opened within limits; other
 * requests wait.
 */
import type { EndpointState, TryFailure } from '../flow/contract.js';
import type { Connect } from '../seam.js';
import { Deadline, type DeadlineWheel } from '../listen/deadlines.js';
import { poolsOf } from '../listen/pools.js';
import { WaitingLine } from '../listen/waiting-line.js';
import { Upstream, type UpstreamUser } from './upstream.js';

export interface PoolParts {
  readonly connect: Connect;
  readonly deadlines: DeadlineWheel;
  /** The limit for a response's head. */
  readonly maxHeadBytes: number;
}

/** node:http closes idle connections after 5 s: a shorter limit avoids most requests that race with a close. */
const idlePlainMs = 4000;
/** Peers are proxies like this one: they keep idle connections longer, and a handshake is expensive. */
const idleMeshMs = 60_000;
/** While connections are scarce, the progress of those in use is checked at this interval. */
const scarceLookMs = 250;
/**
 * One client connection that carries many requests gets at most this many times the connections left for all others.
 */
const timesWhatIsLeft = 4;

export class Pool {
  readonly endpoint: EndpointState;
  readonly #parts: PoolParts;
  readonly #idle: Upstream[] = [];
  readonly #waiting = new WaitingLine<UpstreamUser>();
  /** About to hear that there is no room, unless they leave before. */
  readonly #refused = new Set<UpstreamUser>();
  /** All established connections. */
  readonly #connected = new Set<Upstream>();
  /** Idle, in use and being connected. */
  #total = 0;
  #connecting = 0;
  #generation = 0;
  /** The number of connections in use for each client connection that carries many requests. */
  readonly #shares = new Map<string, number>();
  #closed = false;
  readonly #sweep: Deadline;
  /** Armed while connections are scarce: checks for slow clients, and for requests that have waited too long. */
  readonly #scarce: Deadline;
  readonly #idleMs: number;

  /** The limit for a response's head. */
  get maxHeadBytes(): number {
    return this.#parts.maxHeadBytes;
  }

  constructor(endpoint: EndpointState, parts: PoolParts) {
    this.endpoint = endpoint;
    this.#parts = parts;
    this.#idleMs = endpoint.identity === undefined ? idlePlainMs : idleMeshMs;
    this.#sweep = new Deadline(parts.deadlines, (nowMs) => this.#dropIdle(nowMs));
    this.#scarce = new Deadline(parts.deadlines, (nowMs) => this.#look(nowMs));
  }

  get size(): number {
    return this.#total;
  }

  /** Returns an idle connection, or undefined; then the user is called once there is one or none can be had. */
  take(user: UpstreamUser): Upstream | undefined {
    const hasShare = this.#leavesSome(user, 0);
    const idle = hasShare ? this.#idle : [];
    for (let upstream = idle.pop(); upstream; upstream = idle.pop()) {
      if (upstream.isProven()) return this.#assigned(upstream, user);
      upstream.close();
    }
    const { maxConnections, maxPending } = this.endpoint;
    if (this.#waiting.size >= maxPending + this.#connecting) {
      const refused = this.#waiting.displace(user.client) ?? user;
      this.#refused.add(refused);
      setImmediate(() => this.#refused.delete(refused) && refused.upstreamFailed('overflow'));
      if (refused === user) return undefined;
    }
    this.#waiting.push(user, this.#parts.deadlines.nowMs());
    if (!hasShare) this.#lookSoon();
    else if (this.#total < maxConnections) this.#open();
    else this.#reclaim();
    if (this.#total * 2 > maxConnections) this.#lookSoon();
    return undefined;
  }

  /** `more`: connections about to be free, beside the idle ones. */
  #leavesSome(user: UpstreamUser, more: number): boolean {
    const { share } = user;
    if (share === undefined) return true;
    const free = this.endpoint.maxConnections - this.#total + this.#idle.length + more;
    return (this.#shares.get(share) ?? 0) < Math.max(1, timesWhatIsLeft * free);
  }

  #assigned(upstream: Upstream, user: UpstreamUser): Upstream {
    const { share } = user;
    upstream.share = share;
    if (share !== undefined) this.#shares.set(share, (this.#shares.get(share) ?? 0) + 1);
    return upstream;
  }

  #returned(upstream: Upstream): void {
    const { share } = upstream;
    if (share === undefined) return;
    upstream.share = undefined;
    const left = (this.#shares.get(share) ?? 1) - 1;
    if (left > 0) this.#shares.set(share, left);
    else this.#shares.delete(share);
  }

  /** The user no longer waits. A connection that is being opened for it stays, for the next user. */
  leave(user: UpstreamUser): void {
    this.#waiting.delete(user);
    this.#refused.delete(user);
  }

  #open(): void {
    this.#total++;
    this.#connecting++;
    this.#parts.connect(this.endpoint, ['http/1.1'], {
      connected: (wire) => {
        this.#connecting--;
        const upstream = new Upstream(this, wire);
        this.#connected.add(upstream);
        wire.user = upstream;
        wire.resume();
        this.give(upstream);
      },
      failed: (failure: TryFailure) => {
        this.#connecting--;
        this.#total--;
        // The user that has waited longest tries elsewhere; the others keep their pending connections, or get one
        // now.
        const user = this.#waiting.shift();
        if (this.#waiting.size > this.#connecting) this.#openForWaiting();
        user?.upstreamFailed(failure);
      },
    });
  }

  #openForWaiting(): void {
    if (this.#total < this.endpoint.maxConnections) this.#open();
  }

  /** A connection is free. */
  give(upstream: Upstream): void {
    this.#returned(upstream);
    const user = this.#waiting.shift((one) => this.#leavesSome(one, 1));
    if (user) return user.upstreamReady(this.#assigned(upstream, user));
    if (this.#closed) return upstream.close();
    upstream.idleGeneration = this.#generation;
    this.#idle.push(upstream);
    if (this.#sweep.dueMs === Infinity) {
      this.#sweep.at(this.#parts.deadlines.nowMs() + this.#idleMs / 2);
    }
  }

  /** A connection is closed, by either side. */
  gone(upstream: Upstream): void {
    this.#total--;
    this.#returned(upstream);
    this.#connected.delete(upstream);
    const at = this.#idle.lastIndexOf(upstream);
    if (at >= 0) this.#idle.splice(at, 1);
    if (this.#waiting.size > this.#connecting) this.#openForWaiting();
  }

  #lookSoon(): void {
    if (this.#scarce.dueMs !== Infinity) return;
    this.#scarce.at(this.#parts.deadlines.nowMs() + scarceLookMs);
  }

  #look(nowMs: number): void {
    for (const upstream of this.#connected) upstream.lookAtClient();
    this.#reclaim();
    while (this.#idle.length > 0) {
      const user = this.#waiting.shift((one) => this.#leavesSome(one, 0));
      if (!user) break;
      user.upstreamReady(this.#assigned(this.#idle.pop() as Upstream, user));
    }
    // Users with a pending connection are notified by that connection.
    if (this.#waiting.size > this.#connecting) {
      for (const late of this.#waiting.late(nowMs - this.endpoint.maxWaitMs)) {
        late.upstreamFailed('overflow');
      }
    }
    if (this.#total * 2 > this.endpoint.maxConnections || this.#waiting.size > 0) this.#lookSoon();
  }

  /** Takes connections from clients that keep one and neither send nor read, so that others need not wait. */
  #reclaim(): void {
    let wanted = this.#waiting.size - this.#connecting;
    if (wanted <= 0) return;
    for (const upstream of this.#connected) {
      if (!upstream.isHeldUp) continue;
      upstream.takeBack();
      if (--wanted <= 0) return;
    }
  }

  /** Closes connections that were idle for two sweeps or more: the oldest lie at the bottom. */
  #dropIdle(nowMs: number): void {
    this.#generation++;
    let stale = 0;
    while (
      stale < this.#idle.length &&
      (this.#idle[stale] as Upstream).idleGeneration < this.#generation - 1
    ) {
      stale++;
    }
    for (const upstream of this.#idle.splice(0, stale)) upstream.close();
    if (this.#idle.length > 0) this.#sweep.at(nowMs + this.#idleMs / 2);
  }

  /** The endpoint was removed: idle connections are closed, the others once they are free. */
  close(): void {
    this.#closed = true;
    this.#sweep.cancel();
    if (this.#waiting.size === 0) this.#scarce.cancel();
    for (const upstream of this.#idle.splice(0)) upstream.close();
  }
}

export function poolOf(endpoint: EndpointState, parts: PoolParts): Pool {
  const pools = poolsOf(endpoint);
  return (pools.http1 ??= new Pool(endpoint, parts)) as Pool;
}

export function closePool(endpoint: EndpointState): void {
  const pools = poolsOf(endpoint);
  (pools.http1 as Pool | undefined)?.close();
  pools.http1 = undefined;
}
