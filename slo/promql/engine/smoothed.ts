/** `smoothed` instant selectors: values interpolated between the samples around a step. */
import type { VectorSelector } from '../syntax/ast.js';
import type { Context } from './context.js';
import type { GridSeries } from './value.js';

export function smoothedSelector(selector: VectorSelector, ctx: Context): GridSeries[] {
  return ctx.fail('smoothed selectors are not evaluated yet', selector);
}
