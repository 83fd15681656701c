/** Random queries over the series of `random-series.ts`, only of kinds whose meaning is the same in all versions. */
import fc from 'fast-check';

/** `exact`: whether the value is computed without rounding; only such values may be compared with others. */
export interface Query {
  text: string;
  exact: boolean;
}

/** Some functions treat NaN and infinities differently in different versions and on different machines. */
const finite = (text: string): string => `((${text}) > -1e9 < 1e9)`;

const join = (text: string, exact: boolean): Query => ({ text, exact });

/** Ranges of seconds that end in 17, so that no edge falls on a sample or on a subquery's step. */
const range = fc.integer({ min: 1, max: 9 }).map((minutes) => `${minutes * 60 + 17}s`);
const subqueryStep = fc.constantFrom('30s', '1m', '');
const offset = fc
  .tuple(
    fc.integer({ min: -4, max: 12 }),
    fc.constantFrom('', '', ' @ 1700001800', ' @ end()', ' @ start()'),
  )
  .map(([n, at]) => `${at}${n === 0 ? '' : ` offset ${n * 30}s`}`);
const modifiers = fc.oneof(
  { weight: 3, arbitrary: fc.constant('') },
  { weight: 1, arbitrary: offset },
);

const matchers = fc.constantFrom(
  '',
  '',
  '{job="a"}',
  '{job!="a"}',
  '{pod=~"p1|p2"}',
  '{pod!~"p1.*", job=~".+"}',
  '{job="none"}',
);
const gauge = matchers.map((m) => `level${m}`);
const counter = matchers.map((m) => `hits_total${m}`);
const number = fc.oneof(
  fc.integer({ min: -9, max: 9 }).map(String),
  fc.constantFrom('0.5', '2.25', '100'),
);

/** Prometheus before version 3 gives `predict_linear` of a fixed range only at the first step. */
const movingRange = fc.tuple(fc.oneof(gauge, counter), range).map(([s, r]) => `${s}[${r}]`);

const selector = fc
  .tuple(fc.oneof(gauge, counter), modifiers)
  .map(([s, m]) => join(`${s}${m}`, true));
const rangeSelector = fc
  .tuple(fc.oneof(gauge, counter), range, modifiers)
  .map(([s, r, m]) => `${s}[${r}]${m}`);
const counterRange = fc.tuple(counter, range, modifiers).map(([s, r, m]) => `${s}[${r}]${m}`);

const exactOverTime = fc.constantFrom('sum', 'min', 'max', 'count', 'last', 'present', 'absent');
const otherOverTime = fc.constantFrom('avg', 'stddev', 'stdvar');
const exactMath = fc.constantFrom('abs', 'ceil', 'floor', 'sgn', '-', 'round');
const otherMath = fc.constantFrom('sqrt', 'ln', 'exp', 'atan', 'cosh', 'deg', 'log2', 'sinh');
const calendar = fc.constantFrom('day_of_week', 'hour', 'month', 'year', 'days_in_month', 'minute');
const exactAggregate = fc.constantFrom('sum', 'min', 'max', 'count', 'group');
const otherAggregate = fc.constantFrom('avg', 'stddev', 'stdvar');
const grouping = fc.constantFrom(
  '',
  '',
  ' by (job)',
  ' by (pod, job)',
  ' without (pod)',
  ' by (nope)',
);
const arithmetic = fc.constantFrom('+', '-', '*');
const inexactArithmetic = fc.constantFrom('/', '%', '^', 'atan2');
const comparison = fc.constantFrom('==', '!=', '>', '<', '>=', '<=');
const bool = fc.constantFrom('', ' bool');
const setOperator = fc.constantFrom('and', 'or', 'unless');
const matching = fc.constantFrom(
  '',
  ' on (job, pod)',
  ' ignoring (pod)',
  ' on (job) group_left ()',
  ' on (pod) group_right (job)',
);
const setMatching = fc.constantFrom('', ' on (job)', ' ignoring (pod)', ' on ()');

export const { query: arbitraryQuery } = fc.letrec<{ query: Query; vector: Query; scalar: Query }>(
  (tie) => {
    const vector = tie('vector');
    const scalar = tie('scalar');
    const leaf = selector;
    const overTime = fc.oneof(
      fc.tuple(exactOverTime, rangeSelector).map(([f, r]) => join(`${f}_over_time(${r})`, true)),
      fc.tuple(otherOverTime, rangeSelector).map(([f, r]) => join(`${f}_over_time(${r})`, false)),
      fc
        .tuple(fc.constantFrom('rate', 'increase', 'irate'), counterRange)
        .map(([f, r]) => join(`${f}(${r})`, false)),
      fc
        .tuple(fc.constantFrom('delta', 'idelta', 'deriv'), rangeSelector)
        .map(([f, r]) => join(`${f}(${r})`, false)),
      fc
        .tuple(fc.constantFrom('changes', 'resets'), rangeSelector)
        .map(([f, r]) => join(`${f}(${r})`, true)),
      fc.tuple(movingRange, number).map(([r, n]) => join(`predict_linear(${r}, ${n})`, false)),
      fc
        .tuple(rangeSelector, fc.constantFrom('0', '0.3', '(0.5)', '1', '1.5'))
        .map(([r, q]) => join(`quantile_over_time(${q}, ${r})`, false)),
      rangeSelector.map((r) => join(`double_exponential_smoothing(${r}, 0.3, 0.6)`, false)),
    );
    const subquery = fc
      .tuple(fc.oneof(exactOverTime, fc.constant('avg')), vector, range, subqueryStep, modifiers)
      .map(([f, v, r, s, m]) =>
        join(`${f}_over_time((${v.text})[${r}:${s}]${m})`, v.exact && f !== 'avg'),
      );
    const math = fc.oneof(
      fc.tuple(exactMath, vector).map(([f, v]) => join(`${f}(${v.text})`, v.exact)),
      fc.tuple(otherMath, vector).map(([f, v]) => join(`${f}(${v.text})`, false)),
      fc.tuple(vector, number).map(([v, n]) => join(`clamp_max(${v.text}, ${n})`, v.exact)),
      fc.tuple(vector, number).map(([v, n]) => join(`clamp_min(${v.text}, ${n})`, v.exact)),
      fc.tuple(calendar, vector).map(([f, v]) => join(`${f}${finite(v.text)}`, v.exact)),
      fc.tuple(selector).map(([v]) => join(`timestamp(${v.text})`, true)),
    );
    const aggregate = fc.oneof(
      fc
        .tuple(exactAggregate, grouping, vector)
        .map(([f, g, v]) => join(`${f}${g} (${v.text})`, v.exact)),
      fc
        .tuple(otherAggregate, grouping, vector)
        .map(([f, g, v]) => join(`${f}${g} ${finite(v.text)}`, false)),
      fc
        .tuple(fc.constantFrom('0.2', '0.5', '1'), grouping, vector)
        .map(([q, g, v]) => join(`quantile${g} (${q}, ${v.text})`, false)),
      // Which of several equal series is the largest is undefined, but their number and sum are defined.
      fc
        .tuple(fc.constantFrom('topk', 'bottomk'), fc.integer({ min: 0, max: 4 }), vector)
        .map(([f, k, v]) => join(`sum(${f}(${k}, ${v.text}))`, v.exact)),
      fc.tuple(grouping, vector).map(([g, v]) =>
        // Hides the sign of a rounding error, which would show as that of a zero.
        join(`count_values${g} ("value", ${v.exact ? v.text : `(${v.text}) * 0 + 0`})`, true),
      ),
    );
    const operator = fc.oneof(
      fc
        .tuple(vector, arithmetic, matching, vector)
        .map(([a, o, m, b]) => join(`(${a.text}) ${o}${m} (${b.text})`, a.exact && b.exact)),
      fc.tuple(vector, inexactArithmetic, matching, vector).map(([a, o, m, b]) =>
        // The sign removes the name, which older versions keep on atan2.
        join(`-((${a.text}) ${o}${m} (${b.text}))`, false),
      ),
      fc
        .tuple(vector, comparison, bool, matching, vector)
        .map(([a, c, w, m, b]) =>
          a.exact && b.exact ? join(`(${a.text}) ${c}${w}${m} (${b.text})`, true) : a,
        ),
      fc
        .tuple(vector, comparison, bool, scalar)
        .map(([a, c, w, b]) =>
          a.exact && b.exact ? join(`(${a.text}) ${c}${w} ${b.text}`, true) : a,
        ),
      fc
        .tuple(scalar, comparison, bool, vector)
        .map(([a, c, w, b]) =>
          a.exact && b.exact ? join(`(${a.text}) ${c}${w} (${b.text})`, true) : b,
        ),
      fc
        .tuple(scalar, arithmetic, vector)
        .map(([a, o, b]) => join(`${a.text} ${o} (${b.text})`, a.exact && b.exact)),
      fc
        .tuple(vector, setOperator, setMatching, vector)
        .map(([a, o, m, b]) => join(`(${a.text}) ${o}${m} (${b.text})`, a.exact && b.exact)),
    );
    const labels = fc.oneof(
      vector.map((v) => join(`label_replace(${v.text}, "job", "$1-x", "pod", "(p).*")`, v.exact)),
      vector.map((v) => join(`label_join(${v.text}, "both", "/", "job", "pod")`, v.exact)),
      vector.map((v) => join(`absent(${v.text})`, v.exact)),
      scalar.map((s) => join(`vector(${s.text})`, s.exact)),
    );
    const quantile = fc
      .tuple(
        fc.constantFrom('0', '0.25', '0.9', '1'),
        range,
        fc.constantFrom('', ' by (le)', ' by (le, job)'),
      )
      .map(([q, r, g]) => {
        const rates = `rate(time_bucket[${r}])`;
        return join(`histogram_quantile(${q}, ${g === '' ? rates : `sum${g} (${rates})`})`, false);
      });
    return {
      query: fc.oneof({ weight: 9, arbitrary: vector }, { weight: 1, arbitrary: scalar }),
      scalar: fc.oneof(
        { depthSize: 'small', withCrossShrink: true },
        number.map((n) => join(n, true)),
        vector.map((v) => join(`scalar(${v.text})`, v.exact)),
        fc.constantFrom(join('time()', true), join('pi()', false)),
      ),
      vector: fc.oneof(
        { depthSize: 'small', withCrossShrink: true },
        leaf,
        { weight: 3, arbitrary: overTime },
        { weight: 1, arbitrary: quantile },
        { weight: 2, arbitrary: math },
        { weight: 3, arbitrary: aggregate },
        { weight: 3, arbitrary: operator },
        { weight: 1, arbitrary: labels },
        { weight: 1, arbitrary: subquery },
      ),
    };
  },
);
