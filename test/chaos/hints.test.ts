/** Hints for the team under drill, and the roles of its people: simulated time, and a real drill that is asked. */
import { appendFileSync, cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { asset } from '../../base/paths.js';
import { acknowledgementEvents } from '../../chaos/gameday/acknowledgement.js';
import { openHintDesk } from '../../chaos/gameday/hint-desk.js';
import { Hints, type HintOptions } from '../../chaos/runner/hints.js';
import type { HintRecord } from '../../runbooks/hint-record.js';
import { draftPostmortem } from '../../runbooks/postmortem/draft.js';
import { lintPostmortem } from '../../runbooks/postmortem/lint.js';
import { goodGameDay } from '../runbooks/fixture.js';
import { drillFolder, faultAnnounced, firedrill, until } from './drill.js';

const folder = mkdtempSync(join(tmpdir(), 'firedrill-hints-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const listed: HintOptions['hints'] = [
  { text: 'one', after: 10_000 },
  { text: 'two' },
  { text: 'three', after: 20_000 },
];

function rig(hints = listed) {
  const asking: string[] = [];
  const told: string[] = [];
  const desk = { asked: () => asking.splice(0), tell: (text: string) => void told.push(text) };
  const given: HintRecord[] = [];
  const onGiven = (hint: HintRecord): void => void given.push(hint);
  const all = new Hints({ hints, desk, real: (ms) => ms / 10, onGiven });
  const texts = (): string[] => given.map((h) => `${h.afterMs} ${h.by ?? 'time'} ${h.text}`);
  return { all, asking, told, texts };
}

test('each comes at its time, scaled, and one without a time only when somebody asks', () => {
  const { all, asking, told, texts } = rig();
  all.look(900, undefined);
  all.look(5999, 5000);
  expect(texts()).toEqual([]);
  all.look(6200, 5000);
  expect(texts()).toEqual(['1200 time one']);
  all.look(7000, 5000);
  expect(texts()).toEqual(['1200 time one', '2000 time three']);
  asking.push('orders', 'orders');
  all.look(7300, 5000);
  expect(texts().at(-1)).toBe('2300 orders two');
  expect(told).toEqual(['two', 'no hint is left (3 were given)']);
});

test('one that was asked for does not come again at its time', () => {
  const { all, asking, texts } = rig();
  asking.push('orders');
  all.look(5300, 5000);
  all.look(6300, 5000);
  expect(texts()).toEqual(['300 orders one']);
});

const roles = { facilitator: 'reliability', responders: ['orders'], observers: ['newcomers'] };

test('the desk answers each question once, refuses observers, and skips what it cannot read', () => {
  const state = mkdtempSync(join(folder, 'state-'));
  const file = join(state, 'hints.jsonl');
  const ask = (askedMs: number, by: string): void =>
    appendFileSync(file, `${JSON.stringify({ askedMs, by })}\n`);
  ask(500, 'orders');
  writeFileSync(file, 'broken\n{"askedMs": "x"}\n', { flag: 'a' });
  const desk = openHintDesk(state, roles, 1000);
  expect(desk.asked(2000)).toEqual([]);
  ask(1100, 'newcomers');
  ask(1200, 'orders');
  ask(1300, 'reliability');
  expect(desk.asked(2000)).toEqual(['orders', 'reliability']);
  desk.tell('look there');
  desk.tell('and there');
  desk.tell('nobody asked');
  ask(1900, 'orders');
  expect(desk.asked(6900)).toEqual([]);
  expect(desk.asked(2000)).toEqual([]);
  const answers = readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => line.includes('told'));
  expect(answers.map((line) => JSON.parse(line) as unknown)).toEqual([
    {
      askedMs: 1100,
      by: 'newcomers',
      told: 'newcomers is an observer: hints are for orders',
    },
    { askedMs: 1200, by: 'orders', told: 'look there' },
    { askedMs: 1300, by: 'reliability', told: 'and there' },
  ]);
});

test('an acknowledgement counts by a responder, and by anybody where no roles are named', () => {
  const page = { name: 'OrdersFail', severity: 'page', labels: {}, receivedAtMs: 1000 };
  const said = (by: string, given?: typeof roles): string | undefined =>
    acknowledgementEvents([{ atMs: 3000, by }], [page as never], given)[0]?.text;
  expect(said('orders', roles)).toBe('acknowledged by orders, 2.0 s after it was received');
  expect(said('newcomers')).toBe('acknowledged by newcomers, 2.0 s after it was received');
  expect(said('newcomers', roles)).toBe(
    'seen by newcomers, an observer: orders must acknowledge it',
  );
  expect(said('reliability', roles)).toContain('the facilitator');
  expect(said('somebody', roles)).toContain('nobody whom the drill names');
});

test('a hint that was needed is a finding of the postmortem, for a person to answer', () => {
  const record = goodGameDay();
  const hints = [{ atMs: 0, afterMs: 4000, text: 'Ask *DNS*', by: 'orders' }];
  record.scenarios[0] = { ...record.scenarios[0]!, hints };
  const text = draftPostmortem({ ...record, roles });
  expect(text).toContain(
    '- Roles: facilitator: reliability; responders: orders; observers: newcomers',
  );
  expect(text).toMatch(
    /a hint was needed 4\.0 s after the injection, asked for by orders: Ask \\\*DNS\\\*\. .*TO FILL/,
  );
  expect(lintPostmortem('p.md', text).length).toBeGreaterThan(
    lintPostmortem('p.md', draftPostmortem(goodGameDay())).length,
  );
});

test('a drill gives a hint by its time, and one to who asks; report and postmortem tell both', async () => {
  const own = drillFolder();
  cpSync(asset('examples/systems/two-services'), own, { recursive: true });
  const file = join(own, 'scenarios/back-slow.yaml');
  const written = readFileSync(file, 'utf8').replace(
    /^fault: .*$/m,
    'fault: { atLeast: 40m, atMost: 60m }\nhints:\n' +
      '  - { text: The call to back., after: 5m }\n  - { text: Its latency. }',
  );
  writeFileSync(file, written);
  appendFileSync(join(own, 'firedrill.yaml'), 'roles: { responders: [orders] }\n');
  const kinds = ['--prometheus', 'embedded', '--load', 'embedded'];
  const drill = firedrill(
    own,
    'gameday',
    'run',
    '--scenarios',
    'scenarios/back-slow.yaml',
    ...kinds,
  );
  await until(() => faultAnnounced(own), 60_000, `a fault: ${drill.output()}`);
  await until(() => drill.output().includes('hint '), 20_000, `a hint: ${drill.output()}`);
  const asked = await firedrill(own, 'gameday', 'hint', '--by', 'orders').ended;
  expect(asked).toEqual({ code: 0, output: expect.stringContaining('Its latency.') as string });
  const refused = await firedrill(own, 'gameday', 'hint', '--by', 'cart').ended;
  expect(refused.output).toContain('cart is nobody whom the drill names: hints are for orders');
  await drill.ended;
  const [scenario] = drill.record().scenarios;
  expect(scenario?.hints).toMatchObject([
    { text: 'The call to back.' },
    { text: 'Its latency.', by: 'orders' },
  ]);
  const report = (name: string): string => readFileSync(join(own, 'gameday-report', name), 'utf8');
  for (const name of ['index.html', 'postmortem.md', 'events.jsonl', 'result.json']) {
    expect(report(name)).toContain('Its latency.');
  }
}, 120_000);

test('where no drill runs, nobody answers, and that is told', async () => {
  const { code, output } = await firedrill(drillFolder(), 'gameday', 'hint').ended;
  expect([code, output]).toEqual([
    1,
    expect.stringContaining('no drill with a fault on answers in .firedrill'),
  ]);
}, 30_000);
