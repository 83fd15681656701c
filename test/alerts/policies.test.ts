/**
 * Alert policies over the same stories: each agrees with promtool, the bound with a manual computation, and equal
 * seeds give equal bytes.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { divergence, verdictOf, waldBound } from '../../alerts/proof/policies/judge.js';
import { increaseOf, play, Raw, union } from '../../alerts/proof/policies/play.js';
import { policies, type Policy } from '../../alerts/proof/policies/policies.js';
import { policyPlot } from '../../alerts/proof/policies/plot.js';
import { stories, type ToldStory, warmMs } from '../../alerts/proof/policies/stories.js';
import { comparisonOf, quantile, tablesOf } from '../../alerts/proof/policies/table.js';
import { judged } from '../../alerts/proof/policies/judge.js';
import { program } from '../../base/paths.js';
import { requireTool } from '../../base/tools.js';
import { cellOf } from '../../bench/policy-cells.js';
import { testWith } from '../tools.js';

const tuned = [{ longMs: 720_000, shortMs: 60_000, factor: 10 }];
const all = policies(tuned);
const byId = (id: string): Policy => all.find((p) => p.id === id)!;
const minuteMs = 60_000;

/** Counters with steps of a minute: `each` events a step, and `bad(i)` failures in step i. */
function told(steps: number, each: number, bad: (i: number) => number) {
  const total = Float64Array.from({ length: steps }, (_, i) => i * each);
  let sum = 0;
  const failed = Float64Array.from({ length: steps }, (_, i) => (sum += i === 0 ? 0 : bad(i)));
  return { startMs: 0, stepMs: minuteMs, bad: failed, total };
}

describe('a policy of windows', () => {
  test('pages when both windows burn, after its `for`, and is over when the short one is clean', () => {
    // 1,000 a minute, 99.9%; half of them fail for ten minutes from minute 120 on.
    const raw = new Raw(told(300, 1000, (i) => (i >= 120 && i < 130 ? 500 : 0)));
    // 14.4 times 0.1% of an hour's 59,000 events are 850: reached after two minutes of 500. The window of an hour
    // holds them until the window of five minutes is empty, at 133; the half hour of the six-hour window holds some
    // until 158.
    expect(play(byId('sloth'), 99.9, raw).page).toEqual([
      { activeMs: 121 * minuteMs, firedMs: 121 * minuteMs, resolvedMs: 158 * minuteMs },
    ]);
    const pending = play(byId('kube-prometheus'), 99.9, raw).page;
    expect(pending[0]).toMatchObject({ activeMs: 121 * minuteMs, firedMs: 123 * minuteMs });
  });

  test('a window with one scrape has no rate, and a gap is bridged', () => {
    const counters = told(200, 10, (i) => (i > 100 ? 10 : 0));
    for (let i = 90; i < 130; i++) counters.total[i] = counters.bad[i] = NaN;
    const raw = new Raw(counters);
    const { page } = play(byId('workbook'), 99.9, raw);
    // At 130 the five minutes contain one scrape, at 131 two.
    expect(page[0]?.firedMs).toBe(131 * minuteMs);
    expect(increaseOf(raw, 130, 5 * minuteMs)).toBeNaN();
    // 89 to 130 is 41 minutes of samples in a range of an hour, which would hold 60: 20 before and one more.
    expect(increaseOf(raw, 80, 10 * minuteMs)).toBeCloseTo(100, 9);
  });

  test('the range of a Prometheus before version 3 holds one scrape more', () => {
    const counters = told(20, 10, () => 0);
    expect(new Raw(counters).first(10, 5 * minuteMs)).toBe(6);
    expect(new Raw(counters, true).first(10, 5 * minuteMs)).toBe(5);
  });

  test('dynamic bounds ask less of an hour that carries much of the period', () => {
    // 100 a minute, except a quiet period of 1 a minute; 5% fail for two hours within it, and again after it.
    const counters = told(4000, 1, () => 0);
    let [sum, bad] = [0, 0];
    for (let i = 0; i < 4000; i++) {
      const events = i >= 2000 && i < 2200 ? 1 : 100;
      counters.total[i] = sum += events;
      const fails = (i >= 2070 && i < 2190) || (i >= 3000 && i < 3100);
      counters.bad[i] = bad += fails ? events * 0.05 : 0;
    }
    const { page } = play(byId('dynamic'), 99.9, new Raw(counters));
    // Quiet: 200,000 events over an hour's 64, times 1/48 of the budget, are 6.5%; busy: 0.1%.
    expect(page.map((f) => f.firedMs >= 3000 * minuteMs)).toEqual([true]);
    expect(play(byId('pyrra'), 99.9, new Raw(counters)).page[0]?.firedMs).toBeLessThan(
      2200 * minuteMs,
    );
  });

  test('alerts of one severity that overlap are one page', () => {
    const one = (firedMs: number, resolvedMs?: number) => ({
      activeMs: firedMs,
      firedMs,
      ...(resolvedMs === undefined ? {} : { resolvedMs }),
    });
    expect(union([one(5, 8), one(1, 3), one(2, 6)])).toEqual([one(1, 8)]);
    expect(union([one(1, 3), one(4, 5)])).toEqual([one(1, 3), one(4, 5)]);
    expect(union([one(1), one(4, 5)])).toEqual([one(1)]);
    expect(union([one(1, 5), one(4)])).toEqual([one(1)]);
  });
});

describe("Wald's bound", () => {
  const outage = [...stories(1, 1)][0] as ToldStory;

  test('of a total outage is ln of the events a year over ln of how unusual a failure is', () => {
    expect(divergence(1, 0.0005)).toBeCloseTo(Math.log(2000), 12);
    expect(divergence(0.001, 0.001)).toBeCloseTo(0, 12);
    const incident = { ...outage.incident, share: 1, endMs: outage.incident.startMs + 3_600_000 };
    const told: ToldStory = {
      ...outage,
      objective: 99.9,
      incident,
      story: {
        ...outage.story,
        baseline: { burn: 0.5 },
        traffic: { perSecond: 20 / 3600, night: 1, peakMs: 0, weekend: 1 },
      },
    };
    // 20 an hour: ln(175,200) / ln(2,000) = 1.588 events, three minutes each.
    expect(waldBound(told)! / minuteMs).toBeCloseTo(3 * (Math.log(175_200) / Math.log(2000)), 3);
    expect(
      waldBound({ ...told, incident: { ...incident, endMs: incident.startMs + minuteMs } }),
    ).toBe(undefined);
    const { share: _, ...quiet } = incident;
    expect(waldBound({ ...told, incident: quiet })).toBeUndefined();
  });
});

test('a page counts for its incident, and for nothing outside of it and its aftermath', () => {
  const [outage] = [...stories(1, 1)] as [ToldStory];
  const { incident, story } = outage;
  const counters = told(10, 1, () => 0);
  const at = (firedMs: number, forMs: number) => ({
    activeMs: firedMs,
    firedMs,
    resolvedMs: firedMs + forMs,
  });
  const page = [
    at(story.startMs + warmMs - 1000, 500), // while windows fill: not judged
    at(story.startMs + warmMs + 1000, 500), // a false page
    at(incident.startMs + 90_000, incident.endMs - incident.startMs),
    at(incident.endMs + 3_600_000, 1000), // a repetition, in the aftermath
    at(incident.endMs + 8 * 3_600_000, 1000), // a false page
  ];
  expect(verdictOf('p', outage, counters, { page, ticket: [] })).toMatchObject({
    detectMs: 90_000,
    resetMs: 90_000,
    falsePages: 2,
  });
  const late = verdictOf('p', outage, counters, { page: page.slice(3, 4), ticket: [] });
  expect(late).toEqual({ policy: 'p', falsePages: 0 });
});

test('equal seeds give equal results, and another seed does not', () => {
  const tell = (seed: number) => {
    const some = all.filter((p) => ['sloth', 'dynamic', 'ours'].includes(p.id));
    return comparisonOf(some, [...judged(some, 2, seed, { stepMs: 120_000 })], seed);
  };
  const first = JSON.stringify(tell(5));
  expect(JSON.stringify(tell(5))).toBe(first);
  expect(JSON.stringify({ ...tell(6), seed: 5 })).not.toBe(first);
  const comparison = tell(5);
  expect(comparison.rows.map((r) => r.policy)).toEqual(['sloth', 'dynamic', 'ours']);
  const [whole] = tablesOf(comparison);
  expect(whole?.rows).toHaveLength(3);
  expect(whole?.rows.every((row) => row.length === whole.header.length)).toBe(true);
  expect(policyPlot(comparison)).toMatch(/^<svg[^]*<\/svg>\n$/);
});

test('quantiles are figures that were measured', () => {
  expect([0.5, 0.9, 0].map((q) => quantile([3, 1, 2, 4], q))).toEqual([2, 4, 1]);
  expect(quantile([], 0.5)).toBeUndefined();
});

testWith('promtool')(
  'promtool fires at the same evaluations',
  () => {
    const promtool = requireTool('promtool');
    const bothEnds = /version [12]\./.test(
      spawnSync(promtool, ['--version'], { encoding: 'utf8' }).stdout,
    );
    const folder = mkdtempSync(join(tmpdir(), 'firedrill-cells-'));
    try {
      const some = [...stories(35, 3)];
      const cells = ['pyrra', 'dynamic', 'ours'].map((id, i) => {
        // One outage each at 20, 200 and 1,800,000 events an hour.
        const story = some[[0, 8, 32][i] as number] as ToldStory;
        const cell = cellOf(story, byId(id), `rules-${i}.yaml`, bothEnds, 10);
        writeFileSync(join(folder, `rules-${i}.yaml`), cell.rules);
        const file = join(folder, `cell-${i}.yaml`);
        writeFileSync(file, cell.tests);
        return { file, pages: cell.pages };
      });
      expect(cells.reduce((sum, c) => sum + c.pages, 0)).toBeGreaterThanOrEqual(2);
      const { status, stdout, stderr } = spawnSync(
        promtool,
        ['test', 'rules', ...cells.map((c) => c.file)],
        { encoding: 'utf8' },
      );
      expect(`${stdout}${stderr}`).not.toContain('FAILED');
      expect(status).toBe(0);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
  60_000,
);

test('flags that cannot be are refused', () => {
  const refused = (...flags: string[]) => {
    const { status, stderr } = spawnSync(
      process.execPath,
      [program('cli'), 'alerts', 'policies', ...flags],
      { encoding: 'utf8' },
    );
    expect(status).toBe(2);
    return stderr;
  };
  expect(refused('--stories', '3')).toContain('a whole number, 8 to 10000');
  expect(refused('--format', 'pdf')).toContain('one of text, markdown, json');
});
