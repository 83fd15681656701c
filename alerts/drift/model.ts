/** Observability drift: the errors that a service reports of itself against those that its callers saw, by route. */
import { formatDurationMs } from '../../base/duration.js';
import type { AlertingRule, RecordingRule, RuleGroup } from '../../slo/rules/model.js';

/** Selectors of counters, without a range: `errors_total{route="a"}`. */
export interface Events {
  bad: string;
  total: string;
}

export interface Pair {
  route: string;
  service: string;
  /** Counters that the service itself exposes. */
  says: Events;
  /** Counters of the service's callers: the load's client, a sidecar, a relay. */
  seen: Events;
  /** Largest difference between the two error ratios that is accepted, 0 to 1. */
  atMost: number;
}

export interface DriftFile {
  windowMs: number;
  pairs: Pair[];
  /** Of the alerts that `driftRules` makes. */
  owner?: string | undefined;
  runbook?: string | undefined;
}

export interface PairResult {
  pair: Pair;
  /** Error ratios, 0 to 1; undefined where nothing was counted. */
  says?: number;
  seen?: number;
  /** Share of the callers' requests that the service did not count, because they hang or never arrived; at least 0. */
  uncounted?: number;
  verdict: 'agree' | 'drift' | 'blind' | 'no-callers';
}

const rateOf = (selector: string, range: string): string => `sum(rate(${selector}[${range}]))`;

/**
 * Expression of an error ratio. It has no value without traffic, and is 0 where there is traffic but no counter of
 * failures yet, because nothing has failed.
 */
export function ratioExpr(events: Events, range: string): string {
  const total = rateOf(events.total, range);
  return `(${rateOf(events.bad, range)} or 0 * ${total}) / (${total} > 0)`;
}

export function judgePair(
  pair: Pair,
  measured: { says?: number; seen?: number; saysRate?: number; seenRate?: number },
): PairResult {
  const { says, seen, saysRate = 0, seenRate = 0 } = measured;
  if (seen === undefined)
    return { pair, ...(says !== undefined && { says }), verdict: 'no-callers' };
  const uncounted = seenRate > 0 ? Math.max(0, 1 - saysRate / seenRate) : 0;
  if (says === undefined) return { pair, seen, uncounted: 1, verdict: 'blind' };
  const verdict = Math.abs(seen - says) > pair.atMost ? 'drift' : 'agree';
  return { pair, says, seen, uncounted, verdict };
}

const pendingMs = 300_000;

/** For each pair, a rule that records the difference and an alert on it. */
export function driftRules(file: DriftFile): RuleGroup {
  const range = formatDurationMs(file.windowMs);
  const record = `route:observability_drift:ratio_rate${range}`;
  return {
    name: 'observability-drift',
    rules: file.pairs.flatMap((pair): (RecordingRule | AlertingRule)[] => {
      const labels = { route: pair.route, service: pair.service };
      const own = `${record}{route=${JSON.stringify(pair.route)},service=${JSON.stringify(pair.service)}}`;
      return [
        {
          kind: 'record',
          record,
          expr: `${ratioExpr(pair.seen, range)} - (${ratioExpr(pair.says, range)})`,
          labels,
        },
        {
          kind: 'alert',
          alert: 'ObservabilityDrift',
          expr: `abs(${own}) > ${pair.atMost}`,
          forMs: pendingMs,
          keepFiringForMs: 0,
          labels: { severity: 'ticket', ...(file.owner && { owner: file.owner }) },
          annotations: {
            summary:
              `Callers of ${pair.service} (${pair.route}) see {{ $value | humanizePercentage }} ` +
              'more or fewer failures than it counts itself.',
            ...(file.runbook && { runbook_url: file.runbook }),
          },
        },
      ];
    }),
  };
}
