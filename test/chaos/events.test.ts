/** Typed events: written as they happen, the same from a record of any version, and replayed at any speed. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test, vi } from 'vitest';
import { exitCode, UserError } from '../../base/errors.js';
import { alertEvents } from '../../chaos/gameday/timeline.js';
import { labelsText } from '../../runbooks/words.js';
import { EventFile, eventFileName } from '../../chaos/gameday/event-file.js';
import { eventsIn, replayCommand } from '../../chaos/gameday/replay.js';
import {
  type DrillEvent,
  drillEvents,
  drillEventSchema,
  parseEvents,
} from '../../runbooks/events.js';
import type { GameDayRecord } from '../../runbooks/record.js';
import { dayRecordEvent, recordedIn, scenarioRecordEvent } from '../../runbooks/recorded.js';
import { gameDayFiles } from '../../runbooks/report/files.js';
import { eventText } from '../../runbooks/event-text.js';
import { badGameDay, goodGameDay } from '../runbooks/fixture.js';
import { cartErrors, smallDrill } from './small-drill.js';

const folders: string[] = [];
const folder = (): string => {
  const path = mkdtempSync(join(tmpdir(), 'firedrill-events-'));
  folders.push(path);
  return path;
};
afterEach(() => folders.splice(0).forEach((path) => rmSync(path, { recursive: true })));

const told = (events: readonly DrillEvent[]): string[] =>
  events.map((e) => ('state' in e ? `${e.kind} ${e.state}` : e.kind));

test.concurrent(
  'a scenario says what happens, the moment that it does, in the order of time',
  async () => {
    const events: DrillEvent[] = [];
    const record = await smallDrill({
      emit: (event) => events.push(drillEventSchema.parse(event)),
    });
    const order = told(events);
    const at = (what: string): number => order.indexOf(what);
    expect(order[0]).toBe('scenario started');
    expect(order.at(-1)).toBe('scenario ended');
    for (const [before, after] of [
      ['fault put', 'fault confirmed'],
      ['fault confirmed', 'expectation armed'],
      ['fault put', 'distance'],
      ['expectation armed', 'expectation notified'],
      ['expectation notified', 'fault removed'],
      ['fault removed', 'measure'],
    ] as const) {
      expect([before, after, at(before) >= 0 && at(before) < at(after)]).toEqual([
        before,
        after,
        true,
      ]);
    }
    const put = events.find((e) => e.kind === 'fault' && e.state === 'put');
    expect(put).toMatchObject({ struck: ['cart'] });
    const notified = events.find((e) => e.kind === 'expectation' && e.state === 'notified');
    expect(notified).toMatchObject({ afterMs: record.expectations[0]?.receivedAfterMs });
  },
);

test.concurrent(
  'an effect that a renewal of the lease saw first is told, and arms the deadlines',
  async () => {
    const events: DrillEvent[] = [];
    const record = await smallDrill({ lateEffect: true, emit: (event) => events.push(event) });
    const order = told(events).filter((k) => k.startsWith('fault') || k.startsWith('expectation'));
    expect(order.slice(0, 3)).toEqual(['fault put', 'fault confirmed', 'expectation armed']);
    const confirmed = events.find((e) => e.kind === 'fault' && e.state === 'confirmed');
    expect(confirmed?.atMs).toBe(record.faults[0]?.confirmedMs);
  },
);

test.concurrent(
  'an alert that fires before the effect of the fault was seen is told when its deadline begins',
  async () => {
    const events: DrillEvent[] = [];
    const record = await smallDrill({ lateEffect: true, emit: (event) => events.push(event) });
    const [expected] = record.expectations;
    expect(expected?.receivedAfterMs).toBeLessThan(0);
    const own = events.filter((e) => e.kind === 'expectation');
    expect(own.map((e) => e.state)).toEqual(['armed', 'notified']);
    expect(own[1]).toMatchObject({ afterMs: expected?.receivedAfterMs });
    expect(eventText(own[1]!)).toMatch(/came \d\.\d s before the fault was seen to take effect$/);
  },
);

test.concurrent(
  'while an alert is awaited, its rule says when it should fire; the judge says it again',
  async () => {
    const events: DrillEvent[] = [];
    const rules = [cartErrors({ forMs: 900 })];
    const record = await smallDrill({
      rules,
      emit: (event) => events.push(drillEventSchema.parse(event)),
    });
    const theories = events.filter((e) => e.kind === 'theory');
    const [armed, told] = ['armed', 'notified'].map((state) =>
      events.find((e) => e.kind === 'expectation' && e.state === state),
    );
    const [first] = theories;
    expect(first?.within).toBeUndefined();
    expect(first?.atMs).toBeGreaterThanOrEqual(armed?.atMs ?? Infinity);
    expect(first?.atMs).toBeLessThan(told?.atMs ?? 0);
    expect(theories.map((t) => t.armedAtMs)).toEqual(theories.map(() => armed?.atMs));
    const judged = theories.at(-1);
    const theory = record.expectations[0]?.theory;
    expect(judged?.within).toBe(theory?.within);
    // Times in milliseconds since the epoch are rounded beyond the point.
    expect((judged?.earliestAtMs ?? 0) - (armed?.atMs ?? 0)).toBeCloseTo(
      theory?.earliestMs ?? 0,
      1,
    );
    expect(theories.filter((t) => t.within !== undefined)).toHaveLength(1);
    expect(eventText(first!)).toMatch(/expected after \d\.\d s to \d\.\d s$/);
  },
);

test.concurrent(
  'an alert that did not come is missed, by the name of what became of it',
  async () => {
    const events: DrillEvent[] = [];
    const rules = [cartErrors({ labels: { severity: 'ticket' } })];
    await smallDrill({ rules, emit: (event) => events.push(event) });
    const missed = events.find((e) => e.kind === 'expectation' && e.state === 'missed');
    expect(missed).toMatchObject({ outcome: 'wrong-severity' });
    expect(eventText(missed!)).toContain('(page) fired as a ticket, expected a page');
  },
);

test.each([goodGameDay, badGameDay])('a record of any age says the same events', (make) => {
  const record = make();
  const events = drillEvents(record);
  for (const event of events) {
    expect(drillEventSchema.parse(event)).toEqual(event);
    expect(eventText(event)).not.toMatch(/undefined|NaN/);
  }
  expect(events.map((e) => e.atMs)).toEqual(events.map((e) => e.atMs).toSorted((a, b) => a - b));
  expect(told(events).filter((k) => k === 'scenario ended')).toHaveLength(record.scenarios.length);
  expect(told(events).filter((k) => k === 'alert notified')).toHaveLength(record.alerts.length);
});

test('an alert that names only a port is told by the workload that has it', () => {
  const alerts = goodGameDay().alerts.slice(0, 1);
  const subject = (labels: Record<string, string>): string | undefined =>
    alertEvents(
      alerts.map((a) => ({ ...a, name: 'Misrouting', labels })),
      [
        { job: 'app', url: 'http://127.0.0.1:4711/metrics', labels: { workload: 'cart' } },
        { job: 'db', url: 'http://127.0.0.1:5432/metrics' },
      ],
    )[0]?.subject;
  expect(subject({ instance: '127.0.0.1:4711' })).toBe('Misrouting (cart)');
  expect(subject({ instance: '127.0.0.1:5432' })).toBe('Misrouting (db)');
  expect(subject({ instance: '127.0.0.1:80' })).toBe('Misrouting (127.0.0.1:80)');
  expect(labelsText({ instance: '127.0.0.1:4711', workload: 'cart' })).toBe('workload=cart');
  expect(labelsText({ instance: '127.0.0.1:4711' })).toBe('instance=127.0.0.1:4711');
});

test('an SLO without events has no budget event: nothing was measured of it', () => {
  const record = goodGameDay();
  const [first] = record.budgets;
  const empty = { ...first!, slo: 'unasked', total: 0, bad: 0, spentOfPeriodRatio: 0 };
  const events = drillEvents({ ...record, budgets: [...record.budgets, empty] });
  const slos = events.flatMap((e) => (e.kind === 'budget' ? [e.slo] : []));
  expect(slos).toEqual(record.budgets.map((b) => b.slo));
});

test('lines are read back; one that a crash cut is passed over, any other mistake has its place', () => {
  const [first] = drillEvents(goodGameDay());
  const line = JSON.stringify(first);
  expect(parseEvents('e.jsonl', `${line}\n{"kind":"ph`)).toEqual([first]);
  expect(() => parseEvents('e.jsonl', `{"kind":"ph\n${line}`)).toThrow(/^e.jsonl:1:12: not JSON/);
  expect(() => parseEvents('e.jsonl', `${line}\n{"kind":"nonsense"}\n`)).toThrow(
    /^e.jsonl:2:1: kind/,
  );
});

test('a report is played again, from its events or, where it is older than they are, from its record', async () => {
  const path = folder();
  writeFileSync(join(path, 'record.json'), JSON.stringify(goodGameDay()));
  expect(eventsIn(path)).toEqual(drillEvents(goodGameDay()));
  const file = new EventFile(path);
  file.write({ kind: 'budget', atMs: 20, slo: 'a', spentOfPeriod: 0.5 });
  file.write({ kind: 'abort', atMs: 10, scenario: 's', condition: 'down' });
  file.close();
  file.write({ kind: 'abort', atMs: 30, scenario: 's', condition: 'after the end' });
  expect(told(eventsIn(path))).toEqual(['abort', 'budget']);
  await expect(replayCommand(path, { speed: '0', format: 'text' })).rejects.toThrow('bad --speed');
});

test('a day that was cut off is played as far as it is known, and said to be cut off', async () => {
  const path = folder();
  const events = drillEvents(goodGameDay()).toSorted((a, b) => a.atMs - b.atMs);
  const told = async (played: readonly DrillEvent[]): Promise<string> => {
    writeFileSync(join(path, eventFileName), played.map((e) => `${JSON.stringify(e)}\n`).join(''));
    const [out, err] = [vi.spyOn(process.stdout, 'write'), vi.spyOn(process.stderr, 'write')];
    out.mockReturnValue(true);
    err.mockReturnValue(true);
    try {
      await replayCommand(path, { speed: 'max', format: 'json' });
      expect(out.mock.calls).toHaveLength(played.length);
      return err.mock.calls.join('');
    } finally {
      out.mockRestore();
      err.mockRestore();
    }
  };
  expect(await told(events)).toBe('');
  expect(await told(events.slice(0, 20))).toContain('the day was cut off before its end');
});

test.each([goodGameDay, badGameDay])('a record is made anew from its events alone', (make) => {
  const record = JSON.parse(JSON.stringify(make())) as GameDayRecord;
  const shared = { proxies: ['127.0.0.1:4191'], controller: '', slos: 'slo.yaml', window: '2s' };
  // As in the file: facts that are only known at the end are not in a scenario's own event.
  const early = record.scenarios.map((s) => scenarioRecordEvent({ ...s, budgetSpent: [] }));
  const events = [...early, dayRecordEvent(record, shared)];
  const lines = events.map((event) => JSON.stringify(event)).join('\n');
  const again = recordedIn('e.jsonl', parseEvents('e.jsonl', lines));
  expect(again).toEqual({ record, shared });
  expect([...gameDayFiles(again.record, again.shared)]).toEqual([...gameDayFiles(record, shared)]);
  expect(() => recordedIn('e.jsonl', early)).toThrow('e.jsonl: the day was cut off before its end');
});

test('a folder that cannot be written is told before anything is started', () => {
  const path = folder();
  writeFileSync(join(path, 'file'), '');
  for (const bad of ['file', 'file/report']) {
    try {
      new EventFile(join(path, bad)).close();
      expect.unreachable();
    } catch (error) {
      expect((error as UserError).exitCode).toBe(exitCode.environment);
      expect((error as Error).message).toContain('cannot be written');
    }
  }
  mkdirSync(join(path, 'new'));
  expect(() => new EventFile(join(path, 'new', 'report')).close()).not.toThrow();
  expect(eventFileName).toBe('events.jsonl');
});
