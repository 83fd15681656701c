/**
 * A Prometheus that is killed or stopped in the middle of a rule group, many times, loses no event and counts none
 * twice: a group records the counters before it adds up a step, so the next step begins where the last one ended. Many
 * SLOs keep some group in the middle at nearly every instant. An hour of the rules takes two minutes here.
 */
import { afterAll, beforeAll, describe, expect } from 'vitest';
import { LatePrometheus } from '../../bench/late-prometheus.js';
import { Pod, Pods, sumOf } from '../../bench/late-targets.js';
import { sleep } from '../../base/clock.js';
import { seededRandom } from '../../base/random.js';
import { findTool } from '../../base/tools.js';
import { compileSlos, readSloText, ruleFileText } from '../../slo/index.js';
import { testWith } from '../tools.js';

const total = `'requests_total{job="web"}'`;
const bad = `'requests_total{job="web",code="500"}'`;
const kinds = {
  bad: `events: { bad: ${bad}, total: ${total} }`,
  good: `events: { good: 'requests_total{job="web",code="200"}', total: ${total} }`,
  apart: `events: { good: '{__name__="requests_total",job="web",code="200"}', total: ${total} }`,
};
const copies = 16;
const names = Object.keys(kinds).flatMap((kind) =>
  Array.from({ length: copies }, (_, i) => `${kind}-${i}`),
);
const slos = readSloText(
  'killed.yaml',
  `apiVersion: firedrill.dev/v1
service: web
owner: team-web
slos:
${names
  .map((name) => {
    const sli = kinds[name.replace(/-.*/, '') as keyof typeof kinds];
    return `  - { name: ${name}, objective: 99, sli: { ${sli} } }\n`;
  })
  .join('')}`,
);

/** The sums of all steps by SLO. */
const sums = async (prometheus: LatePrometheus, side: 'bad' | 'total') => {
  const query = `sum by (slo) (sum_over_time(slo:events_${side}:increase30s[30m]))`;
  const found = await prometheus.client.query(query, Date.now());
  return Object.fromEntries(found.map((s) => [s.labels.slo, s.value]));
};

describe('rules of a Prometheus that ends at any instant', () => {
  const random = seededRandom(Number(process.env.FIREDRILL_SEED ?? 20261130));
  const kills = Number(process.env.FIREDRILL_RUNS ?? 9);
  const pods = new Pods(Array.from({ length: 4 }, (_, i) => new Pod(`k${i}`, 20)));
  let prometheus: LatePrometheus;

  beforeAll(async () => {
    if (findTool('prometheus') === undefined) return;
    pods.freeze();
    await pods.listen(() => 1);
    prometheus = await LatePrometheus.start({
      rules: ruleFileText(compileSlos(slos, { timeScale: 1 / 30 })),
      scrapeMs: 1000,
      scrapeConfig: pods.scrapeConfig(),
    });
    const all = names.length;
    await prometheus.until(`count(slo:events_total:increase30s) == ${all}`, 30_000);
    for (const pod of pods.pods) pod.frozen = false;
  }, 90_000);
  afterAll(async () => {
    pods.close();
    await prometheus?.stop();
  });

  testWith('prometheus')(
    'lose no event',
    async () => {
      let unfinished = 0;
      for (let n = 0; n < kills; n++) {
        await sleep(2500 + 1000 * random.next());
        if (n % 3 === 2) await prometheus.pause();
        else await prometheus.kill();
        await prometheus.resume();
        // Of these SLOs the counters were recorded and a step was not.
        const query =
          'count(max by (slo) (timestamp(slo:counter:last)) > max by (slo) (timestamp(slo:events_bad:increase30s)))';
        unfinished += (await prometheus.client.scalar(query, Date.now())) ?? 0;
        await prometheus.until('count(count_over_time(up{job="web"}[2s])) == 4', 30_000);
      }
      pods.freeze();
      await prometheus.until('sum(sum_over_time(slo:events_total:increase30s[6s])) == 0', 40_000);
      const told = (side: 'bad' | 'total') => {
        const events = sumOf(pods.pods, (p) => p.told[side]);
        return Object.fromEntries(names.map((name) => [`web-${name}`, events]));
      };
      expect(unfinished).toBeGreaterThan(0);
      expect(await sums(prometheus, 'total')).toEqual(told('total'));
      expect(await sums(prometheus, 'bad')).toEqual(told('bad'));
      for (const side of ['bad', 'total']) {
        const least = `min(min_over_time(slo:events_${side}:increase30s[30m]))`;
        expect(await prometheus.client.scalar(least, Date.now())).toBeGreaterThanOrEqual(0);
      }
      if (process.env.FIREDRILL_DEBUG)
        console.log(`${kills} ends, ${unfinished} groups in the middle`);
    },
    60_000 + kills * 15_000,
  );
});
