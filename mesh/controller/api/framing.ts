/**
 * gRPC's length-prefixed messages on an HTTP/2 stream, and its status codes. Compression is neither offered nor
 * accepted.
 */

/** https://github.com/grpc/grpc/blob/master/doc/statuscodes.md, the codes in use here. */
export const grpcStatus = {
  ok: 0,
  invalidArgument: 3,
  deadlineExceeded: 4,
  permissionDenied: 7,
  resourceExhausted: 8,
  failedPrecondition: 9,
  unimplemented: 12,
  internal: 13,
  unavailable: 14,
  unauthenticated: 16,
} as const;

/** One message with its five-byte prefix. */
export function frameMessage(message: Uint8Array): Buffer {
  const frame = Buffer.allocUnsafe(5 + message.length);
  frame[0] = 0;
  frame.writeUInt32BE(message.length, 1);
  frame.set(message, 5);
  return frame;
}

export class FrameError extends Error {}

/** Cuts a stream of chunks into messages; throws FrameError on a compressed message or one beyond `maxBytes`. */
export class MessageSplitter {
  readonly #maxBytes: number;
  #chunks: Buffer[] = [];
  #length = 0;
  #refused: Error | undefined;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** The messages that `chunk` completes. They may share its memory. After an exception no more bytes are kept. */
  push(chunk: Buffer): Buffer[] {
    if (this.#refused) throw this.#refused;
    this.#chunks.push(chunk);
    this.#length += chunk.length;
    const messages: Buffer[] = [];
    try {
      for (;;) {
        const message = this.#next();
        if (!message) return messages;
        messages.push(message);
      }
    } catch (error) {
      this.#refused = error as Error;
      this.#chunks = [];
      this.#length = 0;
      throw error;
    }
  }

  /** Bytes of an incomplete message. */
  get pendingBytes(): number {
    return this.#length;
  }

  #next(): Buffer | undefined {
    if (this.#length < 5) return undefined;
    const head = this.#join(5);
    if (head[0] !== 0) throw new FrameError('compressed message');
    const length = head.readUInt32BE(1);
    if (length > this.#maxBytes) throw new FrameError(`message of ${length} bytes`);
    if (this.#length < 5 + length) return undefined;
    const whole = this.#join(5 + length);
    const rest = whole.subarray(5 + length);
    this.#chunks = rest.length > 0 ? [rest] : [];
    this.#length = rest.length;
    return whole.subarray(5, 5 + length);
  }

  /** Makes the first chunk at least `atLeast` long by joining all chunks, so that each byte is copied seldom. */
  #join(atLeast: number): Buffer {
    const first = this.#chunks[0] as Buffer;
    if (first.length >= atLeast) return first;
    const all = Buffer.concat(this.#chunks, this.#length);
    this.#chunks = [all];
    return all;
  }
}
