/** Texts of explain and diff, and files of other formats that survive export and import. */
import { expect, test } from 'vitest';
import { asset } from '../../base/paths.js';
import { compileSlos, readSlos, readSloText, ruleFileText } from '../../slo/index.js';
import { diffSlos } from '../../slo/rules/diff.js';
import { explain, explanationText } from '../../slo/rules/explain.js';
import { forecastText } from '../../slo/budget/report.js';
import type { BudgetState } from '../../slo/budget/state.js';
import { exportSlos } from '../../slo/spec/export.js';

const retail = readSlos([asset('examples/slo/retail.yaml')]);
const payment = retail.find((s) => s.id === 'payment-availability')!;

test('explain shows the minutes, the times and the cost', () => {
  const said = explain(payment);
  expect(said.budgetMinutes).toBeCloseTo(43.2, 9);
  expect(said.detection[0]).toEqual({ errorRatio: 1, page: 'after 11s', ticket: 'after 4m19s' });
  expect(said.exact).toBe(true);
  // The traffic is not known, so the warning assumes a small service.
  expect(said.warnings).toEqual([expect.stringContaining('alerting.falsePagesPerYear: 1')]);
  expect(explanationText(said)).toContain('the budget is 43.2 min of complete failure a period');
});

test('explain warns about missing owners and averages of ratios', () => {
  const [slo] = readSloText(
    'x',
    'apiVersion: firedrill.dev/v1\nservice: a\nslos: [{name: b, objective: 99, sli: {ratio: {error: r}}}]\n',
  );
  expect(explain(slo!).warnings.join('; ')).toMatch(/averaged.*nobody owns it.*no runbook/);
});

test('a forecast is in days or hours, a rate above the whole budget is a multiple, one day has no range', () => {
  const said = (remaining: number, mean: number, daysSeen = 5): string => {
    const until = (pace: number): number => Math.max(0, remaining) / pace;
    return forecastText({
      rolling: { remaining },
      forecast: {
        daysSeen,
        perDay: { mean, low: mean / 2, high: mean * 2 },
        days: { mean: until(mean), low: until(mean * 2), high: until(mean / 2) },
      },
    } as BudgetState);
  };
  expect(said(0.9, 0.05)).toBe(
    '18 days left (9 days to 36 days), at 5.00% of the budget a day (2.50% of the budget to 10.00% of the budget)',
  );
  expect(said(0.9, 3)).toBe(
    '7.2 h left (3.6 h to 14.4 h), at 3.0 times the budget a day (1.5 times the budget to 6.0 times the budget)',
  );
  expect(said(-3, 3370.5584, 1)).toBe('spent; at 3370.6 times the budget a day, by one day alone');
});

test('diff is silent where only the spelling differs', () => {
  expect(diffSlos(retail, retail)).toEqual([]);
  const sloth = readSloText('s', exportSlos([payment], 'sloth'));
  expect(diffSlos([payment], sloth)).toEqual([]);
});

test('diff lists the changes of alerts', () => {
  const looser = { ...payment, objective: 99 };
  const [change] = diffSlos([payment], [looser]);
  expect(change?.details).toContain('objective: 99.9% before, 99% now');
  expect(change?.details).toContain('a complete failure pages: after 11s before, after 1m48s now');
  expect(diffSlos([payment], [])[0]?.change).toBe('removed');
  expect(diffSlos([], [payment])[0]?.details).toEqual(['a complete failure pages after 11s']);
});

test.each(['sloth', 'openslo'] as const)(
  'what goes out as %s comes back as rules that count alike',
  (format) => {
    const back = readSloText(format, exportSlos([payment], format));
    const ratios = (slos: typeof retail): string =>
      ruleFileText(compileSlos(slos)).match(/- alert: PaymentAvailability\n[^]*?labels/)?.[0] ?? '';
    expect(ratios(back)).toBe(ratios([payment]));
    expect(ratios(back)).not.toBe('');
  },
);

test('an SLO that a format cannot express is refused by name', () => {
  const probes = readSlos([asset('examples/slo/every-kind.yaml')]).filter(
    (s) => s.sli.kind === 'probe',
  );
  expect(() => exportSlos(probes, 'sloth')).toThrow(
    /shop-front-door: Sloth cannot say an SLI of kind probe/,
  );
});

test('a histogram whose name needs quotes keeps them in rules, words and what is exported', () => {
  const [slo] = readSloText(
    'x',
    `apiVersion: firedrill.dev/v1
service: a
slos:
  - name: b
    objective: 99
    sli:
      latency: { histogram: '{"http.server.request.duration_seconds", job="api"}', threshold: 500ms }
    alerting: { budgetSpent: [{ percent: 57.5 }] }
`,
  );
  const rules = ruleFileText(compileSlos([slo!]));
  expect(rules).toContain('{"http.server.request.duration_seconds_count", job="api"}');
  expect(rules).toContain('{"http.server.request.duration_seconds_bucket", job="api",le="0.5"}');
  expect(rules).toContain('slo:period_burn_rate:ratio{slo="a-b"} >= 0.575');
  const said = explain(slo!);
  expect(said.measures).toContain('in {"http.server.request.duration_seconds", job="api"}');
  expect(said.alerts[0]).toBe('ticket: 57.5% of the budget of 30 days spent, however slowly');
});
