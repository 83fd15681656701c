/** Routes learnt from traffic: ids become parameters, unserved requests are ignored, memory is bounded. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { RouteLearner, TapReader } from '../../mesh/kubernetes/profile/learn.js';

const routesOf = (...requests: [string, string][]): [string, string][] => {
  const learner = new RouteLearner();
  for (const [method, path] of requests) learner.see(method, path);
  return learner.routes().map(({ route }) => [route.name, route.condition.pathRegex]);
};

test('numbers, UUIDs and hashes are values; names stay; exact routes come first; queries do not matter', () => {
  expect(
    routesOf(
      ['GET', '/carts/17/items?page=2'],
      ['GET', '/carts/18/items'],
      ['POST', '/carts/18/items'],
      ['GET', '/carts/mine'],
      ['GET', '/orders/3f2b8c1e-90ab-4cde-8f01-23456789abcd.json'],
      ['GET', '/orders/3f2b8c1e-90ab-4cde-8f01-23456789abcd'],
      ['GET', '/'],
    ),
  ).toEqual([
    ['GET /', '/'],
    ['GET /carts/mine', '/carts/mine'],
    [
      'GET /orders/3f2b8c1e-90ab-4cde-8f01-23456789abcd.json',
      '/orders/3f2b8c1e-90ab-4cde-8f01-23456789abcd\\.json',
    ],
    ['GET /carts/{id}/items', '/carts/[^/]+/items'],
    ['POST /carts/{id}/items', '/carts/[^/]+/items'],
    ['GET /orders/{id}', '/orders/[^/]+'],
  ]);
});

test('many different words in one place are values too', () => {
  const users = Array.from({ length: 50 }, (_, i): [string, string] => [
    'GET',
    `/users/${'abcdefghij'[i % 10]}${'klmno'[Math.floor(i / 10)]}/orders`,
  ]);
  expect(routesOf(...users)).toEqual([['GET /users/{id}/orders', '/users/[^/]+/orders']]);
});

test('every request that was seen fits a route that was learnt', () => {
  const segment = fc.oneof(fc.stringMatching(/^[a-z.]{1,6}$/), fc.nat().map(String));
  const path = fc
    .array(segment, { maxLength: 4 })
    .chain((s) => fc.constantFrom('', '/').map((end) => `/${s.join('/')}${end}`));
  fc.assert(
    fc.property(fc.array(path, { maxLength: 60 }), (paths) => {
      const found = routesOf(...paths.map((p): [string, string] => ['GET', p]));
      for (const p of paths) {
        expect(found.some(([, regex]) => new RegExp(`^(?:${regex})$`).test(p))).toBe(true);
      }
    }),
    { numRuns: 100 },
  );
});

test('the tap: what was not found teaches nothing, broken lines are left out, paths are bounded', () => {
  const learner = new RouteLearner();
  const reader = new TapReader(learner);
  const request = (id: string, path: string, status: number): void => {
    reader.line(JSON.stringify({ event: 'req', id, method: 'GET', path }));
    reader.line(JSON.stringify({ event: 'end', id, status }));
  };
  request('1', '/cart', 200);
  request('2', '/wp-admin.php', 404);
  reader.line('{"event":');
  expect(learner.routes().map((r) => [r.route.name, r.requests])).toEqual([['GET /cart', 1]]);
  for (let i = 0; i < 20_000; i++) learner.see('GET', `/a/x${i.toString(36)}`);
  expect(learner.routes().length).toBeLessThan(10);
});
