/** The kubelet's HTTP probes, as the proxy makes them of the app. */
import { createServer } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { makeProbe } from '../../../mesh/proxy/admin/probe.js';
import { answering, rawServer, type Running } from './rig.js';

const open: Running[] = [];
afterEach(async () => {
  for (const one of open.splice(0)) await one.close();
});

/** As the app's socket writes them, one letter for each. */
const octets = (text: string): string => Buffer.from(text).toString('latin1');

const chunked = 'HTTP/1.1 503 No\r\nTransfer-Encoding: chunked\r\n\r\n';

test.each([
  ['a success', 'HTTP/1.1 204 Fine\r\n\r\n', 200, ''],
  ['a redirect', 'HTTP/1.0 302 Found\r\nLocation: /x\r\n\r\n', 200, ''],
  ['lines that end with LF alone', 'HTTP/1.1 200 OK\n\nfine', 200, 'fine'],
  ['an interim answer', 'HTTP/1.1 103 E\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\n\r\n', 200, ''],
  ['a failure with its text', 'HTTP/1.1 500 No\r\nContent-Length: 4\r\n\r\nill\n', 500, 'ill\n'],
  [
    'a text of more bytes than letters',
    `HTTP/1.1 500 No\r\nContent-Length: 4\r\n\r\n${octets('öö')}`,
    500,
    'öö',
  ],
  [
    'a text that is longer than shown',
    `HTTP/1.1 500 No\r\nContent-Length: 9000\r\n\r\n${'x'.repeat(5000)}`,
    500,
    /^x{4096}$/,
  ],
  ['a failure in chunks', `${chunked}4\r\nill\n\r\n0\r\n\r\n<end>`, 503, /^ill\n/],
  ['a failure without a length', 'HTTP/1.1 500 No\r\n\r\nill<end>', 500, 'ill'],
  ['another protocol', 'SSH-2.0-x\r\n\r\n<end>', 503, /no answer in HTTP/],
  ['half a head', 'HTTP/1.1 200 OK\r\n<end>', 503, /no answer in HTTP/],
  ['silence', '', 503, /no answer in 300 ms/],
])('%s', async (_, text, status, said) => {
  let head = '';
  const app = await rawServer(
    answering((asked, socket) => {
      head = asked;
      if (text.endsWith('<end>')) setImmediate(() => socket.end());
      return text.replace('<end>', '');
    }),
  );
  open.push(app);
  const probe = {
    kind: 'http' as const,
    port: app.port,
    path: '/ready?full=1',
    headers: [['Host', 'shop.example']] as [string, string][],
    timeoutMs: 300,
  };
  const answer = await makeProbe(probe, '127.0.0.1');
  expect(answer.status).toBe(status);
  if (typeof said === 'string') expect(answer.said).toBe(said);
  else expect(answer.said).toMatch(said);
  expect(head).toMatch(
    /^GET \/ready\?full=1 HTTP\/1\.1\r\nhost: shop\.example\r\nuser-agent: kube-probe\r\n/,
  );
});

test('a port without an app, and a header that would add lines', async () => {
  const idle = createServer();
  await new Promise<void>((resolve) => idle.listen(0, '127.0.0.1', resolve));
  const { port } = idle.address() as { port: number };
  await new Promise((resolve) => idle.close(resolve));
  const probe = { kind: 'http' as const, port, path: '/', timeoutMs: 300 };
  expect(await makeProbe(probe, '127.0.0.1')).toMatchObject({ status: 503 });
  const headers: [string, string][] = [['x-a', 'b\r\nx-c: d']];
  const { said } = await makeProbe({ ...probe, headers }, '127.0.0.1');
  expect(said).toMatch(/[Ii]nvalid character/);
});
