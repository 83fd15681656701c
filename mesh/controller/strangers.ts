/** The connections whose client has proven nothing. Anybody can open them, and each takes about 40 kB. */
import type { Socket } from 'node:net';
import type { Clock } from '../../base/clock.js';

const maxStrangers = 1024;
/** A connection of this age makes room for a new one; an honest join takes much less. */
const patienceMs = 2000;

export class Strangers {
  readonly #clock: Clock;
  readonly #most: number;
  /** By the client's address and port: the oldest first. */
  readonly #all = new Map<string, { sinceMs: number; cut: () => void }>();

  constructor(clock: Clock, most = maxStrangers) {
    this.#clock = clock;
    this.#most = most;
  }

  /** A connection just accepted; it is cut if there are too many, and none of them is old. */
  came(socket: Socket): void {
    const key = keyOf(socket);
    if (this.#all.size >= this.#most) {
      const [oldest] = this.#all;
      const nowMs = this.#clock.monotonicMs();
      if (!oldest || nowMs - oldest[1].sinceMs < patienceMs) return void socket.destroy();
      this.#all.delete(oldest[0]);
      oldest[1].cut();
    }
    const own = { sinceMs: this.#clock.monotonicMs(), cut: (): void => void socket.destroy() };
    this.#all.set(key, own);
    socket.once('close', () => this.#left(key, own));
  }

  /** The handshake is done: `cut` ends the connection from now on. */
  greeted(socket: Socket, cut: () => void): void {
    const key = keyOf(socket);
    const own = this.#all.get(key);
    if (!own) return;
    own.cut = cut;
    socket.once('close', () => this.#left(key, own));
  }

  /** The client has shown a certificate of the mesh. */
  proven(socket: Socket): void {
    this.#all.delete(keyOf(socket));
  }

  #left(key: string, own: object): void {
    if (this.#all.get(key) === own) this.#all.delete(key);
  }
}

const keyOf = (socket: Socket): string => `${socket.remoteAddress} ${socket.remotePort}`;
