/** Applies the safe edits from the end of a file to its start; overlapping edits are skipped. */
import type { Edit, Finding } from './model.js';

export function applyEdits(
  text: string,
  findings: readonly Finding[],
): { text: string; count: number } {
  const edits = findings.flatMap((f) => (f.edit ? [f.edit] : []));
  edits.sort((a, b) => b.from - a.from || b.to - a.to);
  let result = text;
  let count = 0;
  let limit = Infinity;
  const done = new Set<string>();
  for (const edit of edits) {
    const key = JSON.stringify(edit);
    if (done.has(key) || edit.to > limit) continue;
    result = apply(result, edit);
    limit = edit.from;
    done.add(key);
    count++;
  }
  return { text: result, count };
}

const apply = (text: string, { from, to, text: replacement }: Edit): string =>
  text.slice(0, from) + replacement + text.slice(to);
