/**
 * A connection as the fronts see it: bytes in by a call, bytes out by a call, back-pressure by numbers. TCP and
 * TLS alike.
 *
 * All reads of the process land in one buffer, which is good only during the call; what must stay is copied.
 */
import type { Socket } from 'node:net';
import { getSystemErrorName } from 'node:util';
import { type Holder, holdings } from './holdings.js';
import { latin1 } from './latin1.js';
import {
  endOfStream,
  handleOf,
  type StreamHandle,
  streamWrap,
  type WriteRequest,
} from './stream-handle.js';

export interface WireUser {
  /** Bytes lie in `buffer` from 0 to `length`, only during the call. */
  onBytes(buffer: Buffer, length: number): void;
  /** The peer will send no more; it may still read. */
  onEnd(): void;
  /** Everything written is with the kernel. Only after a write returned false. */
  onDrain(): void;
  /** The peer or the network closed it: at most once, and never after destroy(). The code is the system's. */
  onClose(code: string | undefined): void;
}

/** Where transport metrics are counted. */
export interface ByteCounters {
  readBytes: number;
  writtenBytes: number;
}

/** Beyond so many bytes not yet with the kernel a write asks its caller to wait. */
const highWaterBytes = 64 * 1024;
/** Up to here the handle tries the write at once from its stack, and copies what is left by itself. */
const textLimitBytes = 16 * 1024;
const goodbyeLimitMs = 60_000;
/** A read takes at most so much. */
export const readBufferBytes = 64 * 1024;

/** Whatever a front throws costs its own connection, never the process. */
export const faults = {
  report: (error: unknown): void => {
    process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`);
  },
};

export abstract class Wire implements Holder {
  readonly socket: Socket;
  user: WireUser;
  bytesIn = 0;
  bytesOut = 0;
  /** Shared by all connections with the same labels. */
  counters: ByteCounters = { readBytes: 0, writtenBytes: 0 };
  /** Written, not yet with the kernel. */
  pendingBytes = 0;
  closed = false;
  /** Of what is pending, while its producer waits for the peer to read. */
  heldBytes = 0;
  /** Wall time, milliseconds: when what was proven in the handshake runs out. No request begins on it afterwards. */
  expiresMs = Infinity;
  /** Called once it is closed, by whomever; `failed` where the peer or the network broke it. */
  onGone: (failed: boolean) => void = () => undefined;
  #waiting = false;
  #closing: NodeJS.Timeout | undefined;

  constructor(socket: Socket, user: WireUser) {
    this.socket = socket;
    this.user = user;
  }

  /** Written, not yet with the kernel, as it is at this moment; what TLS adds is in it. */
  get unsentBytes(): number {
    return this.pendingBytes;
  }

  /** The peer does not read, and others need the memory. */
  letGo(): void {
    this.reset();
    this.#tell('ENOBUFS');
  }

  /** Beyond the mark: whoever produces is asked to wait. */
  protected wait(): false {
    this.#waiting = true;
    holdings.hold(this, this.pendingBytes - this.heldBytes);
    return false;
  }

  /** False: stop producing until onDrain. */
  abstract writeText(latin1: string): boolean;
  /** The bytes are copied or sent before it returns. False: stop producing until onDrain. */
  abstract writeBytes(buffer: Buffer, start: number, end: number): boolean;
  abstract pause(): void;
  abstract resume(): void;

  /** Sends what is written, then says that no more comes; reading goes on. */
  end(): void {
    if (!this.closed) this.shut(() => undefined);
  }

  protected shut(done: () => void): void {
    this.socket.end(done);
  }

  destroy(): void {
    if (this.closed) return;
    this.closed = true;
    this.socket.destroy();
    this.#gone(false);
  }

  /** Closes with a TCP reset, so that the peer cannot take what it has for the whole. */
  reset(): void {
    if (this.closed) return;
    this.closed = true;
    const raw = (this.socket as Socket & { _parent?: Socket })._parent ?? this.socket;
    try {
      raw.resetAndDestroy();
    } catch {
      // Not a TCP handle.
    }
    this.socket.destroy();
    this.#gone(true);
  }

  /**
   * Sends what is written, says goodbye, and closes when the peer does, or `lingerMs` after everything is with the
   * kernel; a peer that does not take it has a minute.
   */
  endThenDestroy(lingerMs: number): void {
    if (this.closed) return;
    this.user = new Lingering(this);
    this.resume();
    this.#closeIn(goodbyeLimitMs);
    this.shut(() => this.#closeIn(lingerMs));
  }

  /** The timer must not keep a connection that is gone: there may be thousands a second. */
  #closeIn(delayMs: number): void {
    clearTimeout(this.#closing);
    if (!this.closed) this.#closing = setTimeout(() => this.destroy(), delayMs).unref();
  }

  #gone(failed: boolean): void {
    clearTimeout(this.#closing);
    this.#closing = undefined;
    if (this.heldBytes !== 0) holdings.hold(this, -this.heldBytes);
    this.onGone(failed);
  }

  /** Without closing: its user hears nothing more. */
  protected release(): void {
    this.pause();
    this.closed = true;
  }

  protected lost(code: string | undefined): void {
    if (this.closed) return;
    this.closed = true;
    this.socket.destroy();
    this.#gone(code !== undefined);
    this.#tell(code);
  }

  #tell(code: string | undefined): void {
    try {
      this.user.onClose(code);
    } catch (error) {
      faults.report(error);
    }
  }

  protected drained(): void {
    if (!this.#waiting || this.closed) return;
    this.#waiting = false;
    if (this.heldBytes !== 0) holdings.hold(this, -this.heldBytes);
    try {
      this.user.onDrain();
    } catch (error) {
      faults.report(error);
      this.destroy();
    }
  }
}

/** Lets go of a socket again, for somebody who wraps it: `first` is what was read from it already. */
export function letGo(wire: Wire, first: Buffer): Socket {
  wire['release']();
  const { socket } = wire;
  socket.removeAllListeners('error');
  socket.removeAllListeners('close');
  socket.on('error', () => undefined);
  socket.unshift(first);
  return socket;
}

/** Takes over an accepted or connected socket that nobody reads from yet; reading begins with resume(). */
export function takeOver(socket: Socket, user: WireUser): Wire {
  const handle = handleOf(socket);
  const wire = handle ? new HandleWire(socket, handle, user) : new StreamWire(socket, user);
  socket.on('error', (error: NodeJS.ErrnoException) => wire['lost'](error.code ?? error.message));
  socket.on('close', () => wire['lost'](undefined));
  return wire;
}

const shared = Buffer.allocUnsafeSlow(readBufferBytes);

/** Reads of less say nothing of a flood. */
const largeReadBytes = 16 * 1024;
/** libuv reads a socket 32 times before it looks at the next; one that has brought so much waits for the others. */
const turnBytes = 256 * 1024;
/** Grows with each turn of the event loop in which there was a large read. */
let turn = 0;
let isTurnArmed = false;
const resting = new Set<HandleWire>();

function nextTurn(): void {
  isTurnArmed = false;
  turn++;
  for (const wire of resting) wire.goOn();
  resting.clear();
}

function onRead(this: StreamHandle): void {
  const wire = this.wire as HandleWire | undefined;
  if (!wire) return;
  // Read first: whatever is called from here changes it.
  const read = streamWrap?.streamBaseState[streamWrap.kReadBytesOrError] as number;
  wire.onRead(read);
}

function onWritten(this: WriteRequest, status: number): void {
  (this.wire as HandleWire).onWritten(this, status);
}

class HandleWire extends Wire {
  readonly #handle: StreamHandle;
  readonly #state = streamWrap?.streamBaseState as Int32Array;
  readonly #asyncAt = streamWrap?.kLastWriteWasAsync as number;
  /** Used again until a write takes it along. */
  #request: WriteRequest;
  /**
   * Of TLS: the one that came back last. Its native half goes only after the call that says so, but before the
   * next.
   */
  #spare: WriteRequest | undefined;
  readonly #isTls: boolean;
  /** TLS takes one write at a time: what comes meanwhile goes out together, with the next. */
  #queue: (string | Buffer)[] | undefined;
  #queuedBytes = 0;
  #isWriting = false;
  #shutAfter: (() => void) | undefined;
  #turn = -1;
  #turnBytes = 0;
  #isPaused = true;

  constructor(socket: Socket, handle: StreamHandle, user: WireUser) {
    super(socket, user);
    this.#handle = handle;
    this.#isTls = 'encrypted' in socket;
    handle.wire = this;
    handle.useUserBuffer(shared);
    handle.onread = onRead;
    handle.reading = true;
    this.#request = this.#newRequest();
  }

  override get unsentBytes(): number {
    if (this.closed || this.pendingBytes === 0) return 0;
    return (this.#handle._parent ?? this.#handle).writeQueueSize + this.#queuedBytes;
  }

  #newRequest(): WriteRequest {
    const { WriteWrap } = streamWrap as NonNullable<typeof streamWrap>;
    const request = new WriteWrap();
    request.oncomplete = onWritten;
    request.wire = this;
    request.bytes = 0;
    request.buffer = undefined;
    return request;
  }

  onRead(read: number): void {
    if (this.closed) return;
    try {
      if (read > 0) {
        if (read >= largeReadBytes) this.#pace(read);
        this.bytesIn += read;
        this.counters.readBytes += read;
        this.user.onBytes(shared, read);
      } else if (read === endOfStream) {
        this.user.onEnd();
      } else if (read < 0) {
        this.lost(getSystemErrorName(read));
      }
    } catch (error) {
      faults.report(error);
      this.reset();
    }
  }

  writeText(text: string): boolean {
    if (this.closed) return true;
    if (this.#isWriting && this.#isTls) return this.#enqueue(text);
    const request = this.#request;
    const status = this.#handle.writeLatin1String(request, text);
    return this.#sent(request, status, text.length);
  }

  writeBytes(buffer: Buffer, start: number, end: number): boolean {
    if (this.closed) return true;
    const bytes = end - start;
    const request = this.#request;
    let status: number;
    if (this.#isTls) {
      if (this.#isWriting) return this.#enqueue(Buffer.from(buffer.subarray(start, end)));
      // Encrypted, or copied, before the call returns.
      status = this.#handle.writeBuffer(request, buffer.subarray(start, end));
    } else if (bytes <= textLimitBytes) {
      status = this.#handle.writeLatin1String(request, latin1(buffer, start, end));
    } else {
      const own = Buffer.allocUnsafeSlow(bytes);
      buffer.copy(own, 0, start, end);
      status = this.#handle.writeBuffer(request, own);
      if (status === 0 && this.#state[this.#asyncAt] !== 0) request.buffer = own;
    }
    return this.#sent(request, status, bytes);
  }

  #sent(request: WriteRequest, status: number, bytes: number): boolean {
    this.bytesOut += bytes;
    this.counters.writtenBytes += bytes;
    if (status !== 0) {
      // Later, so that no caller is called back in the middle of its own work.
      setImmediate(() => this.lost(getSystemErrorName(status)));
      return true;
    }
    if (this.#state[this.#asyncAt] === 0) return true;
    request.bytes = bytes;
    this.#request = this.#spare ?? this.#newRequest();
    this.#spare = undefined;
    this.#isWriting = true;
    this.pendingBytes += bytes;
    return this.pendingBytes <= highWaterBytes || this.wait();
  }

  #enqueue(piece: string | Buffer): boolean {
    (this.#queue ??= []).push(piece);
    this.#queuedBytes += piece.length;
    this.pendingBytes += piece.length;
    return this.pendingBytes <= highWaterBytes || this.wait();
  }

  onWritten(request: WriteRequest, status: number): void {
    this.pendingBytes -= request.bytes;
    if (status < 0) return this.lost(getSystemErrorName(status));
    if (this.#isTls) {
      this.#isWriting = false;
      if (this.#queue) this.#flush(this.#queue);
      else if (this.#shutAfter) super.shut(this.#shutAfter);
      // After the flush, which must not take it yet.
      this.#spare = request;
    }
    if (this.pendingBytes === 0) this.drained();
  }

  #flush(queue: (string | Buffer)[]): void {
    this.#queue = undefined;
    this.pendingBytes -= this.#queuedBytes;
    this.#queuedBytes = 0;
    if (queue.every((piece) => typeof piece === 'string')) {
      this.writeText(queue.length === 1 ? (queue[0] as string) : queue.join(''));
      return;
    }
    const bytes = Buffer.concat(
      queue.map((piece) => (typeof piece === 'string' ? Buffer.from(piece, 'latin1') : piece)),
    );
    this.writeBytes(bytes, 0, bytes.length);
  }

  protected override shut(done: () => void): void {
    // Behind what is written and queued.
    if (this.#isTls && this.#isWriting) this.#shutAfter = done;
    else super.shut(done);
  }

  pause(): void {
    this.#isPaused = true;
    if (!this.closed) this.#handle.readStop();
  }

  resume(): void {
    this.#isPaused = false;
    if (!this.closed && !resting.has(this)) this.#handle.readStart();
  }

  /** One connection must not have the loop for itself: after so much the others come first. */
  #pace(read: number): void {
    if (!isTurnArmed) {
      isTurnArmed = true;
      setImmediate(nextTurn);
    }
    if (this.#turn !== turn) {
      this.#turn = turn;
      this.#turnBytes = 0;
    }
    this.#turnBytes += read;
    if (this.#turnBytes < turnBytes) return;
    resting.add(this);
    this.#handle.readStop();
  }

  /** The others have had their turn. */
  goOn(): void {
    if (!this.closed && !this.#isPaused) this.#handle.readStart();
  }

  protected override release(): void {
    super.release();
    this.#handle.reading = false;
    this.#handle.wire = undefined;
  }
}

/** The same on documented API alone. */
class StreamWire extends Wire {
  constructor(socket: Socket, user: WireUser) {
    super(socket, user);
    socket.pause();
    socket.on('data', (chunk: Buffer) => {
      if (this.closed) return;
      this.bytesIn += chunk.length;
      this.counters.readBytes += chunk.length;
      this.#guarded(() => this.user.onBytes(chunk, chunk.length));
    });
    socket.on('end', () => {
      if (!this.closed) this.#guarded(() => this.user.onEnd());
    });
    socket.pause();
  }

  protected override release(): void {
    super.release();
    this.socket.removeAllListeners('data');
    this.socket.removeAllListeners('end');
  }

  #guarded(run: () => void): void {
    try {
      run();
    } catch (error) {
      faults.report(error);
      this.reset();
    }
  }

  writeText(latin1: string): boolean {
    return this.#write(Buffer.from(latin1, 'latin1'));
  }

  writeBytes(buffer: Buffer, start: number, end: number): boolean {
    return this.#write(Buffer.from(buffer.subarray(start, end)));
  }

  #write(bytes: Buffer): boolean {
    if (this.closed) return true;
    this.bytesOut += bytes.length;
    this.counters.writtenBytes += bytes.length;
    this.pendingBytes += bytes.length;
    this.socket.write(bytes, () => {
      this.pendingBytes -= bytes.length;
      if (this.pendingBytes === 0) this.drained();
    });
    return this.pendingBytes <= highWaterBytes || this.wait();
  }

  pause(): void {
    this.socket.pause();
  }

  resume(): void {
    this.socket.resume();
  }
}

/** Reads and drops until the peer closes. */
class Lingering implements WireUser {
  readonly #wire: Wire;
  constructor(wire: Wire) {
    this.#wire = wire;
  }
  onBytes(): void {
    // A client may be sending still; closing on it would reset what it has not read of the answer.
  }
  onEnd(): void {
    this.#wire.destroy();
  }
  onDrain(): void {
    // Nothing waits.
  }
  onClose(): void {
    // Done.
  }
}
