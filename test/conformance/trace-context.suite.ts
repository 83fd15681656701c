/** W3C's own test service of trace context: an app copies the headers to its calls, both ways through a proxy. */
import { execFile } from 'node:child_process';
import { createServer, request as httpRequest } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { destination, server, startProxy, state } from '../mesh/proxy/rig.js';
import { keepScore } from './scores.js';
import { checkout, pythonWith } from './sources.js';

const repository = 'w3c/trace-context';
const commit = 'acab820be9db7b3433668baa5cdd43f57f4c4be0';
const copied = ['traceparent', 'tracestate'];

/** The port that the suite chooses. */
const harness = 7777;

interface Call {
  url: string;
  arguments?: Call[];
}

/** Makes each call by the outbound port, which knows the harness as its only destination. */
function appBehind(outbound: () => number) {
  return createServer((request, response) => {
    let body = '';
    request.on('data', (chunk: Buffer) => (body += chunk.toString()));
    request.on('end', () => void answer());
    const answer = async (): Promise<void> => {
      for (const call of JSON.parse(body || '[]') as Call[]) await make(call, request.rawHeaders);
      response.setHeader('content-type', 'application/json');
      response.end('null');
    };
  });

  function make(call: Call, raw: readonly string[]): Promise<void> {
    const headers = ['host', 'harness', 'content-type', 'application/json'];
    for (let i = 0; i < raw.length; i += 2) {
      const name = raw[i] as string;
      if (copied.includes(name.toLowerCase())) headers.push(name, raw[i + 1] as string);
    }
    const { pathname: path } = new URL(call.url);
    return new Promise((resolve) => {
      const at = { host: '127.0.0.1', port: outbound(), method: 'POST', path, setHost: false };
      const sent = httpRequest({ ...at, headers } as never, (got) =>
        got.resume().on('end', () => resolve()),
      );
      sent.on('error', () => resolve());
      sent.end(JSON.stringify(call.arguments ?? []));
    });
  }
}

test('W3C trace-context', async () => {
  const suite = checkout(repository, commit);
  const python = pythonWith('aiohttp');
  let outbound = 0;
  const app = appBehind(() => outbound);
  await new Promise<void>((resolve) => app.listen(0, '127.0.0.1', resolve));
  const { port } = app.address() as AddressInfo;
  const proxy = await startProxy({
    sides: ['inbound', 'outbound'],
    // No collector listens at this address: spans are made, and dropped.
    tracing: { otlpUrl: 'http://127.0.0.1:9/v1/traces', sampleRatio: 1 },
    state: state({
      destinations: [destination('harness', [`127.0.0.1:${harness}`], { protocol: 'http1' })],
      servers: [server(1, `127.0.0.1:${port}`, { protocol: 'http1' })],
    }),
  });
  outbound = proxy.outbound;
  const output = await new Promise<string>((resolve) => {
    const env = {
      ...process.env,
      SERVICE_ENDPOINT: `http://127.0.0.1:${proxy.inbound}/test`,
      SPEC_LEVEL: '1',
    };
    const args = ['-m', 'unittest', '-v', 'test'];
    execFile(python, args, { cwd: join(suite, 'test'), env }, (_, stdout, stderr) =>
      resolve(stdout + stderr),
    );
  });
  await proxy.stop();
  app.close();
  const of = Number(/^Ran (\d+) tests?/m.exec(output)?.[1] ?? 0);
  const count = (what: string): number =>
    Number(new RegExp(`${what}=(\\d+)`).exec(output)?.[1] ?? 0);
  const skipped = count('skipped');
  const passed = of - skipped - count('failures') - count('errors');
  keepScore({
    suite: 'w3c-trace-context',
    version: commit,
    what: 'propagation, level 1',
    passed,
    of: of - skipped,
    ...(skipped > 0 && { note: `${skipped} of level 2 not asked` }),
  });
  expect(passed, output).toBe(of - skipped);
  expect(of).toBeGreaterThanOrEqual(40);
});
