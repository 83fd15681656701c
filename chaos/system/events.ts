/** The events of a system's processes and certificates, as lines of the record's timeline. */
import { existsSync, readFileSync } from 'node:fs';
import { clockOn } from '../../runbooks/words.js';
import type { TimelineEvent } from '../../runbooks/record.js';
import type { ProcessEvent } from './model.js';
import { readTimeMs } from '../../base/time-text.js';

export interface CertificateLine {
  time: string;
  event: string;
  identity?: string;
  notAfter?: string;
  reason?: string;
  message?: string;
}

/** The lines of a controller's file of events; a line that is broken or half written is left out. */
export function certificateLinesIn(file: string): CertificateLine[] {
  if (!existsSync(file)) return [];
  return readFileSync(file, 'utf8')
    .split('\n')
    .flatMap((line) => {
      try {
        const said = JSON.parse(line) as Partial<CertificateLine> | null;
        return said?.time !== undefined && said.event !== undefined
          ? [said as CertificateLine]
          : [];
      } catch {
        return [];
      }
    });
}

export function processEvent(e: ProcessEvent): TimelineEvent {
  const source = e.process === 'controller' ? 'controller' : 'proxy';
  return {
    atMs: e.atMs,
    source,
    subject: e.process,
    text: e.detail ?? e.event,
    major: e.event !== 'started',
  };
}

/** Refusals come in dozens: the first of each workload is reported, with the number of later ones. */
export function certificateEvents(lines: readonly CertificateLine[]): TimelineEvent[] {
  const events: TimelineEvent[] = [];
  const refusals = new Map<string, { event: TimelineEvent; count: number }>();
  for (const line of lines) {
    const subject = (line.identity ?? 'issuer').split('.')[0] as string;
    const atMs = readTimeMs(line.time);
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
    const endMs = Date.parse(line.notAfter ?? '');
    const until = Number.isNaN(endMs) ? '' : `, until ${clockOn(endMs, atMs)}`;
    const text = `certificate ${line.message ?? line.event}${until}`;
    events.push({ atMs, source: 'certificate', subject, text, major: after });
  }
  return events;
}
