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
    'a program of the method ends badly',
    { method: [fault, activity('action', 'bad', program('sh', ['-c', 'echo no >&2; exit 7']))] },
    1,
    'bad failed: exit code 7: no',
  ],
  [
    'its tolerance allows that end',
    {
      'steady-state-hypothesis': always,
      method: [activity('action', 'odd', program('false', []), { tolerance: [0, 1] })],
    },
    0,
    'PASS',
  ],
  ['nothing is judged', { 'steady-state-hypothesis': { title: 'x', probes: [] } }, 3, 'no probe'],
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

test('Ctrl-C before the method: nothing was done, so nothing is rolled back', async () => {
  const folder = drillFolder();
  const probes = [
    activity('probe', 'slow', program('sh', ['-c', 'touch asked; sleep 30']), { tolerance: 0 }),
  ];
  const drill = run(folder, {
    'steady-state-hypothesis': { title: 'x', probes },
    rollbacks: [activity('action', 'undo', program('touch', ['rolled-back']))],
  });
  await until(() => existsSync(join(folder, 'asked')), 30_000, drill.output());
  process.kill(drill.child.pid as number, 'SIGINT');
  expect((await drill.ended).code).toBe(130);
  expect([existsSync(join(folder, 'rolled-back')), journals(folder)]).toEqual([false, []]);
}, 60_000);

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
  [{ rollbacks: undo }, /no list/],
  [{ 'steady-state-hypothesis': { title: 'x', probes: always.probes[0] } }, /no list/],
  [{ configuration: ['a'] }, /no values by name/],
  [{ secrets: 'a' }, /no values by name/],
  [{ controls: { name: 'guard' } }, /the control 'guard' is not supported/],
  [{ runtime: 'always' }, /no settings/],
  [{ runtime: { rollbacks: { strategy: 'sometimes' } } }, /strategy 'sometimes' is not known/],
  [{ method: [{ name: 'a', ref: 'b' }, fault] }, /no activity is called 'b'/],
  [{ method: [{ name: 'a', ref: 'a' }, fault] }, /no activity is called 'a'/],
  [{ method: [{ ...fault, dry: 'actions' }] }, /unknown field 'dry'/],
  [{ method: [{ ...fault, background: 'yes' }] }, /neither true nor false/],
  [{ method: [{ ...fault, pauses: 5 }] }, /no pauses/],
  [{ method: [{ ...fault, pauses: { befor: 5 } }] }, /unknown field 'befor'/],
  [
    { method: [activity('action', 'x', { ...program('true', []), arguements: [] })] },
    /unknown field 'arguements'/,
  ],
  [{ method: [activity('action', 'x', { type: 'http', url: 'http://[::x' })] }, /Invalid URL/],
  [
    { method: [activity('action', 'x', { type: 'http', url: 'http://x', method: 'BREW IT' })] },
    /not a valid HTTP method/,
  ],
  [
    {
      method: [activity('action', 'x', { type: 'http', url: 'http://x', headers: { a: 'b\nc' } })],
    },
    /invalid header value/,
  ],
  [{ 'steady-state-hypothesis': steady('true', [], true) }, /never holds/],
  [{ 'steady-state-hypothesis': steady('true', [], []) }, /never holds/],
  [
    { configuration: { a: { type: 'env', key: 'NO_SUCH', default: 'x', env_var_type: 'int' } } },
    /the text in default is not of type int/,
  ],
  [
    { configuration: { a: { type: 'env', key: 'NO_SUCH', default: 'x', env_var_type: 'z' } } },
    /env_var_type 'z' is not known/,
  ],
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
  // An empty text is no number.
  [{ type: 'range', range: [0, 10], target: 'stdout' }, { status: 0, stdout: '' }, false],
  [{ type: 'range', range: [0, 10], target: 'stdout' }, { status: 0, stdout: '5\n' }, true],
  [{ type: 'range', range: [200, 299] }, { status: 204 }, true],
  // As Python reads them.
  [{ type: 'regex', pattern: '^ok$', target: 'stdout' }, { status: 0, stdout: 'ok\n' }, true],
  [{ type: 'regex', pattern: '^ok$', target: 'stdout' }, { status: 0, stdout: 'ok\nx' }, false],
  [{ type: 'regex', pattern: '\\Aok\\Z', target: 'stdout' }, { status: 0, stdout: 'ok' }, true],
  [{ type: 'regex', pattern: '\\Aok\\Z', target: 'stdout' }, { status: 0, stdout: 'ok\n' }, false],
  [
    { type: 'regex', pattern: '(?im)^OK$', target: 'stdout' },
    { status: 0, stdout: 'a\nok\nb' },
    true,
  ],
  [{ type: 'regex', pattern: '(?P<a>o)(?P=a)k[$]', target: 'stdout' }, { stdout: 'ook$' }, true],
  [{ type: 'jsonpath', path: '$.a', expect: [{ x: 1, y: 2 }] }, { a: { y: 2, x: 1 } }, true],
  [{ type: 'jsonpath', path: '$.a.length' }, { a: [1] }, false],
  [{ type: 'jsonpath', path: '$.constructor' }, { a: [1] }, false],
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

test('values have the type that they are given, and a configuration hides a secret', () => {
  process.env.H_CODE = ' 3 ';
  ending.push(() => delete process.env.H_CODE);
  const typed = (env_var_type: string, value: string): unknown => ({
    type: 'env',
    key: 'NO_SUCH',
    default: value,
    env_var_type,
  });
  const file = experiment(drillFolder(), {
    configuration: {
      code: { type: 'env', key: 'H_CODE', env_var_type: 'int' },
      on: typed('bool', 'no'),
      list: typed('json', '[1]'),
      v: 'mine',
    },
    secrets: { group: { v: 'hidden', w: 'w' } },
    'steady-state-hypothesis': steady(
      'true',
      [null, '', '$v', 'x${w}', '$$', '${list}', '${on}', '$u'],
      '${code}',
    ),
  });
  const [probe] = readExperiment(file).hypothesis?.probes ?? [];
  expect(probe?.tolerance).toEqual({ kind: 'value', value: 3 });
  expect(probe?.provider).toMatchObject({
    arguments: ['mine', 'xw', '$', '1', 'false', '$u'],
  });
});

test('an undo that always fails is named by each run, until somebody says that it was done by hand', async () => {
  const folder = drillFolder();
  const broken = { rollbacks: [activity('action', 'no', program('false', []))] };
  expect((await run(folder, broken).ended).code).toBe(1);
  const [left] = journals(folder);
  const name = (left as string).replace(/.*\/|\.jsonl$/g, '');
  const blocked = await run(folder, { 'steady-state-hypothesis': always }).ended;
  expect([blocked.code, blocked.output]).toEqual([
    5,
    expect.stringContaining(`gameday recover --forget ${name}`),
  ]);
  const recover = (...more: string[]) => firedrill(folder, 'gameday', 'recover', ...more).ended;
  expect((await recover()).code).toBe(5);
  expect(await recover('--forget', 'nobody')).toMatchObject({
    code: 2,
    output: expect.stringContaining(`expected ${name}`),
  });
  expect(await recover('--forget', name)).toMatchObject({
    code: 0,
    output: `${name}: rollback at no was forgotten\n`,
  });
  expect((await run(folder, { 'steady-state-hypothesis': always }).ended).code).toBe(0);
}, 60_000);
