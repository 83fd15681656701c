/** The worked scenarios W1, W2 and W4: their files state what is asked, and W2 and W4 run as their readers run them. */
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { asset } from '../../base/paths.js';
import { plannedDay } from '../../chaos/gameday/command.js';
import { readScenarios } from '../../chaos/scenarios/read.js';
import { seededRandom } from '../../base/random.js';
import { Budget } from '../../mesh/proxy/flow/retry/budget.js';
import type { GameDayRecord } from '../../runbooks/record.js';
import { drillFolder, firedrill } from './drill.js';

const file = asset('examples/retail/transient-failures.yaml');

test('W1: with retries shoppers see 40% less of the failures than without them, and nobody pays twice', () => {
  const [read] = readScenarios([file]);
  const { arms, checks } = read!.scenario;
  const [without, within] = arms!.runs;
  expect(within!.seenAtMost! / without!.seenAtLeast!).toBeLessThanOrEqual(0.6 + 1e-9);
  expect(checks.map((c) => c.counter)).toEqual([{ service: 'payment', name: 'doubleCharges' }]);
});

/** The share of failures that a caller sees, with the proxy's own budget and requests at even distances. */
function seenWith(ttlSeconds: number, failing: number): number {
  const random = seededRandom(7);
  const budget = new Budget({ ratio: 0.1, minRetriesPerSecond: 0, ttlSeconds }, 0);
  const fails = (): boolean => random.next() < failing;
  let made = 0;
  let seen = 0;
  for (let i = 1; i <= 50_000; i++) {
    const nowMs = (i * 1000) / 15;
    budget.deposit(nowMs);
    let failed = fails();
    for (let retry = 0; failed; retry++) {
      made++;
      if (retry === 2 || !budget.withdraw(nowMs)) break;
      failed = fails();
    }
    if (failed) seen++;
  }
  return seen / made;
}

test('W1: at 15 requests a second a budget hides what its page says', () => {
  expect(seenWith(1, 1 / 16)).toBeCloseTo(0.5, 1);
  expect(seenWith(1, 1 / 32)).toBeCloseTo(0.34, 1);
  expect(seenWith(10, 1 / 16)).toBeLessThan(0.1);
  expect(seenWith(10, 1 / 8)).toBeCloseTo(0.4, 1);
});

test('W1: every name in it is one of the shop, and every time fits', async () => {
  const common = {
    input: [],
    rules: [],
    load: 'auto',
    prometheus: 'auto',
    out: 'x',
    format: 'text',
    state: 'x',
  };
  const plan = await plannedDay({ ...common, scenarios: [file], allowance: '2s' } as never);
  expect(plan.scenarios).toHaveLength(1);
});

/** The example run in a copy of its folder. */
async function worked(
  example: string,
  edit: (folder: string) => void = () => undefined,
): Promise<{ code: number | null; record: GameDayRecord }> {
  const own = drillFolder();
  cpSync(asset(example), own, { recursive: true });
  edit(own);
  const kinds = ['--prometheus', 'embedded', '--load', 'embedded'];
  const drill = firedrill(own, 'gameday', 'run', ...kinds);
  const { code, output } = await drill.ended;
  try {
    return { code, record: drill.record() };
  } catch {
    throw new Error(output);
  }
}

test('W2: held while a function starts slowly, nobody is refused; no start at all pages', async () => {
  const { code, record } = await worked('examples/functions');
  expect([code, record.scenarios.map((s) => [s.id, s.reasons])]).toEqual([
    0,
    [
      ['no-start', []],
      ['slow-start', []],
    ],
  ]);
  const [noStart, slowStart] = record.scenarios;
  const failed = (s: typeof noStart): number =>
    s!.phases.find((p) => p.kind === 'fault')!.client.errors;
  expect(failed(noStart)).toBeGreaterThan(0);
  expect(failed(slowStart)).toBe(0);
  const longest = slowStart!.phases.find((p) => p.kind === 'fault')!.client.p99Ms;
  expect(longest).toBeGreaterThan(1000);
}, 150_000);

/** A busy machine cannot keep 50 ms. */
function slower(own: string): void {
  const edits: [string, RegExp, string][] = [
    ['cheaper.yaml', /atMost: 50,/g, 'atMost: 400,'],
    ['cheaper.yaml', /delayMs: 80/g, 'delayMs: 800'],
    ['rules.yaml', /> 0\.05$/gm, '> 0.5'],
  ];
  for (const [name, from, to] of edits) {
    const text = readFileSync(join(own, name), 'utf8');
    expect(text).toMatch(from);
    writeFileSync(join(own, name), text.replace(from, to));
  }
}

test('W4: the lean sidecar costs a fifth less at the least, and both APIs page when they are slow', async () => {
  const { code, record } = await worked('examples/high-throughput/drill', slower);
  const [cheaper] = record.scenarios;
  expect([code, cheaper?.reasons, cheaper?.checks]).toEqual([
    0,
    [],
    [
      expect.objectContaining({ name: 'lean costs at most 0.8 of observed', held: true }),
      expect.objectContaining({ name: 'no request failed', held: true }),
    ],
  ]);
  expect(Number(/is ([\d.]+), /.exec(cheaper!.checks[0]!.detail)?.[1])).toBeLessThan(0.8);
  expect(cheaper?.expectations.map((e) => [e.labels.route, e.inTime])).toEqual([
    ['observed', true],
    ['lean', true],
  ]);
}, 150_000);
