/**
 * One SLO without data hides no other: the others are shown, it is named, and the exit code says that data is missing.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { program } from '../../base/paths.js';
import { remainingText } from '../../slo/budget/report.js';

const folder = mkdtempSync(join(tmpdir(), 'firedrill-no-data-'));
const file = join(folder, 'slos.yaml');
let server: Server;
/** Bad events of the measured SLO. */
let bad = 1;
let total = 1000;
let measured = true;

beforeAll(async () => {
  const slo = (name: string): string =>
    `  - { name: ${name}, objective: 99, sli: { events: { bad: e, total: t } } }\n`;
  writeFileSync(
    file,
    `apiVersion: firedrill.dev/v1\nservice: a\nowner: t\nslos:\n${slo('new')}${slo('old')}`,
  );
  server = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk: Buffer) => (body += chunk.toString()));
    request.on('end', () => {
      const asked = decodeURIComponent(`${request.url ?? ''}&${body}`.replaceAll('+', ' '));
      const range = asked.includes('query_range');
      const value = asked.includes('events_bad')
        ? bad
        : asked.includes('events_total')
          ? total
          : 0.01;
      const point = [Date.now() / 1000, String(value)];
      const series = { metric: {}, ...(range ? { values: [point] } : { value: point }) };
      const isThere = asked.includes('slo="a-old"') && (measured || !asked.includes('last_over'));
      const result = isThere ? [series] : [];
      const data = { resultType: range ? 'matrix' : 'vector', result };
      response.end(JSON.stringify({ status: 'success', data }));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});
afterAll(() => {
  server.close();
  rmSync(folder, { recursive: true, force: true });
});

function slo(command: string): Promise<{ code: number | null; out: string; err: string }> {
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const run = spawn(process.execPath, [
    program('cli'),
    'slo',
    command,
    '-i',
    file,
    '--prometheus',
    url,
  ]);
  let [out, err] = ['', ''];
  run.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
  run.stderr.on('data', (chunk: Buffer) => (err += chunk.toString()));
  return new Promise((resolve) => run.on('close', (code) => resolve({ code, out, err })));
}

test.each(['budget', 'report'])('%s tells the others', async (command) => {
  bad = 1;
  const { code, out, err } = await slo(command);
  expect([code, err]).toEqual([3, expect.stringMatching(/^no data: .*a-new/)]);
  expect(out).toContain('a-old');
});

test('the gate is shut by what is spent, and not known otherwise', async () => {
  bad = 50;
  const shut = await slo('gate');
  expect([shut.code, shut.out]).toEqual([1, expect.stringContaining('spent 5.0 times over')]);
  expect(shut.err).toContain('a-new');
  bad = 0;
  const unknown = await slo('gate');
  expect([unknown.code, unknown.out]).toEqual([3, expect.stringContaining('not known')]);
});

test('a period without an event shuts the gate', async () => {
  [bad, total] = [0, 0];
  const { code, out } = await slo('gate');
  expect([code, out]).toEqual([1, expect.stringContaining('no event in its period')]);
});

test('rules that record nothing any more shut the gate, and no burn is taken for no traffic', async () => {
  [bad, total, measured] = [0, 1000, false];
  const { code, out } = await slo('gate');
  expect([code, out]).toEqual([
    1,
    expect.stringContaining('nothing was measured in the last hour'),
  ]);
  measured = true;
});

test('remaining budgets are readable', () => {
  expect([0.5, -0.3, -1, -138.44].map(remainingText)).toEqual([
    '50.0%',
    '-30.0%',
    '-100.0%',
    'spent 139.4 times over',
  ]);
});
