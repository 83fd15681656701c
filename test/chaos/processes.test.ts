/** Foreign programs' behaviour: daemons, wrong ports, answers without an end. */
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, expect, test } from 'vitest';
import { freePorts } from '../../base/ports.js';
import type { Child } from '../../base/child.js';
import { type Readiness, startForeign } from '../../chaos/system/processes/foreign.js';
import { listeningAt } from '../../chaos/system/processes/listening.js';
import { type ProcessDescription, Processes } from '../../chaos/system/processes/processes.js';
import { strayMark, straysOf } from '../../chaos/system/processes/strays.js';

const linux = process.platform === 'linux';
const folder = mkdtempSync(join(tmpdir(), 'firedrill-processes-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const endings: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of endings.splice(0).toReversed()) await end();
});

const serve = (where: string): string =>
  `require('http').createServer((q, s) => s.end('x')).listen(${where})`;
/** A process in its own session, like a daemon. */
const daemon = (script: string): string =>
  `require('child_process').spawn(process.execPath, ['-e', ${JSON.stringify(script)}], ` +
  `{ detached: true, stdio: 'ignore' }).unref();`;

function described(name: string, script: string, ready: Readiness, limitMs = 30_000) {
  return {
    name,
    kind: 'service',
    workload: name,
    program: {
      command: [process.execPath, '-e', script],
      cwd: folder,
      env: {},
      mark: strayMark(folder, name),
      ready,
      readyLimitMs: limitMs,
      stop: { signal: 'SIGTERM', withinMs: 2000 },
    },
  } satisfies ProcessDescription;
}

test.runIf(linux)('what leaves its group is killed with it, and with nothing else', async () => {
  const ports = await freePorts(2);
  const processes = new Processes(() => undefined);
  endings.push(() => processes.close());
  for (const [i, name] of ['api', 'api-2'].entries()) {
    const port = ports[i] as number;
    const script = `${daemon(serve(`${port}, '127.0.0.1'`))} setInterval(() => 0, 1000)`;
    await processes.start(described(name, script, { kind: 'tcp', port }));
  }
  const count = (name: string): number => straysOf(strayMark(folder, name)).length;
  expect([count('api'), count('api-2'), straysOf(folder).length]).toEqual([2, 2, 4]);
  expect(await processes.kill('api')).toBe(true);
  await expect.poll(() => count('api')).toBe(0);
  expect(count('api-2')).toBe(2);
  await processes.stop('api-2');
  await expect.poll(() => straysOf(folder)).toEqual([]);
});

function begin({ program }: ReturnType<typeof described>): Child {
  const child = startForeign('api', program, () => undefined);
  endings.push(() => child.stop());
  return child;
}

test('a program that ends at once with 0 is told to stay', async () => {
  const { ready } = begin(described('api', '', { kind: 'tcp', port: 1 }));
  await expect(ready).rejects.toThrow('it ended with 0, where it is expected to go on');
});

test.runIf(linux)('one that listens elsewhere is told where', async () => {
  const [asked, other] = (await freePorts(2)) as [number, number];
  const elsewhere = described('api', serve(String(other)), { kind: 'tcp', port: asked }, 3000);
  await expect(begin(elsewhere).ready).rejects.toThrow(
    new RegExp(`nobody listens at 127.0.0.1:${asked}; it listens at \\S+:${other}`),
  );
});

test('an answer without an end is waited for no longer than the limit', async () => {
  const server = createServer((socket) => {
    socket.on('error', () => undefined).write('HTTP/1.1 200 OK\r\n');
    const drip = setInterval(() => socket.write('x: y\r\n'), 50);
    socket.on('close', () => clearInterval(drip));
  });
  const port = await listen(server, '127.0.0.1');
  const endless = described(
    'api',
    'setInterval(() => 0, 1000)',
    { kind: 'http', port, path: '/' },
    1500,
  );
  await expect(begin(endless).ready).rejects.toThrow(`no good answer at http://127.0.0.1:${port}/`);
});

test.runIf(linux).each(['127.0.0.1', '0.0.0.0', '::1', '::'])('%s is named', async (host) => {
  const port = await listen(createServer(), host);
  const named = host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
  expect(listeningAt([process.pid])).toContain(named);
});

async function listen(server: Server, host: string): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, host, resolve));
  endings.push(() => new Promise((resolve) => server.close(resolve)));
  return (server.address() as AddressInfo).port;
}
