/** A fault that grows: the contents of its lease over time, under a stepped clock. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { SimulatedClock } from '../../base/clock.js';
import { ramped } from '../../chaos/faults/kind.js';
import { faultKind, faultKindNames } from '../../chaos/faults/kinds.js';
import { Injection } from '../../chaos/runner/injection.js';
import { Journal } from '../../chaos/runner/journal.js';
import { readScenarioText } from '../../chaos/scenarios/read.js';
import type { System } from '../../chaos/system/model.js';
import { scenarioText } from './small-drill.js';

const folder = mkdtempSync(join(tmpdir(), 'firedrill-ramp-'));
const bodies: Record<string, unknown>[] = [];
const server = createServer((request, response) => {
  let text = '';
  request.on('data', (chunk: Buffer) => (text += chunk.toString()));
  request.on('end', () => {
    if (request.method === 'POST') bodies.push(JSON.parse(text) as Record<string, unknown>);
    response.end(JSON.stringify(request.method === 'GET' ? [] : { id: 'x', effect: 1 }));
  });
});
beforeAll(() => new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve)));
afterAll(() => {
  server.close();
  rmSync(folder, { recursive: true, force: true });
});

test('latency grows evenly, is renewed as it grows, and stays at its worst', async () => {
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const system = {
    description: { workloads: [], relays: [] },
    relays: () => [{ name: 'a/b', from: 'a', to: 'b', url }],
  } as unknown as System;
  const clock = new SimulatedClock();
  const journal = new Journal(folder, 'ramp', () => clock.nowMs());
  const fault = {
    id: 'slow',
    kind: 'latency' as const,
    target: 'a/b',
    start: 0,
    ramp: 600_000,
    settings: { ratio: 1, latencyMs: 400 },
  };
  const injection = new Injection({ clock, journal, system, run: 'r', rampMs: 1000 }, fault);
  await injection.begin();
  for (let i = 1; i <= 8; i++) {
    clock.advance(250);
    await expect.poll(() => bodies.length).toBeGreaterThan(Math.min(i, 4));
  }
  await injection.end();
  journal.close();
  expect(injection.record.description).toContain('ramped over 10m');
  // The last body is a renewal.
  const said = bodies.map((b) => b.latencyMs);
  expect(said.slice(0, 5)).toEqual([100, 100, 200, 300, 400]);
  expect(new Set(said.slice(4))).toEqual(new Set([400]));
});

test('a rate shrinks by equal factors, a whole number stays one, and at the end it is what was asked for', () => {
  const { ramp } = faultKind('bandwidth');
  const at = (share: number): unknown =>
    ramped(ramp!, { bytesPerSecond: 100 }, share).bytesPerSecond;
  expect([at(0.5), at(1)]).toEqual([1000, 100]);
  for (const kind of faultKindNames) {
    const own = faultKind(kind).ramp;
    if (own) expect(ramped(own, { [own.setting]: 0.5 }, 1)).toEqual({ [own.setting]: 0.5 });
  }
});

test('what cannot grow is refused with its place', () => {
  const text = scenarioText((t) => t.replace('target: cart }', 'target: cart, ramp: 1s }'));
  expect(() => readScenarioText('kill.yaml', text)).toThrow(
    /kill.yaml:\d+:\d+: kill cannot be ramped/,
  );
});
