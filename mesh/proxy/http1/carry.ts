/** Bytes that must outlive the read that brought them: a head that came in pieces, requests that came too early. */

const smallestBytes = 512;

export class Carry {
  bytes: Buffer = Buffer.alloc(0);
  length = 0;

  append(buffer: Buffer, start: number, end: number): void {
    const more = end - start;
    if (this.length + more > this.bytes.length) {
      const size = Math.max(smallestBytes, this.bytes.length * 1.5, this.length + more) | 0;
      const bytes = Buffer.allocUnsafeSlow(size);
      this.bytes.copy(bytes, 0, 0, this.length);
      this.bytes = bytes;
    }
    buffer.copy(this.bytes, this.length, start, end);
    this.length += more;
  }

  /** Drops the used bytes, and the memory with them once nothing is left. */
  consume(bytes: number): void {
    if (bytes === 0) return;
    this.length -= bytes;
    if (this.length === 0) this.bytes = Buffer.alloc(0);
    else this.bytes.copy(this.bytes, 0, bytes, bytes + this.length);
  }
}
