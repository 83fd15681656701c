/** The firings of any alerts over measured history. */
import { Labels, metricNameLabel } from '../../../slo/promql/index.js';
import type { AlertingRule } from '../../../slo/index.js';
import type { ReadGroup } from '../../rules/read.js';
import { hasData } from './has-data.js';
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
  /** Whether the metrics of the expression have data; if not, the alert's silence proves nothing. */
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
        found: series.length > 0 || (await hasData(rule.expr, ask, span)),
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
