/** A report's folder with files that no drill of an hour has written: long, broken, or links. */
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { facilitatorReaders } from '../../console/facilitator.js';
import { Follow } from '../../console/follow.js';
import { drillEvents } from '../../runbooks/events.js';
import { badGameDay } from '../runbooks/fixture.js';

let folder: string;
let follow: Follow;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'firedrill-follow-'));
  follow = new Follow(folder);
});
afterEach(() => {
  follow.close();
  rmSync(folder, { recursive: true, force: true });
});

const write = (name: string, text: string): void => writeFileSync(join(folder, name), text);

test('the events of a day of many hours are read in the time that their number needs', () => {
  const load = { kind: 'load', atMs: 1, requests: 9, errors: 0, p95Ms: 1 };
  write('events.jsonl', `${JSON.stringify(load)}\n`.repeat(60_000) + '{"kind":"load"}\n');
  follow.poll();
  expect(follow.events).toHaveLength(60_000);
  expect(follow.trouble).toContain('events.jsonl:60001:1: ');
}, 10_000);

test('events without end are shown up to a limit, which is told', () => {
  const note = { kind: 'note', atMs: 1, source: 's', subject: 's', text: 'x'.repeat(2 ** 20) };
  write('events.jsonl', `${JSON.stringify(note)}\n`.repeat(70));
  for (let i = 0; i < 6; i++) follow.poll();
  expect(follow.events).toHaveLength(64);
  expect(follow.trouble).toContain('only its first 64 events are shown');
});

test('a record that is half written is named until it is whole', () => {
  const whole = JSON.stringify(badGameDay());
  write('record.json', whole.slice(0, -9));
  for (let i = 0; i < 2; i++) {
    follow.poll();
    expect([follow.events, follow.trouble]).toEqual([[], expect.stringContaining('not JSON')]);
  }
  write('record.json', whole);
  follow.poll();
  expect([follow.events, follow.trouble]).toEqual([drillEvents(badGameDay()), undefined]);
});

test('the Report view compares records of the folders alone, and follows no link', async () => {
  const before = mkdtempSync(join(folder, 'before-'));
  write('record.json', JSON.stringify(badGameDay()));
  symlinkSync(join(folder, 'record.json'), join(before, 'record.json'));
  const sources = { folder, before, stateFolder: folder, drill: undefined };
  const report = new Map(facilitatorReaders(sources)).get('report');
  await expect((async () => report?.(new URLSearchParams()))()).rejects.toThrow('is a link');
});
