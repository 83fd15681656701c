/** The undo journal, the recovery from it, the kill switch, and leases: on simulated time if time matters. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { appendFileSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { SimulatedClock, sleep } from '../../base/clock.js';
import type { System } from '../../chaos/system/model.js';
import { Injection, renewMs } from '../../chaos/runner/injection.js';
import {
  isAlive,
  Journal,
  journalFiles,
  openIntents,
  readJournal,
  startTicksOf,
} from '../../chaos/runner/journal.js';
import { recover } from '../../chaos/runner/recover.js';
import { statusOf, statusText } from '../../chaos/runner/status-command.js';
import { clearSwitch, readSwitch, throwSwitch } from '../../chaos/runner/stop-switch.js';
import type { ScenarioFault } from '../../chaos/scenarios/schema.js';

const endings: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of endings.splice(0).toReversed()) await end();
});

function stateFolder(): string {
  const path = mkdtempSync(join(tmpdir(), 'firedrill-state-'));
  endings.push(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

/** An injection point with the three requests, and with leases that can be made to lapse. */
async function injectionPoint(): Promise<{
  port: number;
  leases: Map<string, { effect: number; puts: number }>;
}> {
  const leases = new Map<string, { effect: number; puts: number }>();
  const server = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk: Buffer) => (body += chunk.toString()));
    request.on('end', () => {
      if (request.method === 'POST') {
        const { id } = JSON.parse(body) as { id: string };
        const lease = leases.get(id) ?? { effect: 0, puts: 0 };
        lease.puts++;
        leases.set(id, lease);
        return response.end(JSON.stringify({ id, effect: lease.effect }));
      }
      if (request.method === 'DELETE') {
        const id = decodeURIComponent((request.url ?? '').slice('/faults/'.length));
        response.statusCode = leases.delete(id) ? 200 : 404;
        return response.end('{}');
      }
      response.end(JSON.stringify([...leases].map(([id, l]) => ({ id, effect: l.effect }))));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  endings.push(
    () => void server.close(),
    () => server.closeAllConnections(),
  );
  return { port: (server.address() as AddressInfo).port, leases };
}

const systemAt = (port: number): System =>
  ({
    controllerAdmin: `http://127.0.0.1:${port}`,
    description: { workloads: [{ name: 'web-1', service: 'web' }], relays: [] },
  }) as unknown as System;

const freeze: ScenarioFault = {
  id: 'freeze',
  kind: 'identity-freeze',
  target: 'controller',
  start: 0,
  settings: {},
};

test('the status tells runs under way, those that died, their faults, and the kill switch', () => {
  const folder = stateFolder();
  expect(statusText(statusOf(folder))).toMatch(/^no run is under way\n/);
  const journal = new Journal(folder, 'mine', () => 0);
  journal.intent('slow', 'cart', 'http://127.0.0.1:1/faults/a');
  const dead = { kind: 'begin', atMs: 0, run: 'theirs', pid: process.pid, startTicks: '1' };
  writeFileSync(join(folder, 'journal', 'theirs.jsonl'), `${JSON.stringify(dead)}\n`);
  throwSwitch(folder, { reason: 'enough', atMs: 0 });
  expect(statusText(statusOf(folder)).split('\n')).toEqual([
    'mine: running; slow at cart',
    'theirs: dead, firedrill gameday recover cleans up; no fault is on',
    'the kill switch is thrown (enough): no run begins',
    '',
  ]);
  journal.undone('http://127.0.0.1:1/faults/a');
  expect(statusOf(folder).runs[0]).toEqual({ run: 'mine', running: true, faults: [] });
  journal.close();
});

test('a journal that is deleted during the run takes no fault, and its run ends as any other', () => {
  const folder = stateFolder();
  const journal = new Journal(folder, 'run', () => 0);
  journal.intent('slow', 'cart', 'http://127.0.0.1:1/faults/a');
  rmSync(folder, { recursive: true });
  expect(() => journal.intent('slow', 'cart', 'http://127.0.0.1:1/faults/b')).toThrow(
    /run\.jsonl was deleted during the run: the undo of slow would be nowhere/,
  );
  journal.process(process.pid, 'this');
  expect(journal.processes).toMatchObject([{ name: 'this' }]);
  journal.undone('http://127.0.0.1:1/faults/a');
  journal.close();
  expect(existsSync(folder)).toBe(false);
});

describe('the journal', () => {
  test('X3: what is announced and not undone is open, the last first', () => {
    const journal = new Journal(stateFolder(), 'run-1', () => 5);
    journal.intent('delay', 'a', 'http://x/faults/1');
    journal.intent('abort', 'b', 'http://x/faults/2');
    journal.intent('kill', 'c', 'http://x/faults/3');
    journal.undone('http://x/faults/2');
    expect(openIntents(readJournal(journal.file)).map((i) => i.fault)).toEqual(['kill', 'delay']);
    journal.close();
    expect(existsSync(journal.file)).toBe(true);
  });

  test('journals are found by their names, in their order, and other files are none', () => {
    const state = stateFolder();
    expect(journalFiles(state)).toEqual([]);
    const folder = join(state, 'journal');
    mkdirSync(folder);
    for (const name of ['b.jsonl', 'a.jsonl', 'aa.json', 'c.jsonl']) {
      writeFileSync(join(folder, name), '');
    }
    const names = journalFiles(state).map((file) => file.slice(state.length));
    expect(names).toEqual(['/journal/a.jsonl', '/journal/b.jsonl', '/journal/c.jsonl']);
  });

  test('a run that undid everything leaves no file', () => {
    const state = stateFolder();
    const journal = new Journal(state, 'run-1', () => 5);
    journal.intent('delay', 'a', 'http://x/faults/1');
    journal.undone('http://x/faults/1');
    journal.close();
    expect(journalFiles(state)).toEqual([]);
  });

  test('a last line that was cut short is passed over', () => {
    const journal = new Journal(stateFolder(), 'run-1', () => 5);
    journal.intent('delay', 'a', 'http://x/faults/1');
    appendFileSync(journal.file, '{"kind":"intent","fau');
    expect(openIntents(readJournal(journal.file))).toHaveLength(1);
  });

  test('a line that was cut short hides none after it', () => {
    const journal = new Journal(stateFolder(), 'run-1', () => 5);
    appendFileSync(journal.file, '{"kind":"intent","fau\n');
    journal.intent('delay', 'a', 'http://x/faults/1');
    expect(openIntents(readJournal(journal.file))).toHaveLength(1);
  });

  test.runIf(process.getuid?.() === 0)(
    'a full disk cuts a line short, and the next one is a line of its own',
    () => {
      const state = stateFolder();
      mkdirSync(join(state, 'journal'));
      const mount = spawnSync('mount', [
        '-t',
        'tmpfs',
        '-o',
        'size=8k',
        'x',
        join(state, 'journal'),
      ]);
      if (mount.status !== 0) return;
      endings.push(() => spawnSync('umount', ['-l', join(state, 'journal')]));
      const journal = new Journal(state, 'run-1', () => 5);
      const other = join(state, 'journal', 'other');
      writeFileSync(other, 'x');
      const long = 'a'.repeat(6000);
      expect(() => journal.intent('delay', long, 'http://x/faults/1')).toThrow('ENOSPC');
      rmSync(other);
      journal.intent('delay', 'a', 'http://x/faults/2');
      expect(openIntents(readJournal(journal.file)).map((i) => i.url)).toEqual([
        'http://x/faults/2',
      ]);
    },
  );

  test('a process is told from a later one of the same number', () => {
    expect(isAlive(process.pid, startTicksOf(process.pid))).toBe(true);
    if (startTicksOf(process.pid) !== undefined) expect(isAlive(process.pid, '1')).toBe(false);
  });
});

describe('recovery', () => {
  const deadPid = 2 ** 22 - 3;

  function crashedJournal(state: string, lines: object[]): void {
    mkdirSync(join(state, 'journal'), { recursive: true });
    const begin = { kind: 'begin', atMs: 1, run: 'run-1', pid: deadPid, startTicks: '1' };
    const text = [begin, ...lines].map((line) => JSON.stringify(line)).join('\n');
    writeFileSync(join(state, 'journal', 'run-1.jsonl'), `${text}\n`);
  }

  test('X3: after a crash the next run takes faults back, ends processes and removes folders', async () => {
    const state = stateFolder();
    const left = mkdtempSync(join(tmpdir(), 'firedrill-left-'));
    const { port, leases } = await injectionPoint();
    leases.set('f1', { effect: 1, puts: 1 });
    const sleeper: ChildProcess = spawn('sleep', ['600'], { stdio: 'ignore' });
    endings.push(() => sleeper.kill('SIGKILL'));
    const pid = sleeper.pid!;
    const url = `http://127.0.0.1:${port}/faults/f1`;
    crashedJournal(state, [
      { kind: 'process', atMs: 1, pid, startTicks: startTicksOf(pid), name: 'the shop' },
      { kind: 'folder', atMs: 1, path: left },
      { kind: 'intent', atMs: 1, fault: 'delay', target: 'payment', url },
      { kind: 'intent', atMs: 1, fault: 'kill', target: 'x', url: 'http://127.0.0.1:9/faults/f2' },
    ]);
    const [recovery] = await recover(state);
    expect(recovery).toMatchObject({ running: false, failed: [] });
    expect(recovery?.done).toEqual([
      'kill at x had lapsed',
      'delay at payment was undone',
      'the shop was ended',
    ]);
    expect(leases.size).toBe(0);
    expect(existsSync(left)).toBe(false);
    expect(journalFiles(state)).toEqual([]);
    expect(await recover(state)).toEqual([]);
  });

  test('a run that is still at work is left alone', async () => {
    const state = stateFolder();
    const journal = new Journal(state, 'run-2', () => 5);
    journal.intent('delay', 'a', 'http://127.0.0.1:9/faults/1');
    expect(await recover(state)).toMatchObject([{ run: 'run-2', running: true, done: [] }]);
    expect(journalFiles(state)).toHaveLength(1);
  });
});

describe('the kill switch', () => {
  test('X3: once thrown it stays until it is cleared', () => {
    const state = stateFolder();
    expect(readSwitch(state)).toBeUndefined();
    throwSwitch(state, { reason: 'a real incident', atMs: 7 });
    expect(readSwitch(state)).toEqual({ reason: 'a real incident', atMs: 7 });
    expect([clearSwitch(state), readSwitch(state), clearSwitch(state)]).toEqual([
      true,
      undefined,
      false,
    ]);
  });

  test('a switch that cannot be read counts as thrown', () => {
    const state = stateFolder();
    writeFileSync(join(state, 'stop.json'), 'not json');
    expect(readSwitch(state)?.reason).toContain('cannot be read');
    rmSync(join(state, 'stop.json'));
    mkdirSync(join(state, 'stop.json'));
    expect(readSwitch(state)?.reason).toContain('cannot be read');
  });
});

describe('a fault', () => {
  async function begun(): Promise<{
    clock: SimulatedClock;
    injection: Injection;
    journal: Journal;
    point: Awaited<ReturnType<typeof injectionPoint>>;
  }> {
    const clock = new SimulatedClock(1000);
    const point = await injectionPoint();
    const journal = new Journal(stateFolder(), 'run-1', () => clock.nowMs());
    const system = systemAt(point.port);
    const injection = new Injection({ clock, journal, system, run: 'r' }, freeze);
    await injection.begin();
    return { clock, injection, journal, point };
  }

  test('X3: is in the journal before it is put, renewed while it lasts, and rolled back', async () => {
    const { clock, injection, journal, point } = await begun();
    expect(openIntents(readJournal(journal.file))).toMatchObject([{ fault: 'identity-freeze' }]);
    expect(injection.record.struck).toEqual(['web']);
    const [lease] = point.leases.values();
    expect(lease?.puts).toBe(1);
    const puts = (): number => lease?.puts ?? 0;
    // A renewal that is due during another one is left out.
    while (puts() < 3) {
      clock.advance(renewMs);
      await sleep(5);
    }
    expect(await injection.end()).toEqual([]);
    expect(point.leases.size).toBe(0);
    expect(openIntents(readJournal(journal.file))).toEqual([]);
    expect(injection.record).toMatchObject({ undo: 'done', requestedMs: 1000 });
    // Nothing renews the lease any more.
    clock.advance(renewMs * 10);
    await sleep(20);
    expect(point.leases.size).toBe(0);
  });

  test('counts as confirmed only once its own counter has moved', async () => {
    const { clock, injection, point } = await begun();
    await injection.look();
    expect(injection.confirmed).toBe(false);
    for (const lease of point.leases.values()) lease.effect = 3;
    clock.advance(100);
    await injection.look();
    expect(injection.record).toMatchObject({ confirmedMs: 1100, effect: 3 });
    await injection.end();
  });

  test('that lapsed meanwhile is told, and so is one that cannot be rolled back', async () => {
    const { injection, point } = await begun();
    point.leases.clear();
    expect(await injection.end()).toEqual([]);
    expect(injection.record.undo).toBe('lapsed');
  });
});
