/** The single executable: built once, and run where there is no Node, no PATH, and no file of Firedrill's. */
import {
  type SpawnSyncReturns,
  execFile,
  execFileSync,
  spawn,
  spawnSync,
} from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { packageRoot, program } from '../base/paths.js';
import { readWords } from '../executable/words.js';

let place: string;
let executable: string;
const version = (
  JSON.parse(readFileSync(join(packageRoot, 'package.json'), 'utf8')) as { version: string }
).version;

beforeAll(() => {
  place = mkdtempSync(join(tmpdir(), 'firedrill-executable-'));
  mkdirSync(join(place, 'work'));
  mkdirSync(join(place, 'no-programs'));
  executable = join(place, 'firedrill');
  execFileSync(process.execPath, [program('executable/build'), executable], { stdio: 'pipe' });
}, 180_000);

afterAll(() => rmSync(place, { recursive: true, force: true }));

/** Nothing of this process's environment; `home` has the cache. */
const environment = (home = 'home') => ({
  cwd: join(place, 'work'),
  env: { HOME: join(place, home), PATH: join(place, 'no-programs') },
  encoding: 'utf8' as const,
});
const cacheOf = (home: string): string => join(place, home, '.cache', 'firedrill', 'executable');

const firedrill = (...args: string[]): SpawnSyncReturns<string> =>
  spawnSync(executable, args, environment());

test('the first starts unpack the files once, for the user alone', async () => {
  const started = await Promise.all(
    [1, 2, 3].map(() => promisify(execFile)(executable, ['--version'], environment('first'))),
  );
  expect(started.map(({ stdout }) => stdout)).toEqual(Array(3).fill(`${version}\n`));
  const folders = readdirSync(cacheOf('first'));
  expect(folders).toEqual([expect.stringMatching(/^[0-9a-f]{32}$/)]);
  const folder = join(cacheOf('first'), folders[0] ?? '');
  expect((statSync(folder).mode & 0o777).toString(8)).toBe('700');
  const before = statSync(folder).ctimeMs;
  expect(spawnSync(executable, ['--version'], environment('first')).stdout).toBe(`${version}\n`);
  expect([readdirSync(cacheOf('first')), statSync(folder).ctimeMs]).toEqual([folders, before]);
  // Somebody else may have written to the folder.
  chmodSync(folder, 0o770);
  const refused = spawnSync(executable, ['--version'], environment('first'));
  expect([refused.status, refused.stdout]).toEqual([5, '']);
  expect(refused.stderr).toBe(
    `firedrill cannot unpack its files: ${folder} is not a folder that only you can read and write: remove it\n`,
  );
}, 60_000);

test('a damaged executable refuses to run', () => {
  const bytes = readFileSync(executable);
  const call = 'home = unpackedHome("';
  const digestAt = bytes.indexOf(call) + call.length;
  expect(bytes.toString('latin1', digestAt, digestAt + 65)).toMatch(/^[0-9a-f]{64}"$/);
  bytes.write('another!', digestAt);
  const damaged = join(place, 'damaged');
  writeFileSync(damaged, bytes, { mode: 0o755 });
  const { status, stderr } = spawnSync(damaged, ['--version'], environment('other'));
  expect([status, stderr]).toEqual([5, expect.stringContaining('differ from their digest')]);
  expect(existsSync(cacheOf('other'))).toBe(false);
});

test('commands work, and those whose work is done by threads', () => {
  expect(
    firedrill('slo', 'init', '--service', 'cart.shop', '--owner', 'us', '-o', 'cart.yaml').status,
  ).toBe(0);
  const runs = [
    ['slo', 'generate', '-i', 'cart.yaml', '-o', 'rules/'],
    ['alerts', 'lint', 'rules/'],
    ['dashboards', 'generate', '-i', 'cart.yaml', '-o', 'dashboards/'],
    ['runbook', 'show', 'MeshRetryStorm'],
    ['alerts', 'backtest', '-i', 'cart.yaml', '--threads', '2'],
  ];
  const ended = runs.map((args) => [args.join(' '), firedrill(...args).status]);
  expect(ended).toEqual(runs.map((args) => [args.join(' '), 0]));
  const lint = firedrill('alerts', 'lint', 'rules/');
  expect(lint.stdout + lint.stderr).toContain('54 rules in 1 file: 0 errors');
  const wrong = firedrill('nonsense');
  expect([wrong.status, wrong.stderr]).toEqual([2, expect.stringContaining("'nonsense'")]);
}, 60_000);

test('a game day runs, with every process started from the executable', () => {
  const { status, stdout, stderr } = firedrill('gameday', 'run', '--scenarios', 'killed-pod');
  expect([status, stderr]).toEqual([0, expect.any(String)]);
  expect(stdout).toContain('✓ PASS');
  expect(readFileSync(join(place, 'work', 'gameday-report', 'index.html'), 'utf8')).toContain(
    'MeshProxyDown',
  );
}, 120_000);

test('`firedrill proxy` is one process with its flags, and carries a request', async () => {
  const app = createServer((_, response) => response.end('from the app'));
  await once(app.listen(0, '127.0.0.1'), 'listening');
  const { port } = app.address() as AddressInfo;
  writeFileSync(
    join(place, 'work', 'proxy.yaml'),
    `workload: { name: relay, namespace: shop }
outbound: { host: 127.0.0.1, port: 0 }
state:
  destinations:
    - name: cart.shop
      routes: [{ name: all }]
      backends: [{ name: cart, endpoints: [{ address: '127.0.0.1:${port}' }] }]
`,
  );
  const child = spawn(executable, ['proxy', '--config', 'proxy.yaml'], {
    ...environment(),
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  try {
    const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string];
    const ready = JSON.parse(line) as { pid: number; outbound: number };
    expect(ready.pid).toBe(child.pid);
    expect(readFileSync(`/proc/${ready.pid}/environ`, 'utf8')).toContain('--max-semi-space-size=1');
    const headers = { host: 'cart.shop' };
    const sent = request({ host: '127.0.0.1', port: ready.outbound, headers }).end();
    const [response] = (await once(sent, 'response')) as [NodeJS.ReadableStream];
    let body = '';
    for await (const part of response) body += String(part);
    expect(body).toBe('from the app');
    child.kill('SIGTERM');
    expect(await once(child, 'exit')).toEqual([0, null]);
  } finally {
    child.kill('SIGKILL');
    app.close();
  }
}, 60_000);

test('a program is run as by node, with its flags', () => {
  const script = join(place, 'work', 'flags.mjs');
  writeFileSync(
    script,
    'console.log(JSON.stringify([process.argv.slice(1), typeof gc, process.env.NODE_OPTIONS, globalThis.early]));',
  );
  const early = join(place, 'work', 'early.mjs');
  writeFileSync(early, 'globalThis.early = true;');
  const { env, ...rest } = environment();
  const args = ['--max-semi-space-size=1', '--expose-gc', '--import', early, script, '--a', 'b'];
  const { stdout } = spawnSync(executable, args, {
    ...rest,
    env: { ...env, NODE_OPTIONS: '--no-warnings --max-semi-space-size=1' },
  });
  expect(JSON.parse(stdout)).toEqual([[script, '--a', 'b'], 'function', '--no-warnings', true]);
  const line = spawnSync(executable, ['-e', 'process.exit(require("net").isIP("::1"))'], {
    ...rest,
    env,
  });
  expect(line.status).toBe(6);
});

test('words are a command of Firedrill unless they lead to a script that is there', () => {
  const isFile = (path: string): boolean => path === '/x/main.js';
  const command = (...words: string[]) => ({ flags: [], imports: [], args: words });
  expect(readWords(['/x/main.js', '--port', '1'], isFile)).toEqual({
    ...command('--port', '1'),
    script: '/x/main.js',
  });
  for (const words of [
    [],
    ['--version'],
    ['-e'],
    ['/x/other.js'],
    ['slo', '/x/main.js'],
    ['--a', 'slo'],
  ])
    expect(readWords(words, isFile)).toEqual(command(...words));
});
