/** A console whose port is taken ends at once, with a sentence. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { expect, test } from 'vitest';
import { program } from '../../base/paths.js';

test('a taken port is exit code 5', async () => {
  const other = createServer().listen(0, '127.0.0.1');
  await once(other, 'listening');
  const { port } = other.address() as AddressInfo;
  const args = [program('cli'), 'console', '--port', `${port}`, '--report', '/nowhere'];
  const child = spawn(process.execPath, args, { cwd: tmpdir(), timeout: 20_000 });
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
  const [code] = (await once(child, 'close')) as [number | null];
  other.close();
  expect([code, said]).toEqual([
    5,
    expect.stringContaining(`127.0.0.1:${port}: another program uses this port`),
  ]);
});
