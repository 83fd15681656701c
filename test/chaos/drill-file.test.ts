/** firedrill.yaml: valid files are understood, and each mistake is reported with its place and the expected value. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { asset } from '../../base/paths.js';
import { bundledDrill } from '../../chaos/system/bundled.js';
import { readDrill } from '../../chaos/system/drill-file.js';
import { drillJsonSchema } from '../../chaos/system/drill-schema.js';
import { namesOf } from '../../chaos/system/names.js';
import { fillTemplate } from '../../chaos/system/templates.js';

const folder = mkdtempSync(join(tmpdir(), 'firedrill-drill-file-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
mkdirSync(join(folder, 'rules'));
for (const name of ['b.yaml', 'a.yaml', 'a.md']) writeFileSync(join(folder, 'rules', name), '');

const good = `apiVersion: firedrill.dev/v1
kind: Drill
name: orders
system:
  kind: processes
  services:
    front:
      command: [node, front.js, "\${ports.http}"]
      env: { BACK: "\${calls.back.url}/echo", CACHE: "\${calls.cache.port}" }
      ready: { http: /ready, within: 5s }
      calls:
        back: { service: back }
        cache: { dependency: redis }
    back:
      command: 'node back.js --port \${ports.http} --home \${HOME}'
      replicas: 2
  dependencies:
    redis: { address: 127.0.0.1:6379 }
rules: [rules/*.yaml]
`;

function told(from: string, to: string, whole = good): string {
  expect(whole).toContain(from);
  const file = join(folder, 'firedrill.yaml');
  writeFileSync(file, whole.replace(from, to));
  try {
    readDrill(file);
  } catch (error) {
    return (error as Error).message.replaceAll(`${folder}/`, '');
  }
  return 'nothing';
}

test("a sidecar's own settings: refused without a sidecar, and for a name that nothing has", () => {
  const line = 'replicas: 2';
  const spans = 'traces: { url: "http://127.0.0.1:${services.tempo.http}", sample: 0.1 }';
  expect(told(line, 'replicas: 2\n      sidecar: { accessLog: stdout }')).toBe(
    'firedrill.yaml:17:16: back has no sidecar; expected mesh: plain or mtls',
  );
  const plain = good.replace('kind: processes', 'kind: processes\n  mesh: plain');
  expect(told(line, `replicas: 2\n      sidecar: { ${spans} }`, plain)).toMatch(
    /^firedrill\.yaml:18:33: nothing is called \$\{services\.tempo\.http\}; expected /,
  );
  expect(told(line, 'replicas: 2\n      sidecar: { accessLog: access.log }', plain)).toBe(
    'nothing',
  );
});

test('a drill is read with its defaults, and patterns become files', () => {
  const file = join(folder, 'firedrill.yaml');
  writeFileSync(file, good);
  const drill = readDrill(file);
  expect(drill.rules).toEqual([join(folder, 'rules/a.yaml'), join(folder, 'rules/b.yaml')]);
  expect(drill).toMatchObject({ timeScale: 'auto', library: false, slos: [], scenarios: [] });
  if (drill.system.kind !== 'processes') throw new Error('processes');
  const { front, back } = drill.system.services;
  expect(front).toMatchObject({ ports: { http: 'auto' }, replicas: 1, protocol: 'http' });
  expect(front?.ready).toEqual({ http: '/ready', within: 5000 });
  expect(back?.stop).toEqual({ signal: 'SIGTERM', within: 5000 });
  expect(drill.system.dependencies.redis?.protocol).toBe('tcp');
});

test.each([
  [
    'kind: processes',
    'kind: proceses',
    ':5:',
    'expected kind: processes, attach, kubernetes or supervisor',
  ],
  ['kind: Drill', 'kind: Dril', ':2:7:', "expected 'Drill'"],
  [
    'kind: processes',
    'kind: processes\n  mesh: transparent',
    ':6:9:',
    'calls are redirected for a service (network: own), with any mesh; expected mtls',
  ],
  ['replicas: 2', 'network: none', ':16:', 'expected shared or own'],
  [
    'service: back }',
    'service: back, at: back:80 }',
    ':12:',
    'front has no network of its own, so nothing is redirected; expected network: own',
  ],
  ['service: back }', 'service: back, at: back:0 }', ':12:', 'expected a port from 1 to 65535'],
  ['service: back }', "service: back, at: '[::1]:80' }", ':12:', 'expected host:port'],
  ['service: back', 'service: bak', ':12:', "no service 'bak'; expected front, back"],
  ['dependency: redis', 'dependency: redi', ':13:', "no dependency 'redi'"],
  ['${calls.back.url}/echo', '${calls.bak.url}', ':9:', 'nothing is called ${calls.bak.url}'],
  ['${ports.http}"]', '${ports.web}"]', ':8:', 'nothing is called ${ports.web}'],
  ['within: 5s', 'within: 5', ':10:', 'expected'],
  ['ready: { http: /ready', 'ready: { tcp: grpc', ':10:', "front has no port 'grpc'"],
  ['replicas: 2', 'replicas: 2\n      ports: { http: 80 }', ':17:', 'cannot share a port'],
  ['127.0.0.1:6379', '127.0.0.1', ':18:', 'expected host:port'],
  ['rules/*.yaml', 'rules/*.yml', ':19:', 'no file fits'],
  ['rules/*.yaml', 'r*/c.yaml', ':19:', 'only the name of a file may have *, and no folder’s'],
  ['rules/*.yaml', 'rules/c.yaml', ':19:', 'no such file'],
  ['    back:\n', '    Back:\n', ':14:5:', 'expected lower case letters, digits and dashes'],
  [
    'replicas: 2',
    'ports: { http: 80, admin: 80 }',
    ':16:',
    '80 is back.http already; expected another, or auto',
  ],
  [
    '    back:\n',
    '    front-proxy: { command: node back.js }\n    back:\n',
    ':14:',
    "'front-proxy' is the name of a process of front too; expected another name",
  ],
  [
    '[node, front.js',
    '[no-such-program, front.js',
    ':8:17:',
    "no program 'no-such-program' on PATH",
  ],
  [
    'replicas: 2',
    'metrics: { labels: { a-b: c } }',
    ':16:28:',
    'expected the name of a label: letters, digits and _',
  ],
  ['replicas: 2', 'replica: 2', ':16:7:', "unknown field 'replica'"],
])('%s written as %s is told with its place', (from, to, place, text) => {
  const message = told(from, to);
  expect(message).toContain(`firedrill.yaml${place}`);
  expect(message).toContain(text);
});

const attached = `apiVersion: firedrill.dev/v1
kind: Drill
name: stage
system:
  kind: attach
  url: http://stage.example/shop
  calls:
    front/db: { toxiproxy: 'http://127.0.0.1:8474', confirm: [test, -e, on] }
  faults:
    frozen:
      inject: { command: [touch, on] }
      confirm: no-such-program-of-a-text || test -e on
      undo: { command: [rm, -f, on] }
`;

test.each([
  ['example/shop', 'example/shop?a=b', ':6:8:', 'without a name, a password or a query'],
  ['//stage.', '//me:secret@stage.', ':6:8:', 'without a name, a password or a query'],
  ['[touch,', '[tuoch,', ':11:15:', "no program 'tuoch' on PATH"],
  ['[rm,', '[./rm.sh,', ':13:13:', "no program './rm.sh' there"],
  ['[test,', '[no-test,', ':8:62:', "no program 'no-test' on PATH"],
])('attach: %s written as %s is told with its place', (from, to, place, text) => {
  const message = told(from, to, attached);
  expect(message).toContain(`firedrill.yaml${place}`);
  expect(message).toContain(text);
  expect(message.split('\n')).toHaveLength(1);
});

test('attach: what a toxiproxy cannot do is no fault of its calls', async () => {
  const file = join(folder, 'firedrill.yaml');
  writeFileSync(file, attached);
  const { kindsOf } = await namesOf(readDrill(file));
  expect(kindsOf).toEqual({ 'front/db': ['latency', 'bandwidth', 'cut', 'silence'] });
});

test('faults of requests have no target where only bytes are relayed, and no sidecar is', async () => {
  const file = join(folder, 'firedrill.yaml');
  const targetsOf = async (text: string): Promise<readonly string[] | undefined> => {
    writeFileSync(file, text);
    return (await namesOf(readDrill(file))).targets?.service;
  };
  const overTcp = good.replace('replicas: 2', 'replicas: 2\n      protocol: tcp');
  const tcp = overTcp.replace(
    '{ address: 127.0.0.1:6379 }',
    '{ address: 127.0.0.1:6379, protocol: tcp }',
  );
  expect(await targetsOf(tcp)).toEqual(['front']);
  const front = ['front', 'front/back', 'back'];
  expect(await targetsOf(tcp.replace('protocol: tcp\n', 'protocol: http\n'))).toEqual(front);
  const mesh = tcp.replace('kind: processes', 'kind: processes\n  mesh: plain');
  expect(await targetsOf(mesh)).toEqual(['front']);
  const whole = await targetsOf(mesh.replace('protocol: tcp\n', 'protocol: http\n'));
  expect(whole).toEqual(['front', 'back-1', 'back-2', 'back', 'front/back']);
});

test('templates are filled, a doubled dollar stays, and what a shell knows is left to it', () => {
  const values = new Map([['ports.http', '4711']]);
  expect(fillTemplate('--port=${ports.http} $${ports.http} ${HOME}', values)).toBe(
    '--port=4711 ${ports.http} ${HOME}',
  );
});

test('the bundled drill is data as any other, and the JSON Schema for editors is the present one', () => {
  expect(readDrill(bundledDrill()).system.kind).toBe('supervisor');
  const text = readFileSync(asset('chaos/system/drill.schema.json'), 'utf8');
  expect(JSON.parse(text)).toEqual(drillJsonSchema());
});
