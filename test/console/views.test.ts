/**
 * The views behind the drill: each shows its source's data; hostile texts stay texts, and every view is accessible.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import axe from 'axe-core';
import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { asset } from '../../base/paths.js';
import { findTool } from '../../base/tools.js';
// The plan imports this at its first request; imported here, a view does not wait for it.
import '../../chaos/gameday/command.js';
import { Answers } from '../../console/answers.js';
import { type Console, startConsole } from '../../console/server.js';
import { drillsOf, sourcesOf } from '../../console/sources.js';
import { requestsOf } from '../../console/page/requests.js';
import { drillEvents } from '../../runbooks/events.js';
import { badGameDay } from '../runbooks/fixture.js';
import { testWith } from '../tools.js';
import { fakeSources, type FakeSources, hostile } from './sources.js';

const folder = mkdtempSync(join(tmpdir(), 'firedrill-views-'));
let fakes: FakeSources;
let running: Console;
let browser: Browser | undefined;
let address = '';

beforeAll(async () => {
  const record = { ...badGameDay(), title: hostile };
  writeFileSync(join(folder, 'record.json'), JSON.stringify(record));
  writeFileSync(
    join(folder, 'events.jsonl'),
    drillEvents(record)
      .map((e) => `${JSON.stringify(e)}\n`)
      .join(''),
  );
  // A phone is narrower than the table.
  const row = (cell: string): string =>
    `| ${Array.from({ length: 8 }, () => cell).join(' | ')} |\n`;
  writeFileSync(
    join(folder, 'postmortem.md'),
    `# ${hostile}\n\n## Impact\n\nTO FILL ${hostile}\n\n${row('alert')}${row('---')}${row('MeshProxyDown')}`,
  );
  writeFileSync(join(folder, 'index.html'), '<title>the report</title>');
  const alerts = [{ alert: hostile, severity: 'page', state: 'never' }];
  const run = { run: '1', atMs: Date.now(), system: hostile, timeScale: 1, scenarios: [hostile] };
  writeFileSync(
    join(folder, 'coverage.json'),
    JSON.stringify({ version: 1, runs: [{ ...run, alerts }] }),
  );
  fakes = await fakeSources();
  running = await startConsole({
    folder,
    port: 0,
    ...sourcesOf({
      ...fakes,
      report: folder,
      state: folder,
      drill: asset('examples/retail/firedrill.yaml'),
    }),
    drills: drillsOf({ report: folder, state: folder }),
    mayEdit: true,
    onAddress: (at) => (address = at),
  });
  const executablePath = findTool('chromium');
  if (executablePath === undefined) return;
  const args = ['--no-sandbox', '--disable-gpu'];
  browser = await chromium.launch({ executablePath, args });
});

afterAll(async () => {
  await browser?.close();
  await running.close();
  await fakes.close();
  rmSync(folder, { recursive: true, force: true });
});

async function opened(width: number, colorScheme: 'light' | 'dark'): Promise<Page> {
  const page = await (browser as Browser).newPage({
    viewport: { width, height: 900 },
    colorScheme,
  });
  await page.goto(address);
  await page.locator('.views').waitFor();
  return page;
}

async function show(page: Page, hash: string, text: string): Promise<void> {
  await page.evaluate(`location.hash = ${JSON.stringify(hash)}`);
  await page.locator('main').getByText(text, { exact: false }).first().waitFor({ timeout: 30_000 });
}

/** Each view with a text that appears only after its source has answered. */
const views: [string, string][] = [
  ['#/drill', 'Events, the last first'],
  ['#/plan', 'Before it starts'],
  ['#/report', 'This run'],
  ['#/postmortem', 'left to fill or to mend'],
  ['#/coverage', 'proven to reach somebody'],
  ['#/now', '1 alert fires; 1 wakes somebody'],
  ['#/slos', 'over budget, 65x'],
  ['#/slo?id=cart', '6x: page'],
  ['#/runbook?alert=MeshRetryStorm', 'This alert fires now.'],
  ['#/services', '1 is not ready'],
  ['#/service?name=cart.retail', 'Who calls it'],
  ['#/requests', '503'],
  ['#/platform', 'Lives of identities'],
];

testWith('chromium')(
  'every view, by day on a phone and at night on a desk: axe finds nothing, no text is markup',
  async () => {
    for (const [width, colorScheme] of [
      [420, 'light'],
      [1500, 'dark'],
    ] as const) {
      const page = await opened(width, colorScheme);
      const errors: string[] = [];
      page.on('console', (m) => m.type() === 'error' && errors.push(m.text()));
      page.on('pageerror', (e) => errors.push(e.message));
      await page.evaluate(axe.source);
      for (const [hash, text] of views) {
        await show(page, hash, text);
        const found = (await page.evaluate('axe.run()')) as axe.AxeResults;
        const named = found.violations.map((v) => [v.id, v.nodes.map((n) => n.html)]);
        expect([hash, named]).toEqual([hash, []]);
        const wide = await page.evaluate('document.documentElement.scrollWidth');
        expect([hash, wide]).toEqual([hash, width]);
        expect(await page.locator('img').count()).toBe(0);
        expect(await page.title()).toBe('Firedrill console');
      }
      expect(errors).toEqual([]);
      await page.close();
    }
  },
  120_000,
);

testWith('chromium')(
  'a drill fits a projector, and a list of a thousand draws only what is in sight',
  async () => {
    const page = await opened(1280, 'light');
    await page.setViewportSize({ width: 1280, height: 800 });
    await show(page, '#/drill', 'Events, the last first');
    const size = '[document.documentElement.scrollWidth, document.documentElement.scrollHeight]';
    expect(await page.evaluate(size)).toEqual([1280, 800]);
    await show(page, '#/services', '1 is not ready');
    const rows = page.getByRole('table', { name: 'endpoints' });
    expect(await rows.getByRole('row').count()).toBeLessThan(50);
    expect(await rows.getAttribute('aria-rowcount')).toBe('1001');
    // Workloads with problems come first.
    await rows.getByText(hostile, { exact: false }).first().waitFor();
    await page.getByRole('searchbox', { name: 'search in endpoints' }).fill('pay-993.');
    await rows.getByText('pay-993.retail').waitFor();
    await page.close();
  },
  60_000,
);

testWith('chromium')(
  'figures are those of their source: an SLO, what changed, an endpoint that six proxies would see alike',
  async () => {
    const page = await opened(1500, 'light');
    await show(page, '#/slo?id=cart', '6x: page');
    const figures = await page.locator('.figures dd').allTextContents();
    // The fake Prometheus: 0.999, 0.93, -63.6, 12, 30 days.
    expect(figures).toEqual([
      '99.90%',
      '93.0%',
      'over budget, 65x',
      'none',
      '12.0x',
      'yes, above 3x',
    ]);
    await show(page, '#/now', `started: ${hostile}`);
    await show(page, '#/services', '1 is not ready');
    const row = page.getByRole('table', { name: 'endpoints' }).getByRole('row').nth(1);
    expect(await row.getByRole('cell').allTextContents()).toEqual([
      'pay-7.retail',
      '10.0.0.7:80',
      `✗ open: ${hostile}`,
      'cart.retail',
    ]);
    // The address at which a known proxy listens is a workload's.
    await page.getByRole('searchbox', { name: 'search in endpoints' }).fill('pay-9.retail');
    const own = page.getByRole('table', { name: 'endpoints' }).getByTitle('10.0.0.9:80');
    expect(await own.textContent()).toBe('cart.retail');
    await page.close();
  },
  60_000,
);

testWith('chromium').each([
  ['prometheus', '#/slos', 'over budget, 65x'],
  ['controller', '#/platform', 'Lives of identities'],
] as const)(
  'the %s goes and comes back: what is shown is said to be stale, and then is shown anew',
  async (which, hash, text) => {
    const page = await opened(1500, 'light');
    await show(page, hash, text);
    await fakes.down(which);
    await page.getByText('Stale: as of').waitFor({ timeout: 20_000 });
    await page.getByText(text, { exact: false }).first().waitFor();
    await fakes.up(which);
    await page.getByText('Stale: as of').waitFor({ state: 'detached', timeout: 20_000 });
    await page.close();
  },
  60_000,
);

testWith('chromium')(
  'a postmortem is edited with its lint beside it, saved, and never over the words of somebody else',
  async () => {
    const page = await opened(1500, 'light');
    await show(page, '#/postmortem', 'left to fill or to mend');
    await page.getByRole('button', { name: 'Edit' }).click();
    const editor = page.getByRole('textbox', { name: 'the postmortem, in Markdown' });
    const left = page.locator('.margin li');
    const before = await left.count();
    const file = join(folder, 'postmortem.md');
    const text = readFileSync(file, 'utf8');
    await editor.fill(text.replace(`TO FILL ${hostile}`, 'Forty carts were lost.'));
    await expect.poll(() => left.count()).toBeLessThan(before);
    await page.getByRole('button', { name: 'Save' }).click();
    await page.getByText('Forty carts were lost.').waitFor();
    expect(readFileSync(file, 'utf8')).toContain('Forty carts were lost.');
    await page.getByRole('button', { name: 'Edit' }).click();
    writeFileSync(file, `${readFileSync(file, 'utf8')}\nAda wrote this.\n`);
    await editor.fill('# Mine');
    await page.getByRole('button', { name: 'Save' }).click();
    await page.getByText('Not saved: somebody else has edited the file').waitFor();
    expect(readFileSync(file, 'utf8')).toContain('Ada wrote this.');
    writeFileSync(file, text);
    await page.close();
  },
  60_000,
);

test('the parts of one request stand together, the latest request first, each in the order of its proxies', () => {
  const part = (id: string, proxy: string, ms: number) => {
    const verdict = { status: 200, classification: 'success' };
    const time = new Date(ms).toISOString();
    const own = { requestId: id, time, direction: 'inbound', method: 'GET', path: '/', dst: 'x' };
    return { proxy, why: { ...own, verdict, latencyMs: 1, durationMs: 2, retries: 0 }, text: '' };
  };
  const found = [part('a', 'cart', 105), part('b', 'web', 300), part('a', 'web', 100)];
  expect(requestsOf(found).map((r) => [r.id, r.parts.map((p) => p.proxy)])).toEqual([
    ['b', ['web']],
    ['a', ['web', 'cart']],
  ]);
});

test('many viewers ask a source once, and one that fails is told in words', async () => {
  let asked = 0;
  const answers = new Answers(
    new Map([
      ['slow', () => Promise.resolve(++asked)],
      ['broken', () => Promise.reject(new Error('the disk is on fire'))],
    ]),
  );
  const all = Array.from({ length: 20 }, () => answers.of('slow', new URLSearchParams()));
  expect((await Promise.all(all)).map((a) => a.value)).toEqual(Array(20).fill(1));
  const other = await answers.of('slow', new URLSearchParams('id=2'));
  expect([other.value, asked]).toEqual([2, 2]);
  const broken = await answers.of('broken', new URLSearchParams());
  expect(broken).toMatchObject({ error: 'the disk is on fire' });
});
