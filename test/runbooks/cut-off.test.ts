/** The postmortem of a game day whose runner was killed: its events are all that is known. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import type { DrillEvent } from '../../runbooks/events.js';
import { draftText } from '../../runbooks/postmortem/draft-command.js';
import { requiredSections } from '../../runbooks/postmortem/lint.js';

const folder = mkdtempSync(join(tmpdir(), 'firedrill-cut-off-'));
afterAll(() => rmSync(folder, { recursive: true }));

const s = Date.UTC(2026, 11, 1, 12) / 1000;
const scenario = 'slow|web';
const fault = { kind: 'fault' as const, scenario, fault: 'latency', target: 'web/cart' };
const events: DrillEvent[] = [
  {
    kind: 'day',
    atMs: s * 1000,
    state: 'started',
    title: 'Day of shop',
    scenarios: [scenario, 'b'],
  },
  { kind: 'scenario', atMs: (s + 1) * 1000, scenario, state: 'started', title: 'Slow' },
  { ...fault, atMs: (s + 2) * 1000, id: 'one', state: 'put', leaseMs: 6000 },
  { ...fault, atMs: (s + 3) * 1000, id: 'one', state: 'confirmed' },
  { ...fault, atMs: (s + 3) * 1000, id: 'two', state: 'put', leaseMs: 6000 },
  { ...fault, atMs: (s + 4) * 1000, id: 'two', state: 'removed' },
  { kind: 'load', atMs: (s + 5) * 1000, requests: 40, errors: 10, p95Ms: 4 },
  {
    kind: 'alert',
    atMs: (s + 6) * 1000,
    alert: 'WebSlow',
    severity: 'page',
    labels: {},
    state: 'notified',
  },
];

const draft = (more: { scenario?: string; out?: string } = {}) =>
  draftText({ result: folder, out: 'pm.md', ...more } as Parameters<typeof draftText>[0]);

test('a day that was killed has a postmortem of what its events tell', async () => {
  // The record of an earlier day in the same folder is not that of this day.
  writeFileSync(join(folder, 'record.json'), '{"title":"of an earlier day"}');
  const lines = events.map((e) => JSON.stringify(e)).join('\n');
  writeFileSync(join(folder, 'events.jsonl'), `${lines}\n{"kind":"pha`);
  const text = await draft();
  for (const name of requiredSections) expect(text).toContain(`\n## ${name}\n`);
  for (const line of [
    '# Postmortem: Day of shop',
    'The game day was cut off: its last event is of 12:00:06.0, 6.0 s after its start.',
    '- **slow\\|web**: had begun, and has no verdict.',
    '- **b**: had not begun.',
    '- 10 of 40 requests failed (25.0%) until then.',
    'put at 12:00:02.0, effect seen at 12:00:03.0, **not seen to be removed** (its lease lasts 6.0 s)',
    'put at 12:00:03.0, no effect was seen, removed at 12:00:04.0',
    '- 12:00:06.0 WebSlow (page) notified',
  ]) {
    expect(text).toContain(line);
  }
  expect(text).not.toContain('earlier');
  expect(JSON.parse(await draft({ out: 'pm.json' }))).toMatchObject({ title: 'Day of shop' });
  expect(await draft({ out: 'pm.html' })).toContain('<title>Postmortem: Day of shop</title>');
  await expect(draft({ scenario })).rejects.toThrow('--scenario slow|web: the day was cut off');
});

test('a day that came to its end is told by its record', async () => {
  const end = { kind: 'day-record', atMs: s * 1000, record: {}, budgetSpent: [], shared: {} };
  const file = join(folder, 'events.jsonl');
  writeFileSync(
    file,
    `${readFileSync(file, 'utf8').replace(/\n.*$/, '')}\n${JSON.stringify(end)}\n`,
  );
  await expect(draft()).rejects.toThrow('record.json');
});
