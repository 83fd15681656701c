/** Describes the first syntax error of a text, as precisely as the parser's error node allows. */
import type { Tree } from '@lezer/common';
import { PromqlError } from './error.js';
import { tooDeep } from './limits.js';
import { wideWord } from './names.js';

/** Lezer cuts its stack down to 2,000 levels where a text has more than 2,800, and calls the rest a mistake. */
const parserDepth = 1500;
const bracketDepth = 2000;
/** Beyond 2,500 levels it lays the rest flat, without a word. */
const treeDepth = 2400;

export function refuseSyntax(tree: Tree, text: string): void {
  let from = -1;
  let depth = 0;
  let deepest = 0;
  tree.iterate({
    enter(node) {
      deepest = Math.max(deepest, ++depth);
      if (node.type.isError && (from < 0 || node.from < from)) from = node.from;
    },
    leave() {
      depth--;
    },
  });
  if (deepest > (from < 0 ? treeDepth : parserDepth))
    throw new PromqlError(tooDeep, { from: Math.max(0, from), to: Math.max(0, from) + 1 });
  if (from < 0) return;
  const end = text.trimEnd().length;
  const unclosed = unclosedString(text);
  if (unclosed !== undefined) {
    throw new PromqlError('unterminated quoted string', { from: unclosed, to: text.length });
  }
  const rest = /^\s*/.exec(text.slice(from))?.[0].length ?? 0;
  const at = from + rest;
  if (at >= end) {
    const bracket = unclosedBracket(text);
    if (bracket === undefined)
      throw new PromqlError('unexpected end of input', { from: end, to: end + 1 });
    throw new PromqlError(`unclosed '${text[bracket] as string}'`, {
      from: bracket,
      to: bracket + 1,
    });
  }
  refuseUnquoted(text, at);
  const word = /^(?:[\w:.]+|"[^"]*"|'[^']*'|=~|!~|[=!<>]=|[^\s])/.exec(text.slice(at))?.[0] ?? '';
  throw new PromqlError(`unexpected ${JSON.stringify(word)}`, { from: at, to: at + word.length });
}

/** Names the feature, and the quotes that need none, where a mistake is in a name that only the feature allows. */
function refuseUnquoted(text: string, at: number): void {
  for (const { 0: name, index } of text.matchAll(new RegExp(wideWord, 'gu'))) {
    if (/^[\w:]+$/.test(name) || index > at || index + name.length <= at) continue;
    throw new PromqlError(
      `a name with a dot or a letter beyond ASCII stands in quotes: {${JSON.stringify(name)}} for a metric, ` +
        `${JSON.stringify(name)} for a label; unquoted, it takes --enable-feature=promql-unquoted-utf8-names`,
      { from: index, to: index + name.length },
    );
  }
}

const token = /"(?:\\[^]|[^"\\\n])*("?)|'(?:\\[^]|[^'\\\n])*('?)|`[^`]*(`?)|#[^\n]*|[^]/g;

function unclosedString(text: string): number | undefined {
  for (const match of text.matchAll(token)) {
    const closed = match[1] ?? match[2] ?? match[3];
    if (closed === '') return match.index;
  }
  return undefined;
}

/** Refuses brackets within brackets that the parser could not hold; it would need seconds to find that out. */
export function refuseDeepBrackets(text: string): void {
  if (text.length <= parserDepth) return;
  let depth = 0;
  for (const { 0: word, index } of text.matchAll(token)) {
    if (word in closing) depth++;
    else if (word === ')' || word === ']' || word === '}') depth--;
    if (depth > bracketDepth) throw new PromqlError(tooDeep, { from: index, to: index + 1 });
  }
}

const closing: Record<string, string> = { '(': ')', '[': ']', '{': '}' };

function unclosedBracket(text: string): number | undefined {
  const open: number[] = [];
  for (const { 0: word, index } of text.matchAll(token)) {
    if (word in closing) open.push(index);
    else if (open.length > 0 && closing[text[open.at(-1) as number] as string] === word) open.pop();
  }
  return open.at(-1);
}
