/** The syntax tree of a text, of long chains of operators too. */
import type { PartialParse, Tree } from '@lezer/common';
import { parser } from '@prometheus-io/lezer-promql';

/**
 * The parser ends a chain of the same operator by force, as a mistake, once it has 2,000 characters and is lengthened
 * 300 times more: a list of 150 `absent(…) or …` would be one. So its count starts again at each step.
 */
export function treeOf(text: string): Tree {
  const parse = parser.startParse(text) as PartialParse & { bigReductionCount: number };
  for (;;) {
    const tree = parse.advance();
    if (tree) return tree;
    parse.bigReductionCount = 0;
  }
}
