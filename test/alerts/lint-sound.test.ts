/** The values and labels that lint infers hold for random queries over random series. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { MetricCatalogue } from '../../alerts/lint/catalogue.js';
import { labelsOf, mayHave } from '../../alerts/lint/labels.js';
import { lint } from '../../alerts/lint/lint.js';
import { rangeOf } from '../../alerts/lint/ranges.js';
import { readLintText } from '../../alerts/lint/source.js';
import { seededRandom } from '../../base/random.js';
import { evaluateInstant, type Expr, parse, PromqlError } from '../../slo/promql/index.js';
import { arbitraryQuery } from '../slo/promql/arbitrary-query.js';
import { firstMs, randomSamples, storeOf } from '../slo/promql/random-series.js';

// A fixed seed, so that every change is tested with the same queries; FIREDRILL_SEED=random uses new ones.
const given = process.env.FIREDRILL_SEED ?? '20261126';
const seed = given === 'random' ? Math.floor(Math.random() * 2 ** 31) : Number(given);
const numRuns = Number(process.env.FIREDRILL_RUNS ?? 400);
const catalogue = new MetricCatalogue();
catalogue.add('level', { type: 'gauge' });
catalogue.add('hits_total', { type: 'counter' });

test(`values lie within the range, and labels are among those deduced (seed ${seed})`, () => {
  const store = storeOf(randomSamples(seededRandom(seed)));
  /** Undefined if the data do not allow the query: several series match where only one may. */
  const valueOf = (expr: Expr, timeMs: number) => {
    try {
      return evaluateInstant(expr, store, timeMs).value;
    } catch (error) {
      if (error instanceof PromqlError) return undefined;
      throw error;
    }
  };
  fc.assert(
    fc.property(arbitraryQuery, fc.integer({ min: 5, max: 55 }), ({ text }, minute) => {
      const expr = parse(text);
      const value = valueOf(expr, firstMs + minute * 60_000);
      if (!value) return;
      const range = rangeOf(expr, catalogue);
      const labels = labelsOf(expr);
      const samples =
        value.type === 'vector'
          ? value.samples
          : value.type === 'scalar'
            ? [{ value: value.value, labels: undefined }]
            : [];
      for (const sample of samples) {
        const size = 1e-9 * Math.max(1, Math.abs(sample.value));
        if (!Number.isNaN(sample.value)) {
          expect(sample.value).toBeGreaterThanOrEqual(range.min - size);
          expect(sample.value).toBeLessThanOrEqual(range.max + size);
        }
        for (const name of sample.labels?.names ?? []) {
          expect(mayHave(labels, name), `${name} of ${text}`).toBe(true);
        }
      }
    }),
    { seed, numRuns },
  );
}, 120_000);

test('no query makes lint fail, and none that parses is said not to', () => {
  fc.assert(
    fc.property(arbitraryQuery, ({ text }) => {
      const file = `groups: [{name: g, rules: [{alert: A, expr: ${JSON.stringify(text)}}]}]`;
      const found = lint([readLintText('r.yaml', file)], { catalogue });
      expect(found.filter((f) => f.rule === 'promql/syntax' || f.rule === 'rule/invalid')).toEqual(
        [],
      );
    }),
    { seed, numRuns },
  );
}, 120_000);

test('no file makes lint throw', () => {
  const word = fc.constantFrom(
    'groups',
    'name',
    'rules',
    'alert',
    'expr',
    'labels',
    'for',
    'up > 1',
  );
  const { tree } = fc.letrec<{ tree: unknown }>((tie) => ({
    tree: fc.oneof(
      { depthSize: 'small' },
      word,
      fc.integer(),
      fc.constant(null),
      fc.array(tie('tree'), { maxLength: 3 }),
      fc.dictionary(word, tie('tree'), { maxKeys: 4 }),
    ),
  }));
  fc.assert(
    fc.property(tree, fc.boolean(), (value, wrapped) => {
      const whole = wrapped ? { groups: [{ name: 'g', rules: [value] }] } : value;
      lint([readLintText('r.yaml', JSON.stringify(whole))], { catalogue });
    }),
    { seed, numRuns },
  );
}, 120_000);
