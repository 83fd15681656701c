/** Faults at a toxiproxy, with a server that answers like the real API. */
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { SimulatedClock } from '../../base/clock.js';
import { runUndo, undoFor } from '../../chaos/faults/undo.js';
import { Attached } from '../../chaos/system/attach/attached.js';
import { Toxiproxy } from '../../chaos/system/attach/toxiproxy.js';

interface Toxic {
  name: string;
  type: string;
}
let proxy: { enabled: boolean; toxics: Toxic[]; bytes: number; counts: boolean };
let server: Server;
let url: string;

const bodyOf = async (request: IncomingMessage): Promise<Record<string, unknown>> => {
  let text = '';
  for await (const chunk of request) text += String(chunk);
  return JSON.parse(text || '{}') as Record<string, unknown>;
};

beforeEach(async () => {
  proxy = { enabled: true, toxics: [], bytes: 0, counts: true };
  server = createServer((request, response) => {
    void (async () => {
      const body = await bodyOf(request);
      const call = `${request.method} ${request.url}`;
      const json = (status: number, value: unknown): void =>
        void response.writeHead(status).end(JSON.stringify(value));
      const state = { listen: '127.0.0.1:1', ...proxy };
      const toxic = /^DELETE \/proxies\/db\/toxics\/(.+)$/.exec(call)?.[1];
      if (call === 'GET /proxies/db') return json(200, state);
      if (call === 'POST /proxies/db') {
        proxy.enabled = body.enabled as boolean;
        return json(200, proxy);
      }
      if (call === 'POST /proxies/db/toxics') {
        proxy.toxics.push(body as unknown as Toxic);
        return json(200, body);
      }
      const changed = /^POST \/proxies\/db\/toxics\/(.+)$/.exec(call)?.[1];
      const known = proxy.toxics.find((t) => t.name === changed);
      if (known) return json(200, Object.assign(known, body));
      if (toxic !== undefined) {
        const left = proxy.toxics.filter((t) => t.name !== toxic);
        const found = left.length < proxy.toxics.length;
        proxy.toxics = left;
        return json(found ? 204 : 404, found ? undefined : { error: 'toxic not found' });
      }
      if (call === 'GET /metrics' && proxy.counts) {
        const labels = '{direction="upstream",listener="127.0.0.1:1",proxy="db",upstream="a:1"}';
        const other = labels.replace('"db"', '"other"');
        const name = 'toxiproxy_proxy_received_bytes_total';
        return void response.end(`${name}${labels} ${proxy.bytes}\n${name}${other} 900\n`);
      }
      json(404, { error: 'no such thing' });
    })();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterEach(() => void server.close());

function attach(clock = new SimulatedClock()) {
  const attached = new Attached({
    name: 'x',
    spec: {
      kind: 'attach',
      services: {},
      calls: { 'front/db': { toxiproxy: url, proxy: 'db' } },
      faults: {},
    },
    folder: '.',
    clock,
    onProcess: () => undefined,
  });
  const held = attached.call('front/db')!;
  const put = (id: string, fault: Record<string, unknown>) =>
    attached.putAtCall(held, 'front/db', { id, ttlMs: 6000, ratio: 1, ...fault });
  return { attached, held, put, clock };
}

test('a delay is a toxic; bytes that pass are its effect; nobody renews it, and it is gone', async () => {
  const { attached, held, put, clock } = attach();
  await attached.check();
  const relay = attached.describe(1).relays[0];
  expect(relay).toMatchObject({ name: 'front/db', from: 'front', to: 'db' });
  proxy.bytes = 70;
  const before = await put('a', { kind: 'latency', latencyMs: 300, jitterMs: 20 });
  expect(before.effect).toBe(0);
  expect(proxy.toxics).toEqual([
    {
      name: 'a-down',
      type: 'latency',
      stream: 'downstream',
      toxicity: 1,
      attributes: { latency: 300, jitter: 20 },
    },
  ]);
  proxy.bytes = 100;
  expect((await put('a', { kind: 'latency', latencyMs: 300 })).effect).toBe(30);
  expect(proxy.toxics).toHaveLength(1);
  clock.advance(6001);
  await held.leases.clear();
  expect(proxy.toxics).toEqual([]);
});

test('a cut is undone when the last one ends, and a delay beside it does not end it', async () => {
  const { held, put } = attach();
  const cut = await put('c', { kind: 'cut' });
  await put('l', { kind: 'latency', latencyMs: 300 });
  // Nobody listens at port 1: a connection is refused there.
  expect([cut.effect, proxy.enabled]).toEqual([1, false]);
  await held.leases.remove('l');
  expect([proxy.enabled, proxy.toxics]).toEqual([false, []]);
  await held.leases.remove('c');
  expect(proxy.enabled).toBe(true);
});

test('a fault that grows gives its toxics the new settings; a part of the connections cannot be cut', async () => {
  const { put } = attach();
  await put('l', { kind: 'latency', latencyMs: 30 });
  await put('l', { kind: 'latency', latencyMs: 300 });
  expect(proxy.toxics).toMatchObject([{ name: 'l-down', attributes: { latency: 300 } }]);
  await expect(put('c', { kind: 'cut', ratio: 0.5 })).rejects.toThrow(
    'a toxiproxy cuts every connection or none',
  );
  expect(proxy.enabled).toBe(true);
});

test('a fault that somebody else ended, or that ended with its toxiproxy, is told as lost', async () => {
  const { held, put } = attach();
  await put('l', { kind: 'latency', latencyMs: 300 });
  await put('s', { kind: 'blackhole' });
  await put('c', { kind: 'cut' });
  await held.leases.remove('l');
  proxy.toxics = [{ name: 's-up', type: 'timeout' }];
  proxy.enabled = true;
  await held.leases.remove('s');
  await held.leases.remove('c');
  const at = `the proxy db of the toxiproxy at ${url}`;
  expect(['l', 's', 'c'].map((id) => held.leases.troubleOf(id))).toEqual([
    undefined,
    `${at} has no s-down any more`,
    `${at} was enabled by somebody else`,
  ]);
  await put('m', { kind: 'latency', latencyMs: 300 });
  const closed = new Promise((resolve) => server.close(resolve));
  server.closeAllConnections();
  await closed;
  await held.leases.remove('m');
  expect(held.leases.troubleOf('m')).toContain(`${url}/proxies/db does not answer`);
});

test('whoever finds the journal undoes all of a lease, twice if need be', async () => {
  const { put } = attach();
  await put('run-slow-0', { kind: 'blackhole' });
  proxy.toxics.push({ name: 'mine', type: 'latency' });
  expect(proxy.toxics.map((t) => t.name)).toEqual(['run-slow-0-up', 'run-slow-0-down', 'mine']);
  const undo = undoFor(new Toxiproxy(url, 'db').undo, 'run-slow-0');
  await runUndo(undo, 'run-slow-0');
  await runUndo(undo, 'run-slow-0');
  expect(proxy.toxics.map((t) => t.name)).toEqual(['mine']);
});

test('one that counts nothing, one that is down, a kind that it has not: refused', async () => {
  const { attached, put } = attach();
  await expect(put('r', { kind: 'refuse' })).rejects.toThrow('a toxiproxy has no fault refuse');
  proxy.counts = false;
  await expect(attached.check()).rejects.toThrow('counts no bytes');
  proxy.enabled = false;
  await expect(attached.check()).rejects.toThrow('disabled already');
});
