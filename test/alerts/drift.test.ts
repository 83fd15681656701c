/** Observability drift: a service reports success while its callers fail, in the answers of a real Prometheus API. */
import { spawn } from 'node:child_process';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { sleep } from '../../base/clock.js';
import { program } from '../../base/paths.js';
import { startWatch } from '../../alerts/watch/index.js';
import { driftRules, judgePair, type Pair } from '../../alerts/drift/model.js';
import { readDrift } from '../../alerts/drift/read.js';

const folder = mkdtempSync(join(tmpdir(), 'firedrill-drift-'));
function file(text: string): string {
  const path = join(folder, 'drift.yaml');
  writeFileSync(path, text);
  return path;
}

const head = 'apiVersion: firedrill.dev/v1\nkind: Drift\nwindow: 5s\npairs:\n';
const pair =
  '  - { route: buy, service: shop, says: { bad: \'own_total{code="500"}\', total: own_total }';

test('pairs are read with places; the client and the mesh have their own selectors', () => {
  expect(readDrift(file(`${head}${pair} }\n`)).pairs[0]?.seen).toEqual({
    bad: 'firedrill_client_requests_total{route="buy",outcome!="expected"}',
    total: 'firedrill_client_requests_total{route="buy"}',
  });
  expect(
    readDrift(file(`${head}${pair}, seen: { mesh: shop.retail } }\n`)).pairs[0]?.seen.bad,
  ).toBe('response_total{direction="outbound",dst="shop.retail",classification="failure"}');
  for (const bad of ['rate(x[5m])', 'x offset 5m', 'x @ end()']) {
    expect(() => readDrift(file(`${head}${pair}, seen: { bad: '${bad}', total: x } }\n`))).toThrow(
      /drift\.yaml:5:\d+: expected a series selector/,
    );
  }
  expect(() => readDrift(file(`${head}${pair}, sene: client }\n`))).toThrow(/unknown field 'sene'/);
});

const one: Pair = {
  route: 'buy',
  service: 'shop',
  says: { bad: 'a', total: 'b' },
  seen: { bad: 'c', total: 'd' },
  atMost: 0.01,
};

test('agreement, drift, blindness and silence are distinguished, and so are requests that were never counted', () => {
  expect(judgePair(one, { says: 0.5, seen: 0.505, saysRate: 10, seenRate: 10 }).verdict).toBe(
    'agree',
  );
  expect(judgePair(one, { says: 0, seen: 1, saysRate: 5, seenRate: 10 })).toMatchObject({
    verdict: 'drift',
    uncounted: 0.5,
  });
  expect(judgePair(one, { seen: 1, seenRate: 10 })).toMatchObject({
    verdict: 'blind',
    uncounted: 1,
  });
  expect(judgePair(one, { says: 0 }).verdict).toBe('no-callers');
});

/** A service that counts every answer as a success, although half of its callers see failures. */
test('the rules fire on a service that knows nothing of what its callers see', async () => {
  let n = 0;
  const server = createServer((_request, response) => {
    n += 10;
    const client = 'firedrill_client_requests_total{route="buy",outcome=';
    response.end(
      `own_total{code="200"} ${n}\n${client}"expected"} ${n / 2}\n${client}"body"} ${n / 2}\n`,
    );
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/metrics`;
  const rules = driftRules(readDrift(file(`${head}${pair} }\n`)));
  for (const rule of rules.rules) if (rule.kind === 'alert') rule.forMs = 0;
  const watch = await startWatch('embedded', {
    targets: [{ job: 'shop', url }],
    groups: [rules],
    scrapeIntervalMs: 100,
    evaluationIntervalMs: 100,
  });
  try {
    while (watch.notifications.length === 0) await sleep(50);
    expect(watch.notifications[0]).toMatchObject({
      status: 'firing',
      labels: {
        alertname: 'ObservabilityDrift',
        route: 'buy',
        service: 'shop',
        severity: 'ticket',
      },
    });
    expect(watch.notifications[0]?.annotations.summary).toContain('50%');
  } finally {
    await watch.stop();
    server.closeAllConnections();
    server.close();
  }
});

test('the command asks a Prometheus, and ends with 1 where they differ', async () => {
  const server = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk) => (body += chunk));
    request.on('end', () => {
      const query =
        new URLSearchParams(body || (request.url ?? '').split('?')[1]).get('query') ?? '';
      const ratio = query.includes('> 0');
      const value = ratio ? (query.includes('own_total') ? '0' : '0.4') : '10';
      const result = [{ metric: {}, value: [0, value] }];
      response.end(JSON.stringify({ status: 'success', data: { resultType: 'vector', result } }));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const path = file(`${head}${pair} }\n`);
  const run = (...args: string[]): Promise<{ code: number | null; out: string }> =>
    new Promise((resolve) => {
      const child = spawn(process.execPath, [program('cli'), 'drift', path, ...args]);
      let out = '';
      for (const stream of [child.stdout, child.stderr]) stream.on('data', (d) => (out += d));
      child.on('exit', (code) => resolve({ code, out }));
    });
  try {
    const { code, out } = await run('--prometheus', url);
    expect(out).toMatch(/shop +buy +0% +40% +40% +0% +DRIFT/);
    expect(code).toBe(1);
    expect((await run('--rules')).out).toContain('record: route:observability_drift:ratio_rate5s');
  } finally {
    server.closeAllConnections();
    server.close();
  }
});
