import type { VectorSelector } from '../syntax/ast.js';
import type { Context } from './context.js';

/** The times at which a selector looks: `at - offset`, where `at` is the step's time or a fixed one. */
export function referenceTimes(
  ctx: Context,
  modifiers: Pick<VectorSelector, 'offset' | 'at'>,
): { firstMs: number; stepMs: number; lastMs: number } {
  const offsetMs = modifiers.offset ? ctx.duration(modifiers.offset) : 0;
  const fixed = ctx.fixedTime(modifiers.at);
  if (fixed !== undefined) {
    return { firstMs: fixed - offsetMs, stepMs: 0, lastMs: fixed - offsetMs };
  }
  return { firstMs: ctx.startMs - offsetMs, stepMs: ctx.stepMs, lastMs: ctx.endMs - offsetMs };
}
