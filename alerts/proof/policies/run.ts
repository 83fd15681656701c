/** Runs every policy over every story, and shows progress. */
import { defaultStepMs } from '../../../slo/index.js';
import { judged, type StoryResult } from './judge.js';
import { policies, type Policy, type TunedPage } from './policies.js';
import { comparisonOf, type Comparison } from './table.js';
import { tunedPages } from './tuning.js';

export interface ComparisonOptions {
  stories: number;
  seed: number;
  onProgress?: (done: number, of: number) => void;
}

export interface Played {
  comparison: Comparison;
  policies: Policy[];
  tuned: TunedPage[];
  results: StoryResult[];
}

/** Number of stories for tuning; their seed differs from that of the judged stories. */
const tuningMax = 40;

export function playAll({ stories, seed, onProgress }: ComparisonOptions): Played {
  const tuned = tunedPages(Math.min(stories, tuningMax), seed + 1_000_000, defaultStepMs);
  const all = policies(tuned);
  const results: StoryResult[] = [];
  for (const result of judged(all, stories, seed, { stepMs: defaultStepMs })) {
    results.push(result);
    onProgress?.(results.length, stories);
  }
  return { comparison: comparisonOf(all, results, seed), policies: all, tuned, results };
}
