/** Evaluates any rules over measured history: first the recording rules, then the firings of each alert. */
import { type Problem, UserError } from '../../../base/errors.js';
import { Labels, type MemoryStore, metricNameLabel } from '../../../slo/promql/index.js';
import type { AlertingRule, RecordingRule } from '../../../slo/index.js';
import type { ReadGroup, ReadRule } from '../../rules/read.js';
import { selectorsOf } from '../unit/witness.js';
import { type Interval, intervalsOf } from './firings.js';
import type { AskRange, RangeSeries, Span } from './measure.js';

export interface RuleFiring extends Interval {
  alert: string;
  /** Labels of the series, and those of the rule that contain no template. */
  labels: Record<string, string>;
  severity: 'page' | 'ticket' | undefined;
}

export interface RuleResult {
  alert: string;
  file: string;
  line: number;
  severity: 'page' | 'ticket' | undefined;
  /** Whether the expression ever had a result; if not, the alert's silence proves nothing. */
  found: boolean;
  firings: RuleFiring[];
}

/** The severity of an alert; many rule sets page for `critical` and not for `warning`. */
export function severityOf(
  labels: Readonly<Record<string, string>>,
): 'page' | 'ticket' | undefined {
  const { severity = '' } = labels;
  if (/^(page|critical|error)$/.test(severity)) return 'page';
  return /^(ticket|warning|warn)$/.test(severity) ? 'ticket' : undefined;
}

/** Evaluates recording rules into the store, each after the rules that it reads. */
export async function recordRules(
  groups: readonly ReadGroup[],
  store: MemoryStore,
  ask: AskRange,
  span: Span,
): Promise<void> {
  for (const rule of inOrder(groups)) {
    const series = await ask(rule.expr, span.startMs, span.endMs - span.stepMs, span.stepMs);
    for (const one of series) {
      const labels = Labels.of({ ...one.labels, [metricNameLabel]: rule.record, ...rule.labels });
      const target = store.series(labels);
      let nextMs: number | undefined;
      for (const [timeMs, value] of one.points) {
        // The rule had no result in between, so the series gets a stale marker there, as from an evaluator.
        if (nextMs !== undefined && timeMs > nextMs) target.appendStale(nextMs);
        target.append(timeMs, value);
        nextMs = timeMs + span.stepMs;
      }
      if (nextMs !== undefined && nextMs < span.endMs) target.appendStale(nextMs);
    }
  }
}

/** Puts each rule after the rules that it reads; rules that read each other are an error. */
function inOrder(groups: readonly ReadGroup[]): RecordingRule[] {
  const all = groups.flatMap((g) => g.rules).filter((r) => r.rule.kind === 'record');
  const byName = new Map<string, ReadRule[]>();
  for (const read of all) {
    const name = (read.rule as RecordingRule).record;
    const known = byName.get(name);
    if (known) known.push(read);
    else byName.set(name, [read]);
  }
  const done = new Set<ReadRule>();
  const open = new Set<ReadRule>();
  const ordered: RecordingRule[] = [];
  const problems: Problem[] = [];
  const visit = (read: ReadRule): void => {
    if (done.has(read)) return;
    if (open.has(read)) {
      problems.push({ place: read.place, message: 'the rule reads itself, directly or by others' });
      return;
    }
    open.add(read);
    for (const matchers of selectorsOf(read.rule.expr)) {
      const name = matchers.find((m) => m.name === metricNameLabel && m.op === '=')?.value ?? '';
      for (const other of byName.get(name) ?? []) visit(other);
    }
    open.delete(read);
    done.add(read);
    ordered.push(read.rule as RecordingRule);
  };
  for (const read of all) visit(read);
  if (problems.length > 0) throw new UserError(problems);
  return ordered;
}

export async function alertRules(
  groups: readonly ReadGroup[],
  ask: AskRange,
  span: Span,
): Promise<RuleResult[]> {
  const results: RuleResult[] = [];
  for (const group of groups) {
    for (const { rule, place } of group.rules) {
      if (rule.kind !== 'alert') continue;
      const series = await ask(rule.expr, span.startMs, span.endMs - span.stepMs, span.stepMs);
      const everyMs = evaluationMs(group, span.stepMs);
      results.push({
        alert: rule.alert,
        file: place.file,
        line: place.line,
        severity: severityOf(rule.labels),
        found: series.length > 0,
        firings: instancesOf(rule, series)
          .flatMap((one) => firingsOf(rule, one, span, everyMs))
          .sort((a, b) => a.firedMs - b.firedMs),
      });
    }
  }
  return results;
}

/** The group's interval, rounded to whole steps; a condition that holds only between evaluations is not seen. */
const evaluationMs = (group: ReadGroup, stepMs: number): number =>
  Math.max(1, Math.round((group.intervalMs ?? stepMs) / stepMs)) * stepMs;

interface Instance {
  labels: Record<string, string>;
  parts: RangeSeries['points'][];
}

/**
 * Groups result series by alert. Prometheus identifies alerts by their labels without the metric's name: `a > 0 or b >
 * 0` is one alert, whichever side holds.
 */
function instancesOf(rule: AlertingRule, series: readonly RangeSeries[]): Instance[] {
  const instances = new Map<string, Instance>();
  for (const one of series) {
    const labels: Record<string, string> = { ...one.labels };
    delete labels[metricNameLabel];
    for (const [name, text] of Object.entries(rule.labels)) {
      if (!text.includes('{{')) labels[name] = text;
    }
    const { key } = Labels.of(labels);
    const known = instances.get(key);
    if (known) known.parts.push(one.points);
    else instances.set(key, { labels, parts: [one.points] });
  }
  return [...instances.values()];
}

function firingsOf(
  rule: AlertingRule,
  { labels, parts }: Instance,
  span: Span,
  everyMs: number,
): RuleFiring[] {
  const holds = new Uint8Array(Math.ceil((span.endMs - span.startMs) / everyMs));
  for (const points of parts) {
    for (const [timeMs] of points) {
      const place = (timeMs - span.startMs) / everyMs;
      if (Number.isInteger(place) && place < holds.length) holds[place] = 1;
    }
  }
  const severity = severityOf(labels);
  return intervalsOf(holds, span.startMs, everyMs, rule.forMs, rule.keepFiringForMs).map(
    (interval) => ({ alert: rule.alert, labels, severity, ...interval }),
  );
}
