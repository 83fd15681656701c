/**
 * A user's alertmanager.yml under test, real and embedded: one table of notifications, their protocols and reasons.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect } from 'vitest';
import { type Notification, startWatch, type Watch } from '../../alerts/watch/index.js';
import { sleep } from '../../base/clock.js';
import { findTool } from '../../base/tools.js';
import type { RuleGroup } from '../../slo/index.js';
import { testWith } from '../tools.js';

const config = `
global:
  smtp_from: alerts@shop.example
  smtp_smarthost: mail.shop.example:587
  smtp_auth_username: alerts
  smtp_auth_password: a-secret
  slack_api_url: https://hooks.slack.example/services/T0/a-secret
  opsgenie_api_key: a-secret
  resolve_timeout: 5m
templates: [own*.tmpl, none*.tmpl]
route:
  receiver: everybody
  group_by: [alertname, service]
  group_wait: 12s
  group_interval: 1m
  routes:
    - matchers: [team = "audit"]
      receiver: audit
      continue: true
    - match: { team: payments }
      receiver: payments-chat
      routes:
        - matchers: ['severity="page"']
          receiver: payments-oncall
    - match_re: { team: 'cart|audit' }
      receiver: cart-oncall
    - matchers: [team="night"]
      receiver: night
      mute_time_intervals: [every-minute]
    - matchers: [team="day"]
      receiver: day
      active_time_intervals: [long-ago]
    - matchers: [team="lost"]
      receiver: nobody
    - matchers: [team="chat"]
      receiver: chat
    - matchers: [team="quiet"]
      receiver: quiet
inhibit_rules:
  - source_matchers: [alertname="ZoneDown"]
    target_matchers: [severity="page"]
    equal: [zone]
time_intervals:
  - name: every-minute
    time_intervals: [{ times: [{ start_time: '00:00', end_time: '24:00' }] }]
  - name: long-ago
    time_intervals: [{ years: ['1999'] }]
receivers:
  - name: everybody
    webhook_configs: [{ url: 'https://pager.shop.example/hook?token=a-secret' }]
  - name: audit
    email_configs: [{ to: 'audit@shop.example, boss@shop.example', send_resolved: true }]
  - name: payments-chat
    slack_configs: [{ channel: '#payments', send_resolved: true }]
  - name: payments-oncall
    pagerduty_configs:
      - { routing_key_file: /none/of/our/business, severity: critical, details: { own: 'x' } }
    slack_configs: [{ channel: '#payments-pages' }]
  - name: cart-oncall
    opsgenie_configs: [{ priority: P2, responders: [{ name: cart, type: team }] }]
  - name: night
    webhook_configs: [{ url_file: /none/of/our/business }]
  - name: day
    webhook_configs: [{ url: 'http://pager.shop.example/' }]
  - name: nobody
  - name: quiet
    webhook_configs: [{ url: 'http://pager.shop.example/', send_resolved: false }]
  - name: chat
    telegram_configs: [{ bot_token: a-secret, chat_id: 1 }]
`;

/** The firing alerts, one for each rule, by the team that owns them. */
const alarms: Record<string, Record<string, string>> = {
  PaymentErrors: { team: 'payments', severity: 'page', service: 'payment' },
  PaymentSlow: { team: 'payments', severity: 'ticket', service: 'payment' },
  CartErrors: { team: 'cart', severity: 'page', service: 'cart' },
  Changed: { team: 'audit', severity: 'ticket' },
  AtNight: { team: 'night', severity: 'page' },
  ByDay: { team: 'day', severity: 'page' },
  Unrouted: { severity: 'page' },
  Lost: { team: 'lost', severity: 'page' },
  Chat: { team: 'chat', severity: 'page' },
  Quiet: { team: 'quiet', severity: 'page' },
  ZoneDown: { team: 'ops', severity: 'ticket', zone: 'a' },
  InZone: { team: 'payments', severity: 'page', zone: 'a', note: 'says "é" \\ \n' },
  Never: { team: 'payments', severity: 'page' },
};

/** The expected notifications with their protocols: the same for the real Alertmanager and the embedded one. */
const table = [
  'Changed: audit by email to audit@shop.example, boss@shop.example',
  'Changed: cart-oncall by opsgenie P2',
  'CartErrors: cart-oncall by opsgenie P2',
  'Chat: chat by webhook',
  'PaymentErrors: payments-oncall by pagerduty critical',
  'PaymentErrors: payments-oncall by slack to #payments-pages',
  'PaymentSlow: payments-chat by slack to #payments',
  'Quiet: quiet by webhook',
  'Unrouted: everybody by webhook',
  'ZoneDown: everybody by webhook',
];

const groups: RuleGroup[] = [
  {
    name: 'alarms',
    rules: Object.entries(alarms).map(([alert, labels]) => ({
      kind: 'alert',
      alert,
      expr: `alarm{name="${alert}"} == 1`,
      forMs: alert === 'Never' ? 3_600_000 : 0,
      // The inhibiting alert ends last; otherwise the inhibited one might be notified in between.
      keepFiringForMs: alert === 'ZoneDown' ? 3_000 : 0,
      labels,
      annotations: { summary: 'over {{ $value }} of "all"' },
    })),
  },
  {
    name: 'others',
    rules: [
      {
        kind: 'record',
        record: 'latency:ratio',
        expr: 'rate(response_latency_bucket[1m])',
        labels: {},
      },
      {
        kind: 'alert',
        alert: 'Slow',
        expr: 'latency:ratio > 0.1',
        forMs: 0,
        keepFiringForMs: 0,
        labels: {},
        annotations: {},
      },
    ],
  },
];

async function until(what: string, ask: () => boolean): Promise<void> {
  for (let i = 0; i < 600; i++) {
    if (ask()) return;
    await sleep(50);
  }
  throw new Error(`${what}: not within 30 s`);
}

const shown = (n: Notification): string =>
  `${n.labels.alertname}: ${n.receiver} by ${n.integration}` +
  `${n.priority === undefined ? '' : ` ${n.priority}`}` +
  `${n.integration === 'email' || n.integration === 'slack' ? ` to ${n.to}` : ''}`;

const folder = mkdtempSync(join(tmpdir(), 'firedrill-own-am-'));
const file = join(folder, 'alertmanager.yml');
writeFileSync(file, config);
writeFileSync(join(folder, 'own.tmpl'), '{{ define "own" }}own{{ end }}');
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const dedupKeys = new Map<string, Set<string | undefined>>();

describe.each([
  ['prometheus', testWith('prometheus', 'alertmanager')],
  ['embedded', testWith()],
] as const)('%s', (kind, test) => {
  let firing = false;
  const server = createServer((_, response) => {
    const on = Object.keys(alarms).map((name) => `alarm{name="${name}"} ${firing ? 1 : 0}\n`);
    response.setHeader('content-type', 'text/plain; version=0.0.4').end(on.join(''));
  });
  let watch: Watch | undefined;
  const said: string[] = [];

  beforeAll(async () => {
    const there = kind === 'embedded' || findTool('alertmanager') !== undefined;
    if (!there) return;
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    watch = await startWatch(kind, {
      targets: [
        { job: 'a', url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/metrics` },
      ],
      groups,
      scrapeIntervalMs: 200,
      evaluationIntervalMs: 200,
      alertmanager: { file, timeScale: 1 / 60 },
      say: (line) => said.push(line),
    });
  });
  afterAll(async () => {
    await watch?.stop();
    server.closeAllConnections();
    server.close();
  });

  test('each receiver is notified in its own protocol, and no other is', async () => {
    const { notifications } = watch!;
    firing = true;
    const told = (status: string): string[] => [
      ...new Set(notifications.filter((n) => n.status === status).map(shown)),
    ];
    await until('told', () => told('firing').length >= table.length);
    await sleep(1500);
    expect(told('firing').sort()).toEqual([...table].sort());
    const page = notifications.find((n) => n.integration === 'pagerduty')!;
    expect(page.annotations).toEqual({ summary: 'over 1 of "all"' });
    expect(page.labels).toMatchObject({ alertname: 'PaymentErrors', service: 'payment', job: 'a' });
    expect(page.dedupKey).toMatch(/^[0-9a-f]{64}$/);
    for (const n of notifications) {
      const key = `${n.receiver} ${n.integration} ${n.labels.alertname}`;
      dedupKeys.set(key, (dedupKeys.get(key) ?? new Set()).add(n.dedupKey));
    }
  });

  test('an alert without a notification has the state in which it stopped', async () => {
    const stand = async (alertname: string, receiver?: string) =>
      watch!.standing!({ alertname }, receiver);
    expect(await stand('PaymentErrors', 'payments-oncall')).toMatchObject({ state: 'notified' });
    expect(await stand('InZone')).toMatchObject({ state: 'inhibited' });
    expect((await stand('InZone')).by).toContain('ZoneDown');
    expect(await stand('AtNight')).toMatchObject({ state: 'muted', receivers: ['night'] });
    expect((await stand('AtNight')).by).toContain('every-minute');
    expect(await stand('ByDay')).toMatchObject({ state: 'muted' });
    expect((await stand('ByDay')).by).toContain('long-ago');
    expect(await stand('Lost')).toMatchObject({ state: 'routed-elsewhere', receivers: ['nobody'] });
    expect(await stand('CartErrors', 'payments-oncall')).toMatchObject({
      state: 'routed-elsewhere',
      receivers: ['cart-oncall'],
    });
    expect(await stand('Never')).toMatchObject({ state: 'pending' });
    expect(await stand('NoSuchAlert')).toMatchObject({ state: 'no-rule' });
    const slow = await stand('Slow');
    expect(slow).toMatchObject({ state: 'no-data' });
    expect(slow.by).toContain('response_latency_bucket');
    expect((await stand('Lost')).firedAtMs).toBeGreaterThan(0);
  });

  test('receivers with send_resolved are notified of resolved alerts', async () => {
    firing = false;
    const { notifications } = watch!;
    const resolved = (): string[] => [
      ...new Set(notifications.filter((n) => n.status === 'resolved' && !n.untold).map(shown)),
    ];
    // Slack and email send resolved alerts only with send_resolved, the others unless it is false.
    const wanted = table.filter((row) => !/#payments-pages|Quiet/.test(row)).map(withoutDetails);
    await until('resolved', () => resolved().length >= wanted.length);
    await sleep(1000);
    expect(resolved().map(withoutDetails).sort()).toEqual(wanted.sort());
    // The end is nevertheless known, from the rules.
    const untold = () => notifications.filter((n) => n.untold).map((n) => n.labels.alertname);
    await until('ended', () => untold().length > 0);
    expect(untold()).toEqual(['Quiet']);
    expect(await watch!.trouble?.()).toBeUndefined();
    expect(said.join('\n')).toMatch(/time intervals \(every-minute, long-ago\) .* not scaled/);
    expect(said.join('\n')).toContain('chat: a webhook stands in for its telegram');
    expect(said.join('\n')).toContain('none*.tmpl matches no file');
  });
});

testWith('prometheus', 'alertmanager')(
  'a Prometheus that ends is trouble with a name',
  async () => {
    const watch = await startWatch('prometheus', {
      targets: [],
      groups,
      scrapeIntervalMs: 200,
      evaluationIntervalMs: 200,
    });
    try {
      expect(await watch.trouble!()).toBeUndefined();
      const address = `--web.listen-address=${new URL(watch.url!).host}`;
      const own = readdirSync('/proc').filter((name) => isRunning(name, address));
      expect(own.length).toBeGreaterThan(0);
      for (const pid of own) process.kill(Number(pid), 'SIGKILL');
      let trouble: string | undefined;
      for (let i = 0; i < 100 && trouble === undefined; i++) {
        trouble = await watch.trouble!();
        await sleep(50);
      }
      expect(trouble).toMatch(/^Prometheus (ended|does not answer)/);
    } finally {
      await watch.stop();
    }
  },
);

/** Looks for the program itself, not for its guardian. */
function isRunning(name: string, argument: string): boolean {
  if (!/^\d+$/.test(name)) return false;
  try {
    const words = readFileSync(`/proc/${name}/cmdline`, 'utf8').split('\0');
    return !words[0]!.includes('node') && words.includes(argument);
  } catch {
    return false;
  }
}

/** OpsGenie closes an incident by the alias alone. */
const withoutDetails = (row: string): string => row.replace(/ P2$/, '');

testWith('prometheus', 'alertmanager')('both name an incident alike', () => {
  for (const [key, seen] of dedupKeys) expect([key, seen.size]).toEqual([key, 1]);
  expect(readFileSync(file, 'utf8')).toBe(config);
});
