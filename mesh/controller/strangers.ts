/** The connections whose client has proven nothing. Anybody can open them, and each takes about 40 kB. */
import type { Socket } from 'node:net';
import type { Clock } from '../../base/clock.js';

/** A connection of this age makes room for a new one; an honest join takes much less. */
const patienceMs = 2000;

export interface StrangerLimits {
  /** Proxies that come back after an outage are here until their turn: all of a large mesh at once. */
  handshaking: number;
  /** Clients without a certificate of the mesh, which only ask for one. */
  greeted: number;
}
const limits: StrangerLimits = { handshaking: 4096, greeted: 1024 };

interface Stranger {
  sinceMs: number;
  cut: () => void;
}

/** Connections in one state, by the client's address and port: the oldest first. */
class Line {
  readonly #clock: Clock;
  readonly #most: number;
  readonly #all = new Map<string, Stranger>();

  constructor(clock: Clock, most: number) {
    this.#clock = clock;
    this.#most = most;
  }

  /** A newcomer is cut if there are too many, and none of them is old. */
  enter(key: string, cut: () => void): Stranger | undefined {
    const sinceMs = this.#clock.monotonicMs();
    if (this.#all.size >= this.#most) {
      const [oldest] = this.#all;
      if (!oldest || sinceMs - oldest[1].sinceMs < patienceMs) return void cut();
      this.#all.delete(oldest[0]);
      oldest[1].cut();
    }
    const own = { sinceMs, cut };
    this.#all.set(key, own);
    return own;
  }

  cutAll(): void {
    for (const { cut } of this.#all.values()) cut();
  }

  leave(key: string): void {
    this.#all.delete(key);
  }

  /** The port may already belong to another connection. */
  closed(key: string, own: Stranger): void {
    if (this.#all.get(key) === own) this.#all.delete(key);
  }
}

export class Strangers {
  readonly #handshaking: Line;
  readonly #greeted: Line;

  constructor(clock: Clock, { handshaking, greeted } = limits) {
    this.#handshaking = new Line(clock, handshaking);
    this.#greeted = new Line(clock, greeted);
  }

  /** A connection just accepted. */
  came(socket: Socket): void {
    const key = keyOf(socket);
    const own = this.#handshaking.enter(key, () => void socket.destroy());
    if (own) socket.once('close', () => this.#handshaking.closed(key, own));
  }

  /** The handshake is done, without a certificate of the mesh: `cut` ends the connection from now on. */
  greeted(socket: Socket, cut: () => void): void {
    const key = keyOf(socket);
    this.#handshaking.leave(key);
    const own = this.#greeted.enter(key, cut);
    if (own) socket.once('close', () => this.#greeted.closed(key, own));
  }

  /** Without this a server that stops would wait for handshakes that never end. */
  close(): void {
    this.#handshaking.cutAll();
  }

  /** The client has shown a certificate of the mesh. */
  proven(socket: Socket): void {
    this.#handshaking.leave(keyOf(socket));
  }
}

const keyOf = (socket: Socket): string => `${socket.remoteAddress} ${socket.remotePort}`;
