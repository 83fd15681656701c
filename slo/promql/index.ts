/** Public interface of slo/promql: parse queries, store samples, evaluate. */
export { Labels, labelName, metricNameLabel, quote } from './labels.js';
export type { Expr, Matcher, VectorSelector, ValueType } from './syntax/ast.js';
export { walk } from './syntax/ast.js';
export { parse, parseSelector } from './syntax/parse.js';
export { print } from './syntax/print.js';
export { asUserError, lineColumn, PromqlError, withCaret } from './syntax/error.js';
export { typeOf } from './syntax/types.js';
export type { Appended, Samples, Series } from './store/series.js';
export { StoredSeries } from './store/series.js';
export { MemoryStore, type Store } from './store/store.js';
export { Histogram } from './histogram/histogram.js';
export { type Annotation, annotationText } from './engine/annotations.js';
export { defaultOptions, type EngineOptions } from './engine/options.js';
export {
  evaluateInstant,
  evaluateRange,
  type InstantResult,
  type InstantValue,
  type RangeResult,
  type Sample,
} from './engine/query.js';
export type { Points } from './engine/points.js';
