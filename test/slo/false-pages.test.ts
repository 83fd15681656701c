/** Pages caused by chance alone: the prediction against simulated years. */
import { describe, expect, test } from 'vitest';
import { seededRandom } from '../../base/random.js';
import { readSloText, type Slo } from '../../slo/index.js';
import { explain, explanationText } from '../../slo/rules/explain.js';
import { falsePagesAt, guardHolds, outagePagedAfterMs } from '../../slo/rules/false-pages.js';
import { planOf } from '../../slo/rules/plan.js';

const read = (alerting: string): Slo =>
  readSloText(
    'in.yaml',
    `apiVersion: firedrill.dev/v1
service: a
owner: team
slos:
  - name: b
    objective: 99.9
    sli: { events: { bad: e_total, total: t_total } }
    alerting: ${alerting}
`,
  )[0] as Slo;
const plain = read('{}');
const guarded = read('{ falsePagesPerYear: 1 }');

/** Number of pages in so many years of a service that spends half of its budget. */
function pagesOf(slo: Slo, eventsPerHour: number, years: number, seed: number): number {
  const plan = planOf(slo);
  const pages = plan.windows.filter((w) => w.severity === 'page');
  const random = seededRandom(seed);
  const badPerHour = eventsPerHour * plan.budget * 0.5;
  const hours = (ms: number): number => ms / 3_600_000;
  const times: number[] = [];
  let firing = -1;
  let begun = 0;
  for (let at = 0; at < years * 8760; at += -Math.log(1 - random.next()) / badPerHour) {
    times.push(at);
    while ((times[0] as number) < at - 6) times.shift();
    const since = (h: number): number => times.filter((t) => t > at - h).length;
    const ends = pages.map((w) => {
      const [long, short] = [hours(w.longMs), hours(w.shortMs)];
      const [bad, badShort] = [since(long), since(short)];
      const above =
        bad > w.factor * plan.budget * eventsPerHour * long &&
        badShort > w.factor * plan.budget * eventsPerHour * short &&
        guardHolds(plan, w, bad, eventsPerHour * long);
      return above ? at + short : -1;
    });
    const end = Math.max(...ends);
    if (end > 0 && at > firing) begun++;
    firing = Math.max(firing, end);
  }
  return begun;
}

/** The upper end of the 95% interval of a Poisson mean, by the corrected normal approximation. */
const upper = (mean: number): number => mean + 1.96 * Math.sqrt(mean) + 1.92;

describe('a healthy service', () => {
  test('of 20 requests an hour pages 88 times a year without a guard', () => {
    expect(falsePagesAt(plain, 20)).toBeCloseTo(87.6, 0);
    const years = 40;
    const played = pagesOf(plain, 20, years, 1);
    // The prediction is an upper bound: a second failure within minutes belongs to the same page.
    expect(played).toBeLessThan(upper(years * 87.6));
    expect(played).toBeGreaterThan(years * 87.6 * 0.9);
  });

  test.each([10, 20, 50, 200, 1000, 5000])(
    'of %s requests an hour pages at most once a year where that is stated',
    (rate) => {
      const years = rate > 500 ? 30 : 300;
      expect(falsePagesAt(guarded, rate)).toBeLessThanOrEqual(1);
      expect(pagesOf(guarded, rate, years, 7)).toBeLessThanOrEqual(upper(years));
    },
  );
});

test('a window with fewer events than minEvents cannot page, and one with as many can', () => {
  const from = (minEvents: number): Slo => read(`{ lowTraffic: { minEvents: ${minEvents} } }`);
  // At 20 an hour, 1h and 6h hold 20 and 120 events.
  const pages = [0, 20, 21, 120, 121].map((n) => falsePagesAt(from(n), 20) as number);
  expect(pages[1]).toBe(pages[0]);
  expect(pages[2]).toBeLessThan(pages[0] as number);
  expect(pages[3]).toBe(pages[2]);
  expect([pages[4], outagePagedAfterMs(from(121), 20)]).toEqual([0, undefined]);
  expect(outagePagedAfterMs(from(20), 20)).toBe(outagePagedAfterMs(plain, 20));
});

describe('an outage', () => {
  test('of everything at 20 an hour pages at the second failure', () => {
    expect(outagePagedAfterMs(guarded, 20)).toBe(2 * 180_000);
  });

  test.each([36_000, 360_000, 36_000_000])('at %s an hour pages no later for the guard', (rate) => {
    expect(outagePagedAfterMs(guarded, rate)).toBe(outagePagedAfterMs(plain, rate));
  });
});

test('explain shows false pages, and how to have fewer', () => {
  const text = explanationText(explain(plain, {}, 20));
  expect(text).toContain('88       with 20 events an hour, and a total outage pages after 3m');
  expect(text).toContain('alerting.falsePagesPerYear: 1 prevents most of them');
  const better = explanationText(explain(guarded, {}, 20));
  expect(better).toContain('with 20 events an hour, and a total outage pages after 6m');
  expect(better).not.toContain('prevents most of them');
});
