/** Lengths of time in an expression (ranges, steps, offsets) at a time scale. */
import { formatDurationMs } from '../../base/duration.js';
import type { Duration } from '../../slo/promql/syntax/ast.js';
import { apply } from './constants.js';

/** Seconds of a literal duration; undefined if it depends on the query: `step()`. */
export function secondsOf(duration: Duration): number | undefined {
  switch (duration.kind) {
    case 'seconds':
      return duration.seconds;
    case 'step':
    case 'range':
      return undefined;
    case 'paren':
      return secondsOf(duration.operand);
    case 'unary': {
      const seconds = secondsOf(duration.operand);
      return seconds === undefined ? undefined : duration.op === '-' ? -seconds : seconds;
    }
    default: {
      const [left, right] = [secondsOf(duration.left), secondsOf(duration.right)];
      if (left === undefined || right === undefined) return undefined;
      if (duration.kind === 'binary') return apply(duration.op, left, right);
      return duration.kind === 'min_of' ? Math.min(left, right) : Math.max(left, right);
    }
  }
}

/**
 * The scaled duration in whole milliseconds, at least one, Prometheus's shortest; undefined if it cannot be scaled.
 */
export function scaledDuration(duration: Duration, timeScale: number): Duration | undefined {
  const seconds = secondsOf(duration);
  if (seconds === undefined || !Number.isFinite(seconds)) return undefined;
  const { from, to } = duration;
  return literal(seconds * 1000 * timeScale, { from, to });
}

export function literal(ms: number, span: { from: number; to: number }): Duration {
  const whole = ms === 0 ? 0 : Math.max(1, Math.round(Math.abs(ms)));
  const sign = ms < 0 ? '-' : '';
  const seconds = ((ms < 0 ? -1 : 1) * whole) / 1000;
  return { kind: 'seconds', seconds, text: `${sign}${formatDurationMs(whole)}`, ...span };
}
