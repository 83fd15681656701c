/**
 * Converts bytes to a string of the same length by Buffer's own method below toString, which would double the cost.
 */

type Slicer = (this: Uint8Array, start: number, end: number) => string;

const direct = (Buffer.prototype as unknown as { latin1Slice?: Slicer }).latin1Slice;
const slow: Slicer = function (start, end) {
  return Buffer.from(this.buffer, this.byteOffset, this.length).toString('latin1', start, end);
};
const slice = direct ?? slow;

export const latin1 = (buffer: Uint8Array, start: number, end: number): string =>
  slice.call(buffer, start, end);
