/** Groups of alerts on their way to a pager, on a clock that is stepped by hand. */
import { expect, test } from 'vitest';
import { type AlertUpdate, Notifier, oneRoute } from '../../alerts/watch/notifier.js';
import type { WebhookPayload } from '../../alerts/watch/webhook-payload.js';
import { SimulatedClock } from '../../base/clock.js';

function setUp(by: string[]) {
  const clock = new SimulatedClock(1_000_000);
  const sent: string[] = [];
  const say = (payload: WebhookPayload): void => {
    const alerts = payload.alerts.map((a) => `${a.labels.pod} ${a.status}`).sort();
    sent.push(`${clock.nowMs() - 1_000_000}: ${alerts.join(', ')}`);
  };
  const grouping = { by, waitMs: 30_000, intervalMs: 300_000, repeatMs: 3_600_000 };
  const notifier = new Notifier(clock, oneRoute(grouping), say);
  const alert = (pod: string, end?: number): AlertUpdate => ({
    key: pod,
    labels: { alertname: 'Down', pod },
    annotations: {},
    startsAtMs: 1_000_000,
    ...(end === undefined ? {} : { endsAtMs: 1_000_000 + end }),
  });
  return { clock, sent, notifier, alert };
}

test('a group waits for company, and is sent whole when one of it changes', () => {
  const { clock, sent, notifier, alert } = setUp(['alertname']);
  notifier.update([alert('a')]);
  clock.advance(20_000);
  notifier.update([alert('a'), alert('b')]);
  clock.advance(40_000);
  expect(sent).toEqual(['30000: a firing, b firing']);
  notifier.update([alert('a', 60_000), alert('b')]);
  clock.advance(300_000);
  expect(sent.slice(1)).toEqual(['330000: a resolved, b firing']);
  notifier.update([alert('b', 400_000)]);
  clock.advance(300_000);
  expect(sent.slice(2)).toEqual(['630000: b resolved']);
  clock.advance(10_000_000);
  expect(sent).toHaveLength(3);
});

test('what says nothing new is sent again only after the repeat interval', () => {
  const { clock, sent, notifier, alert } = setUp(['...']);
  notifier.update([alert('a')]);
  clock.advance(3_600_000);
  expect(sent).toEqual(['30000: a firing']);
  clock.advance(100_000);
  expect(sent).toEqual(['30000: a firing', '3630000: a firing']);
});

test('each alert for itself; what is over before it was told is never told', () => {
  const { clock, sent, notifier, alert } = setUp(['...']);
  notifier.update([alert('a'), alert('b')]);
  clock.advance(10_000);
  notifier.update([alert('b', 5000), alert('c', 5000)]);
  clock.advance(1_000_000);
  expect(sent).toEqual(['30000: a firing']);
});

test('stopped is silent', () => {
  const { clock, sent, notifier, alert } = setUp(['...']);
  notifier.update([alert('a')]);
  notifier.stop();
  clock.advance(1_000_000);
  expect(sent).toEqual([]);
});
