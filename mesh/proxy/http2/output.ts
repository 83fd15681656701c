/**
 * Gathers the frames that a connection writes within one turn of the event loop into one buffer, written by one call.
 * A connection holds a buffer only between its first write and the flush, so idle connections hold none.
 */
import type { Wire } from '../listen/wire.js';

/** Room for two frames of full size. */
const bufferBytes = 36 * 1024;
const maxSpare = 32;
const spare: Buffer[] = [];
const empty = Buffer.alloc(0);

let dirty: Output[] = [];
let scheduled = false;

function flushAll(): void {
  scheduled = false;
  const outputs = dirty;
  dirty = [];
  for (let i = 0; i < outputs.length; i++) (outputs[i] as Output).flush();
}

export class Output {
  /** The next write position; valid after room(). */
  buffer: Buffer = empty;
  at = 0;
  /** The wire has more than its high-water mark: DATA waits, other frames still go. */
  full = false;
  readonly #wire: Wire;
  #listed = false;

  constructor(wire: Wire) {
    this.#wire = wire;
  }

  /** Octets handed over or gathered, not yet with the kernel. */
  get pendingBytes(): number {
    return this.#wire.pendingBytes + this.at;
  }

  /** Makes sure that `bytes` (at most 36 kB) can be written at `at`, which the caller then advances. */
  room(bytes: number): void {
    if (this.at + bytes > this.buffer.length) {
      if (this.at > 0) this.flush();
      this.buffer = spare.pop() ?? Buffer.allocUnsafeSlow(bufferBytes);
    }
    if (this.#listed) return;
    this.#listed = true;
    dirty.push(this);
    if (scheduled) return;
    scheduled = true;
    setImmediate(flushAll);
  }

  flush(): void {
    this.#listed = false;
    const { buffer, at } = this;
    if (buffer === empty) return;
    this.buffer = empty;
    this.at = 0;
    if (at > 0 && !this.#wire.writeBytes(buffer, 0, at)) this.full = true;
    if (spare.length < maxSpare) spare.push(buffer);
  }
}
