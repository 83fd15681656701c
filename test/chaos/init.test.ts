/** From a user's two programs to a verdict: the output of `init` is a complete drill. */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { detect, init } from '../../chaos/system/init-command.js';
import { testWith } from '../tools.js';
import { drillFolder, firedrill } from './drill.js';

const limitMs = 120_000;
const back = `require('http').createServer((q, s) => s.end('3')).listen(process.env.PORT, '127.0.0.1')`;
const front = `require('http').createServer((q, s) =>
  fetch(process.env.BACK_URL).then((r) => r.text()).then((t) => s.end(t), () => s.writeHead(502).end()))
  .listen(process.env.PORT, '127.0.0.1')`;

function twoPrograms(): { folder: string; args: string[] } {
  const folder = drillFolder();
  writeFileSync(join(folder, 'front.cjs'), front);
  writeFileSync(join(folder, 'back.cjs'), back);
  const args = ['--service', 'front=node front.cjs', '--service', 'back=node back.cjs'];
  return { folder, args: ['init', ...args, '--call', 'front=back'] };
}

test(
  'init, run: two scenarios, and each pages',
  async () => {
    const { folder, args } = twoPrograms();
    const written = await firedrill(folder, ...args).ended;
    expect([written.code, written.output]).toEqual([0, expect.stringContaining('load.yaml')]);
    const run = firedrill(
      folder,
      'gameday',
      'run',
      '--prometheus',
      'embedded',
      '--load',
      'embedded',
    );
    await run.ended;
    const { scenarios } = run.record();
    expect(scenarios.map((s) => s.id)).toEqual(['front-killed', 'front-without-back']);
    for (const { expectations, rollback } of scenarios) {
      expect(expectations).toMatchObject([{ name: 'CallersFail', severity: 'page' }]);
      expect(expectations[0]?.receivedAfterMs).toBeGreaterThan(0);
      expect(rollback).toMatchObject({ done: true, residue: [] });
    }
  },
  limitMs,
);

test('what a user has stays as it is', async () => {
  const { folder, args } = twoPrograms();
  mkdirSync(join(folder, 'rules'));
  writeFileSync(join(folder, 'rules', 'callers.yaml'), 'groups: []\n');
  expect((await firedrill(folder, ...args).ended).code).toBe(0);
  expect(readFileSync(join(folder, 'rules', 'callers.yaml'), 'utf8')).toBe('groups: []\n');
  const again = await firedrill(folder, ...args).ended;
  expect([again.code, again.output]).toEqual([2, expect.stringContaining('is there already')]);
});

test('--bare writes the drill alone, and a drill without scenarios is refused by name', async () => {
  const { folder, args } = twoPrograms();
  expect((await firedrill(folder, ...args, '--bare').ended).code).toBe(0);
  expect(existsSync(join(folder, 'scenarios'))).toBe(false);
  for (const verb of ['plan', 'run']) {
    const { code, output } = await firedrill(folder, 'gameday', verb).ended;
    expect([code, output]).toEqual([2, expect.stringContaining('no scenarios, so nothing')]);
  }
});

test.each([
  [['a=x', 'a=y'], [], 'two services are called a'],
  [['controller=x'], [], "'controller' is the mesh's own name"],
  [['My_API=x'], [], 'lower case letters, digits and dashes'],
  [['a=x'], ['a=b'], "bad --call 'a=b'"],
])('--service %j --call %j is refused, and nothing is written', async (service, call, words) => {
  const folder = drillFolder();
  await expect(init({ service, call }, folder)).rejects.toThrow(words);
  expect(readdirSync(folder)).toEqual([]);
});

test.each<[string, Record<string, string>, string[], string[]]>([
  [
    'a release runs once',
    { Procfile: 'web: x\nrelease: y\n' },
    ['web: x'],
    ['release of the Proc'],
  ],
  [
    'arguments mean the same to sh',
    {
      'compose.yaml': `services: { a: { command: [sh, -c, "x; echo it's $$A"] }, db: { image: y } }`,
    },
    [`a: sh -c 'x; echo it'\\''s $A'`],
    ['db of compose.yaml, which has no command'],
  ],
  [
    'an entry point goes before the command, and a merged field counts',
    {
      'compose.yaml': `x-base: &base { command: sleep 9 }
services:
  a: { entrypoint: [python3, -m, http.server], command: ['80'] }
  b: { <<: *base, image: y }
  c: { command: [] }
`,
    },
    ['a: python3 -m http.server 80', 'b: sleep 9'],
    ['c of compose.yaml, which has no command'],
  ],
  [
    'options alone start nothing here',
    { 'compose.yaml': 'services: { db: { image: mysql, command: --skip-ssl } }' },
    [],
    ['db of compose.yaml, which has only options as its command'],
  ],
  [
    'a byte order mark, and a line of no command',
    { Procfile: '\uFEFFweb: x\r\n# y: z\r\n\r\nmy.api: y\r\n' },
    ['web: x'],
    ["the Procfile's 'my.api: y', not name: command"],
  ],
  [
    'nothing starts it',
    { 'package.json': '{"name":"x"}' },
    [],
    ['package.json has no start script'],
  ],
  [
    'a program of npm',
    { 'package.json': '{"scripts":{"start":"next start"}}' },
    ['app: next start'],
    [],
  ],
  [
    'a program of the package',
    { 'package.json': '{"scripts":{"start":"next start"}}', 'node_modules/.bin/next': '' },
    ['app: node_modules/.bin/next start'],
    [],
  ],
])('detected: %s', (_, files, services, reasons) => {
  const folder = drillFolder();
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
  const leftOut: string[] = [];
  const found = detect(folder, leftOut).map(({ name, command }) => `${name}: ${command}`);
  expect(found).toEqual(services);
  expect(leftOut).toEqual(reasons.map((r) => expect.stringContaining(r)));
});

testWith('prometheus', 'alertmanager')(
  'a service that does not start ends the run, and the Prometheus that was on its way with it',
  async () => {
    const folder = drillFolder();
    const service = 'front=sleep 0.3; echo no database >&2; exit 3';
    expect((await firedrill(folder, 'init', '--service', service).ended).code).toBe(0);
    const { code, output } = await firedrill(folder, 'gameday', 'run', '--prometheus', 'real')
      .ended;
    expect([code, output]).toEqual([5, expect.stringContaining('it ended with 3: no database')]);
  },
  limitMs,
);
