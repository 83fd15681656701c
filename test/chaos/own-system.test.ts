/**
 * A folder with a user's own firedrill.yaml: its services, rules, routing and load; nothing of it is left at the end.
 */
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { asset, packageRoot } from '../../base/paths.js';
import { tryFolder } from '../../base/writable-folder.js';
import { cut } from '../../base/terminal.js';
import { readDrill } from '../../chaos/system/drill-file.js';
import { layOut } from '../../chaos/system/processes/layout.js';
import { proxyConfig, registry } from '../../chaos/system/processes/mesh-files.js';
import {
  descendants,
  type Drill,
  drillFolder,
  faultAnnounced,
  firedrill,
  isRunning,
  journals,
  until,
} from './drill.js';

const limitMs = 120_000;
const example = asset('examples/systems/two-services');

const kinds = ['--prometheus', 'embedded', '--load', 'embedded'];

function begin(scenario: string): Drill {
  const folder = drillFolder();
  cpSync(example, folder, { recursive: true });
  return firedrill(folder, 'gameday', 'run', '--scenarios', `scenarios/${scenario}.yaml`, ...kinds);
}

test(
  'two services are drilled: a process is killed, its owners are told, and it comes back',
  async () => {
    const drill = begin('back-killed');
    const { output } = await drill.ended;
    const [scenario] = drill.record().scenarios;
    expect(output).toContain('two-services: 2 workloads');
    expect(scenario?.faults[0]).toMatchObject({ kind: 'kill', effect: 1, undo: 'done' });
    expect(scenario?.rollback).toMatchObject({ done: true, residue: [] });
    expect(scenario?.expectations[0]).toMatchObject({
      name: 'BackDown',
      severity: 'page',
      receiver: 'back-oncall',
      inTime: true,
    });
    expect(journals(drill.folder)).toEqual([]);
    // The events alone give the same report, byte for byte.
    const report = `${drill.folder}/gameday-report`;
    cpSync(`${report}/events.jsonl`, `${drill.folder}/events/events.jsonl`);
    const again = await firedrill(drill.folder, 'gameday', 'report', 'events', '-o', 'again').ended;
    expect([again.code, again.output]).toEqual([0, expect.stringContaining('BackDown page')]);
    const files = readdirSync(report, { recursive: true, encoding: 'utf8' }).filter((name) =>
      /\.\w+$/.test(name),
    );
    expect(files.length).toBeGreaterThan(6);
    for (const name of files.filter((name) => name !== 'events.jsonl')) {
      const [was, is] = [report, `${drill.folder}/again`].map((f) => readFileSync(`${f}/${name}`));
      expect([name, is!.equals(was!)]).toEqual([name, true]);
    }
  },
  limitMs,
);

test(
  'kill -9 of the supervisor in mid-fault: the run ends by itself, and takes with it what is left',
  async () => {
    const drill = begin('back-slow');
    await until(() => faultAnnounced(drill.folder), 60_000, `a fault: ${drill.output()}`);
    const lines = readFileSync(journals(drill.folder)[0]!, 'utf8').split('\n');
    const named = lines.flatMap((line) => /"pid":(\d+).*"name":"([^"]+)"/.exec(line) ?? []);
    // The supervisor, a sidecar, two services: each is in the journal.
    expect(named.filter((_, i) => i % 3 === 2)).toEqual([
      'the supervisor of two-services',
      'front-proxy',
      'back',
      'front',
    ]);
    const pids = descendants(drill.child.pid!);
    process.kill(Number(named[1]), 'SIGKILL');
    const system = pids.filter((pid) => named.includes(String(pid)));
    await until(() => !system.some(isRunning), 10_000, 'the system is gone');
    const { code, output } = await drill.ended;
    expect([code, output]).toEqual([4, expect.stringContaining('ended by itself')]);
    expect(pids.some(isRunning)).toBe(false);
    expect(journals(drill.folder)).toEqual([]);
  },
  limitMs,
);

test(
  'mTLS: the issuer stops, calls fail as certificates run out, each page comes, and all is well again',
  async () => {
    const folder = drillFolder();
    cpSync(example, folder, { recursive: true });
    const file = `${folder}/firedrill.yaml`;
    const text = readFileSync(file, 'utf8')
      .replace('kind: processes\n', 'kind: processes\n  mesh: mtls\n')
      .replace('\nload:', '\nlibrary: true\nload:');
    writeFileSync(file, text);
    const args = ['--scenarios', asset('test/chaos/fixtures/issuer-stops.yaml')];
    const drill = firedrill(folder, 'gameday', 'run', ...args, ...kinds);
    const { output } = await drill.ended;
    const { scenarios, system } = drill.record();
    const [scenario] = scenarios;
    expect([output, system.trustDomain]).toEqual([output, expect.any(String)]);
    expect(system.services.map((s) => s.identity)).toEqual([
      expect.stringContaining('front.two-services'),
      expect.stringContaining('back.two-services'),
    ]);
    expect(scenario?.faults[0]).toMatchObject({ kind: 'identity-freeze', undo: 'done' });
    expect(scenario?.faults[0]?.effect).toBeGreaterThan(0);
    expect(scenario?.expectations.map((e) => [e.name, e.outcome?.kind])).toEqual([
      ['MeshCertificateRenewalOverdue', 'notified'],
      ['MeshCertificateExpired', 'notified'],
      ['FrontAvailability', 'notified'],
    ]);
    const [overdue, expired] = scenario!.expectations;
    expect(overdue!.firedAfterMs!).toBeLessThan(expired!.firedAfterMs!);
    expect(scenario?.phases.find((p) => p.kind === 'fault')?.client.errors).toBeGreaterThan(0);
    expect(scenario?.hypothesis.after.map((m) => m.held)).toEqual([true, true]);
    expect(scenario?.rollback).toMatchObject({ done: true, residue: [] });
  },
  limitMs,
);

test('mTLS: a call has a port, an address of its destination, and an endpoint with a name', () => {
  const drill = readDrill(`${example}/firedrill.yaml`);
  if (drill.system.kind !== 'processes') throw new Error('processes');
  let port = 20_000;
  const layout = layOut('orders', { ...drill.system, mesh: 'mtls' }, () => port++);
  const front = layout.workloads.find((w) => w.name === 'front')!;
  const back = layout.workloads.find((w) => w.name === 'back')!;
  const parts = {
    path: (name: string) => name,
    trustAnchors: 'anchors',
    fill: (text: string) => text.replace('${data}', 'data'),
    inDrill: (file: string) => `/drill/${file}`,
  };
  const traces = { url: 'http://127.0.0.1:4318/v1/traces', sample: 0.1 };
  const told = { ...front, spec: { ...front.spec, sidecar: { accessLog: '${data}/log', traces } } };
  expect(proxyConfig(layout, told, parts)).toMatchObject({
    accessLog: '/drill/data/log',
    tracing: { otlpUrl: traces.url, sampleRatio: 0.1 },
  });
  const config = proxyConfig(layout, front, parts);
  expect([config.accessLog, config.tracing]).toEqual([undefined, undefined]);
  expect(config.calls).toEqual([{ host: '127.0.0.1', port: front.calls[0]!.port }]);
  expect(config.identity?.name).toContain('front.orders.serviceaccount');
  // The callers' name for each replica.
  expect(config.workload).toMatchObject({ name: 'front', service: 'front', namespace: 'orders' });
  const spec = drill.system.services['back']!;
  const twice = { ...drill.system.services, back: { ...spec, replicas: 2 } };
  const doubled = layOut(
    'orders',
    { ...drill.system, mesh: 'mtls', services: twice },
    () => port++,
  );
  const second = doubled.workloads.find((w) => w.name === 'back-2')!;
  expect(proxyConfig(doubled, second, parts).workload).toMatchObject({
    name: 'back-2',
    service: 'back',
  });
  expect(registry(layout, 0)).toMatchObject({
    services: [
      {
        name: 'back',
        addresses: [`127.0.0.1:${front.calls[0]!.port}`],
        endpoints: [{ address: `127.0.0.1:${back.sidecar!.inbound!}` }],
      },
    ],
  });
});

test('a folder is tried and left as it was', () => {
  const folder = drillFolder();
  tryFolder(`${folder}/a/b`, 'the folder');
  expect(existsSync(`${folder}/a`)).toBe(false);
  expect(() => tryFolder('/proc/nope/x', 'the folder')).toThrow(
    'the folder /proc/nope/x cannot be written: ENOENT',
  );
});

test('a folder into which nothing can be written, as on a full disk, is left as it was', () => {
  const folder = drillFolder();
  const module = JSON.stringify(join(packageRoot, 'dist/base/writable-folder.js'));
  const script =
    `process.on('SIGXFSZ', () => {}); const { tryFolder } = await import(${module}); ` +
    "try { tryFolder('a/b', 'the folder', 'room') } catch (e) { console.log(e.message) }";
  const shell = 'ulimit -f 0; exec "$0" --input-type=module -e "$1"';
  const run = spawnSync('sh', ['-c', shell, process.execPath, script], {
    cwd: folder,
    encoding: 'utf8',
  });
  expect(run.stdout).toBe('the folder a/b cannot be written: EFBIG; expected room\n');
  expect(existsSync(join(folder, 'a'))).toBe(false);
});

test('a live line is one row of the terminal', () => {
  expect(cut('x'.repeat(200), 80)).toHaveLength(79);
  expect(cut('short', 80)).toBe('short');
});
