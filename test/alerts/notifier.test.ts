/** Groups of alerts on their way to a pager, on a stepped clock. */
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

test('an unchanged group is sent again only after the repeat interval', () => {
  const { clock, sent, notifier, alert } = setUp(['...']);
  notifier.update([alert('a')]);
  // Exactly one repeat interval after the last notification it is not due, because its time is that of the answer.
  clock.advance(3_900_000);
  expect(sent).toEqual(['30000: a firing']);
  clock.advance(100_000);
  expect(sent).toEqual(['30000: a firing', '3930000: a firing']);
});

test('an alert that fires again before its group is sent is not new; one that resolved and is sent again is', () => {
  const { clock, sent, notifier, alert } = setUp(['alertname']);
  notifier.update([alert('a'), alert('b')]);
  clock.advance(60_000);
  notifier.update([alert('a', 60_000)]);
  clock.advance(60_000);
  notifier.update([{ ...alert('a'), startsAtMs: 1_120_000 }]);
  clock.advance(300_000);
  expect(sent).toEqual(['30000: a firing, b firing']);
  notifier.update([alert('a', 420_000)]);
  clock.advance(300_000);
  expect(sent.slice(1)).toEqual(['630000: a resolved, b firing']);
  // A third alert begins after the first has resolved; then Prometheus repeats that the first has resolved.
  notifier.update([alert('c')]);
  clock.advance(300_000);
  notifier.update([alert('a', 420_000)]);
  clock.advance(300_000);
  expect(sent.slice(2)).toEqual([
    '930000: b firing, c firing',
    '1230000: a resolved, b firing, c firing',
  ]);
});

test('an end that was held back is notified when it is sent again, and the next start is new', () => {
  const clock = new SimulatedClock(0);
  const sent: string[] = [];
  let held = false;
  const grouping = { by: ['...'], waitMs: 30_000, intervalMs: 300_000, repeatMs: 3_600_000 };
  const notifier = new Notifier(clock, { ...oneRoute(grouping), isHeld: () => held }, (payload) =>
    sent.push(`${clock.nowMs()} ${payload.status}`),
  );
  const alert = { key: 'a', labels: {}, annotations: {}, startsAtMs: 0 };
  notifier.update([alert]);
  clock.advance(60_000);
  held = true;
  notifier.update([{ ...alert, endsAtMs: 60_000 }]);
  clock.advance(600_000);
  expect(sent).toEqual(['30000 firing']);
  // The end was not notified, so the alert that fires again is not new.
  held = false;
  notifier.update([{ ...alert, startsAtMs: 660_000 }]);
  clock.advance(60_000);
  expect(sent).toEqual(['30000 firing']);
  notifier.update([{ ...alert, endsAtMs: 720_000 }]);
  clock.advance(600_000);
  expect(sent.slice(1)).toEqual(['990000 resolved']);
});

test('each alert alone; an alert that resolves before its notification is never notified', () => {
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
