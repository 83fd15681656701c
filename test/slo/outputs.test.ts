/** S2: the other outputs: small Kubernetes objects, Mimir's groups, Kustomize folders. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { asset } from '../../base/paths.js';
import { compileSlos, readSlos, readSloText } from '../../slo/index.js';
import { generate } from '../../slo/rules/generate.js';
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
