/** Texts that Prometheus 3.16's own parser refuses, and their neighbours that it accepts. */
import { describe, expect, test } from 'vitest';
import { parse, PromqlError } from '../../../slo/promql/index.js';

const refused = (query: string): PromqlError => {
  try {
    parse(query);
  } catch (error) {
    if (error instanceof PromqlError) return error;
    throw error;
  }
  throw new Error(`${query} was accepted`);
};

describe('refused, with the place', () => {
  test.each([
    ['9'.repeat(310), 0, 'number out of range'],
    ['up > 1e999', 5, 'number out of range'],
    ['300y', 0, 'duration out of range'],
    ['up[5m/0]', 5, 'division by zero'],
    ['up[step() % 0s]', 10, 'modulo by zero'],
    ['up\u00a0+ 1', 2, String.raw`unexpected character: '\u00a0', which looks like a space`],
    ['up +\u2003\n1', 4, String.raw`unexpected character: '\u2003', which looks like a space`],
    ['sum by (a, without) (up)', 11, 'unexpected without among labels'],
    ['up * on (Inf) up', 9, 'unexpected Inf among labels'],
    ['up * on (a) group_left (nan) up', 24, 'unexpected nan among labels'],
    ['sum(atan2)', 4, 'unexpected operator atan2'],
    ['1[5m:]', 0, 'subquery is only allowed on instant vector'],
    ['up{__name__!="down"}', 0, 'metric name must not be set twice'],
    [String.raw`up{a="\ud800"}`, 5, 'unknown escape sequence'],
  ])('%j', (query, from, message) => {
    const error = refused(query);
    expect(error.message).toContain(message);
    expect(error.from).toBe(from);
  });
});

describe('accepted', () => {
  test.each([
    '1e308',
    '0xfffffffffd',
    'inf + NaN',
    'up[5m/2]',
    'up[5m % 3m]',
    'up +\r\n\t1 # \u00a0',
    'up{a="\u00a0"}',
    'sum by (by, on, offset, "without", "inf") (up)',
    '1 atan2 2',
    'vector(1)[5m:]',
    '{"up", __name__="down"}',
    '{__name__="up", __name__="down"}',
    String.raw`up{a="\ud7ff"}`,
    'offset',
    'offset offset 5m',
    'sum(offset{a="b"}) by (offset) / rate(offset[5m] offset 1m) - offset @ 5',
  ])('%j', (query) => {
    expect(parse(query)).toBeDefined();
  });

  test('a metric is called as it was written', () => {
    expect(parse('OFFSET offset 5m')).toMatchObject({ kind: 'selector', name: 'OFFSET' });
  });
});
