/** S2: the other outputs: small Kubernetes objects, Mimir's groups, Kustomize folders. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { asset } from '../../base/paths.js';
import { compileSlos, readSlos, readSloText } from '../../slo/index.js';
import { generate, parseTimeScale } from '../../slo/rules/generate.js';
import { objectBytesMax, outputFiles, prometheusRules } from '../../slo/rules/outputs.js';

const folder = mkdtempSync(join(tmpdir(), 'firedrill-outputs-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const retail = readSlos([asset('examples/slo/retail.yaml')]);

test('many SLOs of a service become several objects, each below the limit, none lost', () => {
  const many = Array.from({ length: 200 }, (_, i) => `  - {name: s${i}, objective: 99, sli: M1}\n`);
  const text = `apiVersion: firedrill.dev/v1\nservice: Big_One\nslos:\n${many.join('')}`;
  const groups = compileSlos(readSloText('big.yaml', text));
  const objects = prometheusRules({ name: 'Big_One', groups }, 'monitoring');
  expect(objects.length).toBeGreaterThan(1);
  const parsed = objects.map((o) => parse(o));
  expect(Math.max(...objects.map((o) => Buffer.byteLength(o)))).toBeLessThan(objectBytesMax * 1.1);
  expect(parsed.flatMap((o) => o.spec.groups.map((g: { name: string }) => g.name))).toEqual(
    groups.map((g) => g.name),
  );
  expect(parsed.map((o) => o.metadata.name)).toContain('slo-big-one-1');
});

test('a Kustomize folder lists its objects, and is the same bytes every time', () => {
  const compile = {};
  const options = { inputs: [asset('examples/slo/retail.yaml')], compile, namespace: 'obs' };
  const read = (out: string): string[] =>
    readdirSync(out)
      .sort()
      .map((f) => `${f}\n${readFileSync(join(out, f), 'utf8')}`);
  for (const out of ['a', 'b'])
    generate({ ...options, out: join(folder, out), format: 'kustomize' });
  expect(read(join(folder, 'a'))).toEqual(read(join(folder, 'b')));
  const root = parse(readFileSync(join(folder, 'a/kustomization.yaml'), 'utf8'));
  expect(root).toMatchObject({ namespace: 'obs', resources: ['checkout.yaml', 'payment.yaml'] });
  const object = parse(readFileSync(join(folder, 'a/payment.yaml'), 'utf8'));
  expect(object).toMatchObject({ kind: 'PrometheusRule', metadata: { namespace: 'obs' } });
});

/** The rules of one SLO, by alert or record, as text. */
function rulesOf(slo: string, timeScale = 1): Map<string, string> {
  const text = `apiVersion: firedrill.dev/v1\nservice: a\nslos:\n  - ${slo}\n`;
  const groups = compileSlos(readSloText('in.yaml', text), { timeScale });
  const named = groups
    .flatMap((g) => g.rules)
    .map((rule) => {
      const name = rule.kind === 'alert' ? rule.alert : rule.record;
      return [name, JSON.stringify(rule)] as const;
    });
  return new Map(named);
}

test('the alert on missing data has the texts of its severity', () => {
  const texts = (noData: string): string =>
    rulesOf(
      `{ name: x, objective: 99, sli: M1, alerting: { ${noData}ticket: { annotations: { desk: north } }, ` +
        'page: { annotations: { desk: south } } } }',
    ).get('AXNoData') as string;
  expect(texts('')).toContain('"desk":"north"');
  expect(texts('noData: { severity: page }, ')).toContain('"desk":"south"');
});

test('each of a dozen counters has a name of its own', () => {
  const all = Array.from({ length: 12 }, (_, i) => `sum(rate(t${i}_total[{{.window}}]))`);
  const events = { bad: 'sum(rate(e_total[{{.window}}]))', total: all.join(' + ') };
  const slo = { name: 'x', objective: 99, sli: { events } };
  const last = rulesOf(JSON.stringify(slo)).get('slo:counter:last') as string;
  const keys = [...last.matchAll(/slo_counter\\", \\"(\w+)/g)].map((m) => m[1]);
  expect(keys).toHaveLength(14);
  expect(new Set(keys).size).toBe(14);
});

test('the age of a process that began within the step is scaled, too', () => {
  const slo = `{ name: x, objective: 99, sli: { events: { bad: 'e{job="a"}', total: 't{job="a"}' } } }`;
  const seconds = (timeScale: number): number[] =>
    [...rulesOf(slo, timeScale).values()]
      .flatMap((text) => [...text.matchAll(/time\(\) - ([\d.]+)/g)])
      .map((m) => Number(m[1]));
  const [full] = seconds(1);
  expect(full).toBeGreaterThan(60);
  expect(new Set(seconds(1 / 100))).toEqual(new Set([(full as number) / 100]));
});

test.each([
  ['1/120', 1 / 120],
  ['1/2.25', 1 / 2.25],
  ['0.125', 0.125],
  ['1.5/3', 0.5],
])('the time scale %s is read', (text, scale) => expect(parseTimeScale(text)).toBe(scale));

test("Mimir's groups have a namespace", () => {
  const parts = [{ name: 'shop', groups: compileSlos(retail) }];
  const text = outputFiles(parts, 'mimir', 'monitoring').get('shop.yaml') as string;
  expect(parseAllDocuments(text)[0]?.toJS()).toMatchObject({ namespace: 'shop' });
});

test('a wrong format of output is named', () => {
  const options = { inputs: [asset('examples/slo/retail.yaml')], compile: {}, namespace: 'x' };
  const wrong = { ...options, out: join(folder, 'w'), format: 'xml' as 'rules' };
  expect(() => generate(wrong)).toThrow(/--format xml; expected rules, prometheusrule/);
});
