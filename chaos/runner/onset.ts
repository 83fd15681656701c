/**
 * Finds the time when callers of one SLO began to fail, by the SLO's own bad events instead of the first failure of any
 * route.
 */
import type { Watch } from '../../alerts/watch/index.js';
import { budgetRatio, type Slo, sloNames } from '../../slo/index.js';
import type { LoadPoint } from '../load/points.js';

export interface OnsetSources {
  watch: Pick<Watch, 'queryRange'>;
  points: readonly LoadPoint[];
  /** Failures count between these times. */
  sinceMs: number;
  endMs: number;
  /** Nominal step of the rules, its real length, and the scrape interval; all in milliseconds. */
  stepMs: number;
  stepRealMs: number;
  scrapeIntervalMs: number;
}

/** Milliseconds since the epoch; undefined if no step of the SLO burned faster than its objective allows. */
export async function onsetOfSlo(slo: Slo, sources: OnsetSources): Promise<number | undefined> {
  const { watch, sinceMs, endMs, stepMs, stepRealMs } = sources;
  const series = async (name: string): Promise<Map<number, number>> => {
    const expr = `sum(${name}{${sloNames.sloLabel}="${slo.id}"})`;
    const [found] = await watch.queryRange(expr, sinceMs, endMs, Math.round(stepRealMs));
    return new Map(found?.points ?? []);
  };
  const bad = await series(sloNames.badIncrease(stepMs));
  const total = await series(sloNames.totalIncrease(stepMs));
  const steps = [...bad]
    .map(([atMs, count]) => ({ atMs, share: count / (total.get(atMs) ?? Infinity) }))
    .sort((a, b) => a.atMs - b.atMs);
  const first = steps.find(({ share }) => share > budgetRatio(slo.objective));
  return first && onsetWithin(first.atMs, sources);
}

/**
 * A step that was evaluated at `atMs` counts the failures that a scrape saw in the preceding step. Its onset is the
 * client's first failure in that time, or the middle of that time if the client saw none.
 */
export function onsetWithin(
  atMs: number,
  { points, sinceMs, stepRealMs, scrapeIntervalMs }: Omit<OnsetSources, 'watch'>,
): number {
  const fromMs = Math.max(sinceMs, atMs - stepRealMs - scrapeIntervalMs);
  const ends = points
    .filter((p) => !p.ok)
    .map((p) => p.atMs + p.ms)
    .filter((endMs) => endMs >= fromMs && endMs <= atMs);
  return ends.length > 0 ? Math.min(...ends) : (fromMs + atMs) / 2;
}
