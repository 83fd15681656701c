/** The embedded watch on a stepped clock: windows of hours in seconds, and effects of targets. */
import { expect, test } from 'vitest';
import { startEmbedded } from '../../alerts/watch/embedded.js';
import type { WatchOptions } from '../../alerts/watch/index.js';
import type { Exposition } from '../../alerts/watch/scraper.js';
import { SimulatedClock } from '../../base/clock.js';
import { asset } from '../../base/paths.js';
import { compileSlos, readSlos, theoryOf } from '../../slo/index.js';

const startMs = 1_700_000_000_000;
const minuteMs = 60_000;

function steps(clock: SimulatedClock, durationMs: number, stepMs = 5000): void {
  for (let t = 0; t < durationMs; t += stepMs) clock.advance(stepMs);
}

const options = (more: Partial<WatchOptions>): WatchOptions => ({
  targets: [{ job: 'shop', url: 'http://shop:9090/metrics' }],
  scrapeIntervalMs: 15_000,
  evaluationIntervalMs: 30_000,
  ...more,
});

test('the page of an SLO comes when theory says, and resolves', async () => {
  const clock = new SimulatedClock(startMs);
  const slos = readSlos([asset('examples/slo/retail.yaml')]);
  const slo = slos.find((s) => s.id === 'payment-availability')!;
  let errorRatio = 0;
  let [total, bad, lastMs] = [0, 0, startMs];
  const fetchMetrics = (): Exposition => {
    const events = (clock.nowMs() - lastMs) / 10;
    lastMs = clock.nowMs();
    total += events;
    bad += events * errorRatio;
    const base = 'response_total{direction="outbound",dst="payment.retail"';
    const text = `${base},classification="success"} ${total - bad}\n${base},classification="failure"} ${bad}\n`;
    return { text, openMetrics: false };
  };
  const watch = await startEmbedded(options({ groups: compileSlos([slo]) }), {
    clock,
    fetchMetrics,
    direct: true,
  });
  steps(clock, 7 * 60 * minuteMs);
  expect(watch.notifications).toEqual([]);

  const faultMs = clock.nowMs();
  errorRatio = 0.05;
  const durationMs = 30 * minuteMs;
  steps(clock, durationMs);
  errorRatio = 0;
  steps(clock, 70 * minuteMs);
  const of = (status: string) =>
    watch.notifications.find((n) => n.labels.severity === 'page' && n.status === status);
  const theory = theoryOf(slo, 'page', {
    baseline: 0,
    errorRatio: 0.05,
    historyMs: 7 * 60 * minuteMs,
    durationMs,
    scrapeIntervalMs: 15_000,
  });
  const firedMs = of('firing')!.receivedMs - faultMs;
  expect(firedMs).toBeGreaterThanOrEqual(theory.detection!.earliestMs);
  expect(firedMs).toBeLessThanOrEqual(theory.detection!.latestMs + 1000);
  const resetMs = of('resolved')!.receivedMs - faultMs - durationMs;
  expect(resetMs).toBeGreaterThanOrEqual(theory.reset!.earliestMs);
  expect(resetMs).toBeLessThanOrEqual(theory.reset!.latestMs + 1000);
  await watch.stop();
});

test('labels that clash are kept, targets that leave are stale, bad metrics are down', async () => {
  const clock = new SimulatedClock(startMs);
  let text = 'a{job="own",x="1"} 1\nb 2\n';
  const watch = await startEmbedded(
    options({
      targets: [{ job: 'shop', url: 'http://shop:1/m', labels: { zone: 'z' } }],
      externalLabels: { cluster: 'eu' },
      groups: [
        {
          name: 'g',
          rules: [
            {
              kind: 'alert',
              alert: 'Down',
              expr: 'up == 0',
              forMs: 0,
              keepFiringForMs: 120_000,
              labels: { severity: 'page', cluster: 'own' },
              annotations: { since: '{{ humanizeTimestamp now }}' },
            },
          ],
        },
      ],
    }),
    { clock, fetchMetrics: () => ({ text: text, openMetrics: false }), direct: true },
  );
  steps(clock, 60_000);
  expect(await watch.query('a')).toEqual([
    {
      labels: {
        __name__: 'a',
        exported_job: 'own',
        instance: 'shop:1',
        job: 'shop',
        x: '1',
        zone: 'z',
      },
      value: 1,
    },
  ]);
  text = 'a{job="own",x="1"} 3\n';
  steps(clock, 15_000);
  expect(await watch.query('b')).toEqual([]);
  text = 'a{ oops\n';
  steps(clock, 60_000);
  expect(await watch.query('count(up == 0) + absent(a)')).toMatchObject([{ value: 2 }]);
  expect(watch.notifications).toMatchObject([
    { status: 'firing', labels: { alertname: 'Down', cluster: 'own', zone: 'z' } },
  ]);
  text = 'a 1\n';
  steps(clock, 90_000);
  expect(watch.notifications).toHaveLength(1);
  steps(clock, 90_000);
  expect(watch.notifications[1]).toMatchObject({ status: 'resolved' });
  await watch.setTargets([{ job: 'other', url: 'http://shop:2/m' }]);
  steps(clock, 15_000);
  expect((await watch.query('up')).map((s) => s.labels.job)).toEqual(['other']);
  await watch.stop();
  clock.advance(60_000);
  await expect(watch.query('rate(')).rejects.toThrow();
});
