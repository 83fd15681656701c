/** A person's answer to a page: the page that it belongs to, and its delay. */
import { appendFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import {
  acknowledge,
  acknowledgementEvents,
  acknowledgements,
} from '../../chaos/gameday/acknowledgement.js';
import type { AlertRecord } from '../../runbooks/record.js';
import { drillFolder, firedrill } from './drill.js';

const alert = (name: string, severity: string, receivedAtMs: number): AlertRecord =>
  ({
    name,
    severity,
    receivedAtMs,
    firedAtMs: receivedAtMs,
    labels: {},
    facts: [],
  }) as unknown as AlertRecord;
const alerts = [alert('A', 'page', 1000), alert('B', 'page', 3000), alert('C', 'ticket', 4000)];

test.each([
  [{ atMs: 2500, by: 'x' }, 'A', 'acknowledged by x, 1.5 s after it was received'],
  [{ atMs: 9000, by: 'x' }, 'B', 'acknowledged by x, 6.0 s after it was received'],
  [{ atMs: 9000, by: 'x', alert: 'C' }, 'C', 'acknowledged by x, 5.0 s after it was received'],
  [{ atMs: 500, by: 'x' }, 'page', 'acknowledged by x: no page had come'],
  [{ atMs: 9000, by: 'x', alert: 'D' }, 'D', 'acknowledged by x: no D had come'],
])('%j is of %s', (given, subject, text) => {
  expect(acknowledgementEvents([given], alerts)).toEqual([
    { atMs: given.atMs, source: 'alert', subject, text, major: true },
  ]);
});

test('those of the day are read; a line that is none is passed over', async () => {
  const folder = drillFolder();
  const state = join(folder, '.firedrill');
  acknowledge(state, { atMs: 1000, by: 'early' });
  appendFileSync(join(state, 'acknowledged.jsonl'), 'no JSON\n{"atMs":"1"}\n');
  const ack = () => firedrill(folder, 'gameday', 'ack', '--by', 'payments').ended;
  expect(await ack()).toEqual({ code: 1, output: 'no drill is under way in .firedrill\n' });
  mkdirSync(join(state, 'journal'));
  const begin = { kind: 'begin', atMs: 0, run: 'a', pid: process.pid };
  writeFileSync(join(state, 'journal', 'a.jsonl'), `${JSON.stringify(begin)}\n`);
  const before = Date.now();
  const typed = await ack();
  expect(typed).toEqual({ code: 0, output: 'acknowledged\n' });
  const found = acknowledgements(state, before, Date.now());
  expect(found).toEqual([{ atMs: expect.any(Number) as number, by: 'payments' }]);
  expect(() => acknowledge(state, { atMs: 1, by: 'x', alert: 'x'.repeat(500) })).toThrow(
    'too long',
  );
  expect(acknowledgements(join(folder, 'none'), 0, 1)).toEqual([]);
});
