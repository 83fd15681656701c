/**
 * Rules on a real Prometheus count every event exactly once, with slow scrapes at any phase, failed scrapes, restarted
 * processes, new pods, and a Prometheus that is down for a while. The pods know the true number of their events, and
 * the steps must add up to exactly that. An hour of the rules takes two minutes here.
 */
import { afterAll, beforeAll, describe, expect } from 'vitest';
import { LatePrometheus } from '../../bench/late-prometheus.js';
import { Pod, Pods, sumOf } from '../../bench/late-targets.js';
import { sleep } from '../../base/clock.js';
import { seededRandom } from '../../base/random.js';
import { findTool } from '../../base/tools.js';
import { compileSlos, readSloText, ruleFileText } from '../../slo/index.js';
import { testWith } from '../tools.js';

const bad = `'requests_total{job="web",code="500"}'`;
const total = `'requests_total{job="web"}'`;
const slos = readSloText(
  'late.yaml',
  `apiVersion: firedrill.dev/v1
service: web
owner: team-web
slos:
  - { name: all, objective: 99, sli: { events: { bad: ${bad}, total: ${total} } } }
  - { name: good, objective: 99, sli: { events: { good: 'requests_total{job="web",code="200"}', total: ${total} } } }
  - { name: rates, objective: 99, sli: { events: {
      bad: 'sum(rate(requests_total{job="web",code="500"}[{{.window}}]))',
      total: 'sum(rate(requests_total{job="web"}[{{.window}}]))' } } }
  - { name: by-pod, objective: 99, groupBy: { labels: [instance], max: 50 },
      sli: { events: { bad: ${bad}, total: ${total} } } }
  - { name: probes, objective: 99, sli: { probe: 'probe_success{job="web"}' } }
`,
);
const rules = ruleFileText(compileSlos(slos, { timeScale: 1 / 30 }));
const scrapeMs = 1000;

const summed = (side: 'bad' | 'total', slo: string): string =>
  `sum(sum_over_time(slo:events_${side}:increase30s{slo="web-${slo}"}[10m]))`;

async function expectAll(prometheus: LatePrometheus, pods: Pods): Promise<void> {
  const scalar = (query: string): Promise<number | undefined> =>
    prometheus.client.scalar(query, Date.now());
  // All events have arrived when several steps in a row count nothing.
  await prometheus.until(
    'sum(sum_over_time(slo:events_total:increase30s{slo="web-all"}[4s])) == 0',
    40_000,
  );
  const truth = {
    total: sumOf(pods.pods, (p) => p.told.total),
    bad: sumOf(pods.pods, (p) => p.told.bad),
  };
  const byPod = await prometheus.client.query(
    'sum by (instance) (sum_over_time(slo:events_total:increase30s{slo="web-by-pod"}[10m]))',
    Date.now(),
  );
  expect(Object.fromEntries(byPod.map((s) => [s.labels.instance, s.value]))).toEqual(
    Object.fromEntries(pods.pods.map((p) => [p.name, p.told.total])),
  );
  for (const slo of ['all', 'good', 'rates', 'by-pod']) {
    const counted = {
      total: await scalar(summed('total', slo)),
      bad: await scalar(summed('bad', slo)),
    };
    expect([slo, counted]).toEqual([slo, truth]);
  }
  for (const side of ['bad', 'total']) {
    const least = `min(min_over_time(slo:events_${side}:increase30s[10m]))`;
    expect(await scalar(least)).toBeGreaterThanOrEqual(0);
  }
  for (const window of ['5m', '1h', '6h']) {
    const most = `max(max_over_time(slo:sli_error:ratio_rate${window}[10m]))`;
    expect(await scalar(most)).toBeLessThanOrEqual(1);
  }
  const above =
    'max(max_over_time((slo:events_bad:increase30s - slo:events_total:increase30s)[10m:1s]))';
  expect(await scalar(above)).toBeLessThanOrEqual(0);
}

describe('every event is counted once', () => {
  const test = testWith('prometheus');
  const here = findTool('prometheus') !== undefined;

  describe('slow scrapes at any phase', () => {
    // A scrape takes up to two thirds of a step.
    const pods = new Pods(
      Array.from({ length: 24 }, (_, i) => new Pod(`t${i}`, [0, 70, 200, 650][i % 4] as number)),
    );
    const late = pods.pods.slice(20);
    let prometheus: LatePrometheus;

    beforeAll(async () => {
      if (!here) return;
      pods.freeze();
      for (const pod of late) pod.up = false;
      const random = seededRandom(20261129);
      await pods.listen(() => random.next());
      prometheus = await LatePrometheus.start({
        rules,
        scrapeMs,
        scrapeConfig: pods.scrapeConfig(),
      });
      await prometheus.until('count(slo:events_total:increase30s{slo="web-by-pod"}) == 20', 30_000);
    });
    afterAll(async () => {
      pods.close();
      await prometheus?.stop();
    });

    test('also where scrapes fail, processes restart, pods come later, Prometheus is down', async () => {
      for (const pod of pods.pods) pod.frozen = false;
      await sleep(4000);
      // New pods: the events before a pod's first scrape are known to be all of its events.
      for (const pod of late) {
        pod.restart();
        pod.up = true;
      }
      pods.failing = 0.2;
      await sleep(3000);
      pods.failing = 0;
      // A process ends after its events were scraped; events after its last scrape cannot be known.
      const restarted = pods.pods.slice(0, 6);
      for (const pod of restarted) pod.frozen = true;
      await sleep(3000);
      for (const pod of restarted) {
        pod.restart();
        pod.frozen = false;
      }
      await sleep(2000);
      await prometheus.pause();
      await sleep(1500);
      await prometheus.resume();
      // Prometheus needs time to find its targets again.
      await prometheus.until('count(count_over_time(up{job="web"}[2s])) == 24', 30_000);
      await sleep(2000);
      pods.freeze();
      await expectAll(prometheus, pods);
    }, 120_000);

    test('a probe that fails is counted though it took long', async () => {
      const scalar = (query: string): Promise<number | undefined> =>
        prometheus.client.scalar(query, Date.now());
      const truth = await scalar(
        'sum(count_over_time(probe_success[10m])) - sum(sum_over_time(probe_success[10m]))',
      );
      const counted = await scalar(summed('bad', 'probes'));
      // Samples are lost only while Prometheus is down or skips evaluations.
      expect(counted).toBeLessThanOrEqual(truth as number);
      expect(counted).toBeGreaterThan((truth as number) * 0.7);
      const least = 'min(min_over_time(slo:events_bad:increase30s{slo="web-probes"}[10m]))';
      expect(await scalar(least)).toBeGreaterThanOrEqual(0);
    });
  });

  describe('samples written from afar', () => {
    const pods = new Pods(Array.from({ length: 8 }, (_, i) => new Pod(`r${i}`, i * 20)));
    let ruler: LatePrometheus;
    let scraper: LatePrometheus;

    beforeAll(async () => {
      if (!here) return;
      pods.freeze();
      await pods.listen(() => 1);
      ruler = await LatePrometheus.start({ rules, scrapeMs, scrapeConfig: '' });
      scraper = await LatePrometheus.start({
        rules: 'groups: []\n',
        scrapeMs,
        scrapeConfig: pods.scrapeConfig(),
        remoteWrite: `http://127.0.0.1:${ruler.port}/api/v1/write`,
      });
      await ruler.until('count(slo:events_total:increase30s{slo="web-by-pod"}) == 8', 30_000);
    });
    afterAll(async () => {
      pods.close();
      await scraper?.stop();
      await ruler?.stop();
    });

    test('come in batches, and again after the receiver was away', async () => {
      for (const pod of pods.pods) pod.frozen = false;
      await sleep(4000);
      await ruler.pause();
      await sleep(1500);
      await ruler.resume();
      await ruler.until('count(count_over_time(up{job="web"}[2s])) == 8', 30_000);
      await sleep(2000);
      pods.freeze();
      await expectAll(ruler, pods);
    }, 120_000);
  });
});
