/** The files of a packed incident: rules, a test for promtool, labels, a story, a scenario. */
import { Document } from 'yaml';
import { formatDurationMs } from '../../../base/duration.js';
import type { RuleGroup } from '../../../slo/index.js';
import { groupsText } from '../../../slo/rules/write.js';
import { severityOf } from '../backtest/rules.js';
import { pointsText } from '../mutants/write-tests.js';
import type { UnitSeries } from '../unit/world.js';
import type { Fired } from './recorded.js';
import type { Replay } from './replay.js';

export interface Incident {
  name: string;
  /** Start of the pack: the time of the series' first point. */
  startMs: number;
  /** From the first firing minus its `for` to the last end. */
  fromMs: number;
  toMs: number;
  fired: readonly Fired[];
}

const yaml = (value: unknown): string => new Document(value).toString({ lineWidth: 0 });
const iso = (ms: number): string =>
  new Date(Math.floor(ms / 1000) * 1000).toISOString().replace('.000', '');

export const rulesFile = (groups: readonly RuleGroup[], of: string): string =>
  `# The alerts that fired, as ${of} evaluated them.\n${groupsText(groups)}`;

/** The test's input contains recorded series, so recording rules are not evaluated again. */
export function testFile(
  { name }: Incident,
  { changes }: Replay,
  series: readonly UnitSeries[],
  stepMs: number,
): string {
  const names = [...new Set(changes.flatMap((c) => c.alerts.map((a) => a.labels.alertname ?? '')))];
  const at = new Map<number, Replay['changes'][number]['alerts']>();
  changes.forEach(({ atMs, alerts }, i) => {
    if (atMs >= stepMs) at.set(atMs - stepMs, changes[i - 1]?.alerts ?? []);
    at.set(atMs, alerts);
  });
  const cases = [...at].flatMap(([atMs, alerts]) =>
    names.map((alertname) => ({
      eval_time: formatDurationMs(atMs),
      alertname,
      exp_alerts: alerts
        .filter((a) => a.labels.alertname === alertname)
        .map(({ labels, annotations }) => ({
          exp_labels: Object.fromEntries(
            Object.entries(labels).filter(([name]) => name !== 'alertname'),
          ),
          ...(Object.keys(annotations).length > 0 && { exp_annotations: annotations }),
        })),
    })),
  );
  return yaml({
    rule_files: ['rules.yaml'],
    evaluation_interval: formatDurationMs(stepMs),
    tests: [
      {
        name,
        interval: formatDurationMs(stepMs),
        input_series: series.map((s) => ({ series: s.labels.toString(), values: pointsText(s) })),
        alert_rule_test: cases,
      },
    ],
  });
}

const severityOfAll = (fired: readonly Fired[]): 'page' | 'ticket' =>
  fired.some((f) => severityOf(f.labels) === 'page') ? 'page' : 'ticket';

/**
 * Labels for `alerts backtest` and `alerts diff` over the same Prometheus: the alerts that should have been notified.
 */
export function labelsFile({ name, fromMs, toMs, fired }: Incident): string {
  const dayMs = 86_400_000;
  const start = Math.floor(fromMs / dayMs) * dayMs;
  return yaml({
    apiVersion: 'firedrill.dev/v1',
    kind: 'Incidents',
    start: iso(start),
    days: Math.ceil((toMs - start) / dayMs) + 1,
    incidents: [
      { name, kind: 'label', from: iso(fromMs), to: iso(toMs), expect: severityOfAll(fired) },
    ],
  });
}

/** Measured traffic and error ratio of an SLO. */
export interface Measured {
  slo: string;
  perSecond: number;
  usual: number;
  share: number;
}

/** A story for `alerts backtest --incidents`: the same traffic and error ratio, starting one day into the story. */
export function storyFile({ name, fromMs, toMs, fired }: Incident, measured: Measured): string {
  const round = (x: number): number => Number(x.toPrecision(4));
  return yaml({
    apiVersion: 'firedrill.dev/v1',
    kind: 'Incidents',
    days: 1 + Math.ceil((toMs - fromMs) / 86_400_000) + 1,
    noise: 'poisson',
    traffic: { rate: round(measured.perSecond) },
    baseline: { share: round(measured.usual) },
    incidents: [
      {
        name,
        kind: 'outage',
        at: '1d',
        for: formatDurationMs(Math.max(60_000, Math.round((toMs - fromMs) / 1000) * 1000)),
        share: round(measured.share),
        expect: severityOfAll(fired),
      },
    ],
  });
}

export interface Cause {
  fault: string;
  target: string;
  settings: Record<string, string | number>;
}

const minuteMs = 60_000;
const minutes = (ms: number): string =>
  formatDurationMs(Math.max(1, Math.ceil(ms / minuteMs)) * minuteMs);

/** A scenario for `gameday run` that expects the same alerts, each within one and a half times its detection time. */
export function scenarioFile(incident: Incident, { fault, target, settings }: Cause): string {
  const { name, fromMs, toMs, fired } = incident;
  const id =
    name
      .toLowerCase()
      .replaceAll(/[^a-z0-9]+/g, '-')
      .replaceAll(/^-+|-+$/g, '') || 'incident';
  const firsts = new Map<string, Fired>();
  for (const one of fired) {
    const key = `${one.labels.alertname} ${one.labels.severity}`;
    if (!firsts.has(key)) firsts.set(key, one);
  }
  const lastMs = Math.max(...[...firsts.values()].map((f) => f.firedMs));
  const limit = minutes((lastMs - fromMs) * 1.5 + 5 * minuteMs);
  return yaml({
    apiVersion: 'firedrill.dev/v1',
    kind: 'Scenario',
    id,
    title: `${name}, once more`,
    description:
      `The incident of ${iso(fromMs)} to ${iso(toMs)}: its alerts are awaited again, ` +
      'in the times that they took.',
    blastRadius: `${target}, and who calls it.`,
    runbook: 'SloBudgetBurn',
    baseline: '10m',
    hypothesis: {
      title: 'Callers are answered',
      measures: [{ name: 'errors at the client', client: 'errorRatio', atMost: 0.01 }],
    },
    faults: [
      {
        id: 'cause',
        kind: fault,
        target,
        ...(Object.keys(settings).length > 0 && { settings }),
      },
    ],
    fault: { atMost: limit },
    recovery: minutes(Math.max(2 * (toMs - lastMs), 30 * minuteMs)),
    expect: {
      mustFire: [...firsts.values()].map((f) => ({
        alert: f.labels.alertname,
        severity: f.labels.severity ?? 'none',
        within: minutes((f.firedMs - fromMs) * 1.5 + 5 * minuteMs),
      })),
    },
    abort: [{ name: 'nobody is answered', client: 'errorRatio', above: 0.95, for: limit }],
  });
}
