/** `and`, `or` and `unless`: operators on sets of series, compared by the matched labels. */
import type { Binary, Matching } from '../syntax/ast.js';
import type { Context } from './context.js';
import { mergeSameLabels } from './merge.js';
import { signatureOf } from './signatures.js';
import { emptySeries, type GridSeries, hasSamples } from './value.js';

export function setOperation(
  expr: Binary,
  left: GridSeries[],
  right: GridSeries[],
  ctx: Context,
): GridSeries[] {
  const matching = expr.matching as Matching;
  if (expr.op === 'or') {
    const covered = presence(matching, left, ctx);
    const added = right.map((s) => only(s, covered.get(signatureOf(matching, s.labels)), 0, ctx));
    return mergeSameLabels([...left, ...added.filter(hasSamples)], expr);
  }
  const there = presence(matching, right, ctx);
  const wanted = expr.op === 'and' ? 1 : 0;
  return left
    .map((s) => only(s, there.get(signatureOf(matching, s.labels)), wanted, ctx))
    .filter(hasSamples);
}

/** For every signature, the steps at which any of its series has a sample. */
function presence(
  matching: Matching,
  series: readonly GridSeries[],
  ctx: Context,
): Map<string, Uint8Array> {
  const found = new Map<string, Uint8Array>();
  for (const one of series) {
    const signature = signatureOf(matching, one.labels);
    const steps = found.get(signature);
    if (!steps) {
      found.set(signature, one.present);
      continue;
    }
    const both = new Uint8Array(ctx.steps);
    for (let i = 0; i < ctx.steps; i++) both[i] = (steps[i] as number) | (one.present[i] as number);
    found.set(signature, both);
  }
  return found;
}

/** The series at the steps where `there` equals `wanted`. */
function only(
  series: GridSeries,
  there: Uint8Array | undefined,
  wanted: 0 | 1,
  ctx: Context,
): GridSeries {
  if (!there) return wanted === 0 ? series : emptySeries(series.labels, ctx.steps);
  const present = series.present.map((p, i) => (there[i] === wanted ? p : 0));
  return { ...series, present };
}
