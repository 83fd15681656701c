/** Runs one group of unit tests: loads its series, evaluates the rules step by step, and compares. */
import { type Place, UserError } from '../../../base/errors.js';
import { Labels, parseSelector, PromqlError } from '../../../slo/promql/index.js';
import { GroupState } from '../../rules/group.js';
import { RuleError, type RuleSample } from '../../rules/model.js';
import type { ReadGroup } from '../../rules/read.js';
import { compareAlerts, compareSamples, type Comparison } from './compare.js';
import { PointsError, parsePoints } from './points.js';
import type { AlertCase, ExprCase, InputSeries, TestGroup } from './read.js';
import type { Witness } from './witness.js';
import { type UnitSeries, UnitWorld } from './world.js';

export interface Failure {
  /** Kind of the failed test: an alert, an expression, or the evaluation itself. */
  kind: 'alert' | 'expr' | 'evaluation';
  place: Place;
  title: string;
  message: string;
  comparison?: Comparison;
}

export interface GroupResult {
  name: string;
  failures: Failure[];
  cases: number;
  durationMs: number;
}

export interface RunOptions {
  evaluationIntervalMs: number;
  groupOrder: readonly string[];
  fuzzy: boolean;
  /** Rejects tests that cannot fail, although promtool accepts them. */
  strict: boolean;
  /** Ranges include both their ends, as before Prometheus 3. */
  closedRanges: boolean;
  /** Records which rules were tested. */
  witness: Witness;
}

export function runGroup(
  test: TestGroup,
  rules: readonly ReadGroup[],
  options: RunOptions,
): Failure[] {
  const world = new UnitWorld({ ...test, series: test.input.map(readSeries) }, options);
  const order = (group: ReadGroup): number => Math.max(0, options.groupOrder.indexOf(group.name));
  const groups = [...rules]
    .sort((a, b) => order(a) - order(b))
    .map((group) => new GroupState(group, world));
  const failures: Failure[] = [];
  const alertCases = [...test.alerts].sort((a, b) => a.evalTimeMs - b.evalTimeMs);
  const maxMs = Math.max(0, ...[...test.alerts, ...test.exprs].map((c) => c.evalTimeMs));

  let next = 0;
  for (let at = 0; at <= maxMs; at += options.evaluationIntervalMs) {
    const timeMs = test.startMs + at;
    world.loadUntil(timeMs);
    const broken = groups.flatMap((group) => group.evaluate(timeMs));
    if (broken.length > 0) {
      return [
        ...failures,
        ...broken.map(({ rule, message }): Failure => {
          const name = rule.rule.kind === 'alert' ? rule.rule.alert : rule.rule.record;
          const title = `rule: ${name}, time: ${seconds(at)}`;
          return { kind: 'evaluation', place: rule.place, title, message };
        }),
      ];
    }
    // An alert's test looks at the last evaluation at or before its time.
    for (; next < alertCases.length; next++) {
      const one = alertCases[next] as AlertCase;
      if (one.evalTimeMs >= at + options.evaluationIntervalMs) break;
      // Where another case expects the alert, its metrics are no mistake, and it may be silent before they begin.
      const strict =
        options.strict &&
        !test.alerts.some((c) => c.alertname === one.alertname && c.expected.length > 0);
      const failure = judgeAlert(one, groups, world, { ...options, strict });
      if (failure) failures.push(failure);
    }
  }
  for (const expr of test.exprs) {
    const failure = judgeExpr(expr, test, world, options);
    if (failure) failures.push(failure);
  }
  return failures;
}

const seconds = (ms: number): string => `${ms / 1000}s`;

function judgeAlert(
  test: AlertCase,
  groups: readonly GroupState[],
  world: UnitWorld,
  options: RunOptions,
): Failure | undefined {
  const rules = groups.flatMap((g) => g.alerting).filter((r) => r.rule.alert === test.alertname);
  const title = `alertname: ${test.alertname}, time: ${seconds(test.evalTimeMs)}`;
  const fail = (message: string, comparison?: Comparison): Failure => ({
    kind: 'alert',
    place: test.place,
    title,
    message,
    ...(comparison ? { comparison } : {}),
  });
  if (rules.length === 0 && (options.strict || test.expected.length > 0)) {
    return fail(`no rule is called ${test.alertname}, so this tests nothing`);
  }
  const got = rules
    .flatMap((rule) => rule.active())
    .filter((alert) => alert.state === 'firing')
    .map((alert) => ({ labels: alert.labels.toObject(), annotations: alert.annotations }));
  const expected = test.expected.map((alert) => ({
    labels: { ...alert.labels, alertname: test.alertname },
    annotations: alert.annotations,
  }));
  options.witness.sawAlert(test.alertname, got.length > 0);
  const comparison = compareAlerts(expected, got);
  if (comparison) return fail(comparison.summary, comparison);
  if (options.strict && expected.length === 0) {
    const blind = rules.every((rule) => !world.everFound(rule.rule.expr));
    if (blind) {
      return fail(
        'the expression of this alert never found a series, so its silence proves nothing',
      );
    }
  }
  return undefined;
}

function judgeExpr(
  test: ExprCase,
  group: TestGroup,
  world: UnitWorld,
  options: RunOptions,
): Failure | undefined {
  const title = `expr: ${JSON.stringify(test.expr)}, time: ${seconds(test.evalTimeMs)}`;
  const fail = (message: string, comparison?: Comparison): Failure => ({
    kind: 'expr',
    place: test.place,
    title,
    message,
    ...(comparison ? { comparison } : {}),
  });
  let got: RuleSample[];
  try {
    options.witness.sawExpr(test.expr);
    got = world.query(test.expr, group.startMs + test.evalTimeMs);
  } catch (error) {
    if (!(error instanceof RuleError)) throw error;
    return fail(error.message);
  }
  const expected: RuleSample[] = [];
  for (const sample of test.expected) {
    try {
      const labels = metricOf(sample.labels);
      if (sample.histogram === '') {
        expected.push({ labels, value: sample.value });
        continue;
      }
      const [point, ...more] = parsePoints(sample.histogram);
      if (more.length > 0 || typeof point !== 'object') {
        return fail(`'${sample.histogram}' is not a single histogram`);
      }
      expected.push({ labels, value: NaN, histogram: point });
    } catch (error) {
      const known = error instanceof PromqlError || error instanceof PointsError;
      if (!known) throw error;
      return fail(`labels ${JSON.stringify(sample.labels)}: ${error.message}`);
    }
  }
  const comparison = compareSamples(expected, got, options.fuzzy);
  return comparison && fail(comparison.summary, comparison);
}

/** Reads labels from `up{job="a"}`, `{job="a"}` or an empty text; only equality is allowed. */
function metricOf(text: string): Labels {
  const trimmed = text.trim();
  if (trimmed === '' || /^\{\s*\}$/.test(trimmed)) return Labels.empty;
  const { matchers } = parseSelector(trimmed);
  for (const matcher of matchers) {
    if (matcher.op !== '=') {
      throw new PromqlError(`unexpected '${matcher.op}' in labels, expected '='`, {
        from: 0,
        to: 0,
      });
    }
  }
  return Labels.fromEntries(matchers.map((m): [string, string] => [m.name, m.value]));
}

/** The labels and points of an input series; a mistake in them is a UserError with its place. */
export function readSeries(input: InputSeries): UnitSeries {
  try {
    return { labels: metricOf(input.series), points: parsePoints(input.values) };
  } catch (error) {
    if (error instanceof PointsError) {
      const { line, column } = input.valuesPlace;
      const place = { ...input.valuesPlace, line, column: column + error.offset };
      throw new UserError({ place, message: error.message });
    }
    if (error instanceof PromqlError) {
      throw new UserError({ place: input.place, message: `series: ${error.message}` });
    }
    throw error;
  }
}
