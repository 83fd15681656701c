/** Evaluates the recording rules of rule files over measured history, each after the rules that it reads. */
import { Labels, type MemoryStore, metricNameLabel } from '../../../slo/promql/index.js';
import type { RecordingRule } from '../../../slo/index.js';
import type { ReadGroup } from '../../rules/read.js';
import { selectorsOf } from '../unit/witness.js';
import type { AskRange, RangeSeries, Span } from './measure.js';

interface Recorder {
  rule: RecordingRule;
  everyMs: number;
}

/**
 * Records at the interval of each rule's group (or at each step if the group has none), since sums over recorded
 * series depend on their number of samples. Rules that read their own past, as those of `slo generate` do, are
 * evaluated moment by moment.
 */
export async function recordRules(
  groups: readonly ReadGroup[],
  store: MemoryStore,
  ask: AskRange,
  span: Span,
): Promise<void> {
  for (const { rules, circular } of batchesOf(groups, span.stepMs)) {
    if (circular) {
      await recordMoments(rules, store, ask, span);
      continue;
    }
    for (const { rule, everyMs } of rules) {
      const series = await ask(rule.expr, span.startMs, span.endMs - 1, everyMs);
      for (const one of series) appendAll(one, rule, store, everyMs, span.endMs);
    }
  }
}

const labelsOf = (rule: RecordingRule, labels: Record<string, string>): Labels =>
  Labels.of({ ...labels, [metricNameLabel]: rule.record, ...rule.labels });

function appendAll(
  { labels, points }: RangeSeries,
  rule: RecordingRule,
  store: MemoryStore,
  everyMs: number,
  endMs: number,
): void {
  const target = store.series(labelsOf(rule, labels));
  let nextMs: number | undefined;
  for (const [timeMs, value] of points) {
    // The rule had no result in between, so the series gets a stale marker there, as from an evaluator.
    if (nextMs !== undefined && timeMs > nextMs) target.appendStale(nextMs);
    target.append(timeMs, value);
    nextMs = timeMs + everyMs;
  }
  if (nextMs !== undefined && nextMs < endMs) target.appendStale(nextMs);
}

/** Evaluates rules that read each other's past, in the order of their file at each moment. */
async function recordMoments(
  rules: readonly Recorder[],
  store: MemoryStore,
  ask: AskRange,
  { startMs, endMs }: Span,
): Promise<void> {
  const tickMs = rules.map((r) => r.everyMs).reduce(commonDivisor);
  const before = new Map<Recorder, Map<string, Labels>>();
  for (let timeMs = startMs; timeMs < endMs; timeMs += tickMs) {
    for (const one of rules) {
      if ((timeMs - startMs) % one.everyMs !== 0) continue;
      const now = new Map<string, Labels>();
      for (const { labels, points } of await ask(one.rule.expr, timeMs, timeMs, one.everyMs)) {
        const own = labelsOf(one.rule, labels);
        for (const [, value] of points) store.append(own, timeMs, value);
        now.set(own.key, own);
      }
      for (const [key, labels] of before.get(one) ?? []) {
        if (!now.has(key)) store.appendStale(labels, timeMs);
      }
      before.set(one, now);
    }
  }
}

const commonDivisor = (a: number, b: number): number => (b === 0 ? a : commonDivisor(b, a % b));

interface Batch {
  rules: Recorder[];
  /** Whether its rules read each other, or the only one itself. */
  circular: boolean;
}

/** Tarjan's algorithm: rules that read each other in one batch, and each batch after those that it reads. */
function batchesOf(groups: readonly ReadGroup[], stepMs: number): Batch[] {
  const all = groups.flatMap((group) =>
    group.rules.flatMap(({ rule }): Recorder[] =>
      rule.kind === 'record' ? [{ rule, everyMs: group.intervalMs || stepMs }] : [],
    ),
  );
  const byName = new Map<string, Recorder[]>();
  for (const one of all) {
    const known = byName.get(one.rule.record);
    if (known) known.push(one);
    else byName.set(one.rule.record, [one]);
  }
  const place = new Map(all.map((one, i) => [one, i]));
  const found = new Map<Recorder, number>();
  const open: Recorder[] = [];
  const batches: Batch[] = [];
  const visit = (one: Recorder): number => {
    const number = found.size;
    found.set(one, number);
    open.push(one);
    let lowest = number;
    let readsItself = false;
    for (const matchers of selectorsOf(one.rule.expr)) {
      const name = matchers.find((m) => m.name === metricNameLabel && m.op === '=')?.value ?? '';
      for (const other of byName.get(name) ?? []) {
        readsItself ||= other === one;
        const known = found.get(other);
        if (known === undefined) lowest = Math.min(lowest, visit(other));
        else if (open.includes(other)) lowest = Math.min(lowest, known);
      }
    }
    if (lowest === number) {
      const rules = open.splice(open.indexOf(one));
      rules.sort((a, b) => (place.get(a) ?? 0) - (place.get(b) ?? 0));
      batches.push({ rules, circular: readsItself || rules.length > 1 });
    }
    return lowest;
  };
  for (const one of all) if (!found.has(one)) visit(one);
  return batches;
}
