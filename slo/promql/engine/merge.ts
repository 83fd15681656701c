/** Merges series that have equal labels after losing some: one series if they never overlap, else an error. */
import type { Span } from '../syntax/ast.js';
import { PromqlError } from '../syntax/error.js';
import type { GridSeries } from './value.js';

export const sameLabelset = 'vector cannot contain metrics with the same labelset';

/** Usually all labels differ, and the list is returned unchanged. */
export function mergeSameLabels(series: GridSeries[], span: Span): GridSeries[] {
  if (series.length < 2) return series;
  const byKey = new Map<string, GridSeries>();
  let owned: Set<GridSeries> | undefined;
  for (const one of series) {
    const key = one.labels.key;
    const known = byKey.get(key);
    if (!known) {
      byKey.set(key, one);
      continue;
    }
    owned ??= new Set();
    let target = known;
    if (!owned.has(known)) {
      target = copyOf(known);
      owned.add(target);
      byKey.set(key, target);
    }
    addInto(target, one, span);
  }
  return owned ? [...byKey.values()] : series;
}

function copyOf(series: GridSeries): GridSeries {
  return {
    ...series,
    values: series.values.slice(),
    present: series.present.slice(),
    histograms: series.histograms?.slice(),
  };
}

function addInto(target: GridSeries, other: GridSeries, span: Span): void {
  for (let i = 0; i < other.present.length; i++) {
    if (other.present[i] === 0) continue;
    if (target.present[i] === 1) throw new PromqlError(sameLabelset, span);
    target.present[i] = 1;
    target.values[i] = other.values[i] as number;
    const histogram = other.histograms?.[i];
    if (histogram) {
      target.histograms ??= Array.from({ length: target.present.length });
      target.histograms[i] = histogram;
    }
  }
}
