/** A wire that uses documented API only, for sockets without a known handle. */
import type { Socket } from 'node:net';
import { faults, highWaterBytes, Wire, type WireUser } from './wire.js';

export class StreamWire extends Wire {
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
      if (!this.closed) this.#guarded(() => this.readEnd());
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
