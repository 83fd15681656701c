/** A load as objects of the k6-operator: their contents, a run and a verdict by real k6, and the refused loads. */
import { spawn, spawnSync } from 'node:child_process';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { program } from '../../base/paths.js';
import { findTool } from '../../base/tools.js';
import { operatorObjects } from '../../chaos/load/k6-operator.js';
import type { LoadProfile } from '../../chaos/load/profile.js';
import { testWith } from '../tools.js';
import { drillFolder } from './drill.js';

const closing: (() => void)[] = [];
afterEach(() => {
  for (const close of closing.splice(0)) close();
});

const profile: LoadProfile = {
  url: 'http://front.shop:8080',
  timeoutMs: 2000,
  maxInFlight: 20,
  routes: [
    {
      name: 'echo',
      service: 'front',
      method: 'POST',
      path: '/echo',
      body: '"drill" {{n}}',
      requestsPerSecond: 40,
      expect: { body: { contains: 'drill' } },
    },
    { name: 'home', method: 'GET', path: '/', requestsPerSecond: 20 },
    {
      name: 'health',
      method: 'GET',
      path: '/',
      requestsPerSecond: 5,
      grpc: { method: 'grpc.health.v1.Health/Check', message: {} },
    },
  ],
};
const thresholds = [
  { name: 'front-echo', service: 'front', allowed: 0.01 },
  { name: 'front-fast', service: 'front', allowed: 0.05, slowerThanMs: 250 },
  { name: 'health', service: 'health', allowed: 0.001 },
  { name: 'health-fast', service: 'health', allowed: 0.001, slowerThanMs: 20 },
  { name: 'cart', service: 'cart', allowed: 0.01 },
  { name: 'slices', service: 'front', allowed: 0.01, unmeasurable: 'not to be seen' },
];
const options = {
  name: 'front-load',
  namespace: 'shop',
  parallelism: 3,
  lengthMs: 90_000,
  thresholds,
};

interface Objects {
  config: { kind: string; metadata: object; data: Record<string, string> };
  run: { kind: string; spec: object };
}

function objectsOf(yaml: string): Objects {
  const [config, run] = parseAllDocuments(yaml).map((d) => d.toJS() as unknown);
  return { config, run } as Objects;
}

/** The script's settings, by its first line. */
function told({ config }: Objects): Record<string, unknown> {
  const line = config.data['script.js']!.split('\n', 1)[0]!;
  const env = JSON.parse(/^Object\.assign\(__ENV, (.*)\);$/.exec(line)![1]!) as Record<
    string,
    string
  >;
  return { ...env, PROFILE: JSON.parse(env.PROFILE!), THRESHOLDS: JSON.parse(env.THRESHOLDS!) };
}

test('X5: the objects carry the profile, its length, and the objectives of SLOs by route', () => {
  const { yaml, left } = operatorObjects(profile, options);
  const objects = objectsOf(yaml);
  expect(objects.run).toEqual({
    apiVersion: 'k6.io/v1alpha1',
    kind: 'TestRun',
    metadata: objects.config.metadata,
    spec: {
      parallelism: 3,
      quiet: 'true',
      script: { configMap: { name: 'front-load', file: 'script.js' } },
    },
  });
  expect(objects.config).toMatchObject({
    kind: 'ConfigMap',
    metadata: { name: 'front-load', namespace: 'shop' },
  });
  expect(Object.keys(objects.config.data)).toEqual(['script.js']);
  // One file: it imports only k6's own modules.
  const imports = [...objects.config.data['script.js']!.matchAll(/from\s*["']([^"']+)["']/g)];
  expect(imports.length).toBeGreaterThan(3);
  expect(imports.filter(([, name]) => !/^k6(\/|$)/.test(name!))).toEqual([]);
  expect(told(objects)).toEqual({
    PROFILE: profile,
    DURATION: '90000ms',
    THRESHOLDS: {
      'http_req_failed{name:echo}': ['rate<=0.01'],
      'checks{name:echo}': ['rate>=0.99'],
      'http_req_duration{name:echo}': ['p(95)<=250'],
      'checks{name:health}': ['rate>=0.999'],
      'grpc_req_duration{name:health}': ['p(99.9)<=20'],
    },
  });
  expect(left).toEqual(['cart: no route is held to cart', 'slices: not to be seen']);
});

test.each<[string, Partial<LoadProfile>, string]>([
  ['loopback', { url: 'http://127.0.0.1:8080' }, 'is the pod itself'],
  ['loopback by name', { url: 'http://localhost:8080' }, 'is the pod itself'],
  ['loopback of IPv6', { url: 'http://[::1]:8080' }, 'is the pod itself'],
  [
    'a .proto file',
    {
      routes: [{ ...profile.routes[2]!, grpc: { method: 'a.B/C', message: {}, proto: 'a.proto' } }],
    },
    'the route health needs the file a.proto, which no pod has',
  ],
  [
    'more than a ConfigMap holds',
    { routes: [{ ...profile.routes[0]!, body: 'x'.repeat(1_100_000) }] },
    'the script with its profile has',
  ],
])('what no pod could run is refused: %s', (_, changed, why) => {
  expect(() => operatorObjects({ ...profile, ...changed }, options)).toThrow(why);
});

/** Runs the script of the objects like a pod: with only the file. Returns its exit code, and requests by path. */
async function ranBy(
  bodies: (n: number) => string,
): Promise<{ code: number | null; asked: Map<string, number> }> {
  const asked = new Map<string, number>();
  const server = createServer((request, response) => {
    const n = (asked.get(request.url!) ?? 0) + 1;
    asked.set(request.url!, n);
    request.resume().on('end', () => response.end(request.url === '/echo' ? bodies(n) : 'home'));
  });
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  closing.push(() => void server.close());
  const { port } = server.address() as AddressInfo;
  const routes = profile.routes.filter((r) => !r.grpc);
  const own = operatorObjects({ ...profile, routes }, { ...options, lengthMs: 2000 });
  const script = objectsOf(own.yaml).config.data['script.js']!;
  const file = join(drillFolder(), 'script.js');
  // The service's name, which only a cluster can resolve.
  writeFileSync(file, script.replaceAll('http://front.shop:8080', `http://127.0.0.1:${port}`));
  const args = ['run', '--quiet', '--no-usage-report', '--address=127.0.0.1:0', file];
  const child = spawn(findTool('k6')!, args, { stdio: 'ignore' });
  const code = await new Promise<number | null>((resolve) => void child.on('exit', resolve));
  return { code, asked };
}

testWith('k6')('real k6 runs it by its file alone, at the rates of the profile', async () => {
  const { code, asked } = await ranBy(() => 'drill');
  expect(code).toBe(0);
  expect(asked.get('/echo')).toBeGreaterThan(60);
  expect(asked.get('/echo')).toBeLessThanOrEqual(81);
  expect(asked.get('/')).toBeGreaterThan(30);
});

testWith('k6')(
  'real k6 ends with 99 where one body in ten is wrong and one in a hundred may be',
  async () => {
    const { code } = await ranBy((n) => (n % 10 === 0 ? 'refused' : 'drill'));
    expect(code).toBe(99);
  },
);

const cli = (...args: string[]) =>
  spawnSync(process.execPath, [program('cli'), 'load', 'export', ...args], { encoding: 'utf8' });

test('the command: YAML on standard output, what it lacks on standard error, mistakes refused', () => {
  const folder = drillFolder();
  const file = join(folder, 'load.yaml');
  const text =
    'apiVersion: firedrill.dev/v1\nkind: Load\nrate: 10\nroutes: [{ name: home, request: GET / }]\n';
  writeFileSync(file, text);
  const slo = join(folder, 'slo.yaml');
  writeFileSync(
    slo,
    'apiVersion: firedrill.dev/v1\nservice: cart\nowner: a\nregion: b\nwindow: 30d\nrunbook: https://r.example\n' +
      'slos:\n  - { name: ok, objective: 99, sli: { events: { bad: bad_total, total: all_total } } }\n',
  );
  const url = ['--url', 'http://front.shop:8080'];
  const good = cli(file, ...url, '-i', slo, '-n', 'shop');
  expect(good.status).toBe(0);
  expect(good.stderr).toContain('cart-ok: no route is held to cart');
  expect(objectsOf(good.stdout).run.spec).toMatchObject({ parallelism: 1 });
  const bad = (...more: string[]): string => {
    const { status, stderr } = cli(file, ...more);
    expect(status).toBe(2);
    return stderr;
  };
  expect(bad()).toContain('the load has no address');
  expect(bad(...url, '--parallelism', '1.5')).toContain("bad --parallelism '1.5'");
  expect(bad(...url, '--name', 'Front')).toContain("bad --name 'Front'");
  expect(bad(...url, '--duration', '10')).toContain("bad --duration '10'");
});
