/** By which labels the two sides of an operator are matched. */
import { type Labels, metricNameLabel } from '../labels.js';
import type { Matching } from '../syntax/ast.js';

/** Equal for two series that match each other. */
export function signatureOf(matching: Matching, labels: Labels): string {
  return matchedLabels(matching, labels).key;
}

const known = new WeakMap<Matching, WeakMap<Labels, Labels>>();

export function matchedLabels(matching: Matching, labels: Labels): Labels {
  let ofNode = known.get(matching);
  if (!ofNode) known.set(matching, (ofNode = new WeakMap()));
  let found = ofNode.get(labels);
  if (!found) {
    found = matching.on
      ? labels.keep(matching.labels)
      : labels.without([...matching.labels, metricNameLabel]);
    ofNode.set(labels, found);
  }
  return found;
}
