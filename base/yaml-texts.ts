/** YAML's scalars as the texts that Go's decoder takes. */
import { type Document, isMap, isSeq, type LineCounter, visit } from 'yaml';
import type { Problem } from './errors.js';
import { nullText } from './yaml-plain.js';

/** Every scalar is a text but for null; returns the keys and escapes that Go refuses. */
export function readAsTexts(
  file: string,
  doc: Document,
  lines: LineCounter,
  text: string,
): Problem[] {
  const problems: Problem[] = [];
  const say = (at: number, message: string, expected?: string): void => {
    const { line, col: column } = lines.linePos(at);
    problems.push({ place: { file, line, column }, message, ...(expected && { expected }) });
  };
  visit(doc, {
    Scalar(key, node) {
      if (key !== 'key' && node.type === 'PLAIN' && nullText.test(node.source ?? '')) {
        node.value = null;
      }
      const [from = 0, to = 0] = node.range ?? [];
      const half = node.type === 'QUOTE_DOUBLE' ? text.slice(from, to).search(halfEscape) : -1;
      if (half >= 0)
        say(from + half, 'half a character', 'the character itself, or \\U and its number');
    },
    Pair(_, { key }) {
      if (!isMap(key) && !isSeq(key)) return;
      const at = key.range?.[0] ?? 0;
      const isTemplate = text.startsWith('{{', at - 1);
      if (isTemplate)
        say(at - 1, 'a value that begins with {{ is a map', 'quotes around the value');
      else say(at, 'a key is a text');
    },
  });
  return problems;
}

/** JSON escapes an emoji as two halves; YAML has no such pairs. */
const halfEscape = /(?<!\\)(?:\\\\)*\\u[dD][89a-fA-F]/;
