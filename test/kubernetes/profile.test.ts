/** Profiles from a team's existing files; our own validation accepts the results (C8, D8). */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { parse } from 'yaml';
import { program } from '../../base/paths.js';
import type { AnyObject } from '../../mesh/kubernetes/client/objects.js';
import { problemsOfObject } from '../../mesh/kubernetes/inject/validate.js';

const folder = mkdtempSync(join(tmpdir(), 'firedrill-profile-'));
afterAll(() => rmSync(folder, { recursive: true }));

function profile(
  name: string,
  text: string,
  flag: string,
): AnyObject & { spec: { routes: Record<string, unknown>[] } } {
  const file = join(folder, name);
  writeFileSync(file, text);
  const run = spawnSync(
    process.execPath,
    [program('cli'), 'profile', 'cart', '--namespace', 'retail', flag, file],
    {
      encoding: 'utf8',
    },
  );
  if (run.status !== 0) throw new Error(run.stderr);
  const made = parse(run.stdout) as AnyObject & { spec: { routes: Record<string, unknown>[] } };
  expect(problemsOfObject(made)).toEqual([]);
  return made;
}

test('OpenAPI: parameters become patterns, exact paths come first, only safe methods are retried', () => {
  const { spec, metadata } = profile(
    'api.yaml',
    `openapi: 3.0.0
servers: [{ url: https://shop.example/v1 }]
paths:
  /carts/{id}/items.json: { get: {}, post: {} }
  /carts/mine: { get: {} }
`,
    '--open-api',
  );
  expect(metadata.name).toBe('cart.retail.svc.cluster.local');
  expect(spec.routes).toEqual([
    {
      name: 'GET /v1/carts/mine',
      condition: { method: 'GET', pathRegex: '/v1/carts/mine' },
      isRetryable: true,
    },
    {
      name: 'GET /v1/carts/{id}/items.json',
      condition: { method: 'GET', pathRegex: '/v1/carts/[^/]+/items\\.json' },
      isRetryable: true,
    },
    {
      name: 'POST /v1/carts/{id}/items.json',
      condition: { method: 'POST', pathRegex: '/v1/carts/[^/]+/items\\.json' },
    },
  ]);
});

test('OpenAPI: a host with variables keeps its path; a document without operations is refused', () => {
  const { spec } = profile(
    'vars.yaml',
    `openapi: 3.0.0
servers: [{ url: 'https://{region}.shop.example/v1' }]
paths: { /carts: { get: {} } }
`,
    '--open-api',
  );
  expect(spec.routes).toMatchObject([{ condition: { pathRegex: '/v1/carts' } }]);
  for (const [paths, why] of [
    [`{ /carts: { $ref: './carts.yaml' }, /x: { get: {} } }`, '/carts is in another file'],
    ['{ /carts: { parameters: [] } }', 'no path has an operation'],
  ])
    expect(() => profile('none.yaml', `openapi: 3.0.0\npaths: ${paths}\n`, '--open-api')).toThrow(
      why,
    );
});

test('.proto: strings are no comments, and options may have braces', () => {
  const { spec } = profile(
    'library.proto',
    `syntax = "proto3";
package library;
service Library {
  rpc ListShelves (A) returns (B) { option (google.api.http) = { get: "/v1/{parent=shelves/*}" }; }
  rpc Delete (A) returns (B) {
    option (google.api.http) = { delete: "/v1/{name=shelves/*/books/*}" };
    option idempotency_level = IDEMPOTENT;
  }
  rpc See (A) returns (B) { option (doc) = "https://example.com/ rpc No (A) returns (B);"; }
}`,
    '--proto',
  );
  expect(spec.routes.map((r) => [r.name, r.isRetryable])).toEqual([
    ['library.Library/ListShelves', undefined],
    ['library.Library/Delete', true],
    ['library.Library/See', undefined],
  ]);
});

test('.proto: every rpc, with its package; comments are no services', () => {
  const { spec } = profile(
    'pay.proto',
    `syntax = "proto3";
package shop.v1;
// service Old { rpc Gone (A) returns (B); }
service Payment {
  rpc Pay (PayRequest) returns (PayAnswer);
  rpc Find (FindRequest) returns (stream PayAnswer) { option idempotency_level = NO_SIDE_EFFECTS; }
}`,
    '--proto',
  );
  expect(spec.routes).toEqual([
    {
      name: 'shop.v1.Payment/Pay',
      condition: { method: 'POST', pathRegex: '/shop\\.v1\\.Payment/Pay' },
    },
    {
      name: 'shop.v1.Payment/Find',
      condition: { method: 'POST', pathRegex: '/shop\\.v1\\.Payment/Find' },
      isRetryable: true,
    },
  ]);
  expect(() => profile('x.yaml', 'openapi: 3.0.0', '--open-api')).toThrow(
    'no paths; expected an OpenAPI',
  );
});
