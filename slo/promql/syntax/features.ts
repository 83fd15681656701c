/**
 * Parts of a query that Prometheus refuses until a feature is enabled, in all of its releases or in older ones. One
 * such rule makes it refuse the whole file (Prometheus documentation, "Feature flags"; its CHANGELOG has the releases).
 */
import type { Duration, Expr, Span } from './ast.js';
import { walk } from './ast.js';
import { signatures } from './signatures.js';

/** A value of Prometheus's `--enable-feature`. */
export type Feature =
  | 'promql-experimental-functions'
  | 'promql-duration-expr'
  | 'promql-extended-range-selectors'
  | 'promql-binop-fill-modifiers';

export interface FeatureUse extends Span {
  feature: Feature;
  /** The feature's word in the query: `limitk`, `fill`. */
  word: string;
  /** The first release that needs no flag; undefined if even 3.16 needs it. */
  since: string | undefined;
}

const always: Partial<Record<Feature, string>> = {
  'promql-duration-expr': '3.14',
  'promql-extended-range-selectors': '3.16',
};

/** The program that refuses the use: `a stock Prometheus before 3.16`. */
export const refusing = ({ since }: FeatureUse): string =>
  since === undefined ? 'a stock Prometheus' : `a stock Prometheus before ${since}`;

/** The features that a query uses, in the order of the text. */
export function featuresOf(expr: Expr): FeatureUse[] {
  const uses: FeatureUse[] = [];
  walk(expr, (node) => {
    const use = (feature: Feature, word: string): void => {
      uses.push({ feature, word, since: always[feature], from: node.from, to: node.to });
    };
    switch (node.kind) {
      case 'call':
        if (signatures.get(node.name)?.experimental) {
          use('promql-experimental-functions', node.name);
        }
        break;
      case 'aggregate':
        if (node.op === 'limitk' || node.op === 'limit_ratio') {
          use('promql-experimental-functions', node.op);
        }
        break;
      case 'binary':
        if (node.matching?.fillLeft !== undefined || node.matching?.fillRight !== undefined) {
          use('promql-binop-fill-modifiers', 'fill');
        }
        break;
      case 'selector':
        if (node.extension) use('promql-extended-range-selectors', node.extension);
        if (isComputed(node.offset)) use('promql-duration-expr', 'a computed offset');
        break;
      case 'matrix':
        if (isComputed(node.range)) use('promql-duration-expr', 'a computed range');
        break;
      case 'subquery':
        if ([node.range, node.step, node.offset].some(isComputed)) {
          use('promql-duration-expr', 'a computed range');
        }
        break;
      case 'number':
      case 'string':
      case 'unary':
      case 'paren':
        break;
    }
  });
  return uses;
}

/** A plain `-5m` was a valid offset before durations could be computed. */
function isComputed(duration: Duration | undefined): boolean {
  if (!duration || duration.kind === 'seconds') return false;
  return !(duration.kind === 'unary' && duration.operand.kind === 'seconds');
}
