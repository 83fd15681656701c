/** Lint with a real Prometheus: its names, labels and types, and its scrape interval. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect } from 'vitest';
import { MetricCatalogue } from '../../alerts/lint/catalogue.js';
import { lint } from '../../alerts/lint/lint.js';
import { addLiveMetrics } from '../../alerts/lint/live-metrics.js';
import { readLintText } from '../../alerts/lint/source.js';
import { startWatch } from '../../alerts/watch/index.js';
import { sleep } from '../../base/clock.js';
import { testWith } from '../tools.js';

const rules = `groups:
  - name: shop
    rules:
      - { record: 'a', expr: 'rate(queue_depth[5m])' }
      - { record: 'b', expr: 'sum by (quue) (queue_depth)' }
      - { record: 'c', expr: 'queue_dpth' }
      - { record: 'd', expr: 'rate(jobs_total{queue="mail"}[1s])' }
`;

testWith('prometheus', 'alertmanager')(
  'unknown names and labels, types from metadata',
  async () => {
    const target = createServer((_, response) => {
      response.end(
        '# TYPE queue_depth gauge\nqueue_depth{queue="mail"} 3\n' +
          '# TYPE jobs_total counter\njobs_total{queue="mail"} 5\n',
      );
    });
    await new Promise<void>((resolve) => target.listen(0, '127.0.0.1', resolve));
    const url = `http://127.0.0.1:${(target.address() as AddressInfo).port}/metrics`;
    const watch = await startWatch('prometheus', {
      targets: [{ job: 'shop', url }],
      scrapeIntervalMs: 500,
      evaluationIntervalMs: 500,
    });
    try {
      let found: string[] = [];
      let facts;
      for (let i = 0; i < 200 && !found.some((f) => f.includes('queue_dpth')); i++) {
        await sleep(100);
        if ((await watch.query('jobs_total')).length === 0) continue;
        const catalogue = new MetricCatalogue();
        const names = ['queue_depth', 'queue_dpth', 'jobs_total'];
        facts = await addLiveMetrics(catalogue, watch.url ?? '', names);
        found = lint([readLintText('r.yaml', rules)], {
          catalogue,
          scrapeIntervalMs: facts.scrapeIntervalMs ?? 0,
        }).map((f) => `${f.place.line} ${f.rule} ${f.message} ${f.fix}`);
      }
      expect(facts).toEqual({ scrapeIntervalMs: 500, eventsPerHour: new Map() });
      expect(found).toEqual([
        expect.stringMatching(/^4 promql\/rate-of-gauge .*is a gauge/),
        expect.stringMatching(/^5 promql\/unknown-label .*mean queue\?/),
        expect.stringMatching(/^6 promql\/unknown-metric .*mean queue_depth\?/),
        expect.stringMatching(/^7 promql\/short-window .*at least 2s/),
      ]);
      const nowhere = addLiveMetrics(new MetricCatalogue(), 'http://127.0.0.1:9', []);
      await expect(nowhere).rejects.toThrow('Prometheus at http://127.0.0.1:9 cannot be reached');
    } finally {
      await watch.stop();
      target.close();
      target.closeAllConnections();
    }
  },
  60_000,
);
