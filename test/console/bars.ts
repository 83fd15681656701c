/**
 * Measures the console's bars: `npm run bench:console` writes bench/results/console.md. A child process serves, so
 * that its memory is measured alone; Chromium draws. `--minutes N` is the time that twenty viewers watch (default:
 * 10).
 */
import { type ChildProcess, fork } from 'node:child_process';
import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { get } from 'node:http';
import { cpus, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { argv, version } from 'node:process';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { type Browser, type CDPSession, chromium, type Page } from 'playwright-core';
import { packageRoot } from '../../base/paths.js';
import { requireTool } from '../../base/tools.js';
import { startConsole } from '../../console/server.js';
import type { Services } from '../../console/mesh.js';
import type { SloRow } from '../../console/on-call.js';
import { type DrillEvent, drillEvents } from '../../runbooks/events.js';
import { goodGameDay } from '../runbooks/fixture.js';

const [workloads, slos, viewers] = [1000, 200, 20];

const count = <T>(length: number, make: (i: number) => T): T[] =>
  Array.from({ length }, (_, i) => make(i));

/** Figures that change with each answer, so that every row is drawn again. */
function services(): Services {
  const rate = (i: number): number => 10 + ((i * 7 + Date.now() / 100) % 90);
  return {
    workloads: count(workloads, (i) => ({
      name: `service-${i}.shop`,
      proxies: 2,
      successRatio: 1 - rate(i) / 1e4,
      requestsPerSecond: rate(i),
      latencyMsP50: rate(i) / 9,
      latencyMsP95: rate(i),
      retriesPerSecond: 0,
      denied: 0,
      certificateUntilMs: Date.now() + 3_600_000,
    })),
    edges: [],
    routes: [],
    endpoints: count(workloads, (i) => ({
      destination: `service-${i}.shop`,
      backend: 'v1',
      address: `10.0.${i >> 8}.${i & 255}:8080`,
      state: 'ready' as const,
      seenBy: ['web.shop'],
    })) as unknown as Services['endpoints'],
    silent: [],
  };
}

const sloRows = (): SloRow[] =>
  count(slos, (i) => ({
    slo: `service-${i}-availability`,
    service: `service-${i}.shop`,
    objective: 0.999,
    remaining: 1 - ((i + Date.now() / 1000) % 50) / 40,
    burn: (i + Date.now() / 500) % 9,
  }));

async function serve(folder: string): Promise<void> {
  await startConsole({
    folder,
    port: 0,
    readers: [
      ['services', () => Promise.resolve(services())],
      ['slos', () => Promise.resolve(sloRows())],
    ],
    onAddress: (address) => process.send?.({ address }),
  });
  process.on('message', () => {
    globalThis.gc?.();
    const { rss, heapUsed } = process.memoryUsage();
    process.send?.({ rss, heapUsed });
  });
  process.on('disconnect', () => process.exit(0));
}

interface Serving {
  child: ChildProcess;
  address(): string;
  memory(): Promise<{ rss: number; heapUsed: number }>;
}

async function serving(folder: string): Promise<Serving> {
  const own = fileURLToPath(import.meta.url);
  const child = fork(own, ['--serve', folder], { execArgv: ['--expose-gc'] });
  let last = '';
  let begun = (): void => {};
  const ready = new Promise<void>((resolve) => (begun = resolve));
  let told: ((m: { rss: number; heapUsed: number }) => void) | undefined;
  child.on('message', (m: { address?: string; rss: number; heapUsed: number }) => {
    if (m.address === undefined) told?.(m);
    else last = m.address;
    begun();
  });
  await ready;
  const memory = (): ReturnType<Serving['memory']> =>
    new Promise((resolve) => {
      told = resolve;
      child.send('memory');
    });
  return { child, address: () => last, memory };
}

const file = (folder: string): string => join(folder, 'events.jsonl');
const lines = (events: readonly DrillEvent[]): string =>
  events.map((e) => `${JSON.stringify(e)}\n`).join('');
const note = (text: string): DrillEvent => {
  return { kind: 'note', atMs: Date.now(), source: 'bench', subject: 'bench', text };
};

/** A drill that has not ended, in a system of a thousand services. */
function writeDrill(folder: string): void {
  const events = drillEvents(goodGameDay()).filter((e) => e.kind !== 'day' || e.state !== 'ended');
  const shift = Date.now() - Math.max(...events.map((e) => e.atMs));
  const names = count(workloads, (i) => `service-${i}`);
  const calls = names.slice(1).map((to, i) => ({ from: `service-${i >> 1}`, to }));
  const system: DrillEvent = {
    kind: 'system',
    atMs: Date.now(),
    name: 'shop',
    services: names,
    dependencies: [],
    calls,
  };
  const moved = events.map((e) => ({ ...e, atMs: e.atMs + shift }));
  const budgets = count(slos, (i): DrillEvent => {
    return { kind: 'budget', atMs: Date.now(), slo: `slo-${i}`, spentOfPeriod: i / 400 };
  });
  writeFileSync(file(folder), lines([...moved, system, ...budgets]));
}

/** The time from the request for the address to the first frame with the drill's plots. */
const firstView = `new Promise((done) => {
  const look = () => document.querySelector('.axis-of-all svg path')
    ? requestAnimationFrame(() => done(performance.now())) : requestAnimationFrame(look);
  look();
})`;

async function firstViews(browser: Browser, at: Serving): Promise<number[]> {
  const took: number[] = [];
  for (let i = 0; i < 5; i++) {
    const page = await browser.newPage({ viewport: { width: 1440, height: 900 } });
    await page.goto(at.address(), { waitUntil: 'commit' });
    took.push((await page.evaluate(firstView)) as number);
    await page.close();
    await wait(300);
  }
  return took.sort((a, b) => a - b);
}

/** The time from the write of a line to the frame that shows its text. */
async function eventLatencies(page: Page, folder: string): Promise<number[]> {
  await page.evaluate(`window.took = [];
    new MutationObserver(() => {
      for (const [, sent] of document.body.textContent.matchAll(/sent-(\\d+)-/g)) {
        if (window.seen?.has(sent)) continue;
        (window.seen ??= new Set()).add(sent);
        requestAnimationFrame(() => window.took.push(Date.now() - Number(sent)));
      }
    }).observe(document.body, { subtree: true, childList: true, characterData: true })`);
  for (let i = 0; i < 100; i++) {
    appendFileSync(file(folder), lines([note(`sent-${Date.now()}-`)]));
    await wait(100);
  }
  await wait(1000);
  return ((await page.evaluate('window.took')) as number[]).sort((a, b) => a - b);
}

/** Frames a second while a table scrolls by a row a frame; without a table, while the page is idle. */
const frames = (table: string | undefined): string => `new Promise((done) => {
  const rows = ${table === undefined ? 'undefined' : `document.querySelector('[aria-label="${table}"] .rows')`};
  const begun = performance.now();
  let frames = 0, down = 34;
  const next = () => {
    frames++;
    if (rows) {
      if (rows.scrollTop + rows.clientHeight >= rows.scrollHeight - 40) down = -34;
      if (rows.scrollTop <= 0) down = 34;
      rows.scrollTop += down;
    }
    const ms = performance.now() - begun;
    if (ms < 4000) requestAnimationFrame(next); else done(frames * 1000 / ms);
  };
  requestAnimationFrame(next);
})`;

async function framesOf(page: Page, hash: string, table: string | undefined): Promise<number> {
  await page.evaluate(`location.hash = '${hash}'`);
  const there = table === undefined ? '.axis-of-all svg' : `[aria-label="${table}"] .rows .row`;
  await page.locator(there).first().waitFor();
  await wait(500);
  return (await page.evaluate(frames(table))) as number;
}

interface Growth {
  minutes: number;
  rss: [number, number];
  heap: [number, number];
  page: [number, number];
}

const heapOf = async (cdp: CDPSession): Promise<number> => {
  await cdp.send('HeapProfiler.collectGarbage');
  return ((await cdp.send('Runtime.getHeapUsage')) as { usedSize: number }).usedSize;
};

/** Twenty viewers, one of them a browser, watch a drill with ten events a second. */
async function growth(page: Page, at: Serving, folder: string, minutes: number): Promise<Growth> {
  const streams = await Promise.all(count(viewers - 1, () => watch(at)));
  const cdp = await page.context().newCDPSession(page);
  await cdp.send('HeapProfiler.enable');
  await page.evaluate(`location.hash = '#/drill'`);
  const run = async (ms: number): Promise<void> => {
    const until = Date.now() + ms;
    while (Date.now() < until) {
      const load = {
        kind: 'load' as const,
        requests: 50,
        errors: 0,
        p50Ms: 4,
        p95Ms: 9,
        p99Ms: 12,
      };
      appendFileSync(file(folder), lines([{ ...load, atMs: Date.now() } as DrillEvent]));
      await wait(1000);
    }
  };
  // Caches and compiled code are filled in the first half minute.
  await run(30_000);
  const [before, pageBefore] = [await at.memory(), await heapOf(cdp)];
  await run(minutes * 60_000);
  const [after, pageAfter] = [await at.memory(), await heapOf(cdp)];
  for (const end of streams) end();
  return {
    minutes,
    rss: [before.rss, after.rss],
    heap: [before.heapUsed, after.heapUsed],
    page: [pageBefore, pageAfter],
  };
}

/** A viewer that is not a browser: it opens the printed address, and reads. */
async function watch(at: Serving): Promise<() => void> {
  const used = at.address();
  const cookie = await new Promise<string>((resolve, reject) => {
    get(used, (answer) => {
      answer.resume();
      resolve(String(answer.headers['set-cookie']).split(';')[0] ?? '');
    }).on('error', reject);
  });
  for (let i = 0; at.address() === used && i < 200; i++) await wait(10);
  const events = get(new URL('/events', used), { headers: { cookie } }, (answer) =>
    answer.resume(),
  );
  events.on('error', () => {});
  return () => events.destroy();
}

const mb = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`;
const ms = (value: number | undefined): string => `${Math.round(value ?? NaN)} ms`;
const gzip = (path: string): number => gzipSync(readFileSync(join(packageRoot, path))).length;
const kb = (bytes: number): string => `${(bytes / 1000).toFixed(1)} kB`;
const met = (held: boolean): string => (held ? 'met' : 'missed');

async function measure(minutes: number): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'firedrill-bars-'));
  writeDrill(folder);
  const at = await serving(folder);
  const loadBefore = loadavg()[0] ?? 0;
  const args = ['--no-sandbox', '--disable-gpu'];
  const browser = await chromium.launch({ executablePath: requireTool('chromium'), args });
  try {
    const views = await firstViews(browser, at);
    const page = await browser.newPage({ viewport: { width: 1440, height: 900 } });
    await page.goto(at.address());
    await page.evaluate(firstView);
    const latencies = await eventLatencies(page, folder);
    const idle = await idleFrames(browser);
    const fps = {
      workloads: await framesOf(page, '#/services', 'workloads'),
      endpoints: await framesOf(page, '#/services', 'endpoints'),
      slos: await framesOf(page, '#/slos', 'SLOs'),
      drill: await framesOf(page, '#/drill', undefined),
    };
    const loadAfter = loadavg()[0] ?? 0;
    const grown = await growth(page, at, folder, minutes);
    const script = gzip('dist/console/page/main.js');
    const css = gzip('console/page/page.css');
    const p99 = latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * 0.99))];
    const rows = [
      [
        'script of the page, gzip',
        '≤ 170 kB',
        `${kb(script)}, and ${kb(css)} of style`,
        script <= 170_000,
      ],
      [
        'first view: from the navigation to the drawn drill, 5 times',
        '≤ 1 s',
        views.map(ms).join(', '),
        (views.at(-1) ?? Infinity) <= 1000,
      ],
      [
        `an event: from its line in \`events.jsonl\` to the frame that shows it, p99 of ${latencies.length}`,
        '≤ 250 ms',
        `${ms(p99)} (median ${ms(latencies[latencies.length >> 1])})`,
        latencies.length === 100 && (p99 ?? Infinity) <= 250,
      ],
      ...(
        [
          [`scrolling ${workloads} workloads, a row a frame for 4 s`, fps.workloads],
          [`scrolling ${workloads} endpoints, likewise`, fps.endpoints],
          [`scrolling ${slos} SLOs, likewise`, fps.slos],
          [`a running drill of ${workloads} services and ${slos} SLOs, for 4 s`, fps.drill],
        ] as const
      ).map(
        ([name, value]) => [name, '≥ 50 frames a second', value.toFixed(0), value >= 50] as const,
      ),
      [
        `${viewers} viewers for ${grown.minutes} min: resident, heap of the server; heap of a page`,
        'no growth',
        [grown.rss, grown.heap, grown.page].map(([a, b]) => `${mb(a)} → ${mb(b)}`).join('; '),
        grown.heap[1] < grown.heap[0] * 1.1 && grown.page[1] < grown.page[0] * 1.3,
      ],
    ] as const;
    const table = rows.map(
      ([name, wanted, got, held]) => `| ${name} | ${wanted} | ${got} | ${met(held)} |`,
    );
    const about =
      `Chromium, headless, without a GPU; ${cpus().length} cores, load average ${loadBefore.toFixed(1)} before and ` +
      `${loadAfter.toFixed(1)}\nafter the frames were counted; an empty page drew ${idle.toFixed(0)} frames a second ` +
      `then. Node ${version}; ${new Date().toISOString().slice(0, 10)}.`;
    return `${about}\n\n| bar | wanted | measured | |\n| --- | --- | --- | --- |\n${table.join('\n')}\n`;
  } finally {
    await browser.close();
    at.child.disconnect();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The machine's frame rate for an empty page, which no page can exceed. */
async function idleFrames(browser: Browser): Promise<number> {
  const page = await browser.newPage();
  await page.setContent('<p>nothing</p>');
  const drawn = (await page.evaluate(frames(undefined))) as number;
  await page.close();
  return drawn;
}

const serveAt = argv.indexOf('--serve');
if (serveAt >= 0) await serve(argv[serveAt + 1] as string);
else {
  const minutesAt = argv.indexOf('--minutes');
  const text = await measure(minutesAt < 0 ? 10 : Number(argv[minutesAt + 1]));
  const out = join(packageRoot, 'bench/results/console.md');
  const head = '# The console, measured\n\n`npm run bench:console` writes this file.\n\n';
  if (argv.includes('--print')) process.stdout.write(text);
  else writeFileSync(out, head + text);
}
