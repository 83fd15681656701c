/** The version in an image's name, also where a digest pins it or the registry has a port. */
import { expect, test } from 'vitest';
import { tagOf } from '../../mesh/kubernetes/install/names.js';

test.each([
  ['firedrill/firedrill:0.1.0', '0.1.0'],
  ['registry:5000/firedrill:0.1.0', '0.1.0'],
  [`registry:5000/firedrill:0.1.0@sha256:${'a'.repeat(64)}`, '0.1.0'],
  [`registry:5000/firedrill@sha256:${'a'.repeat(64)}`, ''],
  ['registry:5000/firedrill', ''],
  ['', ''],
])('%s', (image, tag) => {
  expect(tagOf(image)).toBe(tag);
});
