/** The console from outside: access, live events, and hostile texts in the page. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { acknowledgements } from '../../chaos/gameday/acknowledgement.js';
import { tellAcknowledgements } from '../../chaos/gameday/day-events.js';
import { chromium } from 'playwright-core';
import { afterEach, expect, test } from 'vitest';
import { UserError } from '../../base/errors.js';
import { requireTool } from '../../base/tools.js';
import { registerConsole } from '../../console/command.js';
import { Follow } from '../../console/follow.js';
import { type Console, startConsole } from '../../console/server.js';
import { type DrillEvent, drillEvents, drillEventSchema } from '../../runbooks/events.js';
import { badGameDay } from '../runbooks/fixture.js';
import { drillsOf } from '../../console/sources.js';
import { testWith } from '../tools.js';

const folders: string[] = [];
const running: Console[] = [];
afterEach(async () => {
  await Promise.all(running.splice(0).map((one) => one.close()));
  for (const path of folders.splice(0)) rmSync(path, { recursive: true, force: true });
});

function folder(events: readonly DrillEvent[] = []): string {
  const path = mkdtempSync(join(tmpdir(), 'firedrill-console-'));
  folders.push(path);
  if (events.length > 0) writeFileSync(join(path, 'events.jsonl'), lines(events));
  return path;
}

const lines = (events: readonly DrillEvent[]): string =>
  events.map((e) => `${JSON.stringify(e)}\n`).join('');

async function open(path: string, stateFolder?: string): Promise<{ at: string; last(): string }> {
  const addresses: string[] = [];
  const one = await startConsole({
    folder: path,
    port: 0,
    ...(stateFolder !== undefined && { drills: drillsOf({ report: path, state: stateFolder }) }),
    onAddress: (address) => addresses.push(address),
  });
  running.push(one);
  return { at: `http://127.0.0.1:${one.port}`, last: () => addresses.at(-1) as string };
}

interface Answer {
  status: number;
  headers: Record<string, unknown>;
  body: string;
}

/** A request with chosen Host and Origin headers, which fetch does not allow. */
function ask(url: string, headers: Record<string, string> = {}, method = 'GET'): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const asked = request(url, { headers, method }, (response) => {
      let body = '';
      response.on('data', (chunk: Buffer) => (body += chunk.toString()));
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body }),
      );
    });
    asked.on('error', reject).end();
  });
}

const enter = async (address: string): Promise<string> => {
  const { status, headers } = await ask(address);
  expect([status, headers.location]).toEqual([303, '/']);
  return String(headers['set-cookie']).split(';')[0] as string;
};

test('a token is good for one visit, and the next viewer gets another', async () => {
  const { at, last } = await open(folder());
  const address = last();
  expect((await ask(`${at}/`)).status).toBe(401);
  expect((await ask(`${at}/?token=${'x'.repeat(32)}`)).status).toBe(403);
  const cookie = await enter(address);
  const page = await ask(`${at}/`, { cookie });
  expect(page.status).toBe(200);
  expect(page.headers['content-security-policy']).toContain("default-src 'none'");
  expect((await ask(address)).status).toBe(403);
  expect(last()).not.toBe(address);
  await enter(last());
});

test.each([
  ['another name for this address', { host: 'evil.example' }],
  ['another page', { origin: 'http://evil.example' }],
  ['a page of another port', { origin: 'http://127.0.0.1:1' }],
])('%s gets nothing', async (_, headers) => {
  const { at, last } = await open(folder());
  const cookie = await enter(last());
  expect((await ask(`${at}/events`, { cookie, ...headers })).status).toBe(403);
});

test('behind a reverse proxy: only its address is believed, one name, and no token', async () => {
  const rule = (peers: string[]) => ({
    behind: { userHeader: 'x-user', peers: new Set(peers), origin: 'https://drills.example' },
  });
  const begin = async (peers: string[]): Promise<string> => {
    const state = folder();
    const more = { ...rule(peers), drills: drillsOf({ report: state, state }) };
    const one = await startConsole({ folder: folder(), port: 0, ...more, onAddress: () => {} });
    running.push(one);
    return `http://127.0.0.1:${one.port}/`;
  };
  const at = await begin(['127.0.0.1']);
  const host = 'drills.example';
  expect((await ask(at, { host })).status).toBe(401);
  expect((await ask(at, { host, 'x-user': 'ada' })).status).toBe(200);
  expect((await ask(at, { host, 'x-user': 'ada, eve' })).status).toBe(401);
  expect((await ask(`${at}?token=x`, { host, 'x-user': 'ada' })).status).toBe(403);
  const evil = { host, 'x-user': 'ada', origin: 'https://evil.example' };
  expect((await ask(`${at}stop`, evil, 'POST')).status).toBe(403);
  const own = { ...evil, origin: 'https://drills.example' };
  expect((await ask(`${at}stop`, own, 'POST')).status).toBe(204);
  // The same header from any other address is forged.
  expect((await ask(await begin(['10.0.0.2']), { host, 'x-user': 'ada' })).status).toBe(403);
});

test.each([
  [['--listen', '10.0.0.5'], '--user-header'],
  [['--user-header', 'x-user', '--public-url', 'https://a.example'], '--trusted-proxy'],
  [
    ['--user-header', 'x-user', '--trusted-proxy', 'proxy', '--public-url', 'https://a.example'],
    'IP',
  ],
  [['--user-header', 'x-user', '--trusted-proxy', '10.0.0.2'], '--public-url'],
  [['--alertmanager', 'http://127.0.0.1:1'], '--prometheus'],
  [['--prometheus', 'nonsense'], 'http://host:9090'],
])(
  'bad flags %j are refused before anything listens',
  async (flags, said) => {
    const command = new Command().exitOverride();
    registerConsole(command);
    const run = command.parseAsync(['node', 'firedrill', 'console', ...flags]);
    await expect(run).rejects.toThrow(UserError);
    await expect(run).rejects.toThrow(said);
  },
  60_000,
);

test('an address that is none is refused, and ends nothing', async () => {
  const { at, last } = await open(folder());
  expect((await ask(`${at}//`)).status).toBe(400);
  await enter(last());
});

test('nothing can be stopped unless that is allowed, and then by the page alone', async () => {
  const closed = await open(folder());
  const cookie = await enter(closed.last());
  const origin = closed.at;
  expect((await ask(`${closed.at}/stop`, { cookie, origin }, 'POST')).status).toBe(403);
  const state = folder();
  const allowed = await open(folder(), state);
  const own = await enter(allowed.last());
  expect((await ask(`${allowed.at}/stop`, { cookie: own }, 'POST')).status).toBe(403);
  expect((await ask(`${allowed.at}/stop`, { origin: allowed.at }, 'POST')).status).toBe(401);
  expect(existsSync(join(state, 'stop.json'))).toBe(false);
  const headers = { cookie: own, origin: allowed.at };
  expect((await ask(`${allowed.at}/stop`, headers, 'POST')).status).toBe(204);
  expect(existsSync(join(state, 'stop.json'))).toBe(true);
});

test('a page is acknowledged where drills are allowed, by a role, and the running drill tells it', async () => {
  const closed = await open(folder());
  const state = folder();
  const allowed = await open(folder(), state);
  const send = async (door: { at: string; last(): string }, body: string): Promise<number> => {
    const cookie = await enter(door.last());
    const headers = { cookie, origin: door.at };
    return fetch(`${door.at}/acknowledge`, { method: 'POST', body, headers }).then((r) => r.status);
  };
  const begunMs = Date.now();
  expect(await send(closed, '{"text":"on call"}')).toBe(403);
  for (const bad of ['', '{"text":" "}', '{"text":1}']) expect(await send(allowed, bad)).toBe(400);
  expect(await send(allowed, '{"text":"payments on call"}')).toBe(204);
  const events: DrillEvent[] = [];
  const read = () => acknowledgements(state, begunMs, Date.now());
  const stop = tellAcknowledgements(read, (event) => events.push(event));
  await expect.poll(() => events).toMatchObject([{ by: 'payments on call' }]);
  expect(await send(allowed, '{"text":"carts on call"}')).toBe(204);
  await expect.poll(() => events.length).toBe(2);
  stop();
  expect(events[1]).toMatchObject({ by: 'carts on call' });
  expect(drillEventSchema.parse(events[0])).toEqual(events[0]);
});

test('a postmortem is written where edits are allowed, by the page alone, over the text that was read', async () => {
  const path = folder();
  const file = join(path, 'postmortem.md');
  writeFileSync(file, '# P\n');
  const was = createHash('sha256').update('# P\n').digest('hex');
  const [closed, open1] = await Promise.all(
    [false, true].map(async (mayEdit) => {
      const addresses: string[] = [];
      const one = await startConsole({
        folder: path,
        port: 0,
        mayEdit,
        onAddress: (address) => addresses.push(address),
      });
      running.push(one);
      const at = `http://127.0.0.1:${one.port}`;
      return { at, headers: { cookie: await enter(addresses.at(-1) as string), origin: at } };
    }),
  );
  type Door = { at: string; headers: { cookie: string; origin: string } };
  const send = ({ at, headers }: Door, body: string, without = '', call = 'postmortem') =>
    fetch(`${at}/${call}`, {
      method: 'POST',
      body,
      headers: Object.fromEntries(Object.entries(headers).filter(([name]) => name !== without)),
    }).then((r) => r.status);
  const edit = JSON.stringify({ text: '# Q\n', was });
  expect(await send(closed as Door, edit)).toBe(403);
  const own = open1 as Door;
  expect(await send(own, edit, 'origin')).toBe(403);
  expect(await send(own, edit, 'cookie')).toBe(401);
  for (const bad of ['', '{', 'null', '{"text":1}', '{"text":"x"}'])
    expect([bad, await send(own, bad)]).toEqual([bad, 400]);
  expect(await send(own, JSON.stringify({ text: 'x'.repeat(2 ** 20 + 1), was }))).toBe(400);
  expect(await send(own, JSON.stringify({ text: '# Q\n', was: 'other' }))).toBe(409);
  expect(readFileSync(file, 'utf8')).toBe('# P\n');
  expect(await send(own, JSON.stringify({ text: '# R' }), '', 'lint')).toBe(200);
  expect(await send(own, edit)).toBe(204);
  expect(readFileSync(file, 'utf8')).toBe('# Q\n');
  expect(await send(own, edit)).toBe(409);
});

test('a file that grows is followed, half a line waits, a bad one is named, a new day begins anew', () => {
  const path = folder();
  const file = join(path, 'events.jsonl');
  const [first, second, third] = drillEvents(badGameDay()) as [DrillEvent, DrillEvent, DrillEvent];
  const follow = new Follow(path);
  follow.poll();
  expect(follow.events).toEqual([]);
  const half = JSON.stringify(second);
  writeFileSync(file, `${JSON.stringify(first)}\n${half.slice(0, 20)}`);
  follow.poll();
  expect(follow.events).toEqual([first]);
  appendFileSync(file, `${half.slice(20)}\n{"kind":"nonsense"}\n${JSON.stringify(third)}\n`);
  follow.poll();
  expect(follow.events).toEqual([first, second, third]);
  expect(follow.trouble).toContain('events.jsonl:3:1');
  rmSync(file);
  writeFileSync(file, lines([third]));
  follow.poll();
  expect([follow.events, follow.generation, follow.trouble]).toEqual([[third], 1, undefined]);
  follow.close();
});

test('the record of an old report tells the same events', () => {
  const path = folder();
  mkdirSync(path, { recursive: true });
  writeFileSync(join(path, 'record.json'), JSON.stringify(badGameDay()));
  const follow = new Follow(path);
  follow.poll();
  expect(follow.events).toEqual(drillEvents(badGameDay()));
});

testWith('chromium')(
  'the page: figures of the record, hostile texts as text, an event as it comes, on a phone and at night',
  async () => {
    const hostile = '<img src=x onerror="document.title=1">';
    const day = drillEvents(badGameDay()).filter((e) => e.kind !== 'day' || e.state !== 'ended');
    const note: DrillEvent = {
      kind: 'note',
      atMs: 1,
      source: 'x',
      subject: hostile,
      text: hostile,
    };
    const path = folder([...day, { ...note, atMs: (day.at(-1)?.atMs ?? 0) + 1 }]);
    const { last } = await open(path);
    const browser = await chromium.launch({
      executablePath: requireTool('chromium'),
      args: ['--no-sandbox', '--disable-gpu'],
    });
    try {
      for (const [width, colorScheme] of [
        [420, 'dark'],
        [1500, 'light'],
      ] as const) {
        const page = await browser.newPage({ viewport: { width, height: 900 }, colorScheme });
        const errors: string[] = [];
        page.on('console', (m) => m.type() === 'error' && errors.push(m.text()));
        page.on('pageerror', (e) => errors.push(e.message));
        await page.goto(last());
        const { scenarios } = badGameDay();
        await page
          .getByText(scenarios[0]?.title ?? '', { exact: false })
          .first()
          .waitFor();
        await page.getByText(hostile, { exact: false }).first().waitFor();
        expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(width);
        expect(await page.title()).toBe('Firedrill console');
        if (width === 1500) {
          const text = 'came while it was open';
          const lastMs = (day.at(-1)?.atMs ?? 0) + 2;
          appendFileSync(
            join(path, 'events.jsonl'),
            lines([{ ...note, atMs: lastMs, subject: 's', text }]),
          );
          await page.getByText(text).waitFor();
        }
        expect(errors).toEqual([]);
        await page.close();
      }
    } finally {
      await browser.close();
    }
  },
  60_000,
);

test('a report folder from anywhere: its links, pipes and files without end keep nobody waiting', async () => {
  const path = folder();
  const outside = folder();
  writeFileSync(join(outside, 'secret'), 'the secret');
  const { at, last } = await open(path);
  const cookie = await enter(last());
  symlinkSync(join(outside, 'secret'), join(path, 'index.html'));
  const linked = await ask(`${at}/report`, { cookie });
  expect([linked.status, linked.body.includes('the secret')]).toEqual([400, false]);
  expect(linked.body).toContain('is a link');
  rmSync(join(path, 'index.html'));
  execFileSync('mkfifo', [join(path, 'index.html'), join(path, 'events.jsonl')]);
  expect((await ask(`${at}/report`, { cookie })).body).toContain('is no plain file');
  rmSync(join(path, 'index.html'));
  writeFileSync(join(path, 'index.html'), '');
  truncateSync(join(path, 'index.html'), 65 * 2 ** 20);
  expect((await ask(`${at}/report`, { cookie })).body).toContain("more than a report's");
  expect((await ask(`${at}/report/../../secret`, { cookie })).status).toBe(404);
  // The console still answers, and reports the problem with the events.
  expect((await ask(`${at}/`, { cookie })).status).toBe(200);
  const follow = new Follow(path);
  expect(() => follow.poll()).toThrow('is no plain file');
});

test('a line without end is given up, and what comes after it is read', () => {
  const path = folder();
  const [first] = drillEvents(badGameDay()) as [DrillEvent];
  writeFileSync(join(path, 'events.jsonl'), 'x'.repeat(33 * 2 ** 20));
  const follow = new Follow(path);
  for (let i = 0; i < 5; i++) follow.poll();
  expect(follow.trouble).toContain('a line of more than 32 MB');
  appendFileSync(join(path, 'events.jsonl'), `\n${lines([first])}`);
  follow.poll();
  expect(follow.events).toEqual([first]);
  follow.close();
});

test('a thousand viewers: some watch, the others are told so, and the console stays up', async () => {
  const { at, last } = await open(folder());
  const cookie = await enter(last());
  const asked = Array.from({ length: 1000 }, () =>
    request(`${at}/events`, { headers: { cookie } }),
  );
  const answers = asked.map(
    (one) =>
      new Promise<number>((resolve) => {
        one.on('response', (r) => resolve(r.statusCode ?? 0)).on('error', () => resolve(0));
        one.end();
      }),
  );
  const statuses = await Promise.all(answers);
  expect(statuses.filter((s) => s === 200)).toHaveLength(64);
  expect(statuses.filter((s) => ![0, 200, 503].includes(s))).toEqual([]);
  for (const one of asked) one.destroy();
  await expect
    .poll(() =>
      ask(`${at}/`, { cookie }).then(
        (a) => a.status,
        () => 0,
      ),
    )
    .toBe(200);
});

test('the page begins with what is known, and its stream goes on from there', async () => {
  const events = drillEvents(badGameDay()).slice(0, 3);
  const path = folder(events);
  const { at, last } = await open(path);
  const cookie = await enter(last());
  const page = await ask(`${at}/`, { cookie });
  const [, json = ''] = /id="first">([^<]*)</.exec(page.body) ?? [];
  const first = JSON.parse(json) as { generation: number; events: DrillEvent[] };
  expect(first.events).toEqual(events);
  const holds = (query: string): Promise<number> =>
    new Promise((resolve, reject) => {
      const one = request(`${at}/events?${query}`, { headers: { cookie } }, (response) =>
        response.once('data', (chunk: Buffer) => {
          const [, data = '{}'] = /^data: (.*)$/m.exec(chunk.toString()) ?? [];
          resolve((JSON.parse(data) as { holds: number }).holds);
          one.destroy();
        }),
      );
      one.on('error', reject).end();
    });
  expect(await holds(`generation=${first.generation}&had=3`)).toBe(3);
  for (const lie of [
    '',
    'had=3',
    'generation=9&had=3',
    'generation=0&had=-1',
    'generation=0&had=x',
  ])
    expect([lie, await holds(lie)]).toEqual([lie, 0]);
  expect(await holds('generation=0&had=99')).toBe(3);
});
