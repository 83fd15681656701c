/** The compiled configuration in a real Alertmanager with a receiver: which alerts are notified, and which are not. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect } from 'vitest';
import { AlertmanagerApi } from '../../alerts/routing/alertmanager-api.js';
import { compileRouting, configText } from '../../alerts/routing/compile.js';
import { readRoutingText } from '../../alerts/routing/declaration.js';
import { decide } from '../../alerts/routing/evaluate.js';
import { freePort } from '../../alerts/watch/prometheus.js';
import { type GuardedChild, startGuarded } from '../../base/child.js';
import { sleep } from '../../base/clock.js';
import { program } from '../../base/paths.js';
import { findTool } from '../../base/tools.js';
import { testWith } from '../tools.js';

interface Message {
  receiver: string;
  status: string;
  groupLabels: Record<string, string>;
  alerts: { status: string; labels: Record<string, string> }[];
}

const cooldownMs = 500;

const declaration = (url: string): string => `apiVersion: firedrill.dev/v1
kind: AlertRouting
default: platform
schedules: { always: [{ days: 'sunday:saturday' }] }
severities:
  page: { wait: 200ms, cooldown: ${cooldownMs}ms, repeat: 1h }
  muted: { wait: 200ms, cooldown: ${cooldownMs}ms, repeat: 1h, except: always }
teams:
  - name: platform
    notify:
      page: [{ webhook: { url: '${url}' } }]
      muted: [{ webhook: { url: '${url}' } }]
  - name: shop
    notify:
      page: [{ webhook: { url: '${url}' } }]
      muted: [{ webhook: { url: '${url}' } }]
`;

describe('A3: on a real Alertmanager', () => {
  const test = testWith('alertmanager');
  const folder = mkdtempSync(join(tmpdir(), 'firedrill-am-'));
  const messages: Message[] = [];
  let sink: Server;
  let alertmanager: GuardedChild | undefined;
  let url = '';
  let api: AlertmanagerApi;
  let config = compileRouting(readRoutingText('r.yaml', declaration('http://127.0.0.1:1')));

  beforeAll(async () => {
    const path = findTool('alertmanager');
    if (path === undefined) return;
    sink = createServer((request, response) => {
      let body = '';
      request.setEncoding('utf8').on('data', (chunk: string) => (body += chunk));
      request.on('end', () => {
        messages.push(JSON.parse(body) as Message);
        response.end();
      });
    });
    await new Promise<void>((resolve) => sink.listen(0, '127.0.0.1', resolve));
    const hook = `http://127.0.0.1:${(sink.address() as AddressInfo).port}/hook`;
    config = compileRouting(readRoutingText('r.yaml', declaration(hook)));
    const file = join(folder, 'alertmanager.yaml');
    writeFileSync(file, configText(config));
    const port = await freePort();
    url = `http://127.0.0.1:${port}`;
    api = new AlertmanagerApi(url);
    alertmanager = startGuarded('alertmanager', path, [
      `--config.file=${file}`,
      `--storage.path=${join(folder, 'data')}`,
      `--web.listen-address=127.0.0.1:${port}`,
      '--cluster.listen-address=',
      '--log.level=error',
    ]);
    await until(
      'ready',
      async () => (await fetch(`${url}/-/ready`).catch(() => undefined))?.ok === true,
    );
  });

  afterAll(async () => {
    await alertmanager?.stop();
    sink?.close();
    sink?.closeAllConnections();
    rmSync(folder, { recursive: true, force: true });
  });

  async function until(what: string, ask: () => boolean | Promise<boolean>): Promise<void> {
    for (let i = 0; i < 400; i++) {
      if (await ask()) return;
      await sleep(50);
    }
    throw new Error(`${what}: not within 20 s`);
  }

  /** Sends alerts as a Prometheus does; an `endsAt` in the past resolves them. */
  async function fire(...alerts: Record<string, string>[]): Promise<void> {
    await post(alerts.map((labels) => ({ labels })));
  }
  const resolve = (...alerts: Record<string, string>[]): Promise<void> =>
    post(alerts.map((labels) => ({ labels, endsAt: new Date(Date.now() - 1).toISOString() })));
  async function post(body: unknown): Promise<void> {
    const response = await fetch(`${url}/api/v2/alerts`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    expect(response.status).toBe(200);
  }

  const about = (service: string): Message[] =>
    messages.filter((m) => m.groupLabels.service === service);
  const names = (message: Message | undefined): string[] =>
    (message?.alerts ?? []).map((a) => `${a.labels.alertname} ${a.status}`).sort();
  const cli = (...args: string[]) =>
    spawnSync(process.execPath, [program('cli'), 'alerts', ...args], { encoding: 'utf8' });

  /** Waits for the notification of a later alert in its own group; until then an unwanted one could have arrived. */
  let marks = 0;
  async function chance(): Promise<void> {
    const service = `mark-${marks++}`;
    await sleep(2 * cooldownMs);
    await fire({ alertname: 'Mark', severity: 'page', owner: 'platform', service });
    await until(service, () => about(service).length > 0);
  }

  test('alerts of a service in a region are one message, those of another region another', async () => {
    const base = { severity: 'page', owner: 'shop', service: 'cart' };
    await fire(
      { ...base, alertname: 'A', region: 'eu' },
      { ...base, alertname: 'B', region: 'eu' },
      { ...base, alertname: 'A', region: 'us' },
    );
    await until('two messages', () => about('cart').length >= 2);
    const eu = about('cart').filter((m) => m.groupLabels.region === 'eu');
    expect(eu.map(names)).toEqual([['A firing', 'B firing']]);
    expect(eu[0]?.receiver).toBe('shop-page');
    expect(
      about('cart')
        .filter((m) => m.groupLabels.region === 'us')
        .map(names),
    ).toEqual([['A firing']]);
  });

  test('the same alert from two Prometheus replicas, again and again, is notified once', async () => {
    const alert = { alertname: 'Twice', severity: 'page', owner: 'shop', service: 'twice' };
    await fire(alert);
    await until('a message', () => about('twice').length > 0);
    for (let i = 0; i < 4; i++) await fire(alert, alert);
    await chance();
    expect(about('twice').map(names)).toEqual([['Twice firing']]);
  });

  test('a resolved alert is notified as resolved; flapping within the cooldown does not notify each time', async () => {
    const alert = { alertname: 'Flap', severity: 'page', owner: 'shop', service: 'flap' };
    await fire(alert);
    await until('fired', () => about('flap').length === 1);
    for (let i = 0; i < 5; i++) {
      await resolve(alert);
      await fire(alert);
    }
    await resolve(alert);
    await until('resolved', () => about('flap').at(-1)?.status === 'resolved');
    await chance();
    expect(about('flap').length).toBeLessThanOrEqual(3);
    expect(names(about('flap').at(-1))).toEqual(['Flap resolved']);
  });

  test("the control plane's page hides its consequences, by the library's rules, as we foretell", async () => {
    const base = { severity: 'page', owner: 'platform', service: 'mesh-i' };
    const cause = { ...base, alertname: 'MeshControlPlaneDown' };
    const effect = { ...base, alertname: 'MeshProxiesDisconnected' };
    await fire(cause, effect);
    await until('a message', () => about('mesh-i').length > 0);
    await chance();
    expect(about('mesh-i').map(names)).toEqual([['MeshControlPlaneDown firing']]);
    const found = (await api.alerts()).find((a) => a.labels.alertname === effect.alertname);
    expect(found?.status.inhibitedBy).toHaveLength(1);
    const around = { atMs: Date.now(), firing: [cause], silences: [] };
    expect(decide(config, effect, around)).toMatchObject({ told: [], inhibited: { by: cause } });
    // After the cause has ended, the consequence is notified.
    await resolve(cause);
    await until('told', () =>
      about('mesh-i').some((m) => names(m).includes('MeshProxiesDisconnected firing')),
    );
  });

  test('a slow network hides the burn behind it, and only there', async () => {
    const network = {
      alertname: 'MeshNetworkThrottled',
      severity: 'page',
      owner: 'platform',
      service: 'pay',
    };
    const burn = (service: string) => ({
      alertname: 'Burn',
      severity: 'page',
      owner: 'shop',
      service,
      slo: `${service}-latency`,
    });
    await fire(network);
    await until('the cause', () => about('pay').length > 0);
    await fire(burn('pay'), burn('search'));
    await until('the other', () => about('search').length > 0);
    await chance();
    expect(about('pay').map(names)).toEqual([['MeshNetworkThrottled firing']]);
  });

  test('a muted severity is not notified, and the reason is given', async () => {
    const alert = { alertname: 'Quiet', severity: 'muted', owner: 'shop', service: 'quiet' };
    await fire(alert);
    await chance();
    expect(about('quiet')).toEqual([]);
    const [delivery] = decide(config, alert, {
      atMs: Date.now(),
      firing: [],
      silences: [],
    }).deliveries;
    expect(delivery).toMatchObject({ receiver: 'shop-muted', mutedBy: 'within always' });
  });

  test('silence: created, listed, explained, expired', async () => {
    const alert = { alertname: 'Loud', severity: 'page', owner: 'shop', service: 'loud' };
    const at = ['--alertmanager', url];
    const made = cli(
      'silence',
      'create',
      ...at,
      '-m',
      'service=loud',
      '-c',
      'new disks',
      '--author',
      'me',
      '-d',
      '10m',
    );
    expect([made.status, made.stderr]).toEqual([0, '']);
    const id = made.stdout.split(' ')[0] as string;
    await fire(alert);
    await chance();
    expect(about('loud')).toEqual([]);
    expect(cli('silence', 'list', ...at).stdout).toMatch(
      new RegExp(`${id} +active .* service="loud" +new disks`),
    );
    const labels = Object.entries(alert)
      .map(([k, v]) => `${k}=${v}`)
      .join(',');
    const file = join(folder, 'alertmanager.yaml');
    const why = cli('route', '--config', file, '--labels', labels, ...at);
    expect(why.stdout).toContain(`by me: new disks (${id})`);
    expect(cli('silence', 'expire', id, ...at).status).toBe(0);
    await until('told', () => about('loud').length > 0);
    expect(names(about('loud')[0])).toEqual(['Loud firing']);
    expect(cli('silence', 'expire', '00000000-0000-0000-0000-000000000000', ...at).status).not.toBe(
      0,
    );
  }, 60_000);

  test('silence plan makes the silences those of a calendar, and again changes nothing', async () => {
    const calendar = (minutes: number): string => {
      const from = new Date(Date.now() + 3_600_000);
      from.setUTCSeconds(0, 0);
      const to = new Date(from.getTime() + minutes * 60_000);
      return `apiVersion: firedrill.dev/v1
kind: MaintenanceCalendar
windows:
  - name: disks
    why: new disks
    owner: team-shop
    match: ['service="plan"']
    from: ${from.toISOString()}
    to: ${to.toISOString()}
  - { name: weekly, why: restarts, owner: platform, match: ['alertname="Down"'], every: { at: '02:00', for: 1h } }
`;
    };
    const file = join(folder, 'calendar.yaml');
    const run = (...more: string[]) =>
      cli('silence', 'plan', file, '--alertmanager', url, '--window', '3d', ...more)
        .stdout.trim()
        .split('\n')
        .at(-1);
    const text = calendar(30);
    writeFileSync(file, text);
    expect(run('--dry-run')).toMatch(/^[45] created, 0 expired, 0 kept \(nothing was changed\)$/);
    const first = run();
    expect(first).toMatch(/^[45] created, 0 expired, 0 kept$/);
    expect(run()).toMatch(/^0 created, 0 expired, [45] kept$/);
    writeFileSync(file, text.replace('new disks', 'newer disks'));
    expect(run()).toMatch(/^1 created, 1 expired, [34] kept$/);
    const states = (await api.silences()).filter((s) => s.comment.includes('[calendar disks]'));
    expect(states.map((s) => s.status?.state).sort()).toEqual(['expired', 'pending']);
  }, 60_000);

  test.each([
    [['-m', 'service=~".+"', '-c', 'all of it'], 'this would silence everything'],
    [['-c', 'all of it'], 'this would silence everything'],
    [['-m', 'service', '-c', 'all of it'], 'the matcher service'],
    [['-m', 'service=a', '-c', ' '], '--comment is empty'],
    [['-m', 'service=a', '-c', 'disks', '-d', '30d'], 'at most 7d'],
    [['-m', 'service=a', '-c', 'disks', '--from', 'soon'], '--from soon'],
    [['-m', 'service=~"("', '-c', 'disks'], 'the matcher service=~'],
  ])('silence create %j', (args, words) => {
    const result = cli('silence', 'create', '--alertmanager', url, '--author', 'me', ...args);
    expect(result.status).toBe(2);
    expect(result.stderr).toContain(words);
  });
});
