/** The result of an operator for two samples. */
import type { BinaryOperator, ComparisonOperator, Span } from '../syntax/ast.js';
import type { Annotations } from './annotations.js';
import { combineHistograms } from './histogram-operators.js';
import { goPow } from './math.js';
import { incompatible, type Operand, type Outcome } from './operand.js';

export const arithmetic: Readonly<Record<string, (a: number, b: number) => number>> = {
  '+': (a, b) => a + b,
  '-': (a, b) => a - b,
  '*': (a, b) => a * b,
  '/': (a, b) => a / b,
  '%': (a, b) => a % b,
  '^': goPow,
  atan2: Math.atan2,
};

export const comparisons: Readonly<Record<ComparisonOperator, (a: number, b: number) => boolean>> =
  {
    '==': (a, b) => a === b,
    '!=': (a, b) => a !== b,
    '>': (a, b) => a > b,
    '<': (a, b) => a < b,
    '>=': (a, b) => a >= b,
    '<=': (a, b) => a <= b,
  };

/** Undefined if the operator is not defined for such a pair. */
export function combine(
  op: BinaryOperator,
  left: Operand,
  right: Operand,
  annotations: Annotations,
  span: Span,
): Outcome | undefined {
  if (left.histogram || right.histogram) {
    return combineHistograms(op, left, right, annotations, span);
  }
  const compute = arithmetic[op];
  if (compute) {
    return { value: compute(left.value, right.value), histogram: undefined, keep: true };
  }
  const compare = comparisons[op as ComparisonOperator];
  if (compare) {
    return { value: left.value, histogram: undefined, keep: compare(left.value, right.value) };
  }
  incompatible(op, left, right, annotations, span);
  return undefined;
}

/** Whether the operator's result is no longer the operands' metric. */
export function changesMetric(op: BinaryOperator): boolean {
  return op in arithmetic;
}
