/**
 * The Huffman code of RFC 7541, appendix B. The code is canonical, so the lengths alone define it. Decoding walks a
 * state machine four bits at a time: a table of 16 kB, which stays in the first-level cache.
 */
import { latin1 } from '../../listen/latin1.js';

/** Bits of each symbol's code, 0 to 255 and EOS, as one base-32 digit each. */
const lengthDigits =
  'dnsssssssoussussssssssusssssssss6aacd68baa8b8666555666666678f6cad677777777777777777777' +
  '77878djde6f56565666577666567655677777fbedskmkkmmmnmnnnnnonoomnonnnnlmnmnnomlkmmnnlnmmo' +
  'lmnnllmlnmnnkmmmnmmnqqkjmnmpqqqrrqopjlqrrqrollqqsrrrkoklmllnmmppooqnqrqqrrrrrsrrrrrqu';

const eos = 256;
const lengths = new Uint8Array(257);
const codes = new Uint32Array(257);

for (let symbol = 0; symbol <= eos; symbol++) {
  lengths[symbol] = parseInt(lengthDigits.charAt(symbol), 32);
}
{
  let code = 0;
  let bits = 0;
  const order = Array.from({ length: 257 }, (_, symbol) => symbol).sort(
    (a, b) => (lengths[a] as number) - (lengths[b] as number) || a - b,
  );
  for (const symbol of order) {
    const length = lengths[symbol] as number;
    code = (code << (length - bits)) >>> 0;
    bits = length;
    codes[symbol] = code++;
  }
}

/**
 * One entry for each state and four bits: the next state in bits 0–8, bit 9 set when a symbol is complete, bit 10
 * when the input may end after it (only ones, fewer than eight, since the last symbol), the symbol in bits 16–23.
 */
const emits = 1 << 9;
const mayEnd = 1 << 10;
/** The state after EOS inside a string: an error. */
const failed = 511;
const steps = new Uint32Array(512 * 16);

function buildSteps(): void {
  // A binary tree; node 0 is the root. Leaves are stored as -1 - symbol.
  const zero: number[] = [0];
  const one: number[] = [0];
  for (let symbol = 0; symbol <= eos; symbol++) {
    let node = 0;
    const length = lengths[symbol] as number;
    for (let bit = length - 1; bit >= 0; bit--) {
      const side = ((codes[symbol] as number) >>> bit) & 1 ? one : zero;
      if (bit === 0) {
        side[node] = -1 - symbol;
        break;
      }
      let next = side[node] as number;
      if (next === 0) {
        next = zero.length;
        zero.push(0);
        one.push(0);
        side[node] = next;
      }
      node = next;
    }
  }
  // Inner nodes that are reached from the root by at most seven ones: valid padding.
  const padding = new Set<number>([0]);
  for (let node = one[0] as number, depth = 1; depth <= 7; depth++) {
    padding.add(node);
    node = one[node] as number;
  }
  for (let state = 0; state < 512; state++) {
    for (let nibble = 0; nibble < 16; nibble++) {
      steps[state * 16 + nibble] = state < zero.length ? step(state, nibble) : failed;
    }
  }

  function step(from: number, nibble: number): number {
    let node = from;
    let entry = 0;
    for (let bit = 3; bit >= 0; bit--) {
      node = ((nibble >>> bit) & 1 ? one : zero)[node] as number;
      if (node >= 0) continue;
      const symbol = -1 - node;
      if (symbol === eos) return failed;
      entry |= emits | (symbol << 16);
      node = 0;
    }
    return entry | node | (padding.has(node) ? mayEnd : 0);
  }
}
buildSteps();

let scratch = Buffer.allocUnsafeSlow(4096);

/** The text (one character for each octet), or undefined when the coding is broken. */
export function huffmanDecode(bytes: Uint8Array, start: number, end: number): string | undefined {
  // The shortest code has five bits.
  if ((end - start) * 2 > scratch.length) scratch = Buffer.allocUnsafeSlow((end - start) * 2);
  const out = scratch;
  let written = 0;
  let entry = mayEnd;
  for (let i = start; i < end; i++) {
    const byte = bytes[i] as number;
    entry = steps[((entry & 511) << 4) | (byte >>> 4)] as number;
    if (entry & emits) out[written++] = entry >>> 16;
    entry = steps[((entry & 511) << 4) | (byte & 15)] as number;
    if (entry & emits) out[written++] = entry >>> 16;
  }
  return entry & mayEnd ? latin1(out, 0, written) : undefined;
}

/** Octets that `text` takes. */
export function huffmanLength(text: string): number {
  let bits = 0;
  for (let i = 0; i < text.length; i++) bits += lengths[text.charCodeAt(i) & 255] as number;
  return (bits + 7) >>> 3;
}

/** Writes `text` and returns the position after it. */
export function huffmanEncode(text: string, out: Uint8Array, at: number): number {
  let held = 0;
  let bits = 0;
  let position = at;
  for (let i = 0; i < text.length; i++) {
    const symbol = text.charCodeAt(i) & 255;
    const length = lengths[symbol] as number;
    const code = codes[symbol] as number;
    // At most 7 bits are held, and a code has up to 30: add it in two parts.
    let left = length;
    while (left > 0) {
      const take = Math.min(left, 16);
      left -= take;
      held = (held << take) | ((code >>> left) & ((1 << take) - 1));
      bits += take;
      while (bits >= 8) {
        bits -= 8;
        out[position++] = held >>> bits;
      }
      held &= (1 << bits) - 1;
    }
  }
  if (bits > 0) out[position++] = (held << (8 - bits)) | (255 >>> bits);
  return position;
}
