/** The sum or mean of histograms, with the annotations for it. */
import { IncompatibleBuckets } from '../histogram/add.js';
import type { Histogram } from '../histogram/histogram.js';
import { HistogramTotal } from '../histogram/total.js';
import type { Span } from '../syntax/ast.js';
import type { Annotations } from './annotations.js';
import { messages } from './messages.js';

export interface NamedHistogram {
  readonly histogram: Histogram;
  readonly metricName: string;
}

/** Undefined, with a warning, if the histograms cannot be added. */
export function totalOf(
  histograms: Iterable<NamedHistogram>,
  isMean: boolean,
  annotations: Annotations,
  span: Span,
): Histogram | undefined {
  const total = new HistogramTotal();
  for (const { histogram, metricName } of histograms) {
    try {
      total.add(histogram, isMean);
    } catch (error) {
      if (!(error instanceof IncompatibleBuckets)) throw error;
      annotations.warn(messages.mixedBuckets(metricName), span);
      return undefined;
    }
  }
  if (total.reconciledBounds) annotations.info(messages.reconciledBounds('aggregation'), span);
  if (total.resetCollision) annotations.warn(messages.resetCollision('aggregation'), span);
  return (isMean ? total.mean() : total.sum())?.compact();
}
