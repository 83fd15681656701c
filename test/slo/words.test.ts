/** What explain and diff say, and that other formats come back as what they were. */
import { expect, test } from 'vitest';
import { asset } from '../../base/paths.js';
import { compileSlos, readSlos, readSloText, ruleFileText } from '../../slo/index.js';
import { diffSlos } from '../../slo/rules/diff.js';
import { explain, explanationText } from '../../slo/rules/explain.js';
import { exportSlos } from '../../slo/spec/export.js';

const retail = readSlos([asset('examples/slo/retail.yaml')]);
const payment = retail.find((s) => s.id === 'payment-availability')!;

test('explain says the minutes, the times and the cost', () => {
  const said = explain(payment);
  expect(said.budgetMinutes).toBeCloseTo(43.2, 9);
  expect(said.detection[0]).toEqual({ errorRatio: 1, page: 'after 11s', ticket: 'after 4m19s' });
  expect(said.exact).toBe(true);
  // The traffic is not known: the one that is warned of is a small one.
  expect(said.warnings).toEqual([expect.stringContaining('alerting.falsePagesPerYear: 1')]);
  expect(explanationText(said)).toContain('the budget is 43.2 min of complete failure a period');
});

test('explain warns of what nobody owns and of averages of ratios', () => {
  const [slo] = readSloText(
    'x',
    'apiVersion: firedrill.dev/v1\nservice: a\nslos: [{name: b, objective: 99, sli: {ratio: {error: r}}}]\n',
  );
  expect(explain(slo!).warnings.join('; ')).toMatch(/averaged.*nobody owns it.*no runbook/);
});

test('diff is silent where only the spelling differs', () => {
  expect(diffSlos(retail, retail)).toEqual([]);
  const sloth = readSloText('s', exportSlos([payment], 'sloth'));
  expect(diffSlos([payment], sloth)).toEqual([]);
});

test('diff says what changes for the pager', () => {
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

test('what a format cannot say is refused by name', () => {
  const probes = readSlos([asset('examples/slo/every-kind.yaml')]).filter(
    (s) => s.sli.kind === 'probe',
  );
  expect(() => exportSlos(probes, 'sloth')).toThrow(
    /shop-front-door: Sloth cannot say an SLI of kind probe/,
  );
});
