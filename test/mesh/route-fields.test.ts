/** mesh/ROUTE_FIELDS.md has every field of mesh/schema/; `npm run update` generates it. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { packageRoot } from '../../base/paths.js';
import { nameInRegistry, readerOf } from '../../mesh/controller/registry/field-schema.js';
import { backendPolicy } from '../../mesh/schema/backend.js';
import { configProblems } from '../../mesh/proxy/config.js';
import type { Field, Fields, Form } from '../../mesh/schema/fields.js';
import { routeFields } from '../../mesh/schema/route.js';
import { destination, state } from './proxy/rig.js';

const page = join(packageRoot, 'mesh', 'ROUTE_FIELDS.md');

const code = (text: string): string => `\`${text}\``;

function bounds({ min = 0, max, whole, registry }: Extract<Form, { kind: 'number' }>): string {
  const of = (from: number, to = Infinity): string =>
    to === Infinity ? `at least ${from}` : `${from} to ${to}`;
  const kind = whole ? 'whole number' : 'number';
  if (!registry) return `${kind}, ${of(min, max)}`;
  const { above, min: least = min, max: most = max } = registry;
  const there = above === undefined ? of(least, most) : `more than ${above}`;
  return `${kind}, ${of(min, max)}; in the registry ${there}`;
}

function valueOf(form: Form): string {
  switch (form.kind) {
    case 'flag':
      return '`true`, `false`';
    case 'number':
      return bounds(form);
    case 'duration': {
      const { min, max } = form;
      if (min === undefined) return 'duration';
      return max === undefined
        ? `duration; in a file at least ${min} s`
        : `duration; in a file ${min} to ${max} s`;
    }
    case 'statuses':
      return "registry `[503, '500-599']`, file `[[503, 503], [500, 599]]`";
    case 'pairs':
      return 'registry `{ name: value }`, file `[[name, value]]`';
    case 'choice':
      return form.choices.map((c) => code(String(c))).join(', ');
    case 'list':
      return form.item.kind === 'group' ? 'list of' : `list: ${valueOf(form.item)}`;
    case 'group':
      return '';
    case 'comparison': {
      const kinds = form.kinds.join(', ');
      const named = form.named ? 'name, ' : '';
      return `registry \`{ ${named}${kinds} }\` (one), file \`{ ${named}kind, value }\``;
    }
    case 'text':
      return form.expected ?? 'text';
    default:
      return form.kind === 'header' ? 'a header name' : 'a name';
  }
}

function defaultOf({ form, preset, isFilled, presetFrom }: Field): string {
  if (presetFrom) return 'a second of the rate (registry)';
  if (form.kind === 'group' || preset === undefined) return '';
  const unit = form.kind === 'duration' ? (form.unit === 'Ms' ? 'ms' : 's') : '';
  const shown = code((typeof preset === 'string' ? preset : JSON.stringify(preset)) + unit);
  return isFilled ? shown : `${shown} (registry)`;
}

const setBy = ({ annotation, profile }: Field): string =>
  [
    ...(annotation === undefined ? [] : [` Annotation ${code(annotation)}.`]),
    ...(profile === undefined ? [] : [` In a ServiceProfile ${code(profile)}.`]),
  ].join('');

function rows(fields: Fields, registry: string, file: string, above = false): string[] {
  return Object.entries(fields).flatMap(([key, field]) => {
    const { form, doc, needed, preset, presetFrom } = field;
    const hidden = above || field.isHidden === true;
    const must = needed && preset === undefined && !presetFrom ? ' Needed.' : '';
    const [there, here] = [registry + nameInRegistry(key, field), file + key];
    const item = form.kind === 'list' ? form.item : form;
    const suffix = form.kind === 'list' ? '[].' : '.';
    const cells = [
      hidden ? '' : code(there),
      code(here),
      valueOf(form),
      defaultOf(field),
      `${doc}${setBy(field)}${must}`,
    ];
    return [
      `| ${cells.join(' | ')} |`.replaceAll(/ {2,}/g, ' '),
      ...(item.kind === 'group' ? rows(item.fields, there + suffix, here + suffix, hidden) : []),
    ];
  });
}

function table(fields: Fields): string {
  const head = "| in the registry | in a proxy's file | value | default | meaning |";
  return [head, '| --- | --- | --- | --- | --- |', ...rows(fields, '', '')].join('\n');
}

/** A value as a registry writes it. */
function written(form: Form): unknown {
  switch (form.kind) {
    case 'flag':
      return true;
    case 'number':
      return form.registry?.min ?? 1;
    case 'duration':
      return '3s';
    case 'statuses':
      return [503, '520-529'];
    case 'pairs':
      return { 'x-canary': 'yes' };
    case 'choice':
      return form.choices.at(-1);
    case 'list':
      return [written(form.item)];
    case 'group':
      return writtenGroup(form.fields);
    case 'comparison':
      return { ...(form.named && { name: 'x-user' }), exact: '/cart' };
    default:
      if (form.kind === 'text' && form.expected?.startsWith('an origin'))
        return 'https://shop:8443';
      return form.kind === 'text' && form.expected?.startsWith('a method') ? 'GET' : 'cart';
  }
}

const writtenGroup = (fields: Fields): Record<string, unknown> =>
  Object.fromEntries(
    Object.entries(fields)
      .filter(([, field]) => !field.isHidden)
      .map(([key, field]) => [nameInRegistry(key, field), written(field.form)]),
  );

/** The described fields that a route lacks. */
function missingIn(fields: Fields, value: Record<string, unknown>): string[] {
  return Object.entries(fields).flatMap(([key, { form, isHidden }]) => {
    if (isHidden) return [];
    const found = value[key];
    if (found === undefined) return [key];
    return form.kind === 'group' ? missingIn(form.fields, found as Record<string, unknown>) : [];
  });
}

test('the registry reads every described field to a value that a proxy’s file may have', () => {
  const route = readerOf(routeFields).parse(writtenGroup(routeFields));
  expect(missingIn(routeFields, route)).toEqual([]);
  expect(route.timeouts).toEqual({ requestMs: 3000, perTryMs: 3000, idleMs: 3000 });
  const problems = configProblems({
    workload: { name: 'test', namespace: 'retail' },
    admin: { host: '127.0.0.1', port: 0 },
    outbound: { host: '127.0.0.1', port: 0, mode: 'explicit' },
    state: state({ destinations: [destination('cart', [], { routes: [route] })] }),
  });
  expect(problems).toEqual([]);
});

test('a range of statuses that holds none is refused', () => {
  const problems = (from: number, to: number) => {
    const own = { matches: [], split: [], timeouts: {} };
    const route = { name: 'all', ...own, failure: { statuses: [[from, to]], grpcStatuses: [] } };
    return configProblems({
      workload: { name: 'test', namespace: 'retail' },
      admin: { host: '127.0.0.1', port: 0 },
      outbound: { host: '127.0.0.1', port: 0, mode: 'explicit' },
      state: state({ destinations: [destination('cart', [], { routes: [route as never] })] }),
    }).map((p) => p.message);
  };
  expect(problems(599, 500)).toEqual(['an empty range']);
  expect(problems(500, 500)).toEqual([]);
});

test.each([
  ['a name with a space', { 'x y': 'a' }, 'must be a header name'],
  ['a name with a colon', { 'x:': 'a' }, 'must be a header name'],
  ['no name', { '': 'a' }, 'must be a header name'],
  ['a value of two lines', { 'x-a': 'a\r\nx-b: c' }, 'must be one line'],
  ['a value with NUL', { 'x-a': 'a\0' }, 'must be one line'],
])('the registry refuses a header that a proxy would refuse: %s', (_, set, why) => {
  const reader = readerOf(routeFields);
  const { error } = reader.safeParse({ name: 'all', requestHeaders: { set } });
  expect(JSON.stringify(error?.issues)).toContain(why);
  expect(reader.safeParse({ name: 'all', requestHeaders: { set: { 'X-a': 'ä' } } }).success).toBe(
    true,
  );
});

test('the reference is the one that the descriptions give', () => {
  const text = `# Fields of routes and backends

Generated from [schema/](schema/route.ts) by \`npm run update\`. In the registry a duration is a text such as
\`500ms\` or \`1m30s\`; in a proxy's file it is a number, in the unit that ends its name. A field without a default
is absent unless it is set; a default marked (registry) is none of a proxy's file, where the field is needed. A field
without a name in the registry is set by the controller or in a proxy's file. Annotations begin with
\`mesh.firedrill.dev/\`: a route's are an HTTPRoute's, a backend's are a Service's. An HTTPRoute, a GRPCRoute and a
ServiceProfile set further fields by their own names.

## A route

${table(routeFields)}

## A backend

${table(backendPolicy)}
`;
  if (process.env.UPDATE) writeFileSync(page, text);
  expect(text).toBe(readFileSync(page, 'utf8'));
});
