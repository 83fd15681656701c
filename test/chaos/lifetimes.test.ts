/** Certificates of another lifetime from scenario to scenario: no connection may outlast the new ones. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import type { Watch } from '../../alerts/watch/index.js';
import { realClock } from '../../base/clock.js';
import { CertificateLifetimes } from '../../chaos/gameday/lifetimes.js';
import type { System } from '../../chaos/system/model.js';

const ends: (() => void)[] = [];
afterEach(() => {
  for (const end of ends.splice(0)) end();
});

/** `left`: seconds that each certificate has, until the workloads begin anew; then as long as was asked for. */
async function start(firstMs: number, left: number[]) {
  const asked: number[] = [];
  const server = createServer((request, response) => {
    let text = '';
    request.on('data', (chunk: Buffer) => (text += chunk.toString()));
    request.on('end', () => {
      asked.push((JSON.parse(text) as { lifetimeMs: number }).lifetimeMs);
      response.setHeader('content-type', 'application/json').end('{}');
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  let renewals = 0;
  let lives = left;
  const system = {
    controllerAdmin: `http://127.0.0.1:${port}`,
    description: { workloads: left.map((_, i) => ({ name: `w${i}`, identity: `w${i}.shop` })) },
    renewCertificates: () => {
      renewals++;
      lives = left.map(() => (asked.at(-1) ?? 0) / 1000);
      return Promise.resolve();
    },
  } as unknown as System;
  const watch = {
    query: () => Promise.resolve(lives.map((value) => ({ labels: {}, value }))),
  } as unknown as Watch;
  const lifetimes = new CertificateLifetimes({
    system,
    clock: realClock,
    run: 'r',
    lifetimeMs: firstMs,
  });
  ends.push(() => {
    lifetimes.stop();
    server.close();
  });
  const scenario = async (lifetimeMs: number): Promise<number> => {
    const before = renewals;
    await lifetimes.want(lifetimeMs);
    await lifetimes.settle(watch, new AbortController().signal);
    expect(asked.at(-1)).toBe(lifetimeMs);
    return renewals - before;
  };
  return { scenario, lifetimes, watch };
}

test('a run that is over waits for no certificate', async () => {
  const { lifetimes, watch } = await start(10_000, [300]);
  await lifetimes.want(10_000);
  let looks = 0;
  await lifetimes.settle(watch, new AbortController().signal, () => ++looks > 0);
  expect(looks).toBe(1);
});

test('the same lifetime again, or a longer one that is there already, begins nothing anew', async () => {
  const { scenario } = await start(10_000, [9, 8]);
  expect(await scenario(10_000)).toBe(0);
  expect(await scenario(10_000)).toBe(0);
  expect(await scenario(12_000)).toBe(0);
});

test('certificates that live too long are renewed, once', async () => {
  const { scenario } = await start(10_000, [9, 300]);
  expect(await scenario(10_000)).toBe(1);
});

test('a shorter lifetime begins every connection anew, also where the certificates are short already', async () => {
  const { scenario } = await start(360_000, [9, 8]);
  expect(await scenario(10_000)).toBe(1);
  expect(await scenario(10_000)).toBe(0);
});
