/**
 * Node's own stream handles, below net.Socket's streams: with them a read and a write cost one call each. This API is
 * undocumented, so every part is checked first, and wire.ts falls back to plain sockets if any is missing.
 */
import type { Socket } from 'node:net';

export interface WriteRequest {
  oncomplete: ((this: WriteRequest, status: number) => void) | undefined;
  wire: unknown;
  bytes: number;
  /** Referenced until the write is complete: nothing below keeps the buffer from the garbage collector. */
  buffer: Uint8Array | undefined;
}

export interface StreamHandle {
  onread: (this: StreamHandle) => void;
  wire: unknown;
  /** net.Socket checks this flag, and otherwise begins to read by itself. */
  reading: boolean;
  fd: number;
  /** Bytes that the kernel has not taken yet. */
  readonly writeQueueSize: number;
  /** For TLS: the connection below. */
  readonly _parent?: { readonly writeQueueSize: number };
  readStart(): number;
  readStop(): number;
  useUserBuffer(buffer: Uint8Array): void;
  writeLatin1String(request: WriteRequest, text: string): number;
  writeBuffer(request: WriteRequest, bytes: Uint8Array): number;
}

interface StreamWrapBinding {
  WriteWrap: new () => WriteRequest;
  kReadBytesOrError: number;
  kLastWriteWasAsync: number;
  streamBaseState: Int32Array;
}

function find(): StreamWrapBinding | undefined {
  if (process.env.FIREDRILL_PLAIN_SOCKETS === '1') return undefined;
  try {
    const binding = (
      process as unknown as { binding(name: string): Partial<StreamWrapBinding> }
    ).binding('stream_wrap');
    const whole =
      typeof binding.WriteWrap === 'function' &&
      typeof binding.kReadBytesOrError === 'number' &&
      typeof binding.kLastWriteWasAsync === 'number' &&
      binding.streamBaseState instanceof Int32Array;
    return whole ? (binding as StreamWrapBinding) : undefined;
  } catch {
    return undefined;
  }
}

export const streamWrap = find();

/** The handle of a socket if it can be driven directly. */
export function handleOf(socket: Socket): StreamHandle | undefined {
  if (!streamWrap) return undefined;
  const handle = (socket as unknown as { _handle?: Partial<StreamHandle> | null })._handle;
  const whole =
    handle &&
    typeof handle.readStart === 'function' &&
    typeof handle.readStop === 'function' &&
    typeof handle.useUserBuffer === 'function' &&
    typeof handle.writeLatin1String === 'function' &&
    typeof handle.writeBuffer === 'function';
  return whole ? (handle as StreamHandle) : undefined;
}

/** Negative results of reads and writes are error numbers of the system; the end of the stream is one of them. */
export const endOfStream = -4095;
