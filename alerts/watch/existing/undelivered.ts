/** Notifications that an Alertmanager could not deliver, as its own metrics count them. */
import { type Access, fetchWith } from '../../../base/access.js';
import { boundedText } from '../../../base/bounded-answer.js';

/** By integration (`webhook`, `pagerduty`): requests so far, and those of them that failed. */
type Requests = Map<string, { all: number; failed: number }>;

const line =
  /^alertmanager_notification_requests_(failed_)?total\{[^}]*\bintegration="([^"]*)"[^}]*\} (\S+)$/gm;

/** Empty where the metrics cannot be read, as behind a proxy that hides them. Never throws. */
export async function requestsOf(alertmanager: Access): Promise<Requests> {
  const found: Requests = new Map();
  try {
    const signal = AbortSignal.timeout(5000);
    const response = await fetchWith(alertmanager)(`${alertmanager.url}/metrics`, { signal });
    if (!response.ok) return found;
    for (const [, failed, name = '', value] of (await boundedText(response)).matchAll(line)) {
      const own = found.get(name) ?? { all: 0, failed: 0 };
      own[failed === undefined ? 'all' : 'failed'] += Number(value);
      found.set(name, own);
    }
  } catch {
    // Nothing is known then.
  }
  return found;
}

/** The integrations for which every request since then failed, in a sentence; undefined if there is none. */
export function undelivered(before: Requests, now: Requests): string | undefined {
  const texts = [...now].flatMap(([name, { all, failed }]) => {
    const was = before.get(name) ?? { all: 0, failed: 0 };
    const lost = failed - was.failed;
    return lost > 0 && lost >= all - was.all ? [`${lost} of ${lost} requests to ${name}`] : [];
  });
  return texts.length === 0 ? undefined : `the Alertmanager failed in ${texts.join(' and ')}`;
}
