/** Operators with a native histogram on at least one side. */
import type { BinaryOperator, Span } from '../syntax/ast.js';
import type { Annotations } from './annotations.js';
import { incompatible, type Operand, type Outcome } from './operators.js';

export function combineHistograms(
  op: BinaryOperator,
  left: Operand,
  right: Operand,
  annotations: Annotations,
  span: Span,
): Outcome | undefined {
  incompatible(op, left, right, annotations, span);
  return undefined;
}
