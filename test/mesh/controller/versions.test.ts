import { expect, test } from 'vitest';
import { isNewerVersion } from '../../../mesh/controller/versions.js';

test.each([
  ['1.2.3', '1.2.3', false],
  ['1.2.4', '1.2.3', true],
  ['1.10.0', '1.9.9', true],
  ['v2.0.0-rc.1', '1.9.9', true],
  ['0.9.0', '1.0.0', false],
  ['', '1.0.0', false],
  ['main', '1.0.0', false],
])('X2: %s is newer than %s: %s', (version, than, expected) => {
  expect(isNewerVersion(version, than)).toBe(expected);
});
