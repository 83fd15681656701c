/** Silences in a file: from amtool, from the API, or handwritten; each mistake has its place. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { silencesAt } from '../../alerts/routing/alertmanager-api.js';
import { readSilences, silenceWords } from '../../alerts/routing/silence-file.js';

const folder = mkdtempSync(join(tmpdir(), 'firedrill-silences-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function read(text: string) {
  const file = join(folder, 'silences.yaml');
  writeFileSync(file, text);
  return readSilences(file);
}

const told = (text: string): string => {
  try {
    return JSON.stringify(read(text));
  } catch (error) {
    return (error as Error).message.replaceAll(`${folder}/`, '');
  }
};

const ofApi = {
  id: '0d0a8d2e',
  status: { state: 'active' },
  updatedAt: '2026-12-01T09:00:00Z',
  comment: 'database moves',
  createdBy: 'alice',
  startsAt: '2026-12-01T09:00:00Z',
  endsAt: '2026-12-01T22:00:00Z',
  matchers: [{ name: 'service', value: 'db|cache', isRegex: true, isEqual: true }],
};

test('reads the output of amtool, and finds the silences in force at a moment', () => {
  const over = { ...ofApi, id: 'b', status: { state: 'expired' } };
  const silences = read(JSON.stringify([ofApi, over]));
  expect(silencesAt(silences, Date.parse('2026-12-01T12:00:00Z')).map((s) => s.id)).toEqual([
    '0d0a8d2e',
  ]);
  expect(silencesAt(silences, Date.parse('2026-12-02T12:00:00Z'))).toEqual([]);
  expect(silenceWords(silences[0]!)).toBe("'database moves' (alice, until 2026-12-01T22:00:00Z)");
});

test('handwritten: matchers as text; without times a silence is in force', () => {
  const silences = read(
    `- { matchers: ['severity="ticket"', 'team!~"a|b"'], comment: tickets wait }`,
  );
  expect(silences[0]!.matchers).toEqual([
    { name: 'severity', value: 'ticket', isRegex: false, isEqual: true },
    { name: 'team', value: 'a|b', isRegex: true, isEqual: false },
  ]);
  expect(silencesAt(silences, Date.now())).toHaveLength(1);
  expect(silenceWords(silences[0]!)).toBe("'tickets wait'");
});

test.each([
  ['matchers: []', 'silences.yaml:1:1: expected a list of silences'],
  ['- { matchers: [] }', 'silences.yaml:1:15: 0.matchers: expected a matcher'],
  ['- { matchers: [severity] }', 'silences.yaml:1:16: '],
  ['- { matchers: ["a=~\\"(\\""] }', 'silences.yaml:1:16: '],
  [
    '- { matchers: ["a=b"], endsAt: noon }',
    'silences.yaml:1:32: 0.endsAt: expected a time such as',
  ],
])('%s', (text, said) => {
  expect(told(text)).toContain(said);
});
