/** Evaluates duration expressions to milliseconds: `5m`, `step() * 2`, `max_of(1m, range() / 10)`. */
import type { Duration } from '../syntax/ast.js';
import { PromqlError } from '../syntax/error.js';
import type { QueryTimes } from './context.js';
import { goPow } from './math.js';

const maxSeconds = 9_223_372_036;

export function durationMs(duration: Duration, query: QueryTimes, mayBeNegative: boolean): number {
  const seconds = secondsOf(duration, query);
  const place = (message: string): PromqlError => new PromqlError(message, duration);
  if (!Number.isFinite(seconds)) throw place('duration is NaN or infinite');
  if (seconds <= 0 && !mayBeNegative) throw place('duration must be greater than 0');
  if (Math.abs(seconds) > maxSeconds) throw place('duration is out of range');
  // Like Prometheus: a literal is rounded to nanoseconds, a computed duration is cut to milliseconds.
  if (duration.kind === 'seconds') return Math.trunc(Math.round(seconds * 1e9) / 1e6);
  return Math.trunc(seconds * 1000);
}

function secondsOf(duration: Duration, query: QueryTimes): number {
  switch (duration.kind) {
    case 'seconds':
      return duration.seconds;
    case 'step':
      return query.stepMs / 1000;
    case 'range':
      return (query.endMs - query.startMs) / 1000;
    case 'paren':
      return secondsOf(duration.operand, query);
    case 'unary': {
      const operand = secondsOf(duration.operand, query);
      return duration.op === '-' ? -operand : operand;
    }
    case 'min_of':
      return Math.min(secondsOf(duration.left, query), secondsOf(duration.right, query));
    case 'max_of':
      return Math.max(secondsOf(duration.left, query), secondsOf(duration.right, query));
    case 'binary':
      return combine(duration, secondsOf(duration.left, query), secondsOf(duration.right, query));
  }
}

function combine(
  duration: Extract<Duration, { kind: 'binary' }>,
  left: number,
  right: number,
): number {
  switch (duration.op) {
    case '+':
      return left + right;
    case '-':
      return left - right;
    case '*':
      return left * right;
    case '/':
      if (right === 0) throw new PromqlError('division by zero', duration);
      return left / right;
    case '%':
      if (right === 0) throw new PromqlError('modulo by zero', duration);
      return left % right;
    case '^':
      return goPow(left, right);
  }
}
