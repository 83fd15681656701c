/** The page does not claim more than it knows: another clock, a Stop that was refused, alerts on no way to anybody. */
import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, expect } from 'vitest';
import { freePorts } from '../../base/ports.js';
import { findTool } from '../../base/tools.js';
import { startConsole } from '../../console/server.js';
import { drillsOf, sourcesOf } from '../../console/sources.js';
import type { DrillEvent } from '../../runbooks/events.js';
import { testWith } from '../tools.js';

let browser: Browser | undefined;
let folder: string;
const closing: (() => unknown)[] = [];
beforeAll(async () => {
  const executablePath = findTool('chromium');
  if (executablePath === undefined) return;
  browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu'] });
});
afterAll(() => browser?.close());
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'firedrill-truth-'));
  closing.push(() => rmSync(folder, { recursive: true, force: true }));
});
afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close();
});

const own = () => ({ report: folder, state: join(folder, 'state') });
const lines = (events: readonly DrillEvent[]): string =>
  events.map((e) => `${JSON.stringify(e)}\n`).join('');

async function opened(
  sources: Parameters<typeof sourcesOf>[0],
  skewMs = 0,
  context: Pick<Browser, 'newPage'> = browser as Browser,
): Promise<Page> {
  let address = '';
  const running = await startConsole({
    folder,
    port: 0,
    ...sourcesOf(sources),
    drills: drillsOf(sources),
    onAddress: (at) => (address = at),
  });
  closing.push(() => running.close());
  const page = await context.newPage();
  closing.push(() => page.close());
  page.on('dialog', (dialog) => void dialog.accept());
  await page.addInitScript(`const now = Date.now.bind(Date); Date.now = () => now() + ${skewMs}`);
  await page.goto(address);
  return page;
}

/** A drill whose fault began a moment ago, and whose alert is awaited for a minute. */
function begun(): DrillEvent[] {
  const atMs = Date.now();
  const own1 = { atMs, scenario: 's' } as const;
  return [
    { kind: 'day', atMs, state: 'started', title: 'Carts', scenarios: ['s'] },
    { kind: 'scenario', ...own1, state: 'started', title: 'Dead cart' },
    { kind: 'fault', ...own1, id: 'f', fault: 'kill', target: 'cart', state: 'put' },
    { kind: 'fault', ...own1, id: 'f', fault: 'kill', target: 'cart', state: 'confirmed' },
    {
      kind: 'expectation',
      ...own1,
      alert: 'CartErrors',
      severity: 'page',
      labels: {},
      state: 'armed',
      deadlineAtMs: atMs + 60_000,
    },
  ] as DrillEvent[];
}

testWith('chromium')(
  'a browser whose clock is wrong shows the times of the drill',
  async () => {
    for (const skewMs of [600_000, -600_000]) {
      writeFileSync(join(folder, 'events.jsonl'), lines(begun()));
      const page = await opened(own(), skewMs);
      const lane = page.locator('.axis-of-all svg[aria-label*="CartErrors"]');
      await expect.poll(() => lane.getAttribute('aria-label')).toMatch(/awaited, \d\d\.\d s left/);
      expect(await page.locator('.scrub').textContent()).not.toContain('No event from the runner');
    }
  },
  60_000,
);

testWith('chromium')(
  'Stop stays there after a refusal, and for the next drill',
  async () => {
    const file = join(folder, 'events.jsonl');
    writeFileSync(file, lines(begun()));
    const page = await opened(own());
    const stop = page.getByRole('button', { name: 'Stop' });
    await page.route('**/stop', (route) => route.abort());
    await stop.click();
    await page.getByText('Not stopped: the console does not answer').waitFor();
    expect(await stop.isEnabled()).toBe(true);
    await page.unroute('**/stop');
    await stop.click();
    await page.getByText('Stopping: one fault is on').waitFor();
    await expect.poll(() => stop.isEnabled()).toBe(false);
    await page.locator('input[type=range]').fill(String(Date.now() - 50));
    rmSync(file);
    writeFileSync(file, lines(begun()));
    await expect.poll(() => stop.isEnabled()).toBe(true);
    await page.getByText('CartErrors (page) is awaited').first().waitFor();
  },
  60_000,
);

testWith('chromium')(
  'an answer that cannot be drawn takes the older figures away, and the next one is drawn',
  async () => {
    const page = await opened({ ...own(), prometheus: 'http://127.0.0.1:1' });
    const none = {
      groups: [],
      grouped: false,
      troubles: [],
      withoutBurn: 0,
      burning: [],
      changed: [],
    };
    const answers: object[] = [{ ...none, groups: 7 }, none];
    await page.route('**/data/now', async (route) => {
      const value = answers.shift();
      const body = JSON.stringify({ atMs: Date.now(), value });
      await (value ? route.fulfill({ contentType: 'application/json', body }) : route.abort());
    });
    await page.evaluate("location.hash = '#/now'");
    await page.getByText('Not drawn, which is a fault of Firedrill').waitFor();
    await page.getByText('No alert fires.').waitFor();
    expect(await page.getByText('Not drawn').count()).toBe(0);
  },
  60_000,
);

testWith('chromium')(
  'a day of two hundred thousand events is drawn',
  async () => {
    const [day, scenario, ...rest] = begun() as [DrillEvent, DrillEvent];
    const { atMs } = day;
    const load: DrillEvent[] = Array.from({ length: 180_000 }, (_, i) => ({
      kind: 'load',
      atMs: atMs + i / 10,
      requests: 10,
      errors: 0,
      p95Ms: 5,
    }));
    writeFileSync(join(folder, 'events.jsonl'), lines([day, scenario]));
    appendFileSync(join(folder, 'events.jsonl'), lines([...load, ...rest]));
    const page = await opened(own());
    const errors: string[] = [];
    page.on('pageerror', (e) => errors.push(e.message));
    await page.locator('.axis-of-all').getByText('CartErrors').first().waitFor({ timeout: 60_000 });
    expect(errors).toEqual([]);
  },
  90_000,
);

async function source(answer: (path: string) => unknown): Promise<string> {
  const server: Server = createServer((request, response) =>
    response.end(JSON.stringify(answer(request.url ?? ''))),
  );
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closing.push(() => server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

testWith('chromium')(
  'an alert that Alertmanager does not have is named, and no SLO is no good budget',
  async () => {
    const activeAt = new Date(Date.now() - 300_000).toISOString();
    const alert = { labels: { alertname: 'CartDown' }, annotations: {}, state: 'firing', activeAt };
    const none = { resultType: 'vector', result: [] };
    const prometheus = await source((path) => ({
      status: 'success',
      data: path.includes('/alerts') ? { alerts: [alert] } : none,
    }));
    const alertmanager = await source(() => []);
    const page = await opened({ ...own(), prometheus, alertmanager });
    await page.evaluate(`location.hash = '#/now'`);
    const main = page.locator('main');
    await main.getByText('nobody is notified: CartDown.').waitFor();
    await main.getByText('This Prometheus has no rules of an SLO').waitFor();
    const text = await main.textContent();
    expect(text).not.toContain('Nothing fires');
    expect(text).not.toContain('No budget burns');
  },
  60_000,
);

testWith('chromium')(
  'Requests says that no proxy answers, and does not blame the filters alone',
  async () => {
    const page = await opened({ ...own(), proxies: '127.0.0.1:1' });
    await page.evaluate(`location.hash = '#/requests'`);
    await page.getByText('No data: no proxy answers: 127.0.0.1:1 (').waitFor();
  },
  60_000,
);

/** An API of Prometheus without series; `alerts` fire for five minutes. */
const prometheusWith = (
  alerts: Record<string, string>[],
  rules: unknown[] = [],
): Promise<string> => {
  const activeAt = new Date(Date.now() - 300_000).toISOString();
  const fires = alerts.map((labels) => ({ labels, annotations: {}, state: 'firing', activeAt }));
  return source((path) => ({
    status: 'success',
    data: path.includes('/alerts')
      ? { alerts: fires }
      : path.includes('/rules')
        ? { groups: [{ rules }] }
        : { resultType: 'vector', result: [] },
  }));
};

testWith('chromium')(
  'one source that is down hides no other: alerts without Alertmanager, a runbook without Prometheus',
  async () => {
    const prometheus = await prometheusWith([{ alertname: 'MeshRetryStorm', severity: 'page' }]);
    const gone = 'http://127.0.0.1:1';
    const page = await opened({ ...own(), prometheus, alertmanager: gone });
    const main = page.locator('main');
    await page.evaluate(`location.hash = '#/now'`);
    await main.getByText('1 alert fires; 1 wakes somebody.').waitFor();
    await main.getByText(/A part is missing: .*127\.0\.0\.1:1/).waitFor();
    expect(await main.textContent()).not.toContain('No silence is in force');
    const alertmanager = await source(() => []);
    const other = await opened({ ...own(), prometheus: gone, alertmanager });
    const its = other.locator('main');
    await other.evaluate(`location.hash = '#/now'`);
    await its.getByText('whether a budget burns is not known').waitFor();
    expect(await its.textContent()).not.toMatch(/Nothing fires|has no rules of an SLO/);
    await other.evaluate(`location.hash = '#/runbook?alert=MeshRetryStorm'`);
    await its.getByText('The queries are without answers:').waitFor();
    await its.getByRole('heading', { name: 'Mitigation' }).waitFor();
    await its.getByText('This alert does not fire now.').waitFor();
  },
  60_000,
);

testWith('chromium')(
  'a recording that stops without an end is drawn as long as it was, and no drill is under way',
  async () => {
    const dayMs = 86_400_000;
    const old = begun().map((e) => ({ ...e, atMs: e.atMs - dayMs }));
    const torn = old.map((e) =>
      e.kind === 'expectation' ? { ...e, deadlineAtMs: e.atMs + 9000 } : e,
    );
    writeFileSync(join(folder, 'events.jsonl'), lines(torn as DrillEvent[]));
    const page = await opened(own());
    await page.getByText('and no end of the day').waitFor();
    const range = page.getByRole('slider', { name: 'moment of the drill' });
    const [from, to] = await Promise.all([range.getAttribute('min'), range.getAttribute('max')]);
    expect(Number(to) - Number(from)).toBeLessThan(1000);
    expect(await page.locator('.scrub').textContent()).not.toContain('Live');
  },
  60_000,
);

testWith('chromium')(
  'the stream begins again after an answer that a browser takes as final',
  async () => {
    writeFileSync(join(folder, 'events.jsonl'), lines(begun()));
    let refused = 0;
    const context = await (browser as Browser).newContext();
    closing.push(() => context.close());
    await context.route('**/events?*', (route) => {
      if (refused > 0) return route.continue();
      refused++;
      return route.fulfill({ status: 502, body: 'bad gateway' });
    });
    const page = await opened(own(), 0, context);
    await page.getByText('The console does not answer').waitFor();
    await page
      .getByText('The console does not answer')
      .waitFor({ state: 'detached', timeout: 20_000 });
    appendFileSync(
      join(folder, 'events.jsonl'),
      lines([{ ...begun()[0], title: 'Later' } as DrillEvent]),
    );
    await page.getByRole('heading', { name: 'Later' }).waitFor();
    expect(refused).toBe(1);
  },
  60_000,
);

testWith('chromium')(
  'a sample that is no number is drawn as a gap, and leaves no old plot beside the new one',
  async () => {
    const labels = { slo: 'cart', severity: 'critical' };
    const rules = [
      { type: 'alerting', name: 'A', query: 'x > (14.4 * 0.001)', labels },
      {
        type: 'alerting',
        name: 'B',
        query: 'x > (1 * 0.001)',
        labels: { slo: 'cart', severity: 'ticket' },
      },
    ];
    const metric = { slo: 'cart', service: 'cart', __name__: 'slo:events_bad:increase30s' };
    let asked = 0;
    const prometheus = await source((path) => {
      const nowS = Date.now() / 1000;
      const end = path.includes('query_range') && asked++ > 3 ? 'NaN' : '2';
      const values = [
        [nowS - 30, '1'],
        [nowS, end],
      ];
      const data = path.includes('/rules')
        ? { groups: [{ rules }] }
        : path.includes('query_range')
          ? { resultType: 'matrix', result: [{ metric, values }] }
          : { resultType: 'vector', result: [{ metric, value: [nowS, '0.9'] }] };
      return { status: 'success', data };
    });
    const page = await opened({ ...own(), prometheus });
    const errors: string[] = [];
    page.on('pageerror', (e) => errors.push(e.message));
    await page.evaluate(`location.hash = '#/slo?id=cart'`);
    const main = page.locator('main');
    const events = main.locator('section', { hasText: 'Events, counted in steps of 30.0 s' });
    await events.getByText('no data').waitFor({ timeout: 20_000 });
    expect(await main.locator('section').count()).toBe(3);
    expect(errors).toEqual([]);
    // The lowest rate of an alert that pages, by whatever name its severity has.
    await main.getByText('no, from 14.4x on').waitFor();
  },
  60_000,
);

testWith('chromium')(
  'a proxy that goes and comes back is named while it is away, and tapped again',
  async () => {
    const [port = 0] = await freePorts(1);
    const tapped = JSON.stringify({
      event: 'end',
      id: '1:1',
      src: 'a',
      proxy: 'in',
      service: 'cart',
    });
    const proxy = async (at: number): Promise<Server> => {
      const server = createServer((request, response) => {
        if (request.url === '/tap') response.write(`${tapped}\n`);
        else response.end('[]');
      });
      await new Promise<void>((resolve) => server.listen(at, '127.0.0.1', resolve));
      closing.push(() => server.close().closeAllConnections());
      return server;
    };
    const other = ((await proxy(0)).address() as AddressInfo).port;
    const page = await opened({ ...own(), proxies: `${other},${port}` });
    await page.evaluate(`location.hash = '#/requests'`);
    const main = page.locator('main');
    const tap = main.locator('section').first();
    await tap.getByText(`No answer from 1 proxy: 127.0.0.1:${port}`).waitFor();
    await tap.getByText('its beginning was not seen').waitFor();
    await proxy(port);
    const gone = tap.getByText('No answer from 1 proxy');
    await gone.waitFor({ state: 'detached', timeout: 20_000 });
  },
  60_000,
);

testWith('chromium')(
  'a name of five hundred letters, or one that turns its line around, leaves the other words as they are',
  async () => {
    const long = 'x'.repeat(500);
    const turned = '\u202edepmuj';
    const named = begun().map((e) => ({
      ...e,
      ...('alert' in e && { alert: long }),
      ...('title' in e && { title: `${turned} ${long}` }),
      ...('target' in e && { target: turned }),
    }));
    const firing = { kind: 'alert', alert: long, severity: 'page', labels: { a: 'b' } };
    const events = [...named, { ...firing, atMs: Date.now(), state: 'notified' }];
    writeFileSync(join(folder, 'events.jsonl'), lines(events as DrillEvent[]));
    const page = await opened(own());
    await page.locator('.log').getByText('is awaited within').waitFor();
    for (const width of [420, 1280]) {
      await page.setViewportSize({ width, height: 900 });
      const wide = await page.evaluate('document.documentElement.scrollWidth');
      expect([width, wide]).toEqual([width, width]);
    }
    expect(await page.content()).not.toContain('\u202e');
    await page.getByText('\ufffddepmuj').first().waitFor();
    expect(await page.locator('.axis-of-all .lane-text').first().textContent()).toMatch(/… *page/);
  },
  60_000,
);
