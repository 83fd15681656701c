/** A fixed position from 0 to 1 for a series, evenly spread over all series by a hash of the labels. */
import { createHash } from 'node:crypto';
import type { Labels } from '../labels.js';

export function labelsOffset(labels: Labels): number {
  const digest = createHash('sha256').update(labels.key).digest();
  return Number(digest.readBigUInt64BE(0)) / 2 ** 64;
}
