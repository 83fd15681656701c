/** The sum or mean of histograms, with what has to be said about it. */
import type { Histogram } from '../histogram/histogram.js';
import type { Span } from '../syntax/ast.js';
import type { Annotations } from './annotations.js';

export class HistogramTotal {
  readonly isMean: boolean;

  constructor(isMean: boolean) {
    this.isMean = isMean;
  }

  add(_histogram: Histogram, _metricName: string): void {
    throw new Error('native histograms are not summed yet');
  }

  finish(_annotations: Annotations, _span: Span): Histogram | undefined {
    return undefined;
  }
}
