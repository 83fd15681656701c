/**
 * Known differences between two servers' parsers: http-garden's payloads, read as data from its list, and the framing
 * faults of these kinds. The proxy must forward whole requests in the one form that all servers read alike.
 */
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { rawServer, server, startProxy, state } from '../mesh/proxy/rig.js';
import { faultIn } from './framing.js';
import { keepScore } from './scores.js';
import { checkout } from './sources.js';

const repository = 'narfindustries/http-garden';
const commit = 'ffb9164c6603f6201c1dc70afb08fd229e2778bc';

/** The back-quoted strings of the list's lines "Payload: …", which are Python's byte strings. */
function payloads(list: string): Buffer[] {
  const found = new Set<string>();
  for (const line of list.split('\n').filter((l) => l.includes('Payload'))) {
    const text = [...line.matchAll(/`([^`]+)`/g)].map(([, part]) => unescape(part as string));
    const whole = text.join('');
    if (whole.includes(' HTTP') || whole.includes('\r\n')) found.add(whole);
  }
  return [...found].map((text) => Buffer.from(text, 'latin1'));
}

const named: Record<string, string> = { r: '\r', n: '\n', t: '\t', v: '\v', f: '\f', '0': '\0' };
const unescape = (text: string): string =>
  text.replace(/\\(?:x([0-9a-fA-F]{2})|(.))/g, (_, hex: string | undefined, char: string) =>
    hex ? String.fromCharCode(parseInt(hex, 16)) : (named[char] ?? char),
  );

const head = 'POST / HTTP/1.1\r\nHost: a\r\n';
const chunked = (line: string): string =>
  `${head}Transfer-Encoding: chunked\r\n\r\n${line}\r\nAAAAA\r\n0\r\n\r\n`;
const own = [
  ...['1.2', '1.3', '1.9', '1.10', '2.0', '0.9', '01.1'].map(
    (v) => `GET / HTTP/${v}\r\nHost: a\r\n\r\n`,
  ),
  ...[
    '5;',
    '5;a="b\\"',
    '5;a="\x90"',
    '5; a',
    '5 ;a',
    '5;a=b',
    '5;a;b="c"',
    '5\t',
    '+5',
    '0x5',
    '5_',
  ].map(chunked),
  chunked(`5;${'x'.repeat(5000)}`),
  ...['010', '05', '+5', '5,5', '5, 5', '0x5', '5_0', ' 5', '5;'].map(
    (n) => `${head}Content-Length: ${n}\r\n\r\nAAAAAAAAAA`,
  ),
  ...['get', 'Get', 'pOST', 'G@T', 'GE\x80', 'options'].map(
    (m) => `${m} / HTTP/1.1\r\nHost: a\r\n\r\n`,
  ),
].map((text) => Buffer.from(text, 'latin1'));

const quietMs = 250;

/** Sends a payload, and waits until no answer has come for a while. */
function send(port: number, payload: Buffer): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    let got = '';
    let timer = setTimeout(() => done(), quietMs);
    const done = (): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(got);
    };
    socket.on('data', (bytes: Buffer) => {
      got += bytes.toString('latin1');
      clearTimeout(timer);
      timer = setTimeout(done, quietMs);
    });
    socket.on('end', done).on('error', done);
    socket.write(payload);
  });
}

test('http-garden: nothing is forwarded that two servers could read differently', async () => {
  const list = readFileSync(join(checkout(repository, commit), 'TROPHIES.md'), 'utf8');
  const all = [...payloads(list), ...own];
  let forwarded = '';
  const origin = await rawServer((socket) => {
    socket.on('data', (bytes: Buffer) => {
      forwarded += bytes.toString('latin1');
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
    });
    socket.on('end', () => socket.end());
  });
  const proxy = await startProxy({
    sides: ['inbound'],
    state: state({ servers: [server(1, `127.0.0.1:${origin.port}`, { protocol: 'http1' })] }),
  });
  const faults: string[] = [];
  let refused = 0;
  for (const payload of all) {
    forwarded = '';
    const answer = await send(proxy.inbound, payload);
    for (const socket of origin.sockets) socket.destroy();
    if (/^HTTP\/1\.1 (?:400|408|414|431|501|505) /.test(answer)) refused++;
    const fault = faultIn(forwarded);
    if (fault !== undefined) faults.push(`${JSON.stringify(payload.toString('latin1'))}: ${fault}`);
  }
  await proxy.stop();
  await origin.close();
  keepScore({
    suite: 'http-garden',
    version: commit,
    what: 'payloads forwarded in one form, or refused',
    passed: all.length - faults.length,
    of: all.length,
    note: `${refused} refused at their first request`,
  });
  expect(faults).toEqual([]);
  expect(all.length).toBeGreaterThan(60);
});
