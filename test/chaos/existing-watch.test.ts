/** Drills judged by an existing Prometheus and Alertmanager: real ones, which the test starts itself. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { fetchWith, readAccess } from '../../base/access.js';
import { asset } from '../../base/paths.js';
import { requireTool } from '../../base/tools.js';
import { freePort } from '../../alerts/watch/prometheus.js';
import { drillRouteText } from '../../alerts/watch/existing/drill-route.js';
import { Seeing } from '../../alerts/watch/existing/seeing.js';
import { SimulatedClock } from '../../base/clock.js';
import { parse } from 'yaml';
import { testWith } from '../tools.js';
import { type Drill, drillFolder, firedrill, until } from './drill.js';

const limitMs = 180_000;
const ending: (() => unknown)[] = [];
afterEach(() => {
  for (const end of ending.splice(0).toReversed()) end();
});

const started = (child: ChildProcess): ChildProcess => {
  ending.push(() => child.kill('SIGKILL'));
  return child;
};

/** The user's own pager, and its number of notifications. */
async function pager(): Promise<{ url: string; told: () => number }> {
  let told = 0;
  const server: Server = createServer((request, response) => {
    told++;
    request.resume();
    response.end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  ending.push(() => server.close());
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`, told: () => told };
}

interface Rig {
  folder: string;
  prometheus: string;
  alertmanager: string;
  told: () => number;
}

/** A shop, its Prometheus and its Alertmanager; the drill's route comes first, if there is one. */
async function rig(listen?: string): Promise<Rig> {
  const folder = drillFolder();
  cpSync(asset('test/chaos/fixtures/attach'), folder, { recursive: true });
  const shop = started(spawn(process.execPath, ['shop.mjs', '0'], { cwd: folder }));
  const [said] = (await once(shop.stdout!, 'data')) as [Buffer];
  const port = said.toString().trim();
  const write = (name: string, text: string): void => writeFileSync(join(folder, name), text);
  const { url, told } = await pager();
  const ports = { prometheus: await freePort(), alertmanager: await freePort() };
  write(
    'rules.yaml',
    readFileSync(join(folder, 'rules.yaml'), 'utf8')
      .replace('interval: 15s', 'interval: 500ms')
      .replaceAll('[5m]', '[3s]')
      .replace('for: 1m', 'for: 1s'),
  );
  write(
    'prometheus.yml',
    `global: { scrape_interval: 500ms, evaluation_interval: 500ms }
rule_files: [rules.yaml]
alerting: { alertmanagers: [{ static_configs: [{ targets: ['127.0.0.1:${ports.alertmanager}'] }] }] }
scrape_configs:
  - { job_name: shop, static_configs: [{ targets: ['127.0.0.1:${port}'] }] }
`,
  );
  const route = { matchers: ['job=~".*"'], receiver: 'firedrill', url: `http://${listen}/webhook` };
  const text = listen === undefined ? undefined : drillRouteText(route);
  const drill = parse(text ?? '{ route: { routes: [] }, receivers: [] }') as {
    route: { routes: unknown[] };
    receivers: unknown[];
  };
  const config = {
    route: { receiver: 'oncall', group_wait: '0s', ...drill.route },
    receivers: [{ name: 'oncall', webhook_configs: [{ url }] }, ...drill.receivers],
  };
  write('alertmanager.yml', JSON.stringify(config));
  const at = (which: keyof typeof ports): string => `127.0.0.1:${ports[which]}`;
  const options = { cwd: folder, stdio: 'ignore' as const };
  const alertmanager = requireTool('alertmanager');
  const flags = ['--storage.path=am', '--cluster.listen-address='];
  const own = ['--config.file=alertmanager.yml', `--web.listen-address=${at('alertmanager')}`];
  started(spawn(alertmanager, [...own, ...flags], options));
  const files = ['--config.file=prometheus.yml', '--storage.tsdb.path=data'];
  const web = [`--web.listen-address=${at('prometheus')}`, '--rules.alert.resend-delay=1s'];
  started(spawn(requireTool('prometheus'), [...files, ...web], options));
  const urls = {
    prometheus: `http://${at('prometheus')}`,
    alertmanager: `http://${at('alertmanager')}`,
  };
  let up = false;
  const asking = setInterval(() => {
    const ready = fetch(`${urls.prometheus}/api/v1/query?query=shop_requests_total`);
    void Promise.all([ready.then((r) => r.text()), fetch(`${urls.alertmanager}/-/ready`)]).then(
      ([answer]) => (up ||= answer.includes('shop_requests_total')),
      () => undefined,
    );
  }, 200);
  ending.push(() => clearInterval(asking));
  await until(() => up, 60_000, 'Prometheus has scraped the shop');
  clearInterval(asking);
  write(
    'firedrill.yaml',
    readFileSync(join(folder, 'firedrill.yaml'), 'utf8').replaceAll('PORT', port),
  );
  write(
    'broken.yaml',
    readFileSync(join(folder, 'broken.yaml'), 'utf8')
      .replace('baseline: 6m', 'baseline: 2s')
      .replace('atLeast: 8m, atMost: 40m', 'atLeast: 3s, atMost: 40s')
      .replace('recovery: 60m', 'recovery: 40s')
      .replace('for: 60m', 'for: 60s')
      .replace('within: 30m, resolveWithin: 60m', 'within: 30s, resolveWithin: 40s'),
  );
  return { folder, ...urls, told };
}

const run = (folder: string, ...more: string[]): Drill =>
  firedrill(folder, 'gameday', 'run', '--load', 'embedded', ...more);

const withBoth = testWith('prometheus', 'alertmanager');

withBoth(
  'at a route of its own: judged where a pager would be, and nobody is woken',
  async () => {
    const listen = `127.0.0.1:${await freePort()}`;
    const { folder, told, ...at } = await rig(listen);
    const where = ['--prometheus', at.prometheus, '--alertmanager', at.alertmanager];
    const drill = run(folder, ...where, '--listen', listen);
    const { code, output } = await drill.ended;
    expect([output, code]).toEqual([expect.stringContaining('ShopErrors'), 0]);
    const { measurement, scenarios, timeScale } = drill.record();
    expect(measurement).toMatchObject({
      judgedAt: 'at a webhook route of the Alertmanager that leads to the drill',
      toldBesides: [],
      why: `asked at ${at.prometheus}, and not changed`,
    });
    expect(timeScale.factor).toBe(1);
    expect(scenarios[0]?.expectations[0]).toMatchObject({ name: 'ShopErrors', inTime: true });
    expect(told()).toBe(0);
  },
  limitMs,
);

withBoth(
  "without a route: by Alertmanager's API, and it is said who was notified",
  async () => {
    const { folder, told, ...at } = await rig();
    const where = ['--prometheus', at.prometheus, '--alertmanager', at.alertmanager];
    const drill = run(folder, ...where);
    const { code, output } = await drill.ended;
    expect([output, code]).toEqual([expect.stringContaining('ShopErrors'), 0]);
    const { measurement, scenarios } = drill.record();
    expect(measurement.judgedAt).toMatch(/^at Alertmanager's API/);
    expect(measurement.toldBesides).toEqual(['oncall']);
    expect(scenarios[0]?.expectations[0]).toMatchObject({ name: 'ShopErrors', inTime: true });
    expect(told()).toBeGreaterThan(0);
    const html = readFileSync(join(folder, 'gameday-report', 'index.html'), 'utf8');
    expect(html).toContain('Also routed to: oncall');
    // A time scale cannot be applied to an existing Prometheus.
    const scaled = run(folder, ...where, '--time-scale', '1/240');
    expect(await scaled.ended).toMatchObject({
      code: 2,
      output: expect.stringContaining('knows production time alone') as string,
    });
  },
  limitMs,
);

test('what Prometheus alone says is told once when it fires, and once when it ends', async () => {
  const clock = new SimulatedClock();
  const told: string[] = [];
  const alert = (state: 'pending' | 'firing') => {
    const labels = { alertname: 'A' };
    return { state, labels, annotations: {}, activeAtMs: 5, value: 1 };
  };
  let active = [alert('pending')];
  const sink = {
    take: ({ alerts }: { alerts: { status: string; labels: Record<string, string> }[] }) =>
      void told.push(...alerts.map((a) => `${a.status} ${a.labels.alertname}`)),
  };
  const seeing = new Seeing(undefined, () => Promise.resolve(active), sink, clock);
  await seeing.look();
  active = [alert('firing')];
  await seeing.look();
  await seeing.look();
  active = [];
  await seeing.look();
  expect(told).toEqual(['firing A', 'resolved A']);
});

test('a token goes with each question; what cannot be read is named', async () => {
  const seen: (string | undefined)[] = [];
  const server = createServer((request, response) => {
    seen.push(`${request.method} ${request.headers.authorization}`);
    response.writeHead(request.headers.authorization === 'Bearer s3cret' ? 200 : 401).end('{}');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  ending.push(() => server.close());
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const folder = drillFolder();
  const bearerFile = join(folder, 'token');
  writeFileSync(bearerFile, 's3cret\n');
  const ask = fetchWith(readAccess('the Prometheus', { url: `${url}/`, bearerFile }));
  const answer = await ask(`${url}/x`, { method: 'POST', body: new URLSearchParams({ a: '1' }) });
  expect([answer.status, seen]).toEqual([200, ['POST Bearer s3cret']]);
  expect(() => readAccess('the Prometheus', { url, ca: join(folder, 'none') })).toThrow(/ENOENT/);
  expect(() => readAccess('the Prometheus', { url, cert: bearerFile })).toThrow('expected both');
  expect(() => readAccess('the Prometheus', { url: 'ftp://x' })).toThrow('such as http://');
});

test('a route without a matcher would take real alerts too: refused', () => {
  const route = { receiver: 'firedrill', url: 'http://127.0.0.1:9099/webhook' };
  expect(() => drillRouteText({ ...route, matchers: [] })).toThrow('every alert would go');
  expect(() => drillRouteText({ ...route, matchers: ['namespace staging'] })).toThrow();
  const text = drillRouteText({ ...route, matchers: ['namespace="staging"'] });
  expect(parse(text)).toMatchObject({
    route: { routes: [{ receiver: 'firedrill', matchers: ['namespace="staging"'] }] },
    receivers: [{ name: 'firedrill', webhook_configs: [{ send_resolved: true }] }],
  });
});
