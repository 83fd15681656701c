/** h2spec, strict: RFC 9113's requirements for a server, against an HTTP/2 port with a server of Node's behind it. */
import { spawnSync, execFile } from 'node:child_process';
import { createServer } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { expect, test } from 'vitest';
import { requireTool } from '../../base/tools.js';
import { server, startProxy, state } from '../mesh/proxy/rig.js';
import { keepScore } from './scores.js';

test('h2spec --strict', async () => {
  const app = createServer((request, response) => {
    request.resume();
    // Cases about open streams send frames after a request; an answer that overtakes the frames closes the stream.
    setTimeout(() => response.end('hello\n'), 100);
  });
  await new Promise<void>((resolve) => app.listen(0, '127.0.0.1', resolve));
  const { port } = app.address() as AddressInfo;
  const proxy = await startProxy({
    sides: ['inbound'],
    state: state({ servers: [server(1, `127.0.0.1:${port}`, { protocol: 'http2' })] }),
  });
  const h2spec = requireTool('h2spec');
  const output = await new Promise<string>((resolve) => {
    const args = ['-h', '127.0.0.1', '-p', String(proxy.inbound), '--strict', '--timeout', '5'];
    execFile(h2spec, args, { maxBuffer: 1 << 24 }, (_, stdout, stderr) => resolve(stdout + stderr));
  });
  await proxy.stop();
  app.close();
  const [, of = 0, passed = 0] =
    /^(\d+) tests, (\d+) passed/m.exec(output)?.slice(0, 3).map(Number) ?? [];
  const version = spawnSync(h2spec, ['--version'], { encoding: 'utf8' }).stdout;
  keepScore({
    suite: 'h2spec',
    version: /\d+\.\d+\.\d+/.exec(version)?.[0] ?? 'unknown',
    what: 'HTTP/2, strict',
    passed,
    of,
  });
  expect(passed, output).toBe(of);
  expect(of).toBeGreaterThanOrEqual(146);
});
