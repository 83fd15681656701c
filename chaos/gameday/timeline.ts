/** Merges one timeline from many sources: the runner, processes, certificates, alerts. */
import type { Notification, Target } from '../../alerts/watch/index.js';
import { instanceOf } from '../../alerts/watch/model.js';
import type { DrillEvent } from '../../runbooks/events.js';
import { wakes } from '../../runbooks/pager.js';
import type { AlertRecord, ScenarioRecord, TimelineEvent } from '../../runbooks/record.js';

export function alertEvents(
  alerts: readonly AlertRecord[],
  targets: readonly Target[],
): TimelineEvent[] {
  // People know a workload, and not the port that it has in this drill.
  const names = new Map(targets.map((t) => [instanceOf(t), t.labels?.workload ?? t.job]));
  return alerts.flatMap((a) => {
    const { workload, dst, slo, instance } = a.labels;
    const about = workload ?? dst ?? slo ?? names.get(instance ?? '') ?? instance;
    const subject = about === undefined ? a.name : `${a.name} (${about})`;
    const fired: TimelineEvent = {
      atMs: a.firedAtMs,
      source: 'alert',
      subject,
      text: `${a.severity} fired${a.expected ? '' : ' (not required)'}`,
      major: wakes(a.severity),
    };
    if (a.resolvedAtMs === undefined) return [fired];
    return [fired, { ...fired, atMs: a.resolvedAtMs, text: `${a.severity} resolved` }];
  });
}

/** In order, each with the scenario during which it happened. */
export function inOrder(
  events: readonly TimelineEvent[],
  scenarios: readonly ScenarioRecord[],
): TimelineEvent[] {
  return events
    .map((event) => {
      if (event.scenario !== undefined) return event;
      const during = scenarios.find((s) => event.atMs >= s.startedMs && event.atMs < s.endedMs);
      return during ? { ...event, scenario: during.id } : event;
    })
    .sort((a, b) => a.atMs - b.atMs);
}

/** The notification of a receiver, for events.jsonl. */
export const alertEvent = (n: Notification): DrillEvent => ({
  kind: 'alert',
  atMs: n.status === 'resolved' ? (n.endsAtMs ?? n.receivedMs) : n.receivedMs,
  alert: n.labels.alertname ?? '',
  severity: n.labels.severity ?? 'none',
  labels: n.labels,
  state: n.status === 'resolved' ? 'resolved' : 'notified',
  ...(n.receiver !== undefined && { receiver: n.receiver }),
});
