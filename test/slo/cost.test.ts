/** S6: the cost of the mesh and the savings of changes, with figures that can be checked by hand. */
import { expect, test } from 'vitest';
import { asset } from '../../base/paths.js';
import { compareCosts, costOf, savingsOf } from '../../slo/cost/cost.js';
import { readPrices } from '../../slo/cost/prices.js';

const prices = readPrices(asset('slo/cost/prices.yaml'));
const usage = {
  service: 'cart',
  proxies: 10,
  requestsPerSecond: 200,
  cores: 0.5,
  memoryGb: 0.6,
  series: 4000,
  spansPerSecond: 200,
};

test('CPU, memory, series and spans add up to a month, and by the request', () => {
  const cost = costOf(usage, prices);
  const spans = (200 * 30 * 86_400) / 1e6;
  expect(cost.perMonth).toBeCloseTo(0.5 * 24 + 0.6 * 3.2 + 4000 * 0.008 + spans * 0.5, 6);
  expect(cost.perQps).toBeCloseTo(cost.perMonth / 200, 9);
  expect(costOf({ ...usage, requestsPerSecond: 0 }, prices).perQps).toBeUndefined();
});

test('sampling a tenth of the spans saves nine tenths of what they cost', () => {
  const [sampling, perNode] = savingsOf([costOf(usage, prices)], prices, {
    sampling: 0.1,
    perNode: 2,
  });
  expect(sampling?.perMonth).toBeCloseTo(((200 * 30 * 86_400) / 1e6) * 0.5 * 0.9, 6);
  expect(perNode?.perMonth).toBeCloseTo(0.6 * 3.2 * 0.8, 6);
});

test('W4: before and after are compared by the request, as traffic differs', () => {
  const before = [costOf(usage, prices)];
  const after = [costOf({ ...usage, requestsPerSecond: 400, cores: 0.5 }, prices)];
  expect(compareCosts(before, after)).toEqual(['cart: -50.0% a request']);
});
