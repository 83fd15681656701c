/**
 * Takes the documentation's pictures anew: `npm run pictures` runs two game days of the shop and writes
 * docs/console*.png, docs/dashboards.png and docs/gameday-report.png, all of the second one. `--folder DIR` writes them
 * there instead; `--before DIR` has the report of the first one.
 */
import { execFile, execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { parseArgs, promisify } from 'node:util';
import { type Browser, chromium, type Page } from 'playwright-core';
import { eachLine } from '../../base/lines.js';
import { packageRoot, program } from '../../base/paths.js';
import { requireTool } from '../../base/tools.js';
import { startConsole } from '../../console/server.js';
import { drillsOf, sourcesOf } from '../../console/sources.js';
import { type DrillEvent, parseEvent } from '../../runbooks/events.js';

interface Picture {
  name: string;
  hash: string;
  width: number;
  height: number;
  /** The picture is taken once this text is there. */
  text: string;
  dark?: true;
}

const alert = encodeURIComponent(JSON.stringify({ dst: 'payment.retail' }));
const during: Picture[] = [
  { name: 'console', hash: 'drill', width: 1600, height: 900, text: 'Who must be told' },
  {
    name: 'console-dark',
    hash: 'drill',
    width: 1600,
    height: 900,
    text: 'Who must be told',
    dark: true,
  },
  { name: 'console-phone', hash: 'drill', width: 420, height: 1500, text: 'Who must be told' },
  { name: 'console-now', hash: 'now', width: 1280, height: 800, text: 'Budgets that burn' },
  { name: 'console-requests', hash: 'requests', width: 1280, height: 1000, text: 'POST /charges' },
  {
    name: 'console-runbook',
    hash: `runbook?alert=MeshRetryStorm&labels=${alert}`,
    width: 1440,
    height: 900,
    text: 'Diagnosis',
  },
  {
    name: 'console-services',
    hash: 'services',
    width: 1440,
    height: 925,
    text: 'Who talks to whom',
  },
  {
    name: 'console-service',
    hash: 'service?name=checkout.retail',
    width: 1280,
    height: 800,
    text: 'Who calls it',
  },
  { name: 'console-slos', hash: 'slos', width: 1280, height: 300, text: 'payment-availability' },
  {
    name: 'console-slo',
    hash: 'slo?id=payment-availability',
    width: 1280,
    height: 1011,
    text: 'Burn rate',
  },
  {
    name: 'console-platform',
    hash: 'platform',
    width: 1280,
    height: 800,
    text: 'Lives of identities',
  },
];
const afterwards: Picture[] = [
  { name: 'console-report', hash: 'report', width: 1280, height: 620, text: 'the earlier run' },
  {
    name: 'console-postmortem',
    hash: 'postmortem',
    width: 1280,
    height: 900,
    text: 'left to fill',
  },
  { name: 'console-coverage', hash: 'coverage', width: 1280, height: 800, text: 'proven to reach' },
  { name: 'console-plan', hash: 'plan', width: 1440, height: 1045, text: 'Before it starts' },
];

const { values } = parseArgs({
  options: { folder: { type: 'string' }, before: { type: 'string' } },
});
const target = resolve(values.folder ?? join(packageRoot, 'docs'));
const earlier = values.before && resolve(values.before);
const work = mkdtempSync(join(tmpdir(), 'firedrill-pictures-'));

/** A game day of the shop; `seen` gets the address of its Prometheus, and `done` is its end. */
function gameDay(report: string, seen: (prometheus: string) => void): Promise<void> {
  const args = [program('cli'), 'gameday', 'run', '--prometheus', 'real', '--out', report];
  // Slower than usual: all pictures are of one fault.
  args.push('--time-scale', '1/80');
  const child = spawn(process.execPath, args, { cwd: work, stdio: ['ignore', 'ignore', 'pipe'] });
  eachLine(child.stderr, 1000, (line) => {
    const found = /, at (http:\S+)$/.exec(line)?.[1];
    if (found !== undefined) seen(found);
    process.stderr.write(`${line}\n`);
  });
  return new Promise((resolve) => child.on('close', () => resolve()));
}

const eventsOf = (report: string): DrillEvent[] => {
  const file = join(report, 'events.jsonl');
  const lines = readFileSync(file, 'utf8').split('\n').slice(0, -1);
  return lines.map((line, i) => parseEvent({ file, line: i + 1, column: 1 }, line));
};

/** Prometheus knows where everything is: its targets are the admin ports. */
async function sourcesBy(prometheus: string) {
  const ask = async (path: string) => (await (await fetch(`${prometheus}${path}`)).json()) as never;
  interface Scraped {
    data: { activeTargets: { labels: Record<string, string>; scrapeUrl: string }[] };
  }
  const { activeTargets } = ((await ask('/api/v1/targets')) as Scraped).data;
  const at = (job: string): string[] =>
    activeTargets.filter((t) => t.labels.job === job).map((t) => new URL(t.scrapeUrl).host);
  const { data } = (await ask('/api/v1/alertmanagers')) as {
    data: { activeAlertmanagers: { url: string }[] };
  };
  return {
    prometheus,
    alertmanager: new URL(data.activeAlertmanagers[0]!.url).origin,
    proxies: at('firedrill-proxy').join(','),
    controller: `http://${at('firedrill-controller')[0]}`,
  };
}

async function opened(browser: Browser, address: string, picture: Picture): Promise<Page> {
  const { width, height, dark } = picture;
  const colorScheme = dark ? 'dark' : 'light';
  const page = await browser.newPage({ viewport: { width, height }, colorScheme });
  await page.goto(address);
  await page.evaluate(`location.hash = ${JSON.stringify(`#/${picture.hash}`)}`);
  return page;
}

async function take(page: Page, { name, text }: Picture): Promise<void> {
  const there = page.locator('main').getByText(text).first();
  await there
    .waitFor({ timeout: 3000 })
    .catch(() => process.stderr.write(`${name}: no '${text}'\n`));
  await write(name, await page.screenshot());
  await page.close();
}

/** A palette makes a picture a third as large; without pngquant it stays as it is. */
function write(name: string, picture: Buffer): void {
  const file = join(target, `${name}.png`);
  writeFileSync(file, picture);
  try {
    execFileSync('pngquant', ['--force', '--skip-if-larger', '--output', file, '64', file]);
  } catch {
    process.stderr.write(`${file} has its full colours\n`);
  }
}

/** At the drill's scale: its rules run every quarter of a second. */
function preview(prometheus: string, html: string): Promise<unknown> {
  const slos = join(packageRoot, 'examples/slo/retail.yaml');
  const scaled = '--mesh --window 3m --rate-interval 4s --step 1s'.split(' ');
  const sources = ['-i', slos, '--prometheus', prometheus, '-o', html];
  const args = [program('cli'), 'dashboards', 'preview', ...sources, ...scaled];
  return promisify(execFile)(process.execPath, args);
}

async function main(): Promise<void> {
  // Relative, so that no picture shows this machine's folders.
  process.chdir(work);
  const report = 'gameday-report';
  const before = earlier ?? 'before';
  if (earlier === undefined) await gameDay(before, () => {});
  let prometheus = '';
  const end = gameDay(report, (at) => (prometheus = at));
  const hasBegun = (): boolean =>
    prometheus !== '' && eventsOf(report).some((e) => e.kind === 'load');
  while (!hasBegun()) await wait(100);
  const found = await sourcesBy(prometheus);
  let address = '';
  const sources = { ...found, report, before, state: '.firedrill' };
  const running = await startConsole({
    folder: report,
    port: 0,
    ...sourcesOf(sources),
    drills: drillsOf(sources),
    mayEdit: true,
    onAddress: (at) => (address = at),
  });
  const executablePath = requireTool('chromium');
  const browser = await chromium.launch({
    executablePath,
    args: ['--no-sandbox', '--disable-gpu'],
  });
  const pages: [Page, Picture][] = [];
  for (const picture of during) pages.push([await opened(browser, address, picture), picture]);
  const notified = (alert: string): boolean =>
    eventsOf(report).some(
      (e) => e.kind === 'expectation' && e.alert === alert && e.state === 'notified',
    );
  // Before its controller is killed: a new one knows no certificate that another issued.
  while (!notified('MeshCertificateExpired')) await wait(50);
  await take(...pages.pop()!);
  while (!notified('MeshRetryStorm')) await wait(50);
  const html = join(work, 'dashboards.html');
  const previewed = preview(found.prometheus, html);
  for (const [page, picture] of pages) await take(page, picture);
  await previewed;
  await end;
  for (const picture of afterwards) await take(await opened(browser, address, picture), picture);
  for (const [name, file, width, height] of [
    ['dashboards', html, 1400, 1500],
    ['gameday-report', join(report, 'index.html'), 1200, 1500],
  ] as const) {
    const page = await browser.newPage({ viewport: { width, height } });
    await page.goto(pathToFileURL(file).href);
    await write(name, await page.screenshot());
  }
  await browser.close();
  await running.close();
  process.stdout.write(`${work} holds both reports\n`);
}

await main();
