/** Long chains, deep nesting and texts that grow: read where Prometheus reads them, else refused by name. */
import { describe, expect, test } from 'vitest';
import { evaluateInstant, MemoryStore, parse, PromqlError } from '../../../slo/promql/index.js';

const chain = (operator: string, terms: number, term: (at: number) => string): string =>
  Array.from({ length: terms }, (_, at) => term(at)).join(operator);

describe('a chain of 1,000 terms is read', () => {
  test.each([
    [' or ', (at: number) => `absent(up{job="job-number-${at}"})`],
    [' and ', (at: number) => `up{job="job-number-${at}"}`],
    [' + ', (at: number) => `sum(rate(requests_total{code="${at}"}[5m]))`],
    ['^', () => '1'],
  ])('%j', (operator, term) => {
    expect(parse(chain(operator, 1000, term)).kind).toBe('binary');
  });

  test('and evaluated, each term of it', () => {
    const query = chain(' or ', 400, (at) => `absent(up{job="${at}"})`);
    const { value } = evaluateInstant(query, new MemoryStore(), 0);
    expect(value.type === 'vector' && value.samples).toHaveLength(400);
  });
});

describe('nesting that cannot be held is named', () => {
  test.each([
    ['brackets', '('.repeat(100_000) + '1' + ')'.repeat(100_000)],
    ['signs', '-'.repeat(100_000) + '1'],
    ['functions', 'abs('.repeat(5000) + 'vector(1)' + ')'.repeat(5000)],
    ['sums', chain('+', 100_000, () => '1')],
    ['powers', chain('^', 50_000, () => '1')],
    ['sets', chain(' or ', 20_000, () => 'vector(1)')],
    ['chains', chain(' * ', 3000, (at) => `up{job="job-number-${at}"}`)],
  ])('%s', (_, query) => {
    expect(() => parse(query)).toThrow(/^nested too deeply$/);
  });

  test('brackets in a string or a comment are none', () => {
    expect(parse(`up{a="${'('.repeat(5000)}"} # ${'['.repeat(5000)}`).kind).toBe('selector');
  });
});

test('a label that doubles 40 times is refused, and not by a fault of the program', () => {
  let query = 'label_replace(vector(1), "a", "xx", "", "")';
  for (let at = 0; at < 40; at++) query = `label_replace(${query}, "a", "$1$1", "a", "(.*)")`;
  expect(() => evaluateInstant(query, new MemoryStore(), 0)).toThrow(PromqlError);
});
