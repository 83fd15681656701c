/** Rates over `anchored` and `smoothed` ranges. */
import type { RangeCall } from '../engine/range-call.js';
import type { RateKind } from './rates.js';

export function extendedRate(call: RangeCall, _kind: RateKind): void {
  call.ctx.fail('anchored and smoothed ranges are not evaluated yet', call.range);
}
