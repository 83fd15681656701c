/** A fault from its lease to its end, and its recovery after a crash; its injection point is answered by a call. */
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setImmediate } from 'node:timers/promises';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test, vi } from 'vitest';
import { SimulatedClock } from '../../base/clock.js';
import type { Undo } from '../../chaos/faults/undo.js';
import {
  firstConfirmedMs,
  Injection,
  type LocalPoints,
  renewMs,
} from '../../chaos/runner/injection.js';
import { Journal, journalFolder, openIntents, readJournal } from '../../chaos/runner/journal.js';
import { recover } from '../../chaos/runner/recover.js';
import {
  clearSwitch,
  readSwitch,
  throwSwitch,
  userStateFolder,
} from '../../chaos/runner/stop-switch.js';
import type { ScenarioFault } from '../../chaos/scenarios/schema.js';
import { askJson } from '../../chaos/system/ask.js';
import type { System } from '../../chaos/system/model.js';
import { answerAt, type Handler } from './drill-clock.js';

const endings: (() => void)[] = [];
afterEach(() => {
  for (const end of endings.splice(0).toReversed()) end();
});

function stateFolder(): string {
  const path = mkdtempSync(join(tmpdir(), 'firedrill-injection-'));
  endings.push(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

const refused = (): never => {
  throw new TypeError('fetch failed', { cause: new Error('connect ECONNREFUSED') });
};

/** An injection point; `special` answers instead of it where it returns something. */
function point(special?: Handler | ((...asked: Parameters<Handler>) => undefined)) {
  const leases = new Map<string, { id: string; effect: number }>();
  const asked: string[] = [];
  const { admin, close } = answerAt((url, method, body) => {
    asked.push(`${method} ${url.replace(/^http:..[^/]*/, '')}`);
    const own = special?.(url, method, body);
    if (own) return own;
    const id = decodeURIComponent(url.split('/').at(-1)!);
    if (method === 'PUT') return [200, {}];
    if (method === 'GET') return [200, [...leases.values()]];
    if (method === 'DELETE') return leases.delete(id) ? [200, {}] : [404, 'unknown lease'];
    const lease = JSON.parse(body) as { id: string };
    const known = leases.get(lease.id) ?? { id: lease.id, effect: 1 };
    leases.set(lease.id, known);
    return [200, known];
  });
  endings.push(close);
  return { admin, leases, asked };
}

const undo: Undo = {
  kind: 'requests',
  requests: [{ method: 'PUT', url: 'http://undo.example/{{firedrill-lease}}' }],
};

function begun(
  at: { admin: string },
  given: Partial<ScenarioFault> = {},
  own?: Undo,
  local?: LocalPoints,
) {
  const clock = new SimulatedClock(1000);
  const journal = new Journal(stateFolder(), 'run-1', () => clock.nowMs());
  const system = {
    admin: at.admin,
    description: {
      workloads: [{ name: 'web-1', service: 'web' }],
      relays: [],
      commands: own ? [{ name: 'outage', undo: own }] : [],
    },
  } as unknown as System;
  const base = { id: 'f', kind: 'kill' as const, target: 'web-1', start: 0, settings: {} };
  const fault: ScenarioFault = own
    ? { ...base, kind: 'command', target: 'outage', ...given }
    : { ...base, ...given };
  const injection = new Injection(
    { clock, journal, system, run: 'r', ...(local && { local }) },
    fault,
  );
  return { clock, journal, injection };
}

/** Lets requests that are under way be answered. */
async function settle(clock: SimulatedClock, forMs: number): Promise<void> {
  clock.advance(forMs);
  for (let i = 0; i < 5; i++) await setImmediate();
}

const open = (journal: Journal): string[] =>
  openIntents(readJournal(journal.file)).map((i) => `${i.fault} at ${i.target}`);

test('one that never began leaves nothing to roll back', async () => {
  const at = point();
  const { injection, journal } = begun(at);
  expect(await injection.end()).toEqual([]);
  expect([at.asked, open(journal), injection.record.undo]).toEqual([[], [], 'none']);
  expect(firstConfirmedMs([injection])).toBeUndefined();
});

test('a fault of the runner itself takes effect when it is seen, and is over when it is not', async () => {
  const struck = [0, 4, 4, 0];
  const put = vi.fn(() => Promise.resolve(struck.shift() ?? 0));
  const scrape = { kind: 'scrape-loss' as const, target: 'prometheus' };
  const { injection } = begun(point(), scrape, undefined, {
    'local:scrape': { put, remove: () => Promise.resolve() },
  });
  await injection.begin();
  expect(injection.confirmed).toBe(false);
  await injection.look();
  expect([injection.confirmed, injection.record.effect]).toEqual([true, 4]);
  await injection.look();
  expect(await injection.end()).toEqual([]);
  expect(injection.record).toMatchObject({ effect: 4, lapsedBy: 'somebody undid it' });
});

test('it ends once, and is renewed no more', async () => {
  const at = point();
  const { injection, clock, journal } = begun(at);
  await injection.begin();
  expect([injection.confirmed, firstConfirmedMs([injection])]).toEqual([true, 1000]);
  expect(open(journal)).toEqual(['kill at web-1']);
  await settle(clock, renewMs);
  expect(at.asked.filter((a) => a.startsWith('POST'))).toHaveLength(2);
  expect(await injection.end()).toEqual([]);
  expect(await injection.end()).toEqual([]);
  await settle(clock, 10 * renewMs);
  expect(at.asked.filter((a) => a.startsWith('POST'))).toHaveLength(2);
  expect(at.asked.filter((a) => a.startsWith('DELETE'))).toEqual(['DELETE /faults/r-f-0']);
  expect(injection.record).toMatchObject({ undo: 'done', endedMs: 1000 + renewMs, effect: 1 });
  expect(open(journal)).toEqual([]);
});

test.each([
  ['its holder is gone', undefined, refused, 'done', [], []],
  ['its lease has lapsed', undefined, () => [404, 'no'], 'lapsed', [], []],
  [
    'its holder refuses',
    undefined,
    () => [500, 'no'],
    'failed',
    ['f at web-1: DELETE URL answered 500: "no"'],
    ['kill at web-1'],
  ],
  ['its holder is gone, and it has an undo', undo, refused, 'done', [], []],
  ['its lease has lapsed, and it has an undo', undo, () => [404, 'no'], 'lapsed', [], []],
  [
    'its holder refuses, and it has an undo',
    undo,
    () => [500, 'no'],
    'failed',
    ['f at outage: DELETE URL answered 500: "no"'],
    ['command at outage'],
  ],
] as const)('where %s', async (_, own, deleted, done, residue, left) => {
  const undone = point();
  const at = point((_url, method) => (method === 'DELETE' ? [...deleted()] : undefined) as never);
  const given = own && {
    ...undo,
    requests: [{ method: 'PUT', url: `${undone.admin}/{{firedrill-lease}}` }],
  };
  const { injection, journal } = begun(at, {}, given as Undo | undefined);
  await injection.begin();
  const found = await injection.end();
  expect(found.map((text) => text.replace(/http:\S+/, 'URL'))).toEqual(residue);
  expect([injection.record.undo, open(journal)]).toEqual([done, left]);
  expect(undone.asked).toEqual(own && done !== 'failed' ? ['PUT /r-f-0'] : []);
});

test('an undo that fails is a residue', async () => {
  const undone = point(() => [500, 'broken'] as never);
  const at = point((_, method) => (method === 'DELETE' ? refused() : undefined));
  const strict = { method: 'PUT', url: `${undone.admin}/x`, strict: true };
  const { injection, journal } = begun(at, {}, { kind: 'requests', requests: [strict] });
  await injection.begin();
  expect(await injection.end()).toEqual([expect.stringMatching(/^f at outage: .*500/)]);
  expect([injection.record.undo, open(journal)]).toEqual(['failed', ['command at outage']]);
});

test.each([
  ['held still', (at: ReturnType<typeof point>) => at.leases.size, 1, 'DELETE /faults/r-f-0'],
  ['ended by a page', (at: ReturnType<typeof point>) => (at.leases.clear(), 0), 0, undefined],
])('a lease that is left to a page, %s', async (_, mend, size, deleted) => {
  const at = point();
  const { injection, clock, journal } = begun(at);
  await injection.begin();
  injection.leaveToPage();
  mend(at);
  await settle(clock, renewMs);
  expect(at.leases.size).toBe(size);
  expect(await injection.end()).toEqual([]);
  expect(at.asked.find((a) => a.startsWith('DELETE'))).toBe(deleted);
  expect([injection.record.undo, open(journal)]).toEqual(['done', []]);
});

test('a holder that does not answer for a moment has not lost its lease', async () => {
  let isDown = false;
  const at = point(() => (isDown ? refused() : undefined));
  const { injection, clock } = begun(at);
  await injection.begin();
  injection.leaveToPage();
  isDown = true;
  await settle(clock, renewMs);
  isDown = false;
  await settle(clock, renewMs);
  expect(at.leases.size).toBe(1);
  await injection.end();
  expect(at.leases.size).toBe(0);
});

/** An injection point whose lease goes on while its holder says that the fault is over. */
const troubled = (at = 'GET') =>
  point((_, method) =>
    method === at
      ? ([200, [{ id: 'r-f-0', effect: 1, trouble: 'it goes on' }]] as never)
      : undefined,
  );

test('a fault that is over while its lease goes on has lapsed, with the reason', async () => {
  const { injection, journal } = begun(troubled());
  await injection.begin();
  expect(await injection.end()).toEqual([]);
  expect(injection.record).toMatchObject({ effect: 1, undo: 'lapsed', lapsedBy: 'it goes on' });
  expect(open(journal)).toEqual([]);
});

test('under a page, an effect that is over is the success of the page', async () => {
  const lost = point(
    (_, method) =>
      (method === 'DELETE' ? [200, { removed: true, trouble: 'it ended' }] : undefined) as never,
  );
  for (const at of [troubled(), lost]) {
    const { injection, journal } = begun(at);
    await injection.begin();
    injection.leaveToPage();
    expect(await injection.end()).toEqual([]);
    expect(injection.record).toMatchObject({ undo: 'done' });
    expect(injection.record).not.toHaveProperty('lapsedBy');
    expect(open(journal)).toEqual([]);
  }
});

test.each([
  ['once or twice', 2, 'done'],
  ['again and again', 3, 'lapsed'],
])('a lease that its holder loses %s', async (_, times, done) => {
  const at = point();
  const { injection, clock } = begun(at);
  await injection.begin();
  for (let i = 0; i < times; i++) {
    at.leases.clear();
    await injection.look();
    await settle(clock, renewMs);
    expect(at.leases.size).toBe(1);
  }
  await injection.end();
  const { undo: undone, lapsedBy } = injection.record;
  expect([undone, lapsedBy?.replace(/:.*/, '')]).toEqual([
    done,
    done === 'done' ? undefined : 'its lease was lost again and again at web-1',
  ]);
});

/** A server at which `answer` decides about each request. */
async function holder(answer: (method: string, response: ServerResponse) => void): Promise<string> {
  const server = createServer((request, response) => answer(request.method ?? '', response));
  endings.push(() => {
    server.closeAllConnections();
    server.close();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

test('renewals at a slow holder do not pile up before the rollback', async () => {
  const posts: ServerResponse[] = [];
  const admin = await holder((method, response) => {
    if (method !== 'POST') response.end('[]');
    else if (posts.push(response) === 1) response.end('{"effect":1}');
  });
  const { injection, clock } = begun({ admin });
  await injection.begin();
  clock.advance(20 * renewMs);
  await expect.poll(() => posts.length).toBe(2);
  const end = injection.end();
  posts[1]?.end('{"effect":1}');
  expect(await end).toEqual([]);
  expect([posts.length, injection.record.undo]).toEqual([2, 'done']);
});

test('a fault whose end the journal cannot take is ended all the same', async () => {
  const at = point();
  const { injection, journal } = begun(at);
  await injection.begin();
  journal.close();
  expect(await injection.end()).toEqual(['f at web-1: the journal is closed']);
  expect([at.leases.size, injection.record.undo]).toEqual([0, 'failed']);
});

test('an answer that is cut short names its address', async () => {
  const admin = await holder((_, response) => {
    response.writeHead(200, { 'content-length': '100' }).write('{');
    response.socket?.end();
  });
  await expect(askJson(`${admin}/system`)).rejects.toThrow(`${admin}/system does not answer: `);
});

test.each([
  [{}, 'the process is killed (SIGKILL) and stays away until the lease ends'],
  [
    { settings: { a: 1, b: { c: [2] } }, ramp: 90_000 },
    'the process is killed (SIGKILL) and stays away until the lease ends (a 1, b {"c":[2]}), ramped over 1m30s',
  ],
])('is described: %j', (given, text) => {
  expect(begun(point(), given).injection.record.description).toBe(text);
});

test('an undo in the journal names its own lease', async () => {
  const { injection, journal } = begun(point(), {}, undo);
  await injection.begin();
  expect(openIntents(readJournal(journal.file))[0]?.undo).toEqual({
    kind: 'requests',
    requests: [{ method: 'PUT', url: 'http://undo.example/r-f-0' }],
  });
  await injection.end();
});

type Lines = Parameters<typeof JSON.stringify>[0][];
function crashed(lines: Lines): { state: string; file: string } {
  const state = stateFolder();
  const journal = new Journal(state, 'run-1', () => 5);
  const { file } = journal;
  journal.intent('x', 'y', 'http://x.example/faults/1');
  journal.close();
  const begin = { kind: 'begin', atMs: 1, run: 'run-1', pid: 2 ** 22 + 1, startTicks: '1' };
  writeFileSync(file, [begin, ...lines].map((line) => JSON.stringify(line)).join('\n'));
  return { state, file };
}

test.each([
  ['its holder undoes it', undefined, undefined, ['kill at web was undone'], []],
  ['its holder is gone', refused, undefined, ['kill at web had lapsed'], []],
  ['its lease has lapsed', () => [404, 'no'], undefined, ['kill at web had lapsed'], []],
  [
    'its holder refuses',
    () => [500, 'no'],
    undefined,
    [],
    ['kill at web: DELETE URL answered 500: "no"'],
  ],
  [
    'its holder refuses, and it has an undo',
    () => [500, 'no'],
    'undo',
    ['kill at web was undone'],
    [],
  ],
  ['its holder is gone, and it has an undo', refused, 'undo', ['kill at web was undone'], []],
  ['a rollback without a holder', refused, 'alone', ['kill at web was undone'], []],
] as const)('after a crash: %s', async (_, deleted, own, done, failed) => {
  const undone = point();
  const at = point(() => (deleted ? [...deleted()] : undefined) as never);
  at.leases.set('f1', { id: 'f1', effect: 1 });
  const requests = [{ method: 'PUT', url: `${undone.admin}/undo` }];
  const intent = {
    kind: 'intent',
    atMs: 1,
    fault: 'kill',
    target: 'web',
    url: own === 'alone' ? 'rollback-1' : `${at.admin}/faults/f1`,
    ...(own && { undo: { kind: 'requests', requests } }),
  };
  const folder = stateFolder();
  const { state, file } = crashed([intent, { kind: 'folder', atMs: 1, path: folder }]);
  const [recovery, ...more] = await recover(state);
  expect(more).toEqual([]);
  expect(recovery).toMatchObject({ run: 'run-1', running: false, done });
  expect(recovery?.failed.map((text) => text.replace(/http:\S+/, 'URL'))).toEqual(failed);
  expect(undone.asked).toEqual(own ? ['PUT /undo'] : []);
  expect(at.asked).toEqual(own === 'alone' ? [] : ['DELETE /faults/f1']);
  expect([existsSync(file), existsSync(folder)]).toEqual([failed.length > 0, false]);
});

test('the journal holds processes, groups and folders, and passes over a line that was cut', () => {
  const journal = new Journal(stateFolder(), 'run-1', () => 5);
  journal.process(process.pid, 'runner');
  journal.process(2 ** 22 + 1, 'gone', true);
  journal.folder('/tmp/x');
  expect(journal.processes.map(({ pid, name, group }) => [pid, name, group])).toEqual([
    [process.pid, 'runner', undefined],
    [2 ** 22 + 1, 'gone', true],
  ]);
  expect('group' in journal.processes[0]!).toBe(false);
  expect(readJournal(journal.file).at(-1)).toEqual({ kind: 'folder', atMs: 5, path: '/tmp/x' });
  const text = readFileSync(journal.file, 'utf8');
  writeFileSync(journal.file, `${text}{"kind":"fo\n{"kind":"end","atMs":6}\n`);
  expect(readJournal(journal.file).map((l) => l.kind)).toEqual([
    'begin',
    'process',
    'process',
    'folder',
    'end',
  ]);
  journal.close();
  journal.close();
  journal.process(1, 'after the end');
  expect(() => journal.folder('/tmp/y')).toThrow('the journal is closed');
  expect(journalFolder('/a')).toBe('/a/journal');
});

test('the user’s kill switch stops every run, wherever it was started', () => {
  const before = process.env.XDG_STATE_HOME;
  endings.push(() => {
    if (before === undefined) delete process.env.XDG_STATE_HOME;
    else process.env.XDG_STATE_HOME = before;
  });
  const home = stateFolder();
  const state = stateFolder();
  process.env.XDG_STATE_HOME = home;
  expect(userStateFolder()).toBe(join(home, 'firedrill'));
  throwSwitch(state, { reason: 'here', atMs: 1 });
  expect(readSwitch(state)).toEqual({ reason: 'here', atMs: 1 });
  throwSwitch(userStateFolder(), { reason: 'everywhere', atMs: 2 });
  expect(readSwitch(state)).toEqual({ reason: 'everywhere', atMs: 2 });
  expect(readSwitch(join(state, 'stop.json'))).toEqual({ reason: 'everywhere', atMs: 2 });
  expect([clearSwitch(userStateFolder()), clearSwitch(state)]).toEqual([true, true]);
  expect(readSwitch(join(state, 'none'))).toBeUndefined();
  delete process.env.XDG_STATE_HOME;
  expect(userStateFolder()).toMatch(/\/\.local\/state\/firedrill$/);
});
