/**
 * Proves that scaled rules fire like the originals. The originals run on invented series, the scaled rules on the same
 * series at the scale; every alert must fire at the same steps with the same labels, here and in promtool.
 */
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { parseDurationMs } from '../../base/duration.js';
import { seededRandom } from '../../base/random.js';
import { findTool } from '../../base/tools.js';
import { counted } from '../../base/terminal.js';
import { groupsText, type RuleGroup } from '../../slo/index.js';
import { MemoryStore } from '../../slo/promql/index.js';
import { QueryEngine } from '../rules/engine.js';
import { GroupState } from '../rules/group.js';
import { asRead, type ReadGroup } from '../rules/read.js';
import { type InventedSeries, inventSeries } from './invented-series.js';
import { type ScaledRules, scaleReadGroups, type ScaleOptions } from './scale.js';

export interface Proof {
  equal: boolean;
  /** Alerts that fired in both at the same steps. */
  fired: string[];
  /** Number of alerts that fired in neither. */
  silent: number;
  /** Number of alerts that were not compared, because they depend on parts that cannot be scaled. */
  excluded: number;
  differing: string[];
  /** promtool's verdict on the same comparison; undefined without promtool. */
  promtool: string | undefined;
  text: string;
}

const aboutEvaluationMs = 60_000;
/**
 * Approximate time between samples. It avoids samples at the edge of a range, because Prometheus 2 includes the first
 * edge and Prometheus 3 does not.
 */
const aboutSampleMs = 29_000;
const lengthMs = 5 * 3_600_000;

/** The labels of the firing alerts, by alert name and evaluation time. */
type Firings = Map<string, Map<number, string[]>>;

export async function proveScaling(
  read: readonly ReadGroup[],
  options: ScaleOptions & { seed: number },
): Promise<Proof> {
  const { timeScale, seed } = options;
  const original = scaleReadGroups(read, { timeScale: 1 }).groups.map(bare);
  // Rounds so that the scaled value is a whole number of milliseconds.
  const whole = (ms: number): number => Math.max(1, Math.round(ms * timeScale)) / timeScale;
  const [sampleMs, evaluationMs] = [whole(aboutSampleMs), whole(aboutEvaluationMs)];
  const scaled = scaleReadGroups(read, { subqueryStepMs: evaluationMs, ...options });
  const groups = scaled.groups.map(bare);
  const series = inventSeries(read, Math.ceil(lengthMs / sampleMs), seededRandom(seed));
  const before = run(original, series, { scale: 1, sampleMs, evaluationMs });
  const after = run(groups, series, { scale: timeScale, sampleMs, evaluationMs });
  const excluded = notCompared(read, scaled);
  const names = [...before.keys()].filter((name) => !excluded.has(name));
  const differing = names.filter((n) => textOf(before.get(n)) !== textOf(after.get(n)));
  const fired = names.filter((n) => (before.get(n)?.size ?? 0) > 0 && !differing.includes(n));
  const promtool = await askPromtool(
    { original, groups },
    series,
    new Map(
      names.map((name) => [
        name,
        interesting(before.get(name) ?? new Map<number, string[]>(), evaluationMs),
      ]),
    ),
    { scale: timeScale, sampleMs, evaluationMs },
  );
  const equal = differing.length === 0 && (promtool === undefined || promtool === 'equal');
  const silent = names.length - fired.length - differing.length;
  const counts = { fired, silent, excluded: excluded.size };
  const proof = { equal, ...counts, differing, promtool };
  return { ...proof, text: textOfProof(proof, series.length) };
}

function textOfProof(proof: Omit<Proof, 'text'>, series: number): string {
  const { fired, silent, excluded, differing, promtool } = proof;
  const said = promtool === undefined ? 'promtool is not here' : `by promtool ${promtool}`;
  return (
    `${counted(fired.length, 'alert')} fired at the same times on ${series} invented series, ${silent} in neither, ` +
    `${excluded} not compared for parts without a scale; ${said}\n` +
    differing.map((name) => `${name} fires differently\n`).join('')
  );
}

/** Removes parts that are not compared: annotations, and intervals, which promtool ignores. */
const bare = (group: RuleGroup): RuleGroup => ({
  name: group.name,
  ...(group.limit === undefined ? {} : { limit: group.limit }),
  rules: group.rules.map((rule) => (rule.kind === 'alert' ? { ...rule, annotations: {} } : rule)),
});

/**
 * Alerts that depend on unscaled parts or on the clock (invented series have no real times), or that read a metric
 * recorded by such a rule.
 */
function notCompared(
  read: readonly ReadGroup[],
  { unscalable, byTheClock }: ScaledRules,
): ReadonlySet<string> {
  const left = unscalable.filter((r) => r.kind === 'left').map((r) => r.rule);
  const tainted = new Set([...left, ...byTheClock]);
  const rules = read.flatMap((g) => g.rules.map((r) => r.rule));
  for (let i = 0; i < 8; i++) {
    for (const rule of rules) {
      const name = rule.kind === 'alert' ? rule.alert : rule.record;
      const reads = [...tainted].some((t) => t.includes(':') && rule.expr.includes(t));
      if (reads) tainted.add(name);
    }
  }
  return new Set(rules.flatMap((r) => (r.kind === 'alert' && tainted.has(r.alert) ? r.alert : [])));
}

interface Pace {
  scale: number;
  /** Milliseconds between samples of the original series. */
  sampleMs: number;
  evaluationMs: number;
}

function run(groups: readonly RuleGroup[], series: readonly InventedSeries[], pace: Pace): Firings {
  const { scale, evaluationMs } = pace;
  const store = new MemoryStore();
  for (const one of series) fill(store, one, pace);
  const engine = new QueryEngine(store, { subqueryStepMs: evaluationMs * scale });
  const states = asRead(groups, 'rules.yaml').map(
    (group) =>
      new GroupState(group, {
        query: (expr, timeMs) => engine.instant(expr, timeMs),
        append: ({ labels, value, histogram }, timeMs) =>
          void store.append(labels, timeMs, histogram ?? value),
        appendStale: (labels, timeMs) => void store.appendStale(labels, timeMs),
        externalLabels: {},
        externalUrl: '',
      }),
  );
  const firings: Firings = new Map();
  for (let t = 0; t < lengthMs; t += evaluationMs) {
    for (const state of states) {
      state.evaluate(Math.round(t * scale));
      for (const rule of state.alerting) {
        const own = firings.get(rule.rule.alert) ?? new Map<number, string[]>();
        firings.set(rule.rule.alert, own);
        const firing = rule.active().filter((a) => a.state === 'firing');
        if (firing.length === 0) continue;
        const texts = firing.map((a) => JSON.stringify(a.labels.toObject()));
        own.set(t, [...(own.get(t) ?? []), ...texts].sort());
      }
    }
  }
  return firings;
}

const textOf = (firings: Map<number, string[]> | undefined): string =>
  JSON.stringify([...(firings ?? [])]);

/** A counter's slope is the real system's own, so the counter grows less in a shorter time. */
const valueAt = ({ isCounter, values }: InventedSeries, i: number, scale: number) => {
  const value = values[i];
  return value === undefined ? undefined : isCounter ? value * scale : value;
};

function fill(store: MemoryStore, series: InventedSeries, { scale, sampleMs }: Pace): void {
  const own = store.series(series.labels);
  for (let i = 0; i < series.values.length; i++) {
    const timeMs = Math.round(i * sampleMs * scale);
    const value = valueAt(series, i, scale);
    if (value !== undefined) own.append(timeMs, value);
    else if (i > 0 && series.values[i - 1] !== undefined) own.appendStale(timeMs);
  }
}

/** `equal` if promtool reports the same alerts at the same times for both; otherwise the first difference. */
async function askPromtool(
  { original, groups }: { original: readonly RuleGroup[]; groups: readonly RuleGroup[] },
  series: readonly InventedSeries[],
  times: ReadonlyMap<string, number[]>,
  pace: Pace,
): Promise<string | undefined> {
  const path = findTool('promtool');
  if (path === undefined) return undefined;
  const folder = mkdtempSync(join(tmpdir(), 'firedrill-scale-'));
  try {
    const [before, after] = await Promise.all(
      [original, groups].map(async (rules, i) => {
        const own = i === 0 ? { ...pace, scale: 1 } : pace;
        const name = i === 0 ? 'original' : 'scaled';
        writeFileSync(join(folder, `${name}.rules.yaml`), groupsText(rules));
        const file = join(folder, `${name}.test.json`);
        const test = unitTest(`${name}.rules.yaml`, rules, series, times, own);
        writeFileSync(file, JSON.stringify(test));
        return firedIn(await promtool(path, file), own.scale);
      }),
    );
    const [one, other] = [before as string[], after as string[]];
    const differ = one.findIndex((text, i) => text !== other[i]);
    if (one.length === other.length && differ < 0) return 'equal';
    return `differs: ${(one[differ] ?? other[one.length] ?? '').slice(0, 1000)}`;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** promtool's output for a test that expects no alerts. */
async function promtool(path: string, file: string): Promise<string> {
  try {
    await promisify(execFile)(path, ['test', 'rules', file], {
      timeout: 300_000,
      maxBuffer: 256 * 1024 * 1024,
    });
    return '';
  } catch (error) {
    const { stdout = '', stderr = '' } = error as { stdout?: string; stderr?: string };
    return `${stdout}${stderr}`;
  }
}

/** Name, original time and labels of each alert in the output. */
function firedIn(output: string, scale: number): string[] {
  const parts = output.split(/^\s*alertname: /m).slice(1);
  return parts.map((part) => {
    const [, name = '', time = ''] = /^(.*?), time: (\w+)/.exec(part) ?? [];
    const got = part.slice(part.indexOf('got:'));
    const labels = [...got.matchAll(/Labels:(\{.*\})/g)].map((m) => m[1]);
    return `${name} at ${Math.round((parseDurationMs(time) ?? 0) / scale)}: ${labels.join(' ')}`;
  });
}

/** The unit test in promtool's format. */
function unitTest(
  file: string,
  groups: readonly RuleGroup[],
  series: readonly InventedSeries[],
  times: ReadonlyMap<string, number[]>,
  { scale, sampleMs, evaluationMs }: Pace,
): unknown {
  const ms = (t: number): string => `${Math.round(t * scale)}ms`;
  return {
    rule_files: [file],
    evaluation_interval: ms(evaluationMs),
    group_eval_order: groups.map((g) => g.name),
    tests: [
      {
        interval: ms(sampleMs),
        input_series: series.map((one) => ({
          series: seriesText(one),
          values: valuesText(one, scale),
        })),
        alert_rule_test: [...times].flatMap(([alertname, all]) =>
          all.map((t) => ({ eval_time: ms(t), alertname, exp_alerts: [] })),
        ),
      },
    ],
  };
}

/** Times at which the firing alerts change, the evaluations before them, and some in between. */
function interesting(firings: Map<number, string[]>, evaluationMs: number): number[] {
  const times: number[] = [];
  let last = '';
  for (let t = 0; t < lengthMs; t += evaluationMs) {
    const now = JSON.stringify(firings.get(t) ?? []);
    if (now !== last) times.push(...(t > 0 ? [t - evaluationMs] : []), t);
    else if (t % (20 * evaluationMs) === 0) times.push(t);
    last = now;
  }
  return [...new Set(times)].sort((a, b) => a - b);
}

function seriesText({ labels }: InventedSeries): string {
  const { __name__: name = '', ...rest } = labels;
  const pairs = Object.entries(rest).map(([n, v]) => `${n}=${JSON.stringify(v)}`);
  return `${name}{${pairs.join(',')}}`;
}

function valuesText(series: InventedSeries, scale: number): string {
  return series.values
    .map((_, i) => {
      const value = valueAt(series, i, scale);
      if (value !== undefined) return String(value);
      return i > 0 && series.values[i - 1] !== undefined ? 'stale' : '_';
    })
    .join(' ');
}
