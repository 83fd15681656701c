/** The labels of the series that `absent` returns: those that its selector compares for equality. */
import { isMetadataLabel, Labels } from '../labels.js';
import type { Expr } from '../syntax/ast.js';
import { withoutParens } from '../syntax/ast.js';

export function absentLabels(argument: Expr): Labels {
  const inner = withoutParens(argument);
  const selector = inner.kind === 'matrix' ? inner.selector : inner;
  if (selector.kind !== 'selector') return Labels.empty;
  const wanted = new Map<string, string>();
  const unclear = new Set<string>();
  for (const matcher of selector.matchers) {
    if (isMetadataLabel(matcher.name)) continue;
    if (matcher.op === '=' && !wanted.has(matcher.name)) wanted.set(matcher.name, matcher.value);
    else unclear.add(matcher.name);
  }
  return Labels.fromEntries([...wanted].filter(([name]) => !unclear.has(name)));
}
