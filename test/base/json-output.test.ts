/** docs/json.md names the fields that `--format json` prints; `npm run update` writes it from real answers. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { packageRoot, program } from '../../base/paths.js';

const folder = mkdtempSync(join(tmpdir(), 'firedrill-json-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const slo = 'examples/slo/retail.yaml';
const changed = join(folder, 'changed.yaml');
writeFileSync(
  changed,
  readFileSync(join(packageRoot, slo), 'utf8').replace(/objective: 99\.\d+/, 'objective: 98'),
);
const rules = join(folder, 'rules.yaml');
writeFileSync(rules, 'groups: [{ name: g, rules: [{ alert: A, expr: up == 0 }] }]');

/** A command line for the page, and the words that replace its files here. */
const commands: readonly [string, string?][] = [
  ['slo explain slo.yaml', `slo explain ${slo}`],
  ['slo diff old.yaml new.yaml', `slo diff ${slo} ${changed}`],
  ['alerts list'],
  ['alerts lint rules.yaml', `alerts lint ${rules}`],
  ['alerts test tests.yaml', 'alerts test alerts/library/tests/certificates.yaml'],
  ['alerts backtest -i slo.yaml', `alerts backtest -i ${slo} --slo payment-availability`],
  [
    'promql query EXPR --input samples.txt',
    'promql query requests_total --input examples/promql/requests.txt',
  ],
  ['gameday list'],
  ['gameday plan', 'gameday plan --scenarios retry-storm'],
  ['gameday faults'],
  ['gameday status', `gameday status --state ${folder}`],
  ['runbook list'],
  ['mesh simulate incident.yaml', 'mesh simulate examples/simulate/bad-endpoint.yaml'],
  ['diagnostics --list'],
];

type Shape =
  string | { each: Shape } | { fields: Map<string, { shape: Shape; everywhere: boolean }> };

function shapeOf(value: unknown): Shape {
  if (value === null) return 'null';
  if (Array.isArray(value)) return { each: value.map(shapeOf).reduce(merged, '') };
  if (typeof value !== 'object') return typeof value === 'string' ? 'text' : typeof value;
  const fields = Object.entries(value).map(
    ([key, of]) => [key, { shape: shapeOf(of), everywhere: true }] as const,
  );
  return { fields: new Map(fields) };
}

function merged(a: Shape, b: Shape): Shape {
  if (a === '' || b === '') return a === '' ? b : a;
  if (typeof a === 'object' && typeof b === 'object') {
    if ('each' in a && 'each' in b) return { each: merged(a.each, b.each) };
    if ('fields' in a && 'fields' in b) {
      const keys = new Set([...a.fields.keys(), ...b.fields.keys()]);
      const fields = [...keys].map((key) => {
        const [x, y] = [a.fields.get(key), b.fields.get(key)];
        const shape = merged(x?.shape ?? '', y?.shape ?? '');
        return [key, { shape, everywhere: Boolean(x?.everywhere && y?.everywhere) }] as const;
      });
      return { fields: new Map(fields) };
    }
  }
  const words = new Set(
    [a, b].flatMap((s) => (typeof s === 'string' ? s.split(' or ') : ['object'])),
  );
  return [...words].toSorted().join(' or ');
}

function lines(shape: Shape, indent: string): string {
  if (typeof shape === 'string') return shape === '' ? 'anything' : shape;
  if ('each' in shape) return `list of ${lines(shape.each, indent)}`;
  const inner = [...shape.fields].map(
    ([key, { shape: of, everywhere }]) =>
      `${indent}  ${key}${everywhere ? '' : '?'}: ${lines(of, `${indent}  `)}\n`,
  );
  return `{\n${inner.join('')}${indent}}`;
}

const head = `# JSON

<!-- Generated from the commands' answers: npm run update. -->

The fields that commands print with \`--format json\`, on standard output alone: here of the example files, so other
input may add some. A question mark stands for a field that may be absent; fields may be added in any version. Ratios
are 0 to 1, and fields in \`Ms\` are milliseconds. The result of a game day has a
[schema of its own](../runbooks/report/RESULT.md), with a version.
`;

test(
  'docs/json.md is what the commands print (npm run update writes it)',
  { timeout: 120_000 },
  () => {
    const sections = commands.map(([shown, words = shown]) => {
      const { stdout, stderr, status } = spawnSync(
        process.execPath,
        [program('cli'), ...words.split(' '), '--format', 'json'],
        { encoding: 'utf8', cwd: packageRoot, maxBuffer: 2 ** 26 },
      );
      expect([0, 1], stderr).toContain(status);
      return `## firedrill ${shown}\n\n\`\`\`text\n${lines(shapeOf(JSON.parse(stdout)), '')}\n\`\`\`\n`;
    });
    const text = [head, ...sections].join('\n');
    const file = join(packageRoot, 'docs', 'json.md');
    if (process.env.UPDATE === '1') writeFileSync(file, text);
    expect(readFileSync(file, 'utf8')).toBe(text);
  },
);
