/** The plain reader agrees with the general parser, and leaves everything else to it. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { LineCounter, parseAllDocuments, stringify } from 'yaml';
import { readPlainDocuments } from '../../base/yaml-plain.js';
import { parseYaml, YamlDocument } from '../../base/yaml.js';

const word = fc.constantFrom(
  'a',
  'b1',
  'x-y',
  'rate(x[5m])',
  '{{.window}}',
  'null',
  'true',
  '99.9',
  '1e3',
  '-3',
  '012',
  "it's",
  'a: b',
  'a #b',
  '',
  ' ',
  'several\n  lines\n\nof text\n',
  'sum(x)\n  / sum(y)',
  '- x',
  '*a',
  '&a',
  '!t',
  '~',
  '0x1f',
  '.5',
  '.inf',
  '5..',
  '<<',
  '"q"',
  'y',
  '2020-01-01',
  'sum(rate(a{b="c",d=~"(5..|429)"}[5m]))',
  'a:b',
  'https://x.example/1',
);
const key = fc.constantFrom('a', 'b', 'some_key', 'x.y', 'null', 'yes', '1', '__proto__', 'a/b');
const value = fc.letrec((tie) => ({
  node: fc.oneof(
    { depthSize: 'small' },
    word,
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    fc.integer(),
    fc.boolean(),
    fc.constant(null),
    fc.array(tie('node'), { maxLength: 4 }),
    fc.dictionary(key, tie('node'), { maxKeys: 4 }),
  ),
})).node;

function agree(text: string): void {
  for (const texts of [false, true]) {
    const plain = readPlainDocuments(text, texts);
    if (plain === undefined) continue;
    const lines = new LineCounter();
    const schema = { merge: true, ...(texts && { schema: 'failsafe' as const }) };
    const parsed = parseAllDocuments(text, { lineCounter: lines, ...schema });
    const documents = Array.isArray(parsed) ? parsed : [];
    expect(documents.flatMap((d) => d.errors)).toEqual([]);
    const written = documents.filter((d) => d.contents !== null);
    // A text this short is read by the general parser.
    const general = parseYaml('f', text, { texts });
    expect(plain.map((d) => d.value)).toEqual(general.map((d) => d.value));
    plain.forEach((document, i) => {
      const nodes = written[i] as (typeof documents)[number];
      const own = new YamlDocument('f', document.value, () => ({ document: nodes, lines, text }));
      const read = new YamlDocument('f', document.value, own.nodes, {
        document,
        text,
        lines: () => lines,
      });
      for (const path of pathsIn(document.value)) {
        expect(read.placeOf(path), path.join('.')).toEqual(own.placeOf(path));
        expect(read.placeOfKey(path)).toEqual(own.placeOfKey(path));
        expect(read.placeWithin(path, 1)).toEqual(own.placeWithin(path, 1));
      }
    });
  }
}

function pathsIn(value: unknown, path: (string | number)[] = []): (string | number)[][] {
  if (typeof value !== 'object' || value === null) return value === null ? [] : [path];
  const keys = Array.isArray(value) ? [...value.keys()] : Object.keys(value);
  return [
    path,
    ...keys.flatMap((key) =>
      pathsIn((value as Record<string | number, unknown>)[key], [...path, key]),
    ),
  ];
}

test('any values', () => {
  fc.assert(
    fc.property(value, (v) => agree(stringify(v))),
    { numRuns: 2000 },
  );
});

test('any lines', () => {
  const line = fc
    .tuple(
      fc.integer({ min: 0, max: 4 }),
      fc.constantFrom('', '- ', '-', '# '),
      key,
      fc.constantFrom(': ', ':', ' : ', ''),
      word,
    )
    .map(([indent, dash, k, colon, w]) => `${' '.repeat(indent)}${dash}${k}${colon}${w}`);
  const text = fc.array(
    fc.oneof({ weight: 8, arbitrary: line }, fc.constantFrom('---', '', '...')),
    { maxLength: 8 },
  );
  fc.assert(
    fc.property(text, (lines) => agree(lines.join('\n'))),
    { numRuns: 5000 },
  );
});

test('a large plain file still answers with places', () => {
  const items = Array.from({ length: 3000 }, (_, i) => `  - name: item-${i}\n    size: ${i}\n`);
  const text = `items:\n${items.join('')}`;
  expect(readPlainDocuments(text, false)).toBeDefined();
  const [document] = parseYaml('big.yaml', text);
  expect(document?.placeOf(['items', 2999, 'size'])).toEqual({
    file: 'big.yaml',
    line: 6001,
    column: 11,
  });
});

test('large JSON is read as JSON, and a key said twice in it is still an error with its place', () => {
  const services = Array.from({ length: 3000 }, (_, i) => ({ name: `s${i}`, ':"odd"': [i, null] }));
  const text = JSON.stringify({ services }, null, 1);
  const [document] = parseYaml('registry.json', text);
  expect(document?.value).toEqual({ services });
  expect(document?.placeOf(['services', 1, 'name']).line).toBe(11);
  const twice = text.replace('"name": "s7"', '"name": "s7", "name": "s8"');
  expect(() => parseYaml('registry.json', twice)).toThrow(/registry\.json:\d+:\d+: .*unique/);
});
