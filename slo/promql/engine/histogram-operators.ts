/** Operators with a native histogram on at least one side. */
import { addHistogram, IncompatibleBuckets } from '../histogram/add.js';
import { equalHistograms, type Histogram } from '../histogram/histogram.js';
import { divideHistogram, scaleHistogram } from '../histogram/scale.js';
import { trimHistogram } from '../histogram/trim.js';
import type { BinaryOperator, Span } from '../syntax/ast.js';
import type { Annotations } from './annotations.js';
import { messages } from './messages.js';
import { incompatible, type Operand, type Outcome } from './operand.js';

export function combineHistograms(
  op: BinaryOperator,
  left: Operand,
  right: Operand,
  annotations: Annotations,
  span: Span,
): Outcome | undefined {
  const found =
    left.histogram && right.histogram
      ? ofTwo(op, left.histogram, right.histogram, annotations, span)
      : withFloat(op, left, right);
  if (found === 'meaningless') {
    incompatible(op, left, right, annotations, span);
    return undefined;
  }
  return found;
}

const kept = (histogram: Histogram): Outcome => ({ value: NaN, histogram, keep: true });

function withFloat(op: BinaryOperator, left: Operand, right: Operand): Outcome | 'meaningless' {
  if (left.histogram) {
    const copy = left.histogram.copy();
    if (op === '*') return kept(scaleHistogram(copy, right.value).compact());
    if (op === '/') return kept(divideHistogram(copy, right.value).compact());
    if (op === '</') return kept(trimHistogram(copy, right.value, true));
    if (op === '>/') return kept(trimHistogram(copy, right.value, false));
  } else if (right.histogram && op === '*') {
    return kept(scaleHistogram(right.histogram.copy(), left.value).compact());
  }
  return 'meaningless';
}

function ofTwo(
  op: BinaryOperator,
  left: Histogram,
  right: Histogram,
  annotations: Annotations,
  span: Span,
): Outcome | undefined | 'meaningless' {
  if (op === '==' || op === '!=') {
    return { ...kept(left), keep: equalHistograms(left, right) === (op === '==') };
  }
  if (op !== '+' && op !== '-') return 'meaningless';
  const operation = op === '+' ? 'addition' : 'subtraction';
  const result = left.copy();
  try {
    const notes = addHistogram(result, right, op === '+' ? 1 : -1);
    if (notes.resetCollision) annotations.warn(messages.resetCollision(operation), span);
    if (notes.reconciledBounds) annotations.info(messages.reconciledBounds(operation), span);
  } catch (error) {
    if (!(error instanceof IncompatibleBuckets)) throw error;
    annotations.warn(messages.incompatibleBuckets(op), span);
    return undefined;
  }
  if (op === '-') result.hint = 'gauge';
  return kept(result.compact());
}
