/**
 * Selectors that are only asked for count, sum and mean. Prometheus does not read their buckets, and detects resets
 * from sample to sample while it reads. Warnings may depend on these resets, so they are detected here as well.
 */
import type { Histogram } from '../histogram/histogram.js';
import { isReset } from '../histogram/resets.js';
import type { Expr, VectorSelector } from '../syntax/ast.js';
import { walk } from '../syntax/ast.js';

const known = new WeakMap<Expr, ReadonlySet<VectorSelector>>();

export function statisticsSelectors(expr: Expr): ReadonlySet<VectorSelector> {
  let found = known.get(expr);
  if (!found) {
    const selectors = new Set<VectorSelector>();
    walk(expr, (node, parents) => {
      if (node.kind === 'selector' && onlyStatistics(parents)) selectors.add(node);
    });
    found = selectors;
    known.set(expr, found);
  }
  return found;
}

/** Walks up from the selector; a parent that needs buckets or may skip samples decides. */
function onlyStatistics(parents: readonly Expr[]): boolean {
  let skips = false;
  for (const parent of parents.toReversed()) {
    if (parent.kind === 'subquery') return false;
    if (parent.kind === 'binary' && (parent.op === '</' || parent.op === '>/')) return false;
    if (parent.kind !== 'call') continue;
    if (/^histogram_(quantiles?|fraction)$/.test(parent.name)) return false;
    if (/^histogram_(count|sum|avg)$/.test(parent.name)) skips = true;
  }
  return skips;
}

/** The histograms, with unknown reset hints derived from the preceding histogram. */
export function withSeenResets<T extends Histogram | undefined>(histograms: readonly T[]): T[] {
  let last: Histogram | undefined;
  return histograms.map((histogram) => {
    if (!histogram) return histogram;
    let seen: Histogram = histogram;
    if (histogram.hint === 'unknown' && last) {
      seen = histogram.copy();
      seen.hint = isReset(histogram, last) ? 'reset' : 'not_reset';
    }
    last = seen;
    return seen as T;
  });
}
