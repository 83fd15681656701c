/** Groups series for an aggregation. */
import { Labels } from '../labels.js';
import type { Aggregate } from '../syntax/ast.js';
import type { GridSeries } from './value.js';

export interface Group {
  readonly labels: Labels;
  readonly members: GridSeries[];
}

/** Labels of groups, cached because a rule is evaluated repeatedly over the same series. */
const known = new WeakMap<Aggregate, WeakMap<Labels, Labels>>();

export function groupLabels(aggregate: Aggregate, labels: Labels): Labels {
  if (aggregate.grouping.length === 0 && !aggregate.without) return Labels.empty;
  let ofNode = known.get(aggregate);
  if (!ofNode) known.set(aggregate, (ofNode = new WeakMap()));
  let found = ofNode.get(labels);
  if (!found) {
    found = aggregate.without
      ? labels.withoutName().without(aggregate.grouping)
      : labels.keep(aggregate.grouping);
    ofNode.set(labels, found);
  }
  return found;
}

/** Groups in the order of their first series. */
export function groupSeries(aggregate: Aggregate, series: readonly GridSeries[]): Group[] {
  const groups = new Map<string, Group>();
  for (const one of series) {
    const labels = groupLabels(aggregate, one.labels);
    const group = groups.get(labels.key);
    if (group) group.members.push(one);
    else groups.set(labels.key, { labels, members: [one] });
  }
  return [...groups.values()];
}
