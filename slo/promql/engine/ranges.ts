/** The samples for a function over a range: stored ones of a selector, or computed ones of a subquery. */
import type { Call, MatrixSelector, Subquery, VectorSelector } from '../syntax/ast.js';
import type { Context } from './context.js';
import { referenceTimes } from './reference-times.js';
import { withSeenResets } from './statistics.js';
import { subquerySources } from './subquery.js';
import { rangeSource, type RangeSource, type WindowTimes } from './window.js';

export interface Ranges {
  readonly sources: readonly RangeSource[];
  readonly times: WindowTimes;
  readonly rangeMs: number;
  readonly extension: VectorSelector['extension'];
}

export function rangesOf(range: MatrixSelector | Subquery, ctx: Context, call: Call): Ranges {
  const rangeMs = ctx.positiveDuration(range.range);
  if (range.kind === 'subquery') {
    const at = referenceTimes(ctx, range);
    const times = {
      firstMs: at.firstMs,
      stepMs: at.stepMs,
      beforeMs: ctx.reachOf(rangeMs),
      afterMs: 0,
    };
    return { sources: subquerySources(range, rangeMs, ctx), times, rangeMs, extension: undefined };
  }
  const { selector } = range;
  checkExtension(selector, call, ctx);
  const at = referenceTimes(ctx, selector);
  const { lookbackMs } = ctx.options;
  const beforeMs = ctx.reachOf(rangeMs) + (selector.extension ? lookbackMs : 0);
  const afterMs = selector.extension === 'smoothed' ? lookbackMs : 0;
  const [fromMs, toMs] = [at.firstMs - beforeMs, at.lastMs + afterMs];
  const sources = ctx.store
    .select(selector.matchers, fromMs + 1, toMs)
    .map((series) => rangeSource(series.labels, series, fromMs, toMs))
    .map((source) => (ctx.statistics.has(selector) ? seenSource(source) : source));
  const times = { firstMs: at.firstMs, stepMs: at.stepMs, beforeMs, afterMs };
  return { sources, times, rangeMs, extension: selector.extension };
}

function seenSource(source: RangeSource): RangeSource {
  const { histograms } = source;
  if (!histograms) return source;
  return { ...source, histograms: { ...histograms, values: withSeenResets(histograms.values) } };
}

const allowed: Record<'anchored' | 'smoothed', readonly string[]> = {
  anchored: ['changes', 'delta', 'increase', 'rate', 'resets'],
  smoothed: ['delta', 'increase', 'rate'],
};

function checkExtension(selector: VectorSelector, call: Call, ctx: Context): void {
  const { extension } = selector;
  if (!extension || allowed[extension].includes(call.name)) return;
  ctx.fail(
    `${extension} modifier can only be used with: ${allowed[extension].join(', ')} - not with ${call.name}`,
    call,
  );
}
