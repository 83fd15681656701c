/** The labels by which an operator matches its two sides. */
import type { Labels } from '../labels.js';
import type { Matching } from '../syntax/ast.js';

/** A text that is equal for two series that match. */
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
      : labels.withoutName().without(matching.labels);
    ofNode.set(labels, found);
  }
  return found;
}
