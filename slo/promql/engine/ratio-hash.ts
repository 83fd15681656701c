/** Where in 0 to 1 a series' labels fall: always at the same place, and evenly spread over all series. */
import { createHash } from 'node:crypto';
import type { Labels } from '../labels.js';

export function labelsOffset(labels: Labels): number {
  const digest = createHash('sha256').update(labels.key).digest();
  return Number(digest.readBigUInt64BE(0)) / 2 ** 64;
}
