/** Any valid definition gives rules that parse, and alerts whose windows and factors fit the budget. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { stringify } from 'yaml';
import { findTool } from '../../base/tools.js';
import {
  compileSlos,
  readSloText,
  ruleFileText,
  type Slo,
  standardWindows,
} from '../../slo/index.js';
import { exportSlos } from '../../slo/spec/export.js';
import { findQueryProblem } from '../../slo/spec/query.js';
import { burnFactor, standardPeriods, withPageAbove } from '../../slo/rules/windows.js';
import { testWith } from '../tools.js';

const selector = fc.constantFrom('a_total', 'b_total{job="x"}', 'c_total{code=~"5..",path!="/"}');
const template = selector.map((s) => `sum(rate(${s}[{{.window}}]))`);
const query = fc.oneof(selector, template);
const events = fc.oneof(
  fc.record({ bad: query, total: query }),
  fc.record({ good: query, total: query }),
);
const latency = fc.record({
  histogram: fc.constantFrom('d_seconds', 'e_ms{job="x"}'),
  threshold: fc.constantFrom('100ms', '2s', '1m'),
  native: fc.boolean(),
});
const sli = fc.oneof(
  events.map((e) => ({ events: e })),
  latency.map((l) => ({ latency: l })),
  fc.record({ error: fc.constant('f_ratio'), weight: query }).map((r) => ({ ratio: r })),
  fc
    .tuple(fc.constantFrom('30s', '1m', '5m'), events)
    .map(([length, e]) => ({ slices: { length, target: 95, events: e } })),
  fc.constant({ probe: 'probe_success' }),
  fc.constant({ threshold: { value: 'g', bad: '> 1' } }),
  fc.constantFrom('M1', 'M2', 'M3', 'M4', 'M5', 'M6', 'M7', 'M8', 'M9', 'M10'),
);
const definition = fc.record(
  {
    // Below 84, no page could fire (6 times a sixth is 100%), and the definition is refused.
    objective: fc.double({ min: 84, max: 99.999, noNaN: true }).map((x) => Number(x.toFixed(3))),
    window: fc.constantFrom('7d', '2w', '28d', '30d', '12w', '90d', 'month'),
    sli,
    groupBy: fc.constant({ labels: ['job'], max: 5 }),
    alerting: fc.record(
      {
        pageAbove: fc.constantFrom(false as const, 2, 3),
        trafficWeighted: fc.boolean(),
        lowTraffic: fc.record({ minBadEvents: fc.nat(9), minEvents: fc.nat(9) }),
        page: fc.constantFrom(false as const, { for: '2m', keepFiringFor: '5m' }),
      },
      { requiredKeys: [] },
    ),
  },
  { requiredKeys: ['objective', 'sli'] },
);

const file = (slos: unknown[]): string =>
  stringify({
    apiVersion: 'firedrill.dev/v1',
    service: 'any',
    slos: slos.map((s, i) => ({ name: `s${i}`, ...(s as object) })),
  });
const read = (slos: unknown[]): Slo[] => readSloText('any.yaml', file(slos));
const scale = fc.constantFrom(1, 1 / 60, 1 / 120);

test('every expression parses, and nothing differs the second time', () => {
  fc.assert(
    fc.property(definition, scale, (slo, timeScale) => {
      const groups = compileSlos(read([slo]), { timeScale });
      for (const rule of groups.flatMap((g) => g.rules)) {
        expect(findQueryProblem(rule.expr), rule.expr).toBeUndefined();
      }
      expect(ruleFileText(compileSlos(read([slo]), { timeScale }))).toBe(ruleFileText(groups));
    }),
    { numRuns: 150 },
  );
});

test('an SLO written in our format gives the same rules', () => {
  fc.assert(
    fc.property(definition, (slo) => {
      const slos = read([slo]);
      const again = readSloText('again.yaml', exportSlos(slos, 'firedrill'));
      expect(ruleFileText(compileSlos(again))).toBe(ruleFileText(compileSlos(slos)));
    }),
    { numRuns: 100 },
  );
});

test.each(standardPeriods())(
  'the factors of %s days spend their share in the long window',
  (days) => {
    const table = standardWindows(days);
    for (const w of table.windows) {
      expect(w.factor * (w.longMs / table.periodMs) * 100).toBeCloseTo(w.budgetPercent, 9);
      expect(w.factor).toBe(burnFactor(w.budgetPercent, table.periodMs, w.longMs));
      expect(w.shortMs).toBeLessThan(w.longMs);
    }
    const hourly = withPageAbove(table, 3).filter(
      (w) => w.severity === 'page' && w.longMs === 3_600_000,
    );
    expect(hourly.map((w) => w.factor)).toEqual([3]);
  },
);

test("the factors of thirty days are the SRE Workbook's", () => {
  expect(standardWindows(30).windows.map((w) => w.factor)).toEqual([14.4, 6, 3, 1]);
});

testWith('promtool')('promtool accepts a hundred of them', () => {
  const folder = mkdtempSync(join(tmpdir(), 'firedrill-any-'));
  try {
    const slos = fc.sample(definition, { numRuns: 100, seed: 7 });
    const path = join(folder, 'rules.yaml');
    writeFileSync(path, ruleFileText(compileSlos(read(slos))));
    const run = spawnSync(findTool('promtool') as string, ['check', 'rules', path], {
      encoding: 'utf8',
    });
    expect(run.stdout + run.stderr).toContain('SUCCESS');
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
