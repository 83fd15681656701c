/**
 * A TCP relay on one call: bytes pass unchanged, and are slowed, cut or dropped while a lease requires it. The relay
 * does not parse the bytes, so it works for Redis, PostgreSQL and custom protocols.
 */
import { createServer, connect, type AddressInfo, type Server, type Socket } from 'node:net';
import type { Clock } from '../../base/clock.js';
import { notListening } from '../../base/errors.js';
import { type Random, seededRandom } from '../../base/random.js';
import { Leases } from '../faults/leases.js';
import { Channel, type Effect } from './channel.js';
import type { RelayFault } from './relay-fault.js';
import { RelayMetrics } from './relay-metrics.js';

export interface Address {
  host: string;
  port: number;
}

export interface RelayParts {
  listen: Address;
  /** Used in turn. */
  upstreams: readonly Address[];
  clock: Clock;
  random: Random;
}

const connectLimitMs = 10_000;
const maxConnections = 10_000;

export class Relay {
  readonly faults: Leases<RelayFault>;
  readonly metrics: RelayMetrics;
  readonly #parts: RelayParts;
  readonly #server: Server;
  readonly #connections = new Set<Connection>();
  /** Random generators of the leases with a seed. */
  readonly #seeded = new Map<string, Random>();
  #turn = 0;

  constructor(parts: RelayParts) {
    this.#parts = parts;
    this.metrics = new RelayMetrics(() => ({
      open: this.#connections.size,
      unanswered: [...this.#connections].filter((c) => c.unanswered).length,
      leases: this.faults.size,
      effects: this.faults.effects,
    }));
    this.faults = new Leases<RelayFault>(parts.clock, {
      begin: (fault, id) => this.#begin(fault, id),
      change: (fault, id) => this.#change(fault, id),
      end: (_, id) => this.#end(id),
    });
    const options = { pauseOnConnect: true, allowHalfOpen: true, noDelay: true };
    this.#server = createServer(options, (socket) => this.#accept(socket));
    this.#server.on('error', () => undefined);
  }

  /** Resolves to the port. Throws a UserError if the port is not available. */
  listen(): Promise<number> {
    const { host, port } = this.#parts.listen;
    return new Promise((resolve, reject) => {
      this.#server.once('error', (error: NodeJS.ErrnoException) =>
        reject(notListening(host, port, error)),
      );
      this.#server.listen({ host, port, backlog: 1024 }, () =>
        resolve((this.#server.address() as AddressInfo).port),
      );
    });
  }

  close(): void {
    this.#server.close();
    for (const connection of this.#connections) connection.reset();
  }

  #accept(client: Socket): void {
    this.metrics.accepted();
    client.on('error', () => undefined);
    if (this.#connections.size >= maxConnections) return void client.resetAndDestroy();
    for (const [id, fault] of this.faults.active()) {
      if (fault.kind !== 'refuse' && fault.kind !== 'cut') continue;
      if (!this.#strikes(fault, id)) continue;
      this.faults.strike(id);
      this.metrics.reset();
      return void client.resetAndDestroy();
    }
    const { upstreams, clock } = this.#parts;
    const upstream = upstreams[this.#turn++ % upstreams.length] as Address;
    const connection = new Connection(client, {
      upstream,
      clock,
      randomOf: (id) => this.#randomOf(id),
      faults: this.faults,
      metrics: this.metrics,
      onClosed: (c) => this.#connections.delete(c),
    });
    this.#connections.add(connection);
    for (const [id, fault] of this.faults.active()) {
      if (this.#strikes(fault, id)) connection.strike(id, fault);
    }
    connection.start();
  }

  #strikes({ ratio }: RelayFault, id: string): boolean {
    return ratio >= 1 || this.#randomOf(id).next() < ratio;
  }

  #randomOf(id: string): Random {
    return this.#seeded.get(id) ?? this.#parts.random;
  }

  /** Open connections are struck too; connections that a cut ends at once are counted. */
  #begin(fault: RelayFault, id: string): number {
    if (fault.seed !== undefined) this.#seeded.set(id, seededRandom(fault.seed));
    if (fault.kind === 'refuse') return 0;
    const struck = [...this.#connections].filter(() => this.#strikes(fault, id));
    for (const connection of struck) connection.strike(id, fault);
    return fault.kind === 'cut' ? struck.length : 0;
  }

  /** Struck connections use the new settings from now on. */
  #change(fault: RelayFault, id: string): void {
    for (const connection of this.#connections) connection.change(id, fault);
  }

  /** Held bytes are passed on, or the connection is reset if bytes were dropped. */
  #end(id: string): void {
    this.#seeded.delete(id);
    for (const connection of this.#connections) connection.release(id);
  }
}

interface ConnectionParts {
  upstream: Address;
  clock: Clock;
  /** The random generator of one lease. */
  randomOf(id: string): Random;
  faults: Leases<RelayFault>;
  metrics: RelayMetrics;
  onClosed(connection: Connection): void;
}

/** A client's connection and its upstream connection, with the faults on both. */
class Connection {
  readonly #client: Socket;
  readonly #server: Socket;
  readonly #parts: ConnectionParts;
  readonly #struck = new Map<string, RelayFault>();
  readonly #counted = new Set<string>();
  readonly #up: Channel;
  readonly #down: Channel;
  /** Bytes were dropped, so later bytes would make no sense. */
  #torn = false;
  #askedMs: number | undefined;
  #over = false;
  #timer: { cancel(): void } | undefined;

  constructor(client: Socket, parts: ConnectionParts) {
    this.#client = client;
    this.#parts = parts;
    const { upstream, clock } = parts;
    this.#server = connect({ ...upstream, allowHalfOpen: true, noDelay: true });
    this.#server.pause();
    const up = (): Iterable<Effect> => this.#touched('up');
    const down = (): Iterable<Effect> => this.#touched('down');
    this.#up = new Channel(client, this.#server, { clock, effects: up, count: this.#sent });
    this.#down = new Channel(this.#server, client, { clock, effects: down, count: this.#received });
  }

  /** The client has asked, and there is no answer yet. */
  get unanswered(): boolean {
    return this.#askedMs !== undefined;
  }

  start(): void {
    const client = this.#client;
    const server = this.#server;
    this.#timer = this.#parts.clock.after(connectLimitMs, () => server.destroy(new Error('late')));
    server.once('connect', () => this.#timer?.cancel());
    server.on('error', () => {
      if (server.connecting || server.bytesRead === 0) this.#parts.metrics.connectFailed();
      this.reset();
    });
    client.on('error', () => this.reset());
    for (const socket of [client, server]) {
      socket.on('close', () => this.#closed()).on('finish', () => this.#closed());
    }
    this.#up.start();
    this.#down.start();
  }

  strike(id: string, fault: RelayFault): void {
    if (fault.kind === 'cut') return this.reset();
    this.#struck.set(id, fault);
  }

  change(id: string, fault: RelayFault): void {
    if (this.#struck.has(id)) this.#struck.set(id, fault);
  }

  release(id: string): void {
    if (!this.#struck.delete(id)) return;
    if (this.#torn) return this.reset();
    this.#up.hurry();
    this.#down.hurry();
  }

  reset(): void {
    if (this.#over) return;
    this.#parts.metrics.reset();
    this.#client.resetAndDestroy();
    this.#server.resetAndDestroy();
    this.#closed();
  }

  /** The active faults, each counted once for a connection; a loss is counted for each lost piece. */
  *#touched(way: 'up' | 'down'): Iterable<Effect> {
    const { faults, randomOf } = this.#parts;
    for (const [id, fault] of this.#struck) {
      if (fault.kind === 'half-open' && way === 'up') continue;
      const struck = (): void => {
        if (fault.kind !== 'loss' && this.#counted.has(id)) return;
        this.#counted.add(id);
        faults.strike(id);
      };
      if (fault.kind === 'blackhole' || fault.kind === 'half-open') this.#torn = true;
      yield { fault, random: () => randomOf(id).next(), struck };
    }
  }

  readonly #sent = (bytes: number): void => {
    this.#parts.metrics.bytes('sent', bytes);
    this.#askedMs ??= this.#parts.clock.monotonicMs();
  };

  readonly #received = (bytes: number): void => {
    this.#parts.metrics.bytes('received', bytes);
    if (this.#askedMs === undefined) return;
    this.#parts.metrics.answered(this.#parts.clock.monotonicMs() - this.#askedMs);
    this.#askedMs = undefined;
  };

  #closed(): void {
    if (this.#over) return;
    if (!this.#client.destroyed || !this.#server.destroyed) {
      // One side is gone: the bytes held for the other side are written, and then that side ends too.
      if (this.#client.destroyed && !this.#up.busy) this.#server.destroySoon();
      else if (this.#server.destroyed && !this.#down.busy) this.#client.destroySoon();
      return;
    }
    this.#over = true;
    this.#timer?.cancel();
    this.#up.stop();
    this.#down.stop();
    this.#parts.onClosed(this);
  }
}
