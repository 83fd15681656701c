/** A drill that a viewer starts from the page's plan: a real `gameday run`, with the refusals of its guard. */
import {
  appendFileSync,
  cpSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Browser, chromium, type Page } from 'playwright-core';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { asset } from '../../base/paths.js';
import { findTool } from '../../base/tools.js';
import { Launch } from '../../console/launch.js';
import { startConsole } from '../../console/server.js';
import { drillsOf, sourcesOf } from '../../console/sources.js';
import type { GameDayRecord } from '../../runbooks/record.js';
import { testWith } from '../tools.js';

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close();
});

let folder: string;
let file: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'firedrill-started-'));
  closing.push(() => rmSync(folder, { recursive: true, force: true }));
  cpSync(asset('examples/systems/two-services'), folder, { recursive: true });
  file = join(folder, 'firedrill.yaml');
  appendFileSync(file, 'guard: { confirm: true }\nroles: { responders: [orders] }\n');
  const scenario = join(folder, 'scenarios/back-slow.yaml');
  // Long enough to be stopped by hand.
  const long = readFileSync(scenario, 'utf8').replace(
    /^fault: .*$/m,
    'fault: { atLeast: 400m, atMost: 480m }\nhints:\n  - { text: The call to back. }',
  );
  writeFileSync(scenario, long);
});

const own = () => ({
  report: join(folder, 'report'),
  state: join(folder, 'state'),
  drill: file,
});

async function openPage(): Promise<Page> {
  let address = '';
  const running = await startConsole({
    folder: own().report,
    port: 0,
    ...sourcesOf(own()),
    drills: drillsOf(own()),
    onAddress: (at) => (address = at),
  });
  closing.push(() => running.close());
  const browser: Browser = await chromium.launch({
    executablePath: findTool('chromium') as string,
    args: ['--no-sandbox', '--disable-gpu'],
  });
  closing.push(() => browser.close());
  const page = await browser.newPage({ viewport: { width: 1400, height: 900 } });
  page.on('dialog', (dialog) => void dialog.accept('orders'));
  await page.goto(`${address}#/plan`);
  return page;
}

testWith('chromium')(
  'the plan is confirmed and started, a hint is asked for, and Stop rolls back',
  async () => {
    const page = await openPage();
    const start = page.getByRole('button', { name: 'Start 1 scenario' });
    await page.getByText('Start 3 scenarios').waitFor({ timeout: 60_000 });
    await page.getByLabel('front cannot reach back').uncheck();
    await page.getByLabel('back is killed').uncheck();
    await page.getByText('must acknowledge: orders').waitFor();
    expect(await start.isDisabled()).toBe(true);
    await page.getByLabel("Type the drill's name").fill('shop');
    expect(await start.isDisabled()).toBe(false);
    await start.click();
    await page.getByText('two-services is broken only with --confirm two-services').waitFor();
    expect(existsSync(join(own().report, 'events.jsonl'))).toBe(false);
    await page.getByLabel("Type the drill's name").fill('two-services');
    await start.click();
    // The button is there while a fault is on.
    await page.getByRole('button', { name: 'Hint' }).click({ timeout: 60_000 });
    await page.getByText('Hint: The call to back.').waitFor();
    await page.getByRole('button', { name: 'Stop' }).click();
    await page.getByText('stopped from the console').first().waitFor({ timeout: 30_000 });
    await page.locator('h1 .ABORTED').waitFor({ timeout: 60_000 });
    const record = JSON.parse(
      readFileSync(join(own().report, 'record.json'), 'utf8'),
    ) as GameDayRecord;
    expect(record.scenarios.flatMap((s) => s.faults.map((f) => f.undo))).toEqual(['done']);
    expect(record.scenarios[0]?.hints).toMatchObject([{ by: 'orders' }]);
  },
  180_000,
);

test('only ids of scenarios are taken, one run at a time, and closing ends it', async () => {
  const lines: string[] = [];
  const { report, state: stateFolder, drill } = own();
  const onLine = (line: string): void => void lines.push(line);
  const launch = new Launch({ folder: report, stateFolder, drill, onLine });
  closing.push(() => launch.close());
  const asked = { scenarios: ['back-slow'], confirm: 'two-services' };
  expect(await launch.start({ scenarios: ['../other.yaml'] })).toContain('is not the id');
  expect(await launch.start({ ...asked, scenarios: ['back-slo'] })).toContain('back-slow');
  const begun = launch.start(asked);
  expect(await launch.start(asked)).toContain('under way');
  expect(await begun).toBeUndefined();
  await launch.close();
  expect(lines.join('\n')).toContain(
    'interrupted: nothing was broken yet, and every process was stopped',
  );
  expect(await launch.start({ ...asked, confirm: 'shop' })).toContain('only with --confirm');
}, 120_000);
