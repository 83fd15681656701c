/** Lines of other programs: short ones are whole, long ones are cut, in whatever pieces they arrive. */
import { PassThrough } from 'node:stream';
import { expect, test } from 'vitest';
import { eachLine } from '../../base/lines.js';

async function linesOf(pieces: readonly (string | Buffer)[], max = 5): Promise<string[]> {
  const stream = new PassThrough();
  const lines: string[] = [];
  eachLine(stream, max, (line) => lines.push(line));
  const ended = new Promise((resolve) => stream.on('end', resolve));
  for (const piece of pieces) stream.write(piece);
  stream.end();
  await ended;
  return lines;
}

const [one, two] = [Buffer.from('ä\n').subarray(0, 1), Buffer.from('ä\n').subarray(1)];

test.each<[string, (string | Buffer)[], string[]]>([
  ['in pieces', ['a', 'b\nc', '\n\nd'], ['ab', 'c', '', 'd']],
  ['ends of Windows', ['a\r', '\nb\r\n'], ['a', 'b']],
  ['a character in two pieces', [one, two], ['ä']],
  ['long ones are cut', ['1234567', '89\nabcdefg\n'], ['12345', 'abcde']],
  ['one without an end', Array.from({ length: 1000 }, () => 'x'.repeat(1000)), ['xxxxx']],
  ['nothing', [], []],
])('%s', async (_, pieces, lines) => {
  expect(await linesOf(pieces)).toEqual(lines);
});
