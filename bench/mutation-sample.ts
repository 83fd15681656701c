/** Which edits a mutation run tries, if it tries a share of them: the same ones for the same seed. */
import { seededRandom } from '../base/random.js';

export interface Sample {
  /** Above 0 and at most 1. */
  share: number;
  seed: number;
}

/** Each edit is in the sample by its own number, so that the runner and the report agree without a list. */
export const isSampled = (sample: Sample, id: string): boolean =>
  seededRandom(sample.seed ^ Math.imul(Number(id) + 1, 0x9e3779b1)).next() < sample.share;

/** Wilson's interval of 95% for a share of `hits` among `all`, in per cent; `all` above 0. */
export function interval(hits: number, all: number): [number, number] {
  const z = 1.959964;
  const p = hits / all;
  const middle = p + (z * z) / (2 * all);
  const half = z * Math.sqrt((p * (1 - p)) / all + (z * z) / (4 * all * all));
  const scale = 1 + (z * z) / all;
  return [(100 * (middle - half)) / scale, (100 * (middle + half)) / scale];
}
