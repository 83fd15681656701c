/** `info`: labels of info metrics added to the series that they describe. */
import type { Context } from '../engine/context.js';
import type { GridSeries } from '../engine/value.js';
import type { Call } from '../syntax/ast.js';

export function evaluateInfo(call: Call, ctx: Context): GridSeries[] {
  return ctx.fail('info() is not evaluated yet', call);
}
