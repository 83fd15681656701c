/**
 * The calls that proxies make: gRPC on the proxy's own HTTP/2, of which a connection takes 10 kB less than
 * one of node:http2. Decides nothing: the server judges callers and messages.
 */
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { Clock, Timer } from '../../base/clock.js';
import { errorCode } from '../proxy/http2/frame.js';
import { grpcEnd, grpcHead } from '../proxy/http2/grpc-end.js';
import type { RequestHead } from '../proxy/http2/heads.js';
import { makeField } from '../proxy/http2/hpack/intern.js';
import { defaultLimits, type Shared } from '../proxy/http2/limits.js';
import { ServerConnection, type ServerHandler } from '../proxy/http2/server-connection.js';
import type { Receiver, Stream } from '../proxy/http2/stream.js';
import { Holdings } from '../proxy/listen/holdings.js';
import { takeOver } from '../proxy/listen/take-over.js';
import type { WireUser } from '../proxy/listen/wire.js';
import type { Serving } from '../proxy/seam.js';

/** Receives the events of one call. */
export interface CallUser {
  onBytes(chunk: Buffer): void;
  /** The caller has sent all that it will. */
  onEnd(): void;
  /** Once, whoever ended the call. */
  onOver(): void;
}

/**
 * OpenSSL's side of a connection keeps a buffer of the largest write for as long as the connection lasts: a first
 * update of 30 kB, written whole, costs each of thousands of proxies that much.
 */
const pieceBytes = 8 * 1024;
/** Closes connections without a call: proxies keep theirs for a stream, and close it after a certificate. */
const idleLimitMs = 30_000;
const tickMs = 1000;
const limits = {
  ...defaultLimits,
  maxStreams: 16,
  streamWindow: 64 * 1024,
  connectionWindow: 128 * 1024,
  maxBufferedBytes: 256 * 1024,
  maxHeaderListBytes: 16 * 1024,
  idleMs: idleLimitMs,
};
/** Octets that wait for proxies that do not read; each call keeps one piece, the rest is shared by all. */
const memoryLimitBytes = 256 * 1024 * 1024;

const notGrpc = [makeField(':status', '415', true)];

/** A wire gets its user before it is read. */
const noUser = undefined as unknown as WireUser;

/** The relay's part of a connection: calls are answered here and go no further. */
const serving: Serving = {
  peerIdentity: undefined,
  peerAddress: '',
  tls: 'true',
  begin: () => {
    throw new Error('a call is not relayed');
  },
};

export class Call implements Receiver {
  readonly path: string;
  readonly #stream: Stream;
  #user: CallUser | undefined;
  #frames: Buffer[] = [];
  /** Octets of the first frame that are sent already. */
  #from = 0;
  #hasHead = false;
  #status: { code: number; message: string } | undefined;
  #isOver = false;

  constructor(stream: Stream, path: string) {
    this.#stream = stream;
    this.path = path;
    stream.receiver = this;
  }

  get connection(): ServerConnection {
    return this.#stream.connection as ServerConnection;
  }

  /** The client's socket, for its certificate. */
  get socket(): TLSSocket {
    return this.connection.wire.socket as TLSSocket;
  }

  /** Its status is decided, or it is over: what still comes from the caller is dropped. */
  get isEnding(): boolean {
    return this.#status !== undefined || this.#isOver;
  }

  hear(user: CallUser): void {
    this.#user = user;
    if (this.#stream.remoteEnded) user.onEnd();
  }

  /** The frame must not change afterwards. */
  send(frame: Buffer): void {
    if (this.isEnding) return;
    this.#frames.push(frame);
    this.#pump();
  }

  /** Ends the call with its status, behind the frames that wait; in the head if no frame was sent. */
  end(status: number, message: string): void {
    if (this.isEnding) return;
    this.#status = { code: status, message };
    this.#pump();
  }

  /** Ends the call without waiting for a caller that does not read. */
  cut(): void {
    this.#stream.reset(errorCode.cancel);
    this.#over();
  }

  #pump(): void {
    const stream = this.#stream;
    for (;;) {
      if (this.#isOver || stream.closed || stream.waitingBytes > 0) return;
      const [frame] = this.#frames;
      if (!frame) break;
      if (!this.#hasHead) {
        this.#hasHead = true;
        stream.headers(grpcHead, false);
      }
      const to = Math.min(frame.length, this.#from + pieceBytes);
      stream.data(frame, this.#from, to, false);
      this.connection.output.flush();
      this.#from = to;
      if (to < frame.length) continue;
      this.#frames.shift();
      this.#from = 0;
    }
    if (!this.#status) return;
    const { code, message } = this.#status;
    stream.headers(grpcEnd(code, message, this.#hasHead), true);
    // Octets of a caller that goes on sending are dropped.
    if (!stream.closed) stream.reset(errorCode.none);
    this.#over();
  }

  #over(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#frames = [];
    this.#user?.onOver();
  }

  // The stream's events.

  onData(stream: Stream, buffer: Buffer, start: number, end: number, ended: boolean): void {
    stream.consumed(end - start);
    // The buffer is the connection's; a part of a message must last.
    if (end > start && !this.isEnding)
      this.#user?.onBytes(Buffer.from(buffer.subarray(start, end)));
    if (ended) this.#user?.onEnd();
  }

  onTrailers(): void {
    this.#user?.onEnd();
  }

  onReset(): void {
    this.#over();
  }

  onSent(): void {
    this.#pump();
  }

  onHead(): void {
    throw new Error('an answer from a caller');
  }
}

export class Connections implements ServerHandler {
  readonly all = new Set<ServerConnection>();
  readonly #onCall: (call: Call) => void;
  readonly #shared: Shared;
  readonly #tick: Timer;

  constructor(clock: Clock, onCall: (call: Call) => void) {
    this.#onCall = onCall;
    this.#shared = { clock, limits, memory: new Holdings(memoryLimitBytes) };
    this.#tick = clock.every(tickMs, () => {
      const nowMs = clock.monotonicMs();
      for (const connection of this.all) connection.tick(nowMs);
    });
  }

  /** A connection whose handshake is done, and which is not read yet. */
  accept(socket: Socket): ServerConnection {
    const wire = takeOver(socket, noUser);
    const connection = new ServerConnection(wire, this.#shared, serving, this);
    this.all.add(connection);
    wire.resume();
    return connection;
  }

  onRequest(stream: Stream, head: RequestHead): void {
    const { method, path, fields } = head;
    const type = fields.find((f) => f.name === 'content-type')?.value;
    if (method === 'POST' && type?.startsWith('application/grpc')) {
      return this.#onCall(new Call(stream, path));
    }
    stream.headers(notGrpc, true);
    if (!stream.closed) stream.reset(errorCode.none);
  }

  onServerGone(connection: ServerConnection): void {
    this.all.delete(connection);
  }

  /** Callers are asked to go elsewhere; connections without a call are closed. */
  drain(): void {
    for (const connection of this.all) connection.drainNow();
  }

  close(): void {
    this.#tick.cancel();
    for (const connection of this.all) connection.wire.destroy();
    this.all.clear();
  }
}
