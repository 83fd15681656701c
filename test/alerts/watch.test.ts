/** The real watch: a fault at a target becomes a notification at the receiver, and resolves. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { sleep } from '../../base/clock.js';
import { findTool } from '../../base/tools.js';
import { startWatch, type Watch, type WatchKind } from '../../alerts/watch/index.js';
import { versionText } from '../../alerts/watch/prometheus-api.js';
import type { RuleGroup } from '../../slo/index.js';
import { testWith } from '../tools.js';

const groups: RuleGroup[] = [
  {
    name: 'shop',
    rules: [
      { kind: 'record', record: 'job:broken:max', expr: 'max by (job) (broken)', labels: {} },
      {
        kind: 'alert',
        alert: 'Broken',
        expr: 'job:broken:max > 0',
        forMs: 500,
        keepFiringForMs: 0,
        labels: { severity: 'page' },
        annotations: { summary: '{{ $labels.job }} is broken by {{ $value | humanize }}' },
      },
      {
        kind: 'alert',
        alert: 'TargetDown',
        expr: 'up == 0',
        forMs: 0,
        keepFiringForMs: 0,
        labels: { severity: 'ticket' },
        annotations: {},
      },
    ],
  },
];

/** A target over HTTP whose state the test sets. */
class Shop {
  broken = 0;
  answers = true;
  readonly server = createServer((_, response) => {
    if (this.answers) response.end(`# TYPE broken gauge\nbroken{part="a\\"b"} ${this.broken}\n`);
    else response.writeHead(500).end();
  });
  async url(): Promise<string> {
    await new Promise<void>((resolve) => this.server.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}/metrics`;
  }
}

async function until(what: string, ask: () => boolean | Promise<boolean>): Promise<void> {
  for (let i = 0; i < 400; i++) {
    if (await ask()) return;
    await sleep(50);
  }
  throw new Error(`${what}: not within 20 s`);
}

const present = (kind: WatchKind): boolean =>
  kind === 'embedded' ||
  (findTool('prometheus') !== undefined && findTool('alertmanager') !== undefined);

const kinds: [WatchKind, ReturnType<typeof testWith>][] = [
  ['prometheus', testWith('prometheus', 'alertmanager')],
  ['embedded', testWith()],
];

describe.each(kinds)('%s', (kind, test) => {
  const shop = new Shop();
  let watch: Watch;

  beforeAll(async () => {
    if (!present(kind)) return;
    watch = await startWatch(kind, {
      targets: [{ job: 'shop', instance: 'one', url: await shop.url() }],
      groups,
      scrapeIntervalMs: 200,
      evaluationIntervalMs: 200,
    });
  });
  afterAll(async () => {
    await watch?.stop();
    shop.server.closeAllConnections();
    shop.server.close();
  });

  const firing = (alert: string, status: string): boolean =>
    watch.notifications.some((n) => n.labels.alertname === alert && n.status === status);

  test('a fault is pending, then fires at the receiver, then resolves', async () => {
    await until('scraped', async () => (await watch.query('up == 1')).length > 0);
    expect(watch.notifications).toEqual([]);
    const faultMs = Date.now();
    shop.broken = 1500;
    await until('active', async () => (await watch.alerts()).some((a) => a.value === 1500));
    await until('firing', () => firing('Broken', 'firing'));
    const [page] = watch.notifications;
    expect(page).toMatchObject({
      status: 'firing',
      labels: { alertname: 'Broken', job: 'shop', severity: 'page' },
      annotations: { summary: 'shop is broken by 1.5k' },
    });
    expect(page?.receivedMs).toBeGreaterThanOrEqual(faultMs + 500);
    shop.broken = 0;
    await until('resolved', () => firing('Broken', 'resolved'));
    expect(watch.notifications).toHaveLength(2);
    const [series] = await watch.queryRange(
      'ALERTS{alertname="Broken",alertstate="firing"}',
      faultMs,
      Date.now(),
      100,
    );
    expect(series?.points.length).toBeGreaterThan(0);
    expect(series?.labels).toMatchObject({ job: 'shop', severity: 'page' });
  });

  test('a target that answers no more is down, and what it exposed is gone', async () => {
    shop.answers = false;
    await until('down', () => firing('TargetDown', 'firing'));
    expect(await watch.query('broken')).toEqual([]);
    shop.answers = true;
    await until('up again', () => firing('TargetDown', 'resolved'));
    expect((await watch.query('broken'))[0]?.labels).toMatchObject({
      part: 'a"b',
      instance: 'one',
    });
  });
});

test('a program that does not know its version is said to be of an unknown one', () => {
  expect(['3.16.0', '', undefined].map(versionText)).toEqual([
    '3.16.0',
    'of an unknown version',
    'of an unknown version',
  ]);
});
