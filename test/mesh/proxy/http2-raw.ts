/** Hand-made HTTP/2: frames as bytes, a client that sends given frames, and a fake wire. */
import { connect, Socket } from 'node:net';
import { block, frame, word } from '../../../bench/http2-frame.js';
import { clientPreface } from '../../../mesh/proxy/http2/frame.js';
import { HpackDecoder } from '../../../mesh/proxy/http2/hpack/decoder.js';
import { Wire, type WireUser } from '../../../mesh/proxy/listen/wire.js';

export { block, frame, word };

export const get = (path = '/'): [string, string][] => [
  [':method', 'GET'],
  [':scheme', 'http'],
  [':path', path],
  [':authority', 'cart.retail'],
];

export const settings = frame(4, 0, 0);
export const hello = Buffer.concat([clientPreface, settings]);

export interface Frame {
  type: number;
  flags: number;
  stream: number;
  payload: Buffer;
}

/** Takes whole frames off the front of `bytes`; returns the rest. */
export function takeFrames(bytes: Buffer, into: Frame[]): Buffer {
  let at = 0;
  while (bytes.length - at >= 9) {
    const length = bytes.readUIntBE(at, 3);
    if (bytes.length - at - 9 < length) break;
    into.push({
      type: bytes[at + 3] as number,
      flags: bytes[at + 4] as number,
      stream: bytes.readUInt32BE(at + 5),
      payload: bytes.subarray(at + 9, at + 9 + length),
    });
    at += 9 + length;
  }
  return bytes.subarray(at);
}

export class RawClient {
  readonly socket: Socket;
  readonly frames: Frame[] = [];
  readonly #decoder = new HpackDecoder(4096, 1 << 20);
  #rest: Buffer = Buffer.alloc(0);
  closed = false;

  constructor(port: number) {
    this.socket = connect({ host: '127.0.0.1', port, noDelay: true });
    this.socket.on('error', () => undefined);
    this.socket.on('close', () => (this.closed = true));
    this.socket.on('data', (chunk: Buffer) => {
      this.#rest = takeFrames(Buffer.concat([this.#rest, chunk]), this.frames);
    });
  }

  send(...parts: Buffer[]): void {
    this.socket.write(Buffer.concat(parts));
  }

  async until(look: () => boolean): Promise<void> {
    while (!look()) await new Promise((resolve) => setTimeout(resolve, 2));
  }

  async frame(type: number, stream?: number): Promise<Frame> {
    const find = (): Frame | undefined =>
      this.frames.find((f) => f.type === type && (stream === undefined || f.stream === stream));
    await this.until(() => find() !== undefined);
    return find() as Frame;
  }

  /** The code of the GOAWAY that ends the connection. */
  async goaway(): Promise<number> {
    return (await this.frame(7)).payload.readUInt32BE(4);
  }

  /** Heads must be decoded in the order in which they came. */
  fields(frame: Frame): Record<string, string> {
    const fields = this.#decoder.decode(frame.payload, 0, frame.payload.length);
    return Object.fromEntries(fields.map((f) => [f.name, f.value]));
  }
}

const ignoring: WireUser = {
  onBytes: () => undefined,
  onEnd: () => undefined,
  onDrain: () => undefined,
  onClose: () => undefined,
};

/** Keeps the written bytes; the test decides how many the kernel has taken. */
export class FakeWire extends Wire {
  readonly written: Buffer[] = [];
  ended = false;
  full = false;

  constructor() {
    super(new Socket(), ignoring);
  }

  writeText(text: string): boolean {
    return this.writeBytes(Buffer.from(text, 'latin1'), 0, text.length);
  }

  writeBytes(buffer: Buffer, start: number, end: number): boolean {
    this.written.push(Buffer.from(buffer.subarray(start, end)));
    if (!this.full) return true;
    this.pendingBytes += end - start;
    return false;
  }

  get bytes(): Buffer {
    return Buffer.concat(this.written);
  }

  drain(): void {
    this.full = false;
    this.pendingBytes = 0;
    this.user.onDrain();
  }

  pause(): void {
    // The test delivers every event.
  }

  resume(): void {
    // The test delivers every event.
  }

  override end(): void {
    this.ended = true;
  }

  override destroy(): void {
    this.ended = true;
    this.closed = true;
  }

  override endThenDestroy(): void {
    this.ended = true;
    this.closed = true;
  }
}
