/** The TCP relay: unchanged bytes, each fault by its effect, and no held bytes once a fault is rolled back. */
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { realClock } from '../../base/clock.js';
import { Relay } from '../../chaos/relay/relay.js';
import { readAddress } from '../../chaos/relay/address.js';

const endings: (() => unknown)[] = [];
afterEach(() => {
  for (const end of endings.splice(0).toReversed()) end();
});

/** A relay to a server that answers each line with the same line. */
async function relayed(): Promise<{ relay: Relay; port: number }> {
  const sockets = new Set<Socket>();
  const echo = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined).pipe(socket);
  });
  await new Promise<void>((resolve) => echo.listen(0, '127.0.0.1', resolve));
  endings.push(() => {
    echo.close();
    for (const socket of sockets) socket.destroy();
  });
  const upstream = { host: '127.0.0.1', port: (echo.address() as AddressInfo).port };
  const relay = new Relay({
    listen: { host: '127.0.0.1', port: 0 },
    upstreams: [upstream],
    clock: realClock,
    random: { next: () => 0, below: () => 0, bytes: (n: number) => Buffer.alloc(n) } as never,
  });
  endings.push(() => relay.close());
  return { relay, port: await relay.listen() };
}

interface Client {
  socket: Socket;
  /** Resolves to the answer, once it is as long as the text; rejects if the connection ends before. */
  ask(text: string): Promise<string>;
  ended: Promise<string>;
}

async function client(port: number): Promise<Client> {
  const socket = connect(port, '127.0.0.1');
  endings.push(() => socket.destroy());
  let come = '';
  const watchers = new Set<() => void>();
  socket.on('data', (bytes) => {
    come += bytes.toString();
    for (const look of watchers) look();
  });
  const ended = new Promise<string>((resolve) => {
    socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? 'error'));
    socket.on('close', () => resolve('closed'));
  });
  await new Promise<void>((resolve) => {
    socket.once('connect', resolve).once('close', resolve);
  });
  return {
    socket,
    ended,
    ask(text) {
      const from = come.length;
      socket.write(text);
      return new Promise((resolve, reject) => {
        const look = (): void => {
          if (come.length < from + text.length) return;
          watchers.delete(look);
          resolve(come.slice(from));
        };
        watchers.add(look);
        void ended.then((how) => reject(new Error(how)));
      });
    },
  };
}

const lease = { id: 'one', ttlMs: 60_000 };

test('bytes go through in their order, large ones too, and each end as it ends', async () => {
  const { relay, port } = await relayed();
  const one = await client(port);
  expect(await one.ask('hello')).toBe('hello');
  const large = 'x'.repeat(3_000_000);
  expect(await one.ask(large)).toBe(large);
  one.socket.end();
  expect(await one.ended).toBe('closed');
  const text = await relay.metrics.text();
  expect(text).toContain('relay_connections_total 1');
  expect(text).toContain('relay_bytes_total{direction="sent"} 3000005');
  expect(text).toContain('relay_connections_open 0');
});

test('latency delays each way, and ends with its lease for what is held, too', async () => {
  const { relay, port } = await relayed();
  const one = await client(port);
  expect(await one.ask('a')).toBe('a');
  await relay.faults.put(lease, { kind: 'latency', ratio: 1, latencyMs: 100 });
  const from = performance.now();
  expect(await one.ask('b')).toBe('b');
  expect(performance.now() - from).toBeGreaterThanOrEqual(195);
  expect(relay.faults.list()).toMatchObject([{ id: 'one', effect: 1 }]);
  await relay.faults.put(
    { ...lease, id: 'two' },
    { kind: 'latency', ratio: 1, latencyMs: 500_000 },
  );
  const held = one.ask('c');
  await relay.faults.remove('two');
  await relay.faults.remove('one');
  expect(await held).toBe('c');
});

test('refused: new connections are reset and open ones stay; cut: open ones go too', async () => {
  const { relay, port } = await relayed();
  const before = await client(port);
  expect(await before.ask('a')).toBe('a');
  await relay.faults.put(lease, { kind: 'refuse', ratio: 1 });
  expect(await (await client(port)).ended).toMatch(/ECONNRESET|closed/);
  expect(await before.ask('b')).toBe('b');
  expect(relay.faults.list()).toMatchObject([{ effect: 1 }]);
  await relay.faults.put({ ...lease, id: 'two' }, { kind: 'cut', ratio: 1 });
  expect(await before.ended).toMatch(/ECONNRESET|closed/);
  await relay.faults.clear();
  expect(await (await client(port)).ask('c')).toBe('c');
});

test('a black hole swallows, and what it swallowed of is reset when it ends', async () => {
  const { relay, port } = await relayed();
  const one = await client(port);
  const idle = await client(port);
  expect(await one.ask('a')).toBe('a');
  expect(await idle.ask('a')).toBe('a');
  await relay.faults.put(lease, { kind: 'blackhole', ratio: 1 });
  const lost = one.ask('b').catch((error: Error) => error.message);
  while ((relay.faults.list()[0]?.effect ?? 0) === 0) await realTick();
  await relay.faults.remove('one');
  expect(await lost).toMatch(/ECONNRESET|closed/);
  // This connection lost nothing.
  expect(await idle.ask('c')).toBe('c');
});

test('bandwidth lets so many bytes a second through', async () => {
  const { relay, port } = await relayed();
  const one = await client(port);
  await relay.faults.put(lease, { kind: 'bandwidth', ratio: 1, bytesPerSecond: 10_000 });
  const from = performance.now();
  expect(await one.ask('x'.repeat(2000))).toHaveLength(2000);
  expect(performance.now() - from).toBeGreaterThanOrEqual(190);
});

test('bandwidth that slows nothing down has no effect', async () => {
  const { relay, port } = await relayed();
  const one = await client(port);
  const effect = (): number => relay.faults.list()[0]?.effect ?? NaN;
  await relay.faults.put(lease, { kind: 'bandwidth', ratio: 1, bytesPerSecond: 1_000_000_000 });
  expect(await one.ask('x'.repeat(1000))).toHaveLength(1000);
  expect(effect()).toBe(0);
  await relay.faults.put(lease, { kind: 'bandwidth', ratio: 1, bytesPerSecond: 100_000 });
  expect(await one.ask('x'.repeat(1000))).toHaveLength(1000);
  expect(effect()).toBe(1);
});

test('an address is host:port or a port of loopback', () => {
  expect(readAddress('6379')).toEqual({ host: '127.0.0.1', port: 6379 });
  expect(readAddress('tcp://db.local:5432')).toEqual({ host: 'db.local', port: 5432 });
  expect(() => readAddress('db.local')).toThrow("bad address 'db.local'; expected host:port");
});

const realTick = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test('loss: what is lost comes as late as it is sent again, each time counted, the same by the same seed', async () => {
  const { relay, port } = await relayed();
  const one = await client(port);
  expect(await one.ask('a')).toBe('a');
  const late = async (id: string): Promise<number[]> => {
    const fault = { kind: 'loss', ratio: 1, lossRatio: 0.4, seed: 5 } as const;
    await relay.faults.put({ ...lease, id }, fault);
    const counts: number[] = [];
    for (let i = 0; i < 3; i++) {
      const from = performance.now();
      expect(await one.ask('b')).toBe('b');
      const effect = relay.faults.list().find((l) => l.id === id)?.effect ?? 0;
      const more = effect - counts.reduce((sum, n) => sum + n, 0);
      expect(performance.now() - from).toBeGreaterThanOrEqual(more === 0 ? 0 : 195);
      counts.push(more);
    }
    await relay.faults.remove(id);
    return counts;
  };
  const counts = await late('one');
  expect(counts.some((n) => n > 0)).toBe(true);
  expect(await late('two')).toEqual(counts);
});

test('half-open: what is said arrives, and no answer comes back', async () => {
  const { relay, port } = await relayed();
  const one = await client(port);
  expect(await one.ask('a')).toBe('a');
  await relay.faults.put(lease, { kind: 'half-open', ratio: 1 });
  const lost = one.ask('b').catch((error: Error) => error.message);
  await expect.poll(() => relay.faults.list()[0]?.effect).toBe(1);
  // Read and dropped: the upstream did answer.
  await expect.poll(() => relay.metrics.text()).toContain('direction="received"} 2');
  await relay.faults.remove('one');
  expect(await lost).toMatch(/ECONNRESET|closed/);
  expect(await (await client(port)).ask('c')).toBe('c');
});

test('a fault that is renewed otherwise strikes otherwise from then on', async () => {
  const { relay, port } = await relayed();
  const one = await client(port);
  await relay.faults.put(lease, { kind: 'latency', ratio: 1, latencyMs: 300_000 });
  await relay.faults.put(lease, { kind: 'latency', ratio: 1, latencyMs: 60 });
  const from = performance.now();
  expect(await one.ask('a')).toBe('a');
  expect(performance.now() - from).toBeGreaterThanOrEqual(115);
  expect(relay.faults.list()).toMatchObject([{ id: 'one', effect: 1, latencyMs: 60 }]);
});
