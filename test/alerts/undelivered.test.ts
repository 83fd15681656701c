/** Notifications that an Alertmanager counts as failed: a page that fired and reached nobody. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { requestsOf, undelivered } from '../../alerts/watch/existing/undelivered.js';

const metrics = (webhook: [number, number], email: [number, number]): string =>
  [
    '# TYPE alertmanager_notification_requests_total counter',
    `alertmanager_notification_requests_total{integration="webhook"} ${webhook[0]}`,
    `alertmanager_notification_requests_total{integration="email",receiver_name="a"} ${email[0]}`,
    `alertmanager_notification_requests_failed_total{integration="webhook"} ${webhook[1]}`,
    `alertmanager_notification_requests_failed_total{integration="email",receiver_name="a"} ${email[1]}`,
    '',
  ].join('\n');

let text = '';
const server = createServer((_, response) => void response.end(text));
beforeAll(() => new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve)));
afterAll(() => void server.close());

test.each([
  [[5, 2], [1, 0], undefined],
  // Some came through: whom they reached is not counted.
  [[8, 4], [1, 0], undefined],
  [[8, 5], [3, 1], 'the Alertmanager failed in 3 of 3 requests to webhook'],
  [
    [6, 3],
    [2, 1],
    'the Alertmanager failed in 1 of 1 requests to webhook and 1 of 1 requests to email',
  ],
] as const)('requests to webhook %j, to email %j', async (webhook, email, told) => {
  const { port } = server.address() as AddressInfo;
  const alertmanager = { url: `http://127.0.0.1:${port}` };
  text = metrics([5, 2], [1, 0]);
  const before = await requestsOf(alertmanager);
  text = metrics([...webhook], [...email]);
  expect(undelivered(before, await requestsOf(alertmanager))).toBe(told);
  text = '<html>log in</html>';
  expect(undelivered(before, await requestsOf(alertmanager))).toBeUndefined();
});
