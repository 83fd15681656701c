/**
 * The DNS server of a service with its own network: it answers the names of the service's calls, over UDP and TCP, and
 * holds faults of them. Other names are not found, since their addresses are refused anyway.
 */
import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import type { Clock } from '../../../base/clock.js';
import { type Random, seededRandom, systemRandom } from '../../../base/random.js';
import type { DnsFault } from '../../faults/dns.js';
import { type Query, rcode, readQuery, type Reply, writeReply } from './dns-message.js';

interface Active {
  fault: DnsFault;
  random: Random;
  /** Called for each answer that the fault changed or held back. */
  struck(): void;
}

export interface ResolverOptions {
  names: ReadonlyMap<string, string>;
  /** The only address that is answered: that of the service. */
  client: string;
  clock: Clock;
}

const failures = {
  nxdomain: rcode.noSuchName,
  servfail: rcode.serverFailure,
  refused: rcode.refused,
  empty: rcode.noError,
} as const;

const maxWaiting = 1000;
const maxConnections = 100;
const maxQueryBytes = 4096;
/** Answers that a client does not read, in bytes. */
const maxUnread = 256 * 1024;
const idleMs = 10_000;

/** As queries carry it: in small letters, without the root's dot. */
const usualName = (name: string): string => name.toLowerCase().replace(/\.$/, '');

export class Resolver {
  readonly #names: ReadonlyMap<string, string>;
  readonly #client: string;
  readonly #clock: Clock;
  readonly #faults = new Map<string, Active>();
  readonly #udp: UdpSocket = createSocket('udp4');
  readonly #tcp: Server = createServer((socket) => this.#serve(socket));
  readonly #connections = new Set<Socket>();
  #waiting = 0;
  #isClosed = false;

  constructor({ names, client, clock }: ResolverOptions) {
    this.#names = new Map([...names].map(([name, address]) => [usualName(name), address]));
    this.#client = client;
    this.#clock = clock;
    this.#tcp.maxConnections = maxConnections;
    // A connection that cannot be accepted is no reason to end; `listen` rejects by itself.
    this.#tcp.on('error', () => undefined);
    this.#udp.on('message', (message, { address, port }) => {
      if (address !== this.#client) return;
      this.#answer(message, (reply) => this.#udp.send(reply, port, address));
    });
    // The client may be gone.
    this.#udp.on('error', () => undefined);
  }

  /** Rejects if the port is taken. */
  async listen(host: string, port: number): Promise<void> {
    this.#tcp.listen(port, host);
    await once(this.#tcp, 'listening');
    this.#udp.bind((this.#tcp.address() as { port: number }).port, host);
    await once(this.#udp, 'listening');
  }

  get port(): number {
    return this.#udp.address().port;
  }

  /** Puts a fault, or changes it. */
  put(id: string, fault: DnsFault, struck: () => void): void {
    const before = this.#faults.get(id);
    const random =
      before?.random ?? (fault.seed === undefined ? systemRandom : seededRandom(fault.seed));
    this.#faults.set(id, { fault, random, struck });
  }

  remove(id: string): void {
    this.#faults.delete(id);
  }

  close(): void {
    this.#tcp.close();
    for (const socket of this.#connections) socket.destroy();
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#udp.close();
  }

  /** `send` is called once, or never. */
  #answer(message: Buffer, send: (reply: Buffer) => void): void {
    const query = readQuery(message);
    if (!query || this.#waiting >= maxWaiting) return;
    if (query.problem !== undefined) return send(writeReply(query, { rcode: query.problem }));
    const usual = writeReply(query, this.#usual(query));
    let reply: Buffer | undefined = usual;
    // A name of no call is not found in any case: failing otherwise, it harms no call.
    const isOfCall = this.#names.has(query.name);
    let latencyMs = 0;
    for (const { fault, random, struck } of this.#faults.values()) {
      if (fault.name !== undefined && usualName(fault.name) !== query.name) continue;
      if (fault.ratio < 1 && random.next() >= fault.ratio) continue;
      if (fault.kind === 'dns-slow') {
        latencyMs += fault.latencyMs;
        if (fault.latencyMs > 0 && isOfCall) struck();
        continue;
      }
      reply = this.#broken(query, fault);
      if (isOfCall && !reply?.equals(usual)) struck();
    }
    if (reply === undefined) return;
    const last = reply;
    if (latencyMs === 0) return send(last);
    this.#waiting++;
    this.#clock.after(latencyMs, () => {
      this.#waiting--;
      if (!this.#isClosed) send(last);
    });
  }

  #usual({ name, isForAddress }: Query): Reply {
    const address = this.#names.get(name);
    if (address === undefined) return { rcode: rcode.noSuchName };
    return { rcode: rcode.noError, ...(isForAddress && { address }) };
  }

  /** Undefined: no answer. */
  #broken(query: Query, fault: Exclude<DnsFault, { kind: 'dns-slow' }>): Buffer | undefined {
    if (fault.kind === 'dns-wrong') {
      const usual = this.#usual(query);
      const { address, ttlSeconds = 0 } = fault;
      return writeReply(
        query,
        usual.address === undefined ? usual : { ...usual, address, ttlSeconds },
      );
    }
    if (fault.answer === 'none') return undefined;
    const known = this.#names.has(query.name) || fault.answer !== 'empty';
    return writeReply(query, known ? { rcode: failures[fault.answer] } : this.#usual(query));
  }

  /** Each message over TCP follows its length. */
  #serve(socket: Socket): void {
    if (socket.remoteAddress !== this.#client) return void socket.destroy();
    this.#connections.add(socket);
    socket.on('close', () => this.#connections.delete(socket));
    socket.on('error', () => undefined).setTimeout(idleMs, () => socket.destroy());
    let read = Buffer.alloc(0);
    socket.on('data', (bytes) => {
      read = Buffer.concat([read, bytes]);
      while (read.length >= 2) {
        const length = read.readUInt16BE(0);
        if (length > maxQueryBytes) return void socket.destroy();
        if (read.length < 2 + length) return;
        this.#answer(read.subarray(2, 2 + length), (reply) => {
          const prefix = Buffer.alloc(2);
          prefix.writeUInt16BE(reply.length);
          if (socket.writableLength > maxUnread) socket.destroy();
          else if (!socket.destroyed) socket.write(Buffer.concat([prefix, reply]));
        });
        read = read.subarray(2 + length);
      }
    });
  }
}
