/** The parameters and results of every function. */
import type { ValueType } from './ast.js';

export interface Signature {
  readonly args: readonly ValueType[];
  readonly returns: ValueType;
  /** Number of optional arguments at the end. */
  readonly optional: number;
  /** How many more times the last argument may be given; Infinity for any number. */
  readonly repeat: number;
  /** Requires `--enable-feature=promql-experimental-functions` in Prometheus. */
  readonly experimental: boolean;
}

const letters: Record<string, ValueType> = { v: 'vector', m: 'matrix', s: 'scalar', t: 'string' };

/** `vs` means a vector and a scalar, `v?` an optional vector; `vtt*` repeats the last type. */
function signature(shape: string, returns: ValueType, experimental: boolean): Signature {
  const args = [...shape.matchAll(/[vmst]/g)].map((m) => letters[m[0]] as ValueType);
  const optional = [...shape.matchAll(/\?/g)].length;
  const repeat = /\*(\d*)$/.exec(shape);
  return {
    args,
    returns,
    optional,
    repeat: repeat ? (repeat[1] === '' ? Infinity : Number(repeat[1])) : 0,
    experimental,
  };
}

const stable: Record<string, string> = {
  v: `abs absent acos acosh asin asinh atan atanh ceil cos cosh deg exp floor histogram_avg
    histogram_count histogram_stddev histogram_stdvar histogram_sum ln log10 log2 rad sgn sin sinh
    sort sort_desc sqrt tan tanh timestamp`,
  m: `absent_over_time avg_over_time changes count_over_time delta deriv first_over_time idelta
    increase irate last_over_time max_over_time min_over_time present_over_time rate resets
    stddev_over_time stdvar_over_time sum_over_time`,
  'v?': 'day_of_month day_of_week day_of_year days_in_month hour minute month year',
  vss: 'clamp',
  vs: 'clamp_max clamp_min',
  'vs?': 'round',
  ms: 'predict_linear',
  sm: 'quantile_over_time',
  sv: 'histogram_quantile',
  ssv: 'histogram_fraction',
  vtttt: 'label_replace',
  'vttt?*': 'label_join',
  s: 'vector',
};

const experimental: Record<string, string> = {
  m: `mad_over_time ts_of_first_over_time ts_of_last_over_time ts_of_max_over_time
    ts_of_min_over_time`,
  mss: 'double_exponential_smoothing',
  'ms?': 'integral',
  v: 'start_timestamp',
  'vv?': 'info',
  'vt?*': 'sort_by_label sort_by_label_desc',
  'vts*9': 'histogram_quantiles',
};

function table(): Map<string, Signature> {
  const found = new Map<string, Signature>();
  const add = (names: string, shape: string, returns: ValueType, isExperimental: boolean): void => {
    for (const name of names.trim().split(/\s+/)) {
      found.set(name, signature(shape, returns, isExperimental));
    }
  };
  for (const [shape, names] of Object.entries(stable)) add(names, shape, 'vector', false);
  for (const [shape, names] of Object.entries(experimental)) add(names, shape, 'vector', true);
  add('pi time', '', 'scalar', false);
  add('scalar', 'v', 'scalar', false);
  add('start end step range', '', 'scalar', true);
  add('min_of max_of', 'ss', 'scalar', true);
  return found;
}

export const signatures: ReadonlyMap<string, Signature> = table();

/** Function names before Prometheus 3, which no longer knows them. */
export const formerNames: ReadonlyMap<string, string> = new Map([
  ['holt_winters', 'double_exponential_smoothing'],
]);
