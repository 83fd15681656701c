import type { Histogram } from '../histogram/histogram.js';
import type { BinaryOperator, Span } from '../syntax/ast.js';
import type { Annotations } from './annotations.js';
import { messages } from './messages.js';

export interface Operand {
  value: number;
  histogram: Histogram | undefined;
}

export interface Outcome extends Operand {
  /** Whether a comparison held. */
  keep: boolean;
}

/** Notes that the operator is not defined for such a pair. */
export function incompatible(
  op: BinaryOperator,
  left: Operand,
  right: Operand,
  annotations: Annotations,
  span: Span,
): void {
  const kind = (operand: Operand): string => (operand.histogram ? 'histogram' : 'float');
  annotations.info(messages.incompatibleTypes(op, kind(left), kind(right)), span);
}
