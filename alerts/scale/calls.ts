/** How each function's result changes with the time scale. */
import type { Call, Expr, MatrixSelector, Subquery } from '../../slo/promql/syntax/ast.js';
import { constantOf, timesFactor } from './constants.js';
import type { ExpressionScaler, Scaled } from './expression.js';
import { power, powerOf, type Quantity } from './quantity.js';
import { secondsOf } from './ranges.js';

const calendar = new Set([
  'hour',
  'minute',
  'month',
  'year',
  'day_of_month',
  'day_of_week',
  'day_of_year',
  'days_in_month',
]);

/** Functions whose result does not depend on the unit of their input. */
const pure = new Set([
  'absent',
  'absent_over_time',
  'present_over_time',
  'histogram_quantile',
  'histogram_quantiles',
  'histogram_fraction',
  'histogram_avg',
  'histogram_stddev',
  'histogram_stdvar',
  'sgn',
]);

const knownMoments = new Set([
  'time',
  'timestamp',
  'ts_of_first_over_time',
  'ts_of_last_over_time',
  'ts_of_max_over_time',
  'ts_of_min_over_time',
]);

/** Functions that are not proportional to their argument. */
const curved = new Set([
  'ceil',
  'floor',
  'exp',
  'ln',
  'log2',
  'log10',
  'acos',
  'acosh',
  'asin',
  'asinh',
  'atan',
  'atanh',
  'cos',
  'cosh',
  'sin',
  'sinh',
  'tan',
  'tanh',
]);

export function scaledCall(scaler: ExpressionScaler, call: Call): Scaled {
  const inner = call.args.map((arg) => scaler.scaled(arg));
  const args = inner.map((a) => a.expr);
  const main = mainArgument(call, inner);
  const of = main?.quantity ?? power(0);
  const { name } = call;
  const done = (quantity: Quantity, changed: readonly Expr[] = args): Scaled => ({
    expr: { ...call, args: changed },
    quantity,
  });
  if (knownMoments.has(name)) return done({ kind: 'moment', known: true });
  if (name === 'start_timestamp') return done({ kind: 'moment', known: false });
  if (calendar.has(name)) {
    scaler.say('left', call, `not scaled: ${name}() uses the wall clock`);
    return done(power(0));
  }
  if (pure.has(name)) return done(power(0));
  if (curved.has(name)) {
    if (powerOf(of) !== 0) {
      scaler.say('left', call, `not scaled: ${name}() of a value that grows with its range`);
    }
    return done(power(0));
  }
  if (name === 'predict_linear') return done(of, predicted(scaler, args));
  if (name === 'clamp' || name === 'clamp_min' || name === 'clamp_max') {
    return done(of, [...args.slice(0, 1), ...args.slice(1).map((a) => scaler.adjust(a, of))]);
  }
  if (name === 'round') return done(of, rounded(scaler, call, args, of));
  return done(overRange(name, of, call));
}

/** The result of `sqrt` and of the functions over ranges; other functions keep the quantity of their input. */
function overRange(name: string, of: Quantity, call: Call): Quantity {
  const base = powerOf(of);
  switch (name) {
    case 'rate':
    case 'irate':
      return { kind: 'power', power: base, rangeSeconds: rangesOf(call) };
    case 'increase':
      return power(base + 1);
    case 'deriv':
      return power(base - 1);
    case 'changes':
    case 'resets':
      return { kind: 'power', power: 0, counts: 'changes' };
    case 'count_over_time':
      return { kind: 'power', power: 0, counts: 'samples' };
    case 'sum_over_time':
      return of.kind === 'power' ? { ...of, counts: 'samples' } : of;
    case 'stdvar_over_time':
      return power(2 * base);
    case 'sqrt':
      return power(base / 2);
    default:
      return of;
  }
}

function mainArgument(call: Call, inner: readonly Scaled[]): Scaled | undefined {
  const { name } = call;
  if (name === 'quantile_over_time' || name === 'histogram_quantile') return inner[1];
  return inner[0];
}

function rangesOf(call: Call): number[] {
  const [range] = call.args.filter(
    (a): a is MatrixSelector | Subquery => a.kind === 'matrix' || a.kind === 'subquery',
  );
  const seconds = range && secondsOf(range.range);
  return seconds === undefined ? [] : [seconds];
}

/** The second argument of predict_linear is a duration, whatever the metric. */
function predicted(scaler: ExpressionScaler, args: readonly Expr[]): Expr[] {
  const [range, ahead] = args as [Expr, Expr];
  if (constantOf(ahead) === undefined) {
    scaler.say(
      'left',
      ahead,
      'not scaled: the second argument of predict_linear is not a constant',
    );
    return [...args];
  }
  return [range, scaler.adjust(ahead, power(1))];
}

function rounded(
  scaler: ExpressionScaler,
  call: Call,
  args: readonly Expr[],
  of: Quantity,
): Expr[] {
  const [value, to] = args as [Expr, Expr | undefined];
  if (powerOf(of) === 0) return [...args];
  if (to) return [value, scaler.adjust(to, of)];
  const one: Expr = { kind: 'number', value: 1, text: '1', from: call.to, to: call.to };
  return [value, timesFactor(one, scaler.scale.timeScale ** powerOf(of))];
}
