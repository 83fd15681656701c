/** The published package: packed, installed without development dependencies, used by people and programs. */
import { execFileSync, spawnSync } from 'node:child_process';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { asset, packageRoot, program } from '../base/paths.js';
import { findTool } from '../base/tools.js';
import { testWith } from './tools.js';

let project: string;
let tarball: string;
const npm = (...args: string[]): string =>
  execFileSync('npm', args, {
    cwd: packageRoot,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  });

beforeAll(() => {
  project = mkdtempSync(join(tmpdir(), 'firedrill-package-'));
  npm('run', '--silent', 'types');
  execFileSync(process.execPath, [program('bundle'), '--fresh']);
  // After prepack, whose build exists already, npm runs prepare: it makes the code cache of this machine's runtime.
  execFileSync(process.execPath, [program('bundle')]);
  const [packed] = JSON.parse(
    npm('pack', '--ignore-scripts', '--json', '--pack-destination', project),
  ) as { filename: string }[];
  tarball = join(project, packed?.filename ?? '');
  const installed = join(project, 'node_modules', 'firedrill');
  mkdirSync(installed, { recursive: true });
  execFileSync('tar', ['xzf', tarball, '-C', installed, '--strip-components=1']);
  // The installation brings its runtime dependencies, and none of development.
  const listed = npm('ls', '--omit=dev', '--all', '--parseable').trim().split('\n').slice(1);
  const modules = join(packageRoot, 'node_modules');
  for (const folder of listed) {
    const there = join(project, 'node_modules', relative(modules, folder));
    if (relative(modules, folder).includes('node_modules')) continue;
    mkdirSync(dirname(there), { recursive: true });
    symlinkSync(folder, there);
  }
  writeFileSync(
    join(project, 'package.json'),
    '{ "name": "a-user", "private": true, "type": "module" }',
  );
  cpSync(join(packageRoot, 'examples', 'library'), project, { recursive: true });
}, 180_000);

afterAll(() => rmSync(project, { recursive: true, force: true }));

const firedrill = (...args: string[]) =>
  spawnSync(process.execPath, [join('node_modules', 'firedrill', 'dist', 'cli.js'), ...args], {
    cwd: project,
    encoding: 'utf8',
  });

test('the package is small, and carries no test, no source and no map', () => {
  expect(statSync(tarball).size).toBeLessThan(1_200_000);
  const files = execFileSync('tar', ['tzf', tarball], { encoding: 'utf8' }).trim().split('\n');
  const strange = files.filter(
    (f) =>
      /\.map$|\.cache$|^package\/(test|bench|\.ci)\/|tsbuildinfo/.test(f) ||
      (/\.tsx?$/.test(f) && !f.endsWith('.d.ts')),
  );
  expect(strange).toEqual([]);
});

test('every program that is started by its path is in the package', () => {
  const files = execFileSync('tar', ['tzf', tarball], { encoding: 'utf8' }).trim().split('\n');
  const manifest = JSON.parse(readFileSync(join(packageRoot, 'package.json'), 'utf8')) as {
    files: string[];
  };
  const listed = manifest.files.filter((name) => /^dist\/.*\.js$/.test(name));
  expect(listed.filter((name) => !files.includes(`package/${name}`))).toEqual([]);
  const started = readdirSync(packageRoot, { recursive: true, encoding: 'utf8' })
    .filter((name) =>
      /^(base|mesh|alerts|runbooks|chaos|console|slo|examples\/retail)\/.*\.ts$/.test(name),
    )
    .flatMap((name) => [
      ...readFileSync(join(packageRoot, name), 'utf8').matchAll(/\bprogram\('([\w/-]+)'\)/g),
    ])
    .map(([, name]) => `dist/${name}.js`);
  expect(started.length).toBeGreaterThan(10);
  expect(started.filter((name) => !files.includes(`package/${name}`))).toEqual([]);
});

test.each([
  [['--version'], /^\d+\.\d+\.\d+\n$/],
  [
    ['slo', 'generate', '-i', 'node_modules/firedrill/examples/slo/retail.yaml', '-o', 'rules'],
    /SLOs/,
  ],
  [['alerts', 'generate', '-o', 'alerts'], /./],
  [['alerts', 'lint', 'rules/checkout.yaml'], /./],
  [
    [
      'dashboards',
      'generate',
      '-i',
      'node_modules/firedrill/examples/slo/retail.yaml',
      '-o',
      'dashboards',
    ],
    /./,
  ],
  [['runbook', 'list'], /MeshRetryStorm/],
  [['gameday', 'list'], /retry-storm/],
  [['gameday', 'schema'], /\$schema/],
  [['gameday', 'plan'], /retry-storm/],
  [['install'], /kind: Deployment/],
  [['completion', 'bash'], /complete/],
] as const)('firedrill %j works where it is installed', (args, expected) => {
  const { status, stdout, stderr } = firedrill(...args);
  expect([status, stderr, stdout]).toEqual([0, expect.any(String), expect.any(String)]);
  expect(stdout + stderr).toMatch(expected);
});

// Node 20.18 and older cannot require a module at all.
test.runIf('require_module' in process.features)(
  'a CommonJS project may require each module',
  () => {
    const { exports } = JSON.parse(readFileSync(join(packageRoot, 'package.json'), 'utf8')) as {
      exports: Record<string, string | object>;
    };
    const modules = Object.keys(exports).filter((name) => typeof exports[name] === 'object');
    expect(modules.length).toBeGreaterThan(4);
    const script = modules.map((name) => `require('firedrill${name.slice(1)}');`).join('');
    const { status, stderr } = spawnSync(
      process.execPath,
      ['--input-type=commonjs', '-e', script],
      {
        cwd: project,
        encoding: 'utf8',
      },
    );
    expect([status, stderr]).toEqual([0, expect.not.stringContaining('ERR_')]);
  },
);

test('a command loads few files: to find and link a module costs more than to run it', () => {
  const hook = join(project, 'hook.mjs');
  const list = join(project, 'loaded.txt');
  const load = `import { appendFileSync } from 'node:fs';
export function load(url, context, next) {
  appendFileSync(process.env.LOADED, url + '\\n');
  return next(url, context);
}`;
  const source = JSON.stringify(`data:text/javascript,${encodeURIComponent(load)}`);
  writeFileSync(hook, `import { register } from 'node:module'; register(${source});`);
  const cli = join('node_modules', 'firedrill', 'dist', 'cli.js');
  const slo = join('node_modules', 'firedrill', 'examples', 'slo', 'retail.yaml');
  const args = ['--import', hook, cli, 'slo', 'generate', '-i', slo, '-o', 'counted'];
  const env = { ...process.env, LOADED: list };
  const { status } = spawnSync(process.execPath, args, { cwd: project, encoding: 'utf8', env });
  expect(status).toBe(0);
  const files = readFileSync(list, 'utf8')
    .split('\n')
    .filter((url) => url.startsWith('file:'));
  // 49 before the small parts were joined.
  expect(files.length).toBeLessThan(40);
  expect(files.filter((url) => /\/parts\/small-[0-9A-F]{8}\.js$/.test(url)).length).toBe(1);
});

testWith('k6')('k6 loads the script that the package brings', () => {
  const script = join(project, 'node_modules', 'firedrill', 'dist', 'chaos/load/k6/script.js');
  const route = { name: 'home', method: 'GET', path: '/', requestsPerSecond: 1 };
  const profile = { url: 'http://127.0.0.1:1', timeoutMs: 1000, maxInFlight: 1, routes: [route] };
  const args = ['inspect', '-e', `PROFILE=${JSON.stringify(profile)}`, script];
  const { status, stderr, stdout } = spawnSync(findTool('k6')!, args, { encoding: 'utf8' });
  expect([status, stderr]).toEqual([0, '']);
  expect(JSON.parse(stdout)).toMatchObject({ scenarios: { route_0: { rate: 1000 } } });
});

test('a kubeconfig is read without the typed client being installed', () => {
  expect(readdirSync(join(project, 'node_modules'))).not.toContain('@kubernetes');
  const kubeconfig = {
    clusters: [{ name: 'c', cluster: { server: 'https://127.0.0.1:1' } }],
    users: [{ name: 'u', user: { token: 't' } }],
    contexts: [{ name: 'x', context: { cluster: 'c', user: 'u' } }],
    'current-context': 'x',
  };
  writeFileSync(join(project, 'kubeconfig'), JSON.stringify(kubeconfig));
  const { status, stderr, stdout } = firedrill('stat', '--kubeconfig', 'kubeconfig');
  expect([status, stdout]).toEqual([5, '']);
  expect(stderr).toContain('ECONNREFUSED');
});

test('the examples of the library compile against its types, and run', () => {
  const compiler = join(packageRoot, 'node_modules', '.bin', 'tsc');
  mkdirSync(join(project, 'node_modules', '@types'), { recursive: true });
  symlinkSync(
    join(packageRoot, 'node_modules', '@types', 'node'),
    join(project, 'node_modules', '@types', 'node'),
  );
  const options =
    '--module nodenext --target es2022 --strict --skipLibCheck --types node --outDir out';
  const examples = readdirSync(project).filter((name) => name.endsWith('.ts'));
  execFileSync(compiler, [...options.split(' '), ...examples], { cwd: project, stdio: 'pipe' });
  const run = (name: string, ...args: string[]): string =>
    execFileSync(process.execPath, [join('out', `${name}.js`), ...args], {
      cwd: project,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
    });
  expect(run('slo')).toContain('alert: ');
  expect(run('promql')).toMatch(/"job":"checkout".*"value":(20|19\.9999)/);
  expect(run('alerts')).toContain('MeshRetryStorm');
  expect(run('gameday')).toContain('retry-storm: ');
  const record = asset('examples/certificate-outage/record.json');
  expect(run('report', record)).toMatch(/index\.html: \d+ characters/);
});
