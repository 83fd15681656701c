/** A wire directly on the runtime's handle: all reads of the process use one buffer, and a write is tried at once. */
import type { Socket } from 'node:net';
import { getSystemErrorName } from 'node:util';
import { latin1 } from './latin1.js';
import { endOfStream, type StreamHandle, streamWrap, type WriteRequest } from './stream-handle.js';
import { faults, highWaterBytes, Wire, type WireUser } from './wire.js';

/** Up to this size the handle tries to write at once from its stack, and copies the rest itself. */
const textLimitBytes = 16 * 1024;
/** The largest read, in bytes. */
const readBufferBytes = 64 * 1024;

const shared = Buffer.allocUnsafeSlow(readBufferBytes);

/** Smaller reads are no sign of a flood. */
const largeReadBytes = 16 * 1024;
/** libuv reads a socket 32 times before it reads the next; a socket that brought this much waits for the others. */
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
  // Read first: later calls overwrite the value.
  const read = streamWrap?.streamBaseState[streamWrap.kReadBytesOrError] as number;
  wire.onRead(read);
}

function onWritten(this: WriteRequest, status: number): void {
  (this.wire as HandleWire).onWritten(this, status);
}

export class HandleWire extends Wire {
  readonly #handle: StreamHandle;
  readonly #state = streamWrap?.streamBaseState as Int32Array;
  readonly #asyncAt = streamWrap?.kLastWriteWasAsync as number;
  /** Reused until an asynchronous write takes it. */
  #request: WriteRequest;
  /**
   * For TLS: the request that completed last. Its native half is freed only after the call that reports completion,
   * but before the next.
   */
  #spare: WriteRequest | undefined;
  readonly #isTls: boolean;
  /** TLS takes one write at a time: data written meanwhile goes out together with the next. */
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
        this.readEnd();
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
      // The bytes are encrypted, or copied, before the call returns.
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
      // Deferred, so that no caller is called back in the middle of its own work.
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
      // Set after the flush, which must not take the request yet.
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
    // The end goes behind the written and queued data.
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

  /** No connection may occupy the event loop: after this much the others come first. */
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
