/** Experiments of the Chaos Toolkit: read or refused by name, judged, and nothing is left however they end. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { readabilityOf, readExperiment } from '../../chaos/toolkit/experiment.js';
import { isWithin, readTolerance, type Tolerance } from '../../chaos/toolkit/tolerance.js';
import {
  descendants,
  type Drill,
  drillFolder,
  firedrill,
  isRunning,
  journals,
  until,
} from './drill.js';

const ending: (() => unknown)[] = [];
afterEach(() => {
  for (const end of ending.splice(0)) end();
});

const program = (path: string, args: unknown) => ({ type: 'process', path, arguments: args });
const activity = (type: string, name: string, provider: unknown, more = {}) => ({
  type,
  name,
  provider,
  ...more,
});

/** The fault creates a file; its undo removes the file. */
const fault = activity('action', 'break', program('touch', ['broken']));
const undo = activity('action', 'mend', program('rm', ['-f', 'broken']));
const steady = (path: string, args: unknown, tolerance: unknown = 0) => ({
  title: 'well',
  probes: [activity('probe', 'look', program(path, args), { tolerance })],
});
const always = steady('true', []);
const whole = steady('test', ['!', '-e', 'broken']);
const long = activity('action', 'wait', program('sleep', '60'));

function experiment(folder: string, more: Record<string, unknown>): string {
  const file = join(folder, 'experiment.json');
  const value = { title: 'a file', description: 'x', method: [fault], rollbacks: [undo], ...more };
  writeFileSync(file, JSON.stringify(value, undefined, 2));
  return file;
}

const run = (folder: string, more: Record<string, unknown>): Drill =>
  firedrill(
    folder,
    'chaos',
    'toolkit',
    'run',
    experiment(folder, more),
    '--journal',
    'journal.json',
  );

test.each([
  ['steady before and after', { 'steady-state-hypothesis': always }, 0, 'PASS'],
  ['lost', { 'steady-state-hypothesis': whole }, 1, 'the steady state was lost: look'],
  [
    'never there',
    { 'steady-state-hypothesis': steady('false', []) },
    3,
    'not steady to begin with',
  ],
  [
    'an action fails',
    { method: [fault, activity('action', 'slow', { ...program('sleep', '9'), timeout: 0.2 })] },
    1,
    'slow failed: not over after 0.2 s',
  ],
  [
    'a rollback fails',
    { rollbacks: [activity('action', 'no', program('false', [])), undo] },
    1,
    'the rollback no failed',
  ],
])(
  '%s: the verdict, and nothing is left',
  async (_, more, code, words) => {
    const folder = drillFolder();
    const drill = run(folder, more);
    const end = await drill.ended;
    expect([end.code, end.output]).toEqual([code, expect.stringContaining(words)]);
    expect(existsSync(join(folder, 'broken'))).toBe(false);
    // A failed rollback stays in the journal, for the next recovery.
    expect(journals(folder)).toHaveLength(words.startsWith('the rollback') ? 1 : 0);
    const told = JSON.parse(readFileSync(join(folder, 'journal.json'), 'utf8')) as {
      title: string;
    };
    expect(told.title).toBe('a file');
  },
  60_000,
);

test.each(['SIGTERM', 'SIGKILL', 'the kill switch'] as const)(
  '%s in the middle: undone within ten seconds',
  async (how) => {
    const folder = drillFolder();
    const drill = run(folder, { method: [fault, long] });
    const pid = drill.child.pid as number;
    await until(() => existsSync(join(folder, 'broken')), 30_000, drill.output());
    await until(() => drill.output().includes('action break'), 30_000, 'the next action');
    const pids = descendants(pid);
    if (how === 'the kill switch') {
      const stop = firedrill(
        folder,
        'chaos',
        'stop',
        '--state',
        '.firedrill',
        '--reason',
        'enough',
      );
      await stop.ended;
    } else process.kill(pid, how);
    await until(() => !existsSync(join(folder, 'broken')), 10_000, 'it is undone');
    await until(() => journals(folder).length === 0 && !pids.some(isRunning), 10_000, 'all gone');
    const { code, output } = await drill.ended;
    expect(code).toBe({ SIGTERM: 130, SIGKILL: null, 'the kill switch': 4 }[how]);
    if (how === 'the kill switch') expect(output).toContain('the kill switch: enough');
  },
  60_000,
);

test('addresses are asked, with the values of the configuration', async () => {
  const seen: string[] = [];
  const server = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk: Buffer) => (body += chunk.toString()));
    request.on('end', () => {
      seen.push(`${request.method} ${request.url} ${request.headers['x-key']} ${body}`);
      response.end('{"items":[{"name":"a"},{"name":"b"}]}');
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  ending.push(() => server.close());
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const http = { type: 'http', url: '${url}/x', headers: { 'x-key': '${key}' }, timeout: [1, 5] };
  const json = { 'content-type': 'application/json' };
  const folder = drillFolder();
  const drill = run(folder, {
    configuration: { url, count: 2 },
    secrets: { group: { key: { type: 'env', key: 'NO_SUCH', default: 's' } } },
    'steady-state-hypothesis': {
      title: 'two',
      probes: [
        activity('probe', 'status', { ...http, arguments: { q: 1 } }, { tolerance: 200 }),
        activity('probe', 'body', http, {
          tolerance: {
            type: 'jsonpath',
            path: '$.items[*].name',
            expect: ['a', 'b'],
            count: '${count}',
            target: 'body',
          },
        }),
      ],
    },
    method: [
      activity('action', 'put', { ...http, method: 'PUT', headers: json, arguments: { a: 1 } }),
    ],
    rollbacks: [activity('action', 'post', { ...http, method: 'POST', arguments: { b: 2 } })],
  });
  const { code, output } = await drill.ended;
  expect([code, output]).toEqual([0, expect.stringContaining('PASS')]);
  expect([seen[0], seen[2], seen.at(-1)]).toEqual([
    'GET /x?q=1 s ',
    'PUT /x undefined {"a":1}',
    'POST /x s b=2',
  ]);
}, 60_000);

test.each([
  [
    { method: [activity('action', 'x', { type: 'python', module: 'chaosk8s.pod', func: 'kill' })] },
    /json:\d+:\d+: the Python function chaosk8s\.pod\.kill/,
  ],
  [{ controls: [{ name: 'guard', provider: {} }] }, /the control 'guard' is not supported/],
  [{ secrets: { a: { k: { type: 'vault', path: 'x' } } } }, /values of type 'vault'/],
  [
    { configuration: { a: { type: 'env', key: 'NO_SUCH_ONE' } } },
    /the environment has no NO_SUCH_ONE/,
  ],
  [
    { runtime: { hypothesis: { strategy: 'continuously' } } },
    /strategy 'continuously' is not supported/,
  ],
  [{ runtime: { rollbacks: { strategy: 'never' } } }, /rollbacks that are never done/],
  [
    { 'steady-state-hypothesis': steady('true', [], { type: 'probe', provider: {} }) },
    /tolerance of type 'probe'/,
  ],
  [
    { 'steady-state-hypothesis': { probes: [activity('probe', 'x', program('true', []))] } },
    /without tolerance/,
  ],
  [{ method: [{ ref: 'nobody' }] }, /no activity is called 'nobody'/],
  [{ methods: [] }, /unknown field 'methods'/],
])('refused by name, with its place: %j', (more, message) => {
  const file = experiment(drillFolder(), more);
  expect(() => readExperiment(file)).toThrow(message);
  expect(() => readExperiment(file)).toThrow(/experiment\.json:\d+:\d+: /);
  const { refused, needs } = readabilityOf(file);
  expect([refused.length, needs]).toEqual(needs.length > 0 ? [0, ['NO_SUCH_ONE']] : [1, []]);
});

test('a program that is not there is refused before the method, whichever activity names it', async () => {
  const folder = drillFolder();
  const drill = run(folder, {
    rollbacks: [activity('action', 'mend', program('no-such-program', []))],
  });
  const { code, output } = await drill.ended;
  expect([code, output]).toEqual([
    2,
    expect.stringContaining("mend: no program 'no-such-program'"),
  ]);
  expect(existsSync(join(folder, 'broken'))).toBe(false);
});

test.each([
  [0, { status: 0, stdout: '' }, true],
  [0, { status: 1, stdout: '' }, false],
  [[200, 204], { status: 204 }, true],
  [[200, 204], { status: 202 }, false],
  [[1, 3], 2, true],
  [[200, 301, 302], { status: 302 }, true],
  [true, true, true],
  ['yes', 'yes', true],
  [{ type: 'regex', pattern: '^o', target: 'stdout' }, { status: 0, stdout: 'ok' }, true],
  [{ type: 'range', range: [1, 5], target: 'stdout' }, { status: 0, stdout: '7\n' }, false],
  [{ type: 'jsonpath', path: '$.a[1].b', expect: 2 }, { a: [{}, { b: 2 }] }, true],
  [
    { type: 'jsonpath', path: 'a[*]', count: 3, target: 'stdout' },
    { status: 0, stdout: '{"a":[1,2]}' },
    false,
  ],
])('tolerance %j of %j: %s', (written, answer, held) => {
  const tolerance = readTolerance(written);
  expect(typeof tolerance).not.toBe('string');
  expect(isWithin(tolerance as Tolerance, answer)).toBe(held);
});
