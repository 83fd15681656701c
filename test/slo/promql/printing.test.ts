/** A printed query parses to the tree that it was printed from; also explanations and formats for people. */
import { spawnSync } from 'node:child_process';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { program } from '../../../base/paths.js';
import type { Expr } from '../../../slo/promql/index.js';
import { parse, PromqlError } from '../../../slo/promql/index.js';
import { explain } from '../../../slo/promql/syntax/explain.js';
import { format, formatText } from '../../../slo/promql/syntax/format.js';
import { print } from '../../../slo/promql/syntax/print.js';
import { arbitraryQuery } from './arbitrary-query.js';

/** The tree without places and original spellings. */
function bare(expr: Expr): unknown {
  return JSON.parse(
    JSON.stringify(expr, (key, value: unknown) =>
      key === 'from' || key === 'to' || key === 'text' || key === 'grouped' ? undefined : value,
    ),
  );
}

const written = [
  'a offset -5m @ 10.5',
  'a{b!="c", d=~"e.*"}[5m:1m] @ end() offset 1h',
  '-a ^ 2 * b',
  '2 ^ -3',
  'a and on () b or c unless d',
  'a * on (x, y) group_left (z) fill_left (0) fill_right (-1) (b + c)',
  'a == bool ignoring (x) b',
  'sum without (x) (rate(a[5m] anchored))',
  'increase(a[1h30m] smoothed)',
  '{"odd.name", "odd label"="x\\ty"}',
  'a[step() * 2 + 5m] offset -(1m + 30s)',
  'a[max_of(1m, range() / 10):min_of(step(), 30s)]',
  'histogram_quantiles(a, "q", 0.5, 0.9)',
  'max_of(1, 2) + min_of(3, scalar(a))',
  'a </ 5 >/ 2',
  'count_values by (x) ("y", a)',
  '((a + b)) * -(c)',
  'topk(5, a) by (x)',
  'Inf - NaN + 0x1F + 5m + 1e3',
];

describe('printing', () => {
  test.each(written)('%s', (query) => {
    const expr = parse(query);
    expect(bare(parse(print(expr)))).toEqual(bare(expr));
    expect(bare(parse(format(expr, 20)))).toEqual(bare(expr));
  });

  test('any query, on one line and on many', () => {
    fc.assert(
      fc.property(arbitraryQuery, fc.integer({ min: 1, max: 120 }), ({ text }, width) => {
        const expr = parse(text);
        expect(bare(parse(print(expr)))).toEqual(bare(expr));
        const formatted = format(expr, width);
        expect(bare(parse(formatted))).toEqual(bare(expr));
        expect(format(parse(formatted), width)).toBe(formatted);
      }),
      { numRuns: 200 },
    );
  });

  test('a spoilt query is either right still or refused with a place in it', () => {
    const spoilt = fc
      .tuple(
        arbitraryQuery,
        fc.nat(200),
        fc.nat(3),
        fc.constantFrom('(', ')', '[', '{', '"', ' by ', '@', '#', '\\', ''),
      )
      .map(([{ text }, at, gone, put]) => text.slice(0, at) + put + text.slice(at + gone));
    fc.assert(
      fc.property(spoilt, (text) => {
        try {
          parse(text);
        } catch (error) {
          expect(error).toBeInstanceOf(PromqlError);
          const { from, to } = error as PromqlError;
          expect([from >= 0, from <= to, from <= text.length]).toEqual([true, true, true]);
        }
      }),
      { numRuns: 300 },
    );
  });

  test('postfixes belong to the operand before them, signs bind less than powers', () => {
    const expr = parse('a + b offset 5m * c');
    expect(expr).toMatchObject({
      op: '+',
      left: { name: 'a' },
      right: { op: '*', right: { name: 'c' } },
    });
    expect(expr).toMatchObject({ right: { left: { name: 'b', offset: { seconds: 300 } } } });
    expect(parse('-1 ^ 2').kind).toBe('unary');
  });

  test('a long query in our style', () => {
    const query =
      '# Share of failures.\nsum by (pod) (rate(requests_total{code=~"5.."}[5m])) / ignoring (x) group_left ' +
      'sum(rate(requests_total[5m])) > 0.1';
    expect(formatText(query)).toBe(`# Share of failures.
sum by (pod) (rate(requests_total{code=~"5.."}[5m]))
/ ignoring (x) group_left () sum(rate(requests_total[5m]))
> 0.1
`);
  });
});

test('explained in words', () => {
  expect(explain(parse('sum by (pod) (rate(hits_total{code="500"}[5m] offset 1h)) > 3')))
    .toBe(`the first, only where it is above the second
  the sum, apart for each pod (sum) of
    the increase a second of each counter, resets taken out, extrapolated to the range (rate)
      the samples of hits_total where code is "500" over the last 5m, 1h earlier
  the number 3
`);
});

describe('on the command line', () => {
  const run = (...args: string[]): { status: number | null; out: string; err: string } => {
    const done = spawnSync(process.execPath, [program('cli'), 'promql', ...args], {
      encoding: 'utf8',
    });
    return { status: done.status, out: done.stdout, err: done.stderr };
  };

  test('a misspelt function has a caret and a suggestion', () => {
    const { status, err } = run('check', 'sum(rat(a[5m]))');
    expect([status, err]).toEqual([
      1,
      `1:5: unknown function with name "rat"; did you mean 'rate'?\n  sum(rat(a[5m]))\n      ^^^\n`,
    ]);
  });

  test('the type of a right query', () => {
    expect(run('check', 'sum(a)')).toMatchObject({ status: 0, out: 'ok: an instant vector\n' });
    expect(JSON.parse(run('check', '1 +', '--format', 'json').out)).toMatchObject({
      ok: false,
      message: 'unexpected end of input',
      line: 1,
    });
  });
});
