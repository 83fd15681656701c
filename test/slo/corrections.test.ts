/** Corrections take exactly the events of their time out of a budget that a real Prometheus holds. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { History, HistoryServer } from '../../bench/slo-prometheus.js';
import { program } from '../../base/paths.js';
import { findTool } from '../../base/tools.js';
import { testWith } from '../tools.js';

const hourMs = 3_600_000;
const endMs = Date.UTC(2026, 4, 20, 12);
const at = (hoursBefore: number): string => new Date(endMs - hoursBefore * hourMs).toISOString();
const folder = mkdtempSync(join(tmpdir(), 'firedrill-corrections-'));
const slo = join(folder, 'slo.yaml');
writeFileSync(
  slo,
  `apiVersion: firedrill.dev/v1
service: shop
slos:
  - { name: cart, objective: 99, window: 7d, sli: { events: { bad: b, total: t } } }
  - { name: pay, objective: 99, window: 7d, sli: { events: { bad: b2, total: t } } }
  - name: routes
    objective: 99
    window: 7d
    groupBy: { labels: [route] }
    sli: { events: { bad: b4, total: t } }
  - { name: fast, objective: 99, window: 7d, sli: { events: { bad: b3, total: t } } }
`,
);
const file = join(folder, 'corrections.yaml');
const corrections = (text: string): string => {
  writeFileSync(file, text);
  return file;
};

/** Bad events of the step that ends at this time: an incident 6 to 5 hours before the end, a drill 3 to 2.5. */
function badAt(timeMs: number): number {
  const before = (endMs - timeMs) / hourMs;
  if (before < 6 && before >= 5) return 50;
  return before < 3 && before >= 2.5 ? 20 : 1;
}
const inside = (timeMs: number, from: number, to: number): boolean =>
  timeMs > endMs - from * hourMs && timeMs <= endMs - to * hourMs;

describe('corrections of a budget', () => {
  let server: HistoryServer | undefined;
  let history: History | undefined;
  const times: number[] = [];
  beforeAll(async () => {
    if (findTool('prometheus') === undefined || findTool('promtool') === undefined) return;
    history = new History();
    const own = '{slo="shop-cart",service="shop"}';
    let coarse = { bad: 0, total: 0 };
    for (let t = endMs - 48 * hourMs + 30_000; t <= endMs; t += 30_000) {
      times.push(t);
      history.add(`slo:events_bad:increase30s${own}`, badAt(t), t);
      history.add(`slo:events_total:increase30s${own}`, 100, t);
      coarse = { bad: coarse.bad + badAt(t), total: coarse.total + 100 };
      if (t % 240_000 !== 0) continue;
      history.add(`slo:events_bad:increase4m${own}`, coarse.bad, t);
      history.add(`slo:events_total:increase4m${own}`, coarse.total, t);
      coarse = { bad: 0, total: 0 };
    }
    // The rules of this one were made with `--step 15s`.
    for (let t = endMs - 2 * hourMs; t <= endMs; t += 15_000) {
      for (const step of t % 240_000 === 0 ? ['15s', '4m'] : ['15s']) {
        const own = `increase${step}{slo="shop-fast",service="shop"}`;
        history.add(`slo:events_bad:${own}`, step === '15s' ? 1 : 16, t);
        history.add(`slo:events_total:${own}`, step === '15s' ? 10 : 160, t);
      }
    }
    // A small route fails in the last hour but one, which the sum over all routes hardly shows.
    for (let t = endMs - 4 * hourMs; t <= endMs; t += 240_000) {
      for (const [route, total] of [
        ['x', 10_000],
        ['y', 8],
      ] as const) {
        const bad = route === 'y' && inside(t, 2, 1) ? 8 : 0;
        const own = `{slo="shop-routes",service="shop",route="${route}"}`;
        history.add(`slo:events_bad:increase4m${own}`, bad, t);
        history.add(`slo:events_total:increase4m${own}`, total, t);
        for (let s = t - 210_000; s <= t; s += 30_000) {
          history.add(`slo:events_bad:increase30s${own}`, bad / 8, s);
          history.add(`slo:events_total:increase30s${own}`, total / 8, s);
        }
      }
    }
    history.seal();
    server = await HistoryServer.start(history);
  }, 60_000);
  afterAll(async () => {
    await server?.stop();
    history?.remove();
    rmSync(folder, { recursive: true, force: true });
  });

  const budget = (...more: string[]): string => {
    const of = more.includes('--slo') ? '' : '--slo shop-cart ';
    const from = `${of}--prometheus ${server?.url ?? ''} --at ${at(0)}`.split(' ');
    return execFileSync(process.execPath, [
      program('cli'),
      'slo',
      'budget',
      '-i',
      slo,
      ...from,
      ...more,
    ]).toString();
  };

  testWith('prometheus', 'promtool')('take out their events, and book drills apart', () => {
    // Neither end of the first one is at a coarse step, and the third is partly before the data.
    const text = `corrections:
  - { from: '${at(6.01)}', to: '${at(4.995)}', kind: excluded, reason: the load test of a customer }
  - { from: '${at(3)}', to: '${at(2.5)}', kind: drill, slos: [shop-cart], reason: game day 12 }
  - { from: ${at(60)}, to: ${at(47)}, reason: no contract yet }
`;
    const [state] = JSON.parse(
      budget('--corrections', corrections(text), '--format', 'json'),
    ) as Record<string, Record<string, number> & Record<string, number>[]>[];
    const spans = [
      [6.01, 4.995],
      [3, 2.5],
      [60, 47],
    ] as const;
    const counted = times.filter((t) => !spans.some(([from, to]) => inside(t, from, to)));
    const bad = counted.reduce((sum, t) => sum + badAt(t), 0);
    expect(state?.rolling).toMatchObject({ bad, total: counted.length * 100 });
    expect(state?.month).toMatchObject({ bad, total: counted.length * 100 });
    expect(state?.corrections?.map((c) => [c.reason, c.bad, c.total])).toEqual(
      [spans[2], spans[0], spans[1]].map(([from, to], i) => {
        const those = times.filter((t) => inside(t, from, to));
        const lost = those.reduce((sum, t) => sum + badAt(t), 0);
        const reason = ['no contract yet', 'the load test of a customer', 'game day 12'][i];
        return [reason, lost, those.length * 100];
      }),
    );
    expect(state?.incidents).toEqual([]);
    const seen = budget('--corrections', file);
    expect(seen).toContain('drill: 1200 bad of 6000 events');
    expect(seen).toContain('(game day 12)');
    const [{ incidents }] = JSON.parse(budget('--format', 'json')) as [
      { incidents: { startMs: number; endMs: number }[] },
    ];
    // Exact to a step, although the budget is read by buckets of 14 minutes.
    expect(incidents.map(({ startMs, endMs }) => [startMs, endMs])).toEqual([
      [endMs - 6 * hourMs, endMs - 5 * hourMs],
      [endMs - 3 * hourMs, endMs - 2.5 * hourMs],
    ]);
    expect(budget()).toMatch(/05-20T06:00 {2}[0-9.]+ times the budget in 60 min\n/);
  });

  testWith('prometheus', 'promtool')('take the steps that were recorded, of any length', () => {
    const text = `corrections:\n  - { from: '${at(1)}', to: '${at(0.5)}', reason: x }\n`;
    const seen = budget('--slo', 'shop-fast', '--corrections', corrections(text));
    expect(seen).toContain('not counted: 120 bad of 1200 events');
  });

  testWith('prometheus', 'promtool')(
    'groups are judged by the worst, without its corrections',
    () => {
      const gate = (...more: string[]) =>
        spawnSync(
          process.execPath,
          [program('cli'), 'slo', 'gate', '-i', slo, '--slo', 'shop-routes'].concat(
            ['--prometheus', server?.url ?? '', '--at', at(0)],
            more,
          ),
          { encoding: 'utf8' },
        );
      const shut = gate();
      // 15 of 61 steps failed: 24.6 times the budget.
      expect([shut.status, shut.stdout]).toEqual([
        1,
        expect.stringContaining(
          'shop-routes of route="y": the error budget is spent 24.6 times over',
        ),
      ]);
      expect(budget('--slo', 'shop-routes')).toMatch(
        /99\.98\d\d%[^]*Worst group: route="y", spent 24\.6/,
      );
      const text = `corrections:\n  - { from: '${at(2)}', to: '${at(1)}', reason: x }\n`;
      expect(gate('--corrections', corrections(text)).status).toBe(0);
    },
  );

  test.each([
    ['to', `{ from: '${at(3)}', to: '${at(4)}', reason: x }`, ':2:45: the correction ends before'],
    ['zone', `{ from: '2026-05-01T12:00', to: '${at(4)}', reason: x }`, 'a time with its zone'],
    ['reason', `{ from: '${at(4)}', to: '${at(3)}' }`, 'expected the reason'],
    ['id', `{ from: '${at(4)}', to: '${at(3)}', slos: [shop-cat], reason: x }`, "id 'shop-cat'"],
    [
      'twice',
      `{ from: '${at(4)}', to: '${at(3)}', reason: x }\n  - { from: '${at(3.5)}', to: '${at(2)}', reason: y }`,
      'another correction of shop-cart',
    ],
    ['field', `{ from: '${at(4)}', to: '${at(3)}', reason: x, team: y }`, 'team'],
  ])('a wrong %s is refused with its place', (_, line, message) => {
    const path = corrections(`corrections:\n  - ${line}\n`);
    const gate = `slo gate -i ${slo} --corrections ${path} --prometheus http://127.0.0.1:9`;
    const run = spawnSync(process.execPath, [program('cli'), ...gate.split(' ')]);
    expect(run.status).toBe(2);
    expect(run.stderr.toString()).toContain(message);
    expect(run.stderr.toString()).toMatch(/corrections\.yaml:\d+:\d+/);
  });
});
