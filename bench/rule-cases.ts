/** Random rules over random series: the firings of `alerts diff`, as a test file for promtool. */
import { alertRules } from '../alerts/proof/backtest/rules.js';
import { QueryEngine } from '../alerts/rules/engine.js';
import { readRuleText } from '../alerts/rules/read.js';
import { readSeries } from '../alerts/proof/unit/run.js';
import { type Random, seededRandom } from '../base/random.js';
import { MemoryStore, quote } from '../slo/promql/index.js';
import { groupsText } from '../slo/rules/write.js';
import type { AlertingRule } from '../slo/index.js';

const minuteMs = 60_000;
const minutes = 60;

interface InputSeries {
  series: string;
  values: string;
}

export interface RuleCases {
  rules: string;
  tests: string;
  /** Firings in all, and cases that never fired. */
  firings: number;
  silent: number;
}

const pick = <T>(random: Random, all: readonly T[]): T => all[random.below(all.length)] as T;

/**
 * Series of three pods: a wandering gauge, a second one, and a counter with resets; some samples are missing, some
 * series end.
 */
function seriesOf(random: Random, n: number): InputSeries[] {
  return ['p1', 'p2', 'p3'].flatMap((pod) =>
    ['level', 'other', 'hits_total'].map((name) => {
      let value = random.below(10);
      const values = Array.from({ length: minutes }, () => {
        const chance = random.next();
        if (chance < 0.06) return '_';
        if (chance < 0.08) return 'stale';
        if (name === 'hits_total')
          value = chance > 0.96 ? random.below(5) : value + random.below(60);
        else if (chance > 0.6) value = random.below(10);
        return String(value);
      });
      return {
        series: `${name}{case="${n}", job="${pick(random, ['a', 'b'])}", pod="${pod}"}`,
        values: values.join(' '),
      };
    }),
  );
}

function exprOf(random: Random, n: number): string {
  const own = (name: string, more = ''): string => `${name}{case="${n}"${more}}`;
  const op = pick(random, ['>', '>', '>=', '<', '==', '!=']);
  const bound = String(random.below(10));
  const above = `${own('level')} ${op} ${bound}`;
  const other = `${own('other')} > ${random.below(8)}`;
  return pick(random, [
    above,
    `${pick(random, ['max', 'min', 'sum', 'count'])} by (${pick(random, ['job', 'pod', 'job, pod', ''])}) (${above})`,
    `rate(${own('hits_total')}[${1 + random.below(6)}m30s]) > ${(random.next() * 0.8).toFixed(2)}`,
    `${pick(random, ['avg', 'max', 'sum', 'last'])}_over_time(${own('level')}` +
      `[${1 + random.below(8)}m30s]) ${op} ${bound}`,
    `${above} and on (pod) ${other}`,
    `${above} unless on (pod, job) ${other}`,
    `${above} or ${other}`,
    `absent(${own('level', `,pod="${pick(random, ['p1', 'p4'])}"`)})`,
    `${own('level')} offset ${1 + random.below(5)}m ${op} ${bound}`,
    `changes(${own('level')}[5m30s]) > ${random.below(4)}`,
    `${own('level')} - on (pod) ${own('other')} ${op} ${random.below(5)}`,
  ]);
}

function ruleOf(random: Random, n: number): AlertingRule {
  return {
    kind: 'alert',
    alert: `C${n}`,
    expr: exprOf(random, n),
    forMs: pick(random, [0, 0, 1, 2, 3, 5]) * minuteMs,
    keepFiringForMs: pick(random, [0, 0, 1, 2, 4]) * minuteMs,
    labels: { severity: pick(random, ['page', 'ticket']) },
    annotations: {},
  };
}

/** Cases `from` to `to`; the same for the same seed. `file` is the path of the rules. */
export async function ruleCases(
  seed: number,
  from: number,
  to: number,
  file: string,
): Promise<RuleCases> {
  const inputs: InputSeries[] = [];
  const all: AlertingRule[] = [];
  for (let n = from; n < to; n++) {
    const random = seededRandom(seed * 1_000_003 + n);
    inputs.push(...seriesOf(random, n));
    all.push(ruleOf(random, n));
  }
  const rules = groupsText([{ name: 'cases', rules: all }]);
  const results = await alertRules(readRuleText(file, rules), askOver(inputs), {
    startMs: 0,
    endMs: minutes * minuteMs,
    stepMs: minuteMs,
  });
  const firings = results.flatMap((r) => r.firings);
  const tests = [
    `rule_files: [${file}]`,
    'evaluation_interval: 1m',
    'tests:',
    '  - interval: 1m',
    '    input_series:',
    ...inputs.map((s) => `      - { series: '${s.series}', values: '${s.values}' }`),
    '    promql_expr_test:',
    ...Array.from({ length: minutes }, (_, minute) => {
      const atMs = minute * minuteMs;
      const on = firings.filter((f) => f.firedMs <= atMs && atMs < (f.resolvedMs ?? Infinity));
      const samples = on.map((f) => {
        const labels = { ...f.labels, alertname: f.alert, alertstate: 'firing' };
        const text = Object.entries(labels).map(([name, value]) => `${name}=${quote(value)}`);
        return `          - { labels: 'ALERTS{${text.join(',')}}', value: 1 }`;
      });
      return [
        `      - expr: ALERTS{alertstate="firing"}`,
        `        eval_time: ${minute}m`,
        samples.length === 0 ? '        exp_samples: []' : '        exp_samples:',
        ...samples,
      ].join('\n');
    }),
    '',
  ].join('\n');
  return {
    rules,
    tests,
    firings: firings.length,
    silent: results.filter((r) => r.firings.length === 0).length,
  };
}

function askOver(inputs: readonly InputSeries[]) {
  const store = new MemoryStore();
  for (const input of inputs) {
    const { labels, points } = readSeries(input as never);
    const target = store.series(labels);
    points.forEach((point, i) => {
      if (point === 'stale') target.appendStale(i * minuteMs);
      else if (typeof point === 'number') target.append(i * minuteMs, point);
    });
  }
  const engine = new QueryEngine(store, { subqueryStepMs: minuteMs });
  return (expr: string, startMs: number, endMs: number, stepMs: number) =>
    engine.range(expr, startMs, endMs, stepMs);
}
