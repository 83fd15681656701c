/** One line of time from many tellers: the runner, processes, certificates, alerts. */
import { wakes } from '../../runbooks/pager.js';
import type { AlertRecord, ScenarioRecord, TimelineEvent } from '../../runbooks/record.js';
import { askJson, type ProcessEvent, type System } from '../faults/system.js';

interface CertificateLine {
  time: string;
  event: string;
  identity?: string;
  notAfter?: string;
  reason?: string;
  message?: string;
}

export async function systemEvents(system: System): Promise<TimelineEvent[]> {
  const processes = await askJson<ProcessEvent[]>(`${system.admin}/events`).catch(() => []);
  const certificates = await askJson<CertificateLine[]>(`${system.admin}/certificate-events`).catch(
    () => [],
  );
  return [...processes.map(processEvent), ...certificateEvents(certificates)];
}

function processEvent(e: ProcessEvent): TimelineEvent {
  const source = e.process === 'controller' ? 'controller' : 'proxy';
  return {
    atMs: e.atMs,
    source,
    subject: e.process,
    text: e.detail ?? e.event,
    major: e.event !== 'started',
  };
}

/** Refusals come by the dozen: the first of each workload is told, and how many followed. */
export function certificateEvents(lines: readonly CertificateLine[]): TimelineEvent[] {
  const events: TimelineEvent[] = [];
  const refusals = new Map<string, { event: TimelineEvent; count: number }>();
  for (const line of lines) {
    const subject = (line.identity ?? 'issuer').split('.')[0] as string;
    const atMs = Date.parse(line.time);
    if (line.event === 'refused') {
      const known = refusals.get(subject);
      if (known) {
        known.count++;
        const first = `certificate refused (${line.reason ?? 'no reason'})`;
        known.event.text = `${first}, and ${known.count - 1} more times until it was given`;
        continue;
      }
      const text = `certificate refused (${line.reason ?? 'no reason'})`;
      const event: TimelineEvent = { atMs, source: 'certificate', subject, text, major: true };
      refusals.set(subject, { event, count: 1 });
      events.push(event);
      continue;
    }
    const after = refusals.delete(subject);
    const until = line.notAfter === undefined ? '' : `, until ${line.notAfter.slice(11, 19)}`;
    const text = `certificate ${line.message ?? line.event}${until}`;
    events.push({ atMs, source: 'certificate', subject, text, major: after });
  }
  return events;
}

export function alertEvents(alerts: readonly AlertRecord[]): TimelineEvent[] {
  return alerts.flatMap((a) => {
    const about = a.labels.dst ?? a.labels.slo ?? a.labels.instance;
    const subject = about === undefined ? a.name : `${a.name} (${about})`;
    const fired: TimelineEvent = {
      atMs: a.firedAtMs,
      source: 'alert',
      subject,
      text: `${a.severity} fires${a.expected ? '' : ', not among those that must'}`,
      major: wakes(a.severity),
    };
    if (a.resolvedAtMs === undefined) return [fired];
    return [fired, { ...fired, atMs: a.resolvedAtMs, text: `${a.severity} resolves` }];
  });
}

/** In order, each with the scenario that it fell into. */
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
