/** Addresses and cookies as browsers and kernels write them. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { tmpdir } from 'node:os';
import { expect, test } from 'vitest';
import { eachLine } from '../../base/lines.js';
import { program } from '../../base/paths.js';
import { freePorts } from '../../base/ports.js';
import { Door } from '../../console/door.js';

const request = (headers: Record<string, string>): IncomingMessage =>
  ({ headers, socket: {} }) as IncomingMessage;
const sent = (cookie = ''): string => cookie.split(';')[0] as string;

test('two consoles in one browser: each knows its own cookie, and neither ends the other', () => {
  const [first, second] = [new Door(), new Door()];
  const cookies = [first.exchange(first.token, 8001), second.exchange(second.token, 8002)];
  const names = cookies.map((c) => sent(c).split('=')[0]);
  expect(new Set(names).size).toBe(2);
  const cookie = cookies.map(sent).join('; ');
  expect(first.admits(request({ cookie }), 8001)).toBe(true);
  expect(second.admits(request({ cookie }), 8002)).toBe(true);
  expect(first.admits(request({ cookie }), 8002)).toBe(false);
});

test('at port 80 browsers name no port', () => {
  const door = new Door();
  expect(door.foreign(request({ host: '127.0.0.1', origin: 'http://127.0.0.1' }), 80)).toBe(
    undefined,
  );
  expect(door.foreign(request({ host: '127.0.0.1' }), 8001)).toBe('not by another name');
});

test('the address of the reverse proxy may be written in any form', async () => {
  const [port = 0] = await freePorts(1);
  const flags = `--listen ::1 --port ${port} --report none --user-header x-user`.split(' ');
  const more = '--trusted-proxy 0:0:0:0:0:0:0:1 --public-url https://drills.example'.split(' ');
  const child = spawn(process.execPath, [program('cli'), 'console', ...flags, ...more], {
    cwd: tmpdir(),
    timeout: 20_000,
  });
  await new Promise<void>((resolve) => eachLine(child.stdout, 200, () => resolve()));
  const { status } = await fetch(`http://[::1]:${port}/`, { headers: { 'x-user': 'ada' } });
  child.kill();
  await once(child, 'close');
  expect(status).toBe(200);
}, 30_000);

test('a page that rebinds its name to the reverse proxy beside it is refused, whatever headers it sets', () => {
  const behind = { userHeader: 'x-user', peers: new Set(['127.0.0.1', '10.0.0.2']) };
  const door = new Door({ ...behind, origin: 'https://drills.example' });
  const from = (remoteAddress: string, host: string): string | undefined =>
    door.foreign(
      {
        headers: { host, 'x-user': 'eve' },
        socket: { remoteAddress },
      } as unknown as IncomingMessage,
      8080,
    );
  expect(from('127.0.0.1', 'evil.example:8080')).toBe('not by another name');
  for (const host of ['drills.example', '127.0.0.1:8080', '[::1]:8080', 'localhost:8080'])
    expect(from('127.0.0.1', host)).toBe(undefined);
  // Elsewhere a reverse proxy may call the console by any name, and no viewer's browser has its address.
  expect(from('10.0.0.2', 'console.monitoring.svc:8080')).toBe(undefined);
});
