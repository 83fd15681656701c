/** Whole drills, watched in a browser: one from its plan to its postmortem, with a late alert; one that is stopped. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, expect } from 'vitest';
import { asset } from '../../base/paths.js';
import { findTool } from '../../base/tools.js';
import { acknowledgements } from '../../chaos/gameday/acknowledgement.js';
import { EventFile } from '../../chaos/gameday/event-file.js';
import '../../chaos/gameday/command.js';
import { readSwitch } from '../../chaos/runner/stop-switch.js';
import { startConsole } from '../../console/server.js';
import { drillsOf, sourcesOf } from '../../console/sources.js';
import { percentText } from '../../runbooks/words.js';
import type { DrillEvent } from '../../runbooks/events.js';
import type { GameDayRecord } from '../../runbooks/record.js';
import { gameDayFiles } from '../../runbooks/report/files.js';
import { cartErrors, type Mutation, smallDrill } from '../chaos/small-drill.js';
import { goodGameDay } from '../runbooks/fixture.js';
import { testWith } from '../tools.js';

let browser: Browser | undefined;
const closing: (() => unknown)[] = [];
beforeAll(async () => {
  const executablePath = findTool('chromium');
  if (executablePath === undefined) return;
  browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu'] });
  closing.push(() => browser?.close());
});
afterAll(async () => {
  for (const close of closing.toReversed()) await close();
});

interface Watched {
  page: Page;
  folder: string;
  /** Runs the small drill with its events in the folder. */
  drill: (mutation: Mutation) => ReturnType<typeof smallDrill>;
  events: DrillEvent[];
  file: EventFile;
}

async function watched(): Promise<Watched> {
  const folder = mkdtempSync(join(tmpdir(), 'firedrill-watched-'));
  closing.push(() => rmSync(folder, { recursive: true, force: true }));
  const state = join(folder, 'state');
  let address = '';
  const own = { report: folder, state, drill: asset('examples/retail/firedrill.yaml') };
  const running = await startConsole({
    folder,
    port: 0,
    ...sourcesOf(own),
    drills: drillsOf(own),
    onAddress: (at) => (address = at),
  });
  closing.push(() => running.close());
  const page = await (browser as Browser).newPage({ viewport: { width: 1400, height: 900 } });
  await page.goto(address);
  const events: DrillEvent[] = [];
  const file = new EventFile(folder);
  const emit = (event: DrillEvent): void => {
    events.push(event);
    file.write(event);
  };
  emit({
    kind: 'day',
    atMs: Date.now(),
    state: 'started',
    title: 'Carts',
    scenarios: ['dead-cart'],
  });
  emit({
    kind: 'system',
    atMs: Date.now(),
    name: 'small',
    services: ['web', 'cart'],
    dependencies: [],
    calls: [{ from: 'web', to: 'cart' }],
  });
  const stopSwitch = () => readSwitch(state);
  return {
    page,
    folder,
    events,
    file,
    drill: (mutation) => smallDrill({ realTime: true, emit, stopSwitch, ...mutation }),
  };
}

const show = (page: Page, hash: string): Promise<unknown> =>
  page.evaluate(`location.hash = ${JSON.stringify(hash)}`);

/** The lanes in the words that a screen reader says. */
const lanesOf = (page: Page): Promise<string> =>
  page
    .locator('.axis-of-all svg[aria-label*="CartErrors"]')
    .getAttribute('aria-label', { timeout: 20_000 })
    .then((text) => text ?? '');

const seconds = (ms: number | undefined): string => `${((ms ?? NaN) / 1000).toFixed(1)} s`;

testWith('chromium')(
  'from the plan to the postmortem: an alert that was made late is so on the screen, by the same figures',
  async () => {
    const { page, folder, drill, events, file } = await watched();
    await show(page, '#/plan');
    await page.getByText('Every scenario can work').waitFor({ timeout: 30_000 });
    await show(page, '#/drill');
    const running = drill({
      rules: [cartErrors({ forMs: 1900 })],
      scenario: (text) => text.replace('within: 2s', 'within: 100ms'),
    });
    // While it is awaited, the lane says how long is left, and when theory says that the rule fires.
    await expect.poll(() => lanesOf(page), { timeout: 20_000 }).toContain('awaited');
    await expect
      .poll(() => lanesOf(page), { interval: 50 })
      .toMatch(/expected after [12]\.\d s to/);
    expect(await page.locator('svg .theory').count()).toBe(1);
    await page.getByText('struck: cart').waitFor();
    const record = await running;
    const [lane] = record.expectations;
    expect(lane?.inTime).toBe(false);
    const late = (lane?.receivedAfterMs ?? 0) - (lane?.deadlineMs ?? 0);
    const said = `rang after ${seconds(lane?.receivedAfterMs)}, ${seconds(late)} too late`;
    await expect.poll(() => lanesOf(page)).toContain(said);
    const day: GameDayRecord = {
      ...goodGameDay(),
      title: 'Carts',
      verdict: record.verdict,
      scenarios: [record],
    };
    const shared = { proxies: [], controller: '', slos: 'slo.yaml', window: '2s' };
    for (const [name, text] of gameDayFiles(day, shared)) {
      mkdirSync(dirname(join(folder, name)), { recursive: true });
      writeFileSync(join(folder, name), text);
    }
    const ended = { kind: 'day' as const, atMs: Date.now(), state: 'ended' as const };
    file.write({ ...ended, title: 'Carts', verdict: record.verdict });
    await page.getByRole('heading', { name: `Carts ${record.verdict}` }).waitFor();
    // Every figure is that of its events.
    const figures = await page.locator('.drill-head dd').allTextContents();
    expect(events.filter((e) => e.kind === 'load')).toEqual([]);
    const alerts = events.filter((e) => e.kind === 'alert' && e.state === 'notified');
    expect(figures).toEqual([String(alerts.length), '0', 'no data', 'no data']);
    for (const m of record.hypothesis.after) expect(m.value).toBeDefined();
    await show(page, '#/report');
    await page
      .getByRole('cell', { name: `${record.verdict}` })
      .first()
      .waitFor();
    await page.getByText(`CartErrors: ${seconds(lane?.receivedAfterMs)}, not in time`).waitFor();
    await show(page, '#/postmortem');
    await page.getByText('left to fill or to mend').waitFor();
    await page.close();
  },
  90_000,
);

testWith('chromium')(
  'a page is acknowledged and Stop is pressed: the run is aborted, its fault is rolled back, and the page says so',
  async () => {
    const { page, drill, file, folder } = await watched();
    const load = { kind: 'load' as const, requests: 40, errors: 3, p95Ms: 17 };
    file.write({ ...load, atMs: Date.now() });
    const figures = page.locator('.drill-head dd');
    await expect.poll(() => figures.allTextContents()).toContain(percentText(1 - 3 / 40));
    expect(await figures.allTextContents()).toContain('17 ms');
    const running = drill({ rules: [cartErrors({ forMs: 60_000 })] });
    await page.getByText('struck: cart').waitFor({ timeout: 20_000 });
    page.on('dialog', (dialog) => void dialog.accept('carts on call'));
    const alert = { kind: 'alert' as const, alert: 'CartErrors', severity: 'page', labels: {} };
    file.write({ ...alert, atMs: Date.now(), state: 'notified' });
    await page.getByRole('button', { name: 'Acknowledge' }).click();
    await expect
      .poll(() => acknowledgements(join(folder, 'state'), 0, Infinity))
      .toMatchObject([{ by: 'carts on call' }]);
    await page.getByRole('button', { name: 'Stop' }).click();
    const record = await running;
    expect([record.verdict, record.faults[0]?.undo]).toEqual(['ABORTED', 'done']);
    await page.getByText('Stopped: no fault is on.').waitFor();
    await page.getByText('none struck').waitFor();
    await page.getByText('stopped from the console').first().waitFor();
    await page.close();
  },
  60_000,
);
