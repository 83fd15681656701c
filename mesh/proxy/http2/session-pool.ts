/**
 * The sessions to one endpoint: a request uses the first with room; another is opened when all are full; other
 * requests wait.
 */
import type { EndpointState, TryFailure } from '../flow/contract.js';
import { ClientConnection, type ClientHandler } from './client-connection.js';
import type { Shared } from './limits.js';
import { carryingProtocol, type Connect, type Protocol } from '../seam.js';

export interface SessionWaiter {
  onSession(session: ClientConnection): void;
  onSessionFailed(failure: TryFailure): void;
  /** The endpoint chose HTTP/1.1 in the handshake. */
  onHttp1Only(): void;
}

const eitherOf: readonly Protocol[] = [carryingProtocol, 'h2', 'http/1.1'];
/** How long a handshake's result is kept if the peer chose less than the full protocol. */
const believedMs = 600_000;

export class SessionPool implements ClientHandler {
  readonly endpoint: EndpointState;
  readonly #shared: Shared;
  readonly #connect: Connect;
  readonly #onDoubted: () => void;
  readonly #sessions: ClientConnection[] = [];
  #connecting: { cancel(): void } | undefined;
  /** In order of arrival, with the time since which each waits. */
  readonly #waiting = new Map<SessionWaiter, number>();
  #forgotten = false;
  /** Learned in a handshake, and forgotten after a while: another program may listen at the endpoint by then. */
  http1Only = false;
  /** Whether sessions may carry requests of HTTP/1.1; undefined: no handshake has finished yet. */
  carries: boolean | undefined;
  #toldMs = 0;

  constructor(
    endpoint: EndpointState,
    shared: Shared,
    connect: Connect,
    onDoubted: () => void = () => undefined,
  ) {
    this.endpoint = endpoint;
    this.#shared = shared;
    this.#connect = connect;
    this.#onDoubted = onDoubted;
  }

  get sessions(): readonly ClientConnection[] {
    return this.#sessions;
  }

  /** A session with room, or undefined; then the waiter is called once there is one, or none can be had. */
  take(waiter: SessionWaiter): ClientConnection | undefined {
    if (this.#waiting.size === 0) {
      for (let i = 0; i < this.#sessions.length; i++) {
        const session = this.#sessions[i] as ClientConnection;
        // An expired session leaves the list at once: the peer would refuse the request.
        if (session.isExpired()) i = -1;
        else if (session.room > 0) return session;
      }
    }
    const isFull = this.#waiting.size >= this.endpoint.maxPending;
    this.#waiting.set(waiter, isFull ? -Infinity : this.#shared.clock.monotonicMs());
    if (isFull) setImmediate(() => this.#waiting.get(waiter) === -Infinity && this.#fail(waiter));
    else this.#open();
    return undefined;
  }

  leave(waiter: SessionWaiter): void {
    this.#waiting.delete(waiter);
  }

  #fail(waiter: SessionWaiter, failure: TryFailure = 'overflow'): void {
    if (this.#waiting.delete(waiter)) waiter.onSessionFailed(failure);
  }

  /** Those that have waited too long, although no connection is being opened. */
  #failLate(nowMs: number): void {
    for (const [waiter, sinceMs] of this.#waiting) {
      if (nowMs - sinceMs >= this.endpoint.maxWaitMs) this.#fail(waiter);
    }
  }

  /** Takes all waiters out of the line. */
  #all(): SessionWaiter[] {
    const all = [...this.#waiting.keys()];
    this.#waiting.clear();
    return all;
  }

  #open(): void {
    const most = Math.min(this.endpoint.maxConnections, this.#shared.limits.maxSessions);
    if (this.#connecting || this.#sessions.length >= Math.max(1, most)) return;
    // A mesh peer chooses its protocol in the handshake; in plaintext it is known beforehand.
    const either = this.endpoint.identity !== undefined && !this.endpoint.http2;
    this.#connecting = this.#connect(this.endpoint, either ? eitherOf : ['h2'], {
      connected: (wire, protocol) => {
        this.#connecting = undefined;
        this.carries = protocol === carryingProtocol;
        this.#toldMs = this.#shared.clock.monotonicMs();
        if (protocol === 'http/1.1') {
          this.http1Only = true;
          wire.destroy();
          for (const waiter of this.#all()) waiter.onHttp1Only();
          return;
        }
        const session = new ClientConnection(wire, this.#shared, this);
        session.carries = this.carries;
        this.#sessions.push(session);
        wire.resume();
        this.onRoom(session);
      },
      failed: (failure) => {
        this.#connecting = undefined;
        if (this.#sessions.some((session) => !session.draining)) {
          return this.#failLate(this.#shared.clock.monotonicMs());
        }
        for (const waiter of this.#all()) waiter.onSessionFailed(failure);
      },
    });
  }

  onRoom(session: ClientConnection): void {
    if (session.draining) this.#remove(session);
    for (const waiter of this.#waiting.keys()) {
      if (session.room <= 0) break;
      this.#waiting.delete(waiter);
      waiter.onSession(session);
    }
    if (this.#waiting.size > 0) this.#open();
    else if (this.#forgotten && !session.draining) session.drainNow();
  }

  /**
   * The peer ends the sessions whose certificates have expired, each when it gets a request. By its clock it is time
   * for the older sessions too: a request that tried one after another would run out of attempts.
   */
  onDismissed(session: ClientConnection): void {
    const { expiresMs } = session.wire;
    const older = (other: ClientConnection): boolean =>
      other !== session && other.wire.expiresMs <= expiresMs;
    const leaving = expiresMs === Infinity ? [] : this.#sessions.filter(older);
    this.onRoom(session);
    for (const other of leaving) other.gone();
  }

  onClientGone(session: ClientConnection): void {
    this.#remove(session);
    if (this.#waiting.size > 0) this.#open();
  }

  onDoubted(): void {
    this.#onDoubted();
  }

  /** Another endpoint does not answer: are its peers here there? */
  doubt(): void {
    for (const session of this.#sessions.slice()) session.doubt();
  }

  #remove(session: ClientConnection): void {
    const at = this.#sessions.indexOf(session);
    if (at >= 0) this.#sessions.splice(at, 1);
    if (at >= 0 && !session.closed) this.#draining.add(session);
    else this.#draining.delete(session);
  }

  /** Sessions that still answer but take no new streams. */
  readonly #draining = new Set<ClientConnection>();

  tick(nowMs: number): void {
    if (this.carries === false && nowMs - this.#toldMs > believedMs) {
      this.carries = undefined;
      this.http1Only = false;
    }
    for (const session of [...this.#sessions, ...this.#draining]) session.tick(nowMs);
    if (!this.#connecting) this.#failLate(nowMs);
  }

  get isForgotten(): boolean {
    return this.#forgotten;
  }

  get isIdle(): boolean {
    return (
      !this.#connecting &&
      this.#waiting.size === 0 &&
      this.#draining.size === 0 &&
      this.#sessions.every((session) => session.streams.size === 0)
    );
  }

  /** The endpoint was removed: sessions end when their last streams do. */
  forget(): void {
    this.#forgotten = true;
    for (const session of this.#sessions.slice()) session.drainNow();
  }
}
