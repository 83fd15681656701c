/** A mistake in JSON is told by its place, and none of the text is repeated. */
import { expect, test } from 'vitest';
import { parseJson } from '../../base/json-text.js';

test.each([
  ['{"a":1,\n"b":', undefined, 'a.json:2:5: not JSON; expected x'],
  ['{"a" 1}', undefined, /^a\.json:1:6: not JSON; expected x$/],
  ['{"a":\u001b[2J}', undefined, 'a.json: not JSON; expected x'],
  ['{"a":\u001b[2J}', 7, 'a.json:7:1: not JSON; expected x'],
  ['{"a":', 7, 'a.json:7:6: not JSON; expected x'],
])('%j in line %s', (text, line, message) => {
  expect(() => parseJson('a.json', text, 'x', line)).toThrow(message);
});

test('JSON gives its value', () => {
  expect(parseJson('a.json', '[1]', 'x')).toEqual([1]);
});
