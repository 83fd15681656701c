/** The real and the embedded watch on one target with the same SLOs: the same alerts at nearly the same time. */
import { expect } from 'vitest';
import { type Notification, startWatch } from '../../alerts/watch/index.js';
import { sleep } from '../../base/clock.js';
import { asset } from '../../base/paths.js';
import { compileSlos, readSlos } from '../../slo/index.js';
import { Exporter } from '../slo/exporter.js';
import { testWith } from '../tools.js';

const what = (n: Notification): string =>
  `${n.labels.alertname} ${n.labels.severity} ${n.status}: ${Object.keys(n.labels).sort().join(' ')}`;

testWith('prometheus', 'alertmanager')(
  'real and embedded agree on what fires and resolves',
  { timeout: 120_000 },
  async () => {
    const exporter = new Exporter();
    const port = await exporter.listen();
    const options = {
      targets: [{ job: 'shop', url: `http://127.0.0.1:${port}/metrics` }],
      groups: compileSlos(readSlos([asset('examples/slo/retail.yaml')]), { timeScale: 1 / 120 }),
      scrapeIntervalMs: 250,
      evaluationIntervalMs: 250,
    };
    const watches = await Promise.all([
      startWatch('prometheus', options),
      startWatch('embedded', options),
    ]);
    const settled = async (status: string, alerts: string[]): Promise<void> => {
      for (let i = 0; i < 600; i++) {
        const done = watches.every((watch) =>
          alerts.every((alert) =>
            watch.notifications.some(
              (n) => n.status === status && `${n.labels.alertname} ${n.labels.severity}` === alert,
            ),
          ),
        );
        if (done) return;
        await sleep(50);
      }
    };
    try {
      // Both watches scrape for a while, so that their windows hold the same data.
      await sleep(6000);
      const faultMs = Date.now();
      exporter.fail(0.2);
      const wanted = ['CheckoutAvailability page', 'PaymentAvailability page'];
      await settled('firing', [...wanted, 'PaymentAvailability ticket']);
      exporter.fail(0);
      await settled('resolved', wanted);
      const [real, embedded] = watches.map((watch) => {
        const pages = watch.notifications.filter((n) => n.labels.severity === 'page');
        return pages.slice(0, 4);
      });
      expect(real!.map(what).sort()).toEqual(embedded!.map(what).sort());
      expect(real!.map(what)).toHaveLength(4);
      const fired = (list: Notification[]): number => list[0]!.receivedMs - faultMs;
      // Scrapes and evaluations have different phases, and the machine may be busy.
      expect(Math.abs(fired(real!) - fired(embedded!))).toBeLessThan(5000);
      // All labels are equal, and all annotations except the current ratio.
      expect(real![0]!.annotations.summary).toBe(embedded![0]!.annotations.summary);
    } finally {
      await Promise.all(watches.map((watch) => watch.stop()));
      exporter.close();
    }
  },
);
