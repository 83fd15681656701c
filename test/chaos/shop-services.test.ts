/** The shop's services without a mesh: their answers, a drill's delays, and that nobody pays twice. */
import { afterEach, expect, test } from 'vitest';
import { SimulatedClock } from '../../base/clock.js';
import { seededRandom } from '../../base/random.js';
import { Behaviour } from '../../examples/retail/behaviour.js';
import { Peers } from '../../examples/retail/peers.js';
import { type RunningService, startService } from '../../examples/retail/service.js';
import { services } from '../../examples/retail/services.js';

const running: RunningService[] = [];
afterEach(async () => {
  await Promise.all(running.splice(0).map((service) => service.close()));
});

async function shop(): Promise<{ peers: Peers; admin: Record<string, string> }> {
  const direct: Record<string, string> = {};
  const admin: Record<string, string> = {};
  for (const name of ['payment', 'cart', 'catalog', 'checkout', 'web']) {
    const service = await startService(services[name]!, {
      port: 0,
      adminPort: 0,
      peers: new Peers('retail', { direct }),
    });
    running.push(service);
    direct[name] = `127.0.0.1:${service.port}`;
    admin[name] = `http://127.0.0.1:${service.adminPort}`;
  }
  return { peers: new Peers('retail', { direct }), admin };
}

const counters = async (admin: string): Promise<Record<string, number>> =>
  ((await (await fetch(`${admin}/state`)).json()) as { counters: Record<string, number> }).counters;

const buy = (peers: Peers, key: string) =>
  peers.call('web', {
    method: 'POST',
    path: '/checkout',
    headers: { 'idempotency-key': key, 'x-user': 'ann' },
    timeoutMs: 5000,
  });

test('W1: a checkout goes through cart and payment, and a repeated one is answered and not charged', async () => {
  const { peers, admin } = await shop();
  expect((await buy(peers, 'k1')).status).toBe(200);
  expect((await buy(peers, 'k1')).status).toBe(200);
  expect((await buy(peers, 'k2')).status).toBe(200);
  expect(await counters(admin.payment!)).toMatchObject({
    charges: 2,
    repeatsAnswered: 1,
    doubleCharges: 0,
  });
});

test('a charge without a key is refused, and the count of double charges does count', async () => {
  const { peers, admin } = await shop();
  const charge = (headers: Record<string, string>) =>
    peers.call('payment', { method: 'POST', path: '/charges', headers, timeoutMs: 5000 });
  expect((await charge({})).status).toBe(400);
  await charge({ 'idempotency-key': 'a' });
  await charge({ 'idempotency-key': 'a', 'x-forget-keys': '1' });
  expect(await counters(admin.payment!)).toMatchObject({ charges: 2, doubleCharges: 1 });
});

test('a fault at a service is a lease with its effect counted, and gone when deleted', async () => {
  const { peers, admin } = await shop();
  const post = await fetch(`${admin.payment!}/faults`, {
    method: 'POST',
    body: JSON.stringify({ id: 'f', failureRatio: 1, ttlMs: 60_000 }),
  });
  expect(await post.json()).toMatchObject({ id: 'f', effect: 0 });
  expect((await buy(peers, 'k3')).status).toBe(502);
  const [fault] = (await (await fetch(`${admin.payment!}/faults`)).json()) as { effect: number }[];
  expect(fault?.effect).toBe(1);
  await fetch(`${admin.payment!}/faults/f`, { method: 'DELETE' });
  expect((await buy(peers, 'k4')).status).toBe(200);
});

test('a bad lease is refused with what was expected', async () => {
  const { admin } = await shop();
  const post = await fetch(`${admin.cart!}/faults`, {
    method: 'POST',
    body: JSON.stringify({ failureRatio: 2, ttlMs: 1000 }),
  });
  expect([post.status, await post.json()]).toEqual([
    400,
    { error: 'bad failureRatio; expected a number from 0 to 1' },
  ]);
});

test('a lease lapses unless it is renewed', () => {
  const clock = new SimulatedClock();
  const behaviour = new Behaviour(clock, seededRandom(1), { slots: 1, workMs: 0, maxWaiting: 1 });
  behaviour.put({ id: 'slow', latencyMs: 100, ttlMs: 1000 });
  clock.advance(900);
  behaviour.put({ id: 'slow', latencyMs: 100, ttlMs: 1000 });
  clock.advance(900);
  expect(behaviour.faults()).toMatchObject([{ id: 'slow', ttlMs: 100 }]);
  clock.advance(200);
  expect(behaviour.faults()).toEqual([]);
});
