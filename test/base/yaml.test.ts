import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test, vi } from 'vitest';
import * as z from 'zod';
import { checkYaml, parseYaml, readYaml } from '../../base/yaml.js';

const schema = z.strictObject({
  name: z.string(),
  slos: z.array(z.strictObject({ objective: z.number() })),
  waitMs: z.number().min(0).max(60).optional(),
  tags: z.array(z.string()).min(1).optional(),
});

test.each([
  [
    'name: a\nslos:\n  - objective: 99\n    windw: 3\n',
    "a.yaml:4:5: unknown field 'windw' in slos.0",
  ],
  ['name: 3\nslos: []\n', 'a.yaml:1:7: name: expected text'],
  ['name: a\nname: b\n', 'a.yaml:2:1: Map keys must be unique'],
  ['name: a\nslos: []\nwaitMs: -1\n', 'a.yaml:3:9: waitMs: expected at least 0'],
  ['name: a\nslos: []\nwaitMs: 70\n', 'a.yaml:3:9: waitMs: expected at most 60'],
  ['name: a\nslos: []\ntags: []\n', 'a.yaml:3:7: tags: expected at least 1 items'],
  [
    `name: ${'['.repeat(20_000)}${']'.repeat(20_000)}\n`,
    /^a\.yaml:1:\d+: this is nested too deeply$/,
  ],
])('%j is refused with its place', (text, message) => {
  expect(() => parseYaml('a.yaml', text).map((d) => checkYaml(d, schema))).toThrow(message);
});

const folder = mkdtempSync(join(tmpdir(), 'firedrill-yaml-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const written = (bytes: Buffer): string => {
  const file = join(folder, 'in.yaml');
  writeFileSync(file, bytes);
  return file;
};

test('UTF-16 with its mark is read, as Windows writes it', () => {
  const little = Buffer.from('\uFEFFname: ä\r\n', 'utf16le');
  expect(readYaml(written(little))[0]?.value).toEqual({ name: 'ä' });
  expect(readYaml(written(Buffer.from(little).swap16()))[0]?.value).toEqual({ name: 'ä' });
});

test('a byte that is not UTF-8 is refused at its place, not replaced', () => {
  const file = written(Buffer.from('name: a\nowner: M\xfcller\n', 'latin1'));
  expect(() => readYaml(file)).toThrow(`${file}:2:9: a character that is not UTF-8`);
});

test('a merge key takes the fields of an anchor, and its own go before', () => {
  const text = 'a: &a { x: 1, y: 2 }\nb:\n  <<: *a\n  y: 3\n';
  const [document] = parseYaml('m.yaml', text);
  expect(document?.value).toEqual({ a: { x: 1, y: 2 }, b: { x: 1, y: 3 } });
  expect(document?.placeOf(['b', 'y'])).toMatchObject({ line: 4 });
  expect(document?.placeOf(['b', 'x'])).toMatchObject({ line: 3 });
});

test.each([
  ['groups: &g [{ rules: *g }]', 'a.yaml:1:22: an alias within its own anchor'],
  ['a: &a\n  b: { c: [*a] }', 'a.yaml:2:12: an alias within its own anchor'],
])('%s has no end, and is refused', (text, told) => {
  expect(() => parseYaml('a.yaml', text)).toThrow(told);
  expect(() => parseYaml('a.yaml', text, { texts: true })).toThrow(told);
});

describe('an unknown field is told with the one that was meant', () => {
  const part = z.strictObject({ objective: z.number().optional(), for: z.string().optional() });
  type Tree = { route?: string | undefined; routes?: Tree[] | undefined };
  const tree: z.ZodType<Tree> = z.lazy(() =>
    z.strictObject({ route: z.string().optional(), routes: z.array(tree).optional() }),
  );
  const schema = z.strictObject({
    slos: z.array(z.union([z.string(), part])).optional(),
    byName: z
      .record(
        z.string(),
        part.transform((p) => p),
      )
      .optional(),
    tree: tree.optional(),
  });
  test.each([
    ['slo: []', "1:1: unknown field 'slo'; expected slos"],
    ['slos: [{ objectve: 1 }]', "1:10: unknown field 'objectve' in slos.0; expected objective"],
    ['byName: { a: { fur: 1m } }', "1:16: unknown field 'fur' in byName.a; expected for"],
    [
      'tree: { routes: [{ rout: a }] }',
      "1:20: unknown field 'rout' in tree.routes.0; expected route",
    ],
    // The field that is nearest is there already, and no other is near.
    ['slos: [{ for: 1m, fro: 2m }]', "1:19: unknown field 'fro' in slos.0"],
    ['nothing: 1', "1:1: unknown field 'nothing'"],
  ])('%s', (text, told) => {
    const [document] = parseYaml('a.yaml', text);
    let message = '';
    try {
      checkYaml(document!, schema);
    } catch (error) {
      message = (error as Error).message;
    }
    expect(message).toBe(`a.yaml:${told}`);
  });
});

test('a template that was not rendered is told as such', () => {
  expect(() => parseYaml('a.yaml', '{{- if .Values.on }}\na: 1\n{{- end }}\n')).toThrow(
    'expected the output of a template',
  );
});

test('an alias bomb is refused, not expanded', () => {
  let text = 'a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n';
  for (let i = 1; i < 9; i++) {
    const alias = `*a${i - 1}`;
    text += `a${i}: &a${i} [${Array.from({ length: 10 }, () => alias).join(', ')}]\n`;
  }
  expect(() => parseYaml('bomb.yaml', text)).toThrow('bomb.yaml:1:1');
});

test('a key that is a map or a list is refused with its place, and nothing is said beside the error', () => {
  const warnings = vi.spyOn(process, 'emitWarning');
  for (const [text, message] of [
    ['name: a\nslos:\n  - {objective: 99, ? [a]: 1}\n', 'a.yaml:3:23: unknown field'],
    ['name: {{ .Values.name }}\nslos: []\n', 'a.yaml:1:7: name: expected text'],
    ['{{ .Values.name }}: 1\n', /a\.yaml:1:1: (unknown field|name: )/],
  ] as const) {
    expect(() => parseYaml('a.yaml', text).map((d) => checkYaml(d, schema))).toThrow(message);
  }
  expect(warnings).not.toHaveBeenCalled();
  warnings.mockRestore();
});

test.each([
  ['a: |\n  x y\n', 2, 5],
  ['a: |\n      x y\n      z', 2, 9],
  ['a:\n    b: |  # why\n\n            x y\n', 4, 15],
  ['a: |2\n\n    x y\n', 3, 7],
  ['a: |\r\n    x y\r\n', 2, 7],
])('the place of a character in a block of any indentation: %j', (text, line, column) => {
  const padding = `${'# a comment\n'.repeat(3000)}`;
  for (const before of ['', padding]) {
    const [document] = parseYaml('f', before + text);
    const path = text.includes('b:') ? ['a', 'b'] : ['a'];
    let value = document!.value as Record<string, unknown>;
    for (const step of path.slice(0, -1)) value = value[step] as Record<string, unknown>;
    const at = String(value[path.at(-1) as string]).indexOf('y');
    const above = before.split('\n').length - 1;
    expect(document!.placeWithin(path, at)).toEqual({ file: 'f', line: line + above, column });
  }
});
