import { expect, it } from 'vitest';
import { JSONPath } from '../../mesh/kubernetes/client/token-path.js';

const json = { credential: { access_token: 'abc', 'token-expiry': '2026-12-01T00:00:00Z' } };

it.each([
  ['$.credential.access_token', 'abc'],
  ['$.credential.token-expiry', '2026-12-01T00:00:00Z'],
  ['$.credential.missing.deep', undefined],
  ['$.constructor', undefined],
])('reads %s of the answer of a cloud command', (path, found) => {
  expect(JSONPath({ path, json })).toBe(found);
});

it.each(['$', '$..access_token', '$.items[0].token', "$['credential']"])(
  'refuses %s, and names the form that it reads',
  (path) => {
    expect(() => JSONPath({ path, json })).toThrow('not of the form {.credential.access_token}');
  },
);
