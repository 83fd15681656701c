/** Tests whether a label's value fits a selector's matcher. */
import type { Matcher } from '../syntax/ast.js';
import { literalsOf, wholeMatcher } from './regex.js';

export interface CompiledMatcher {
  readonly name: string;
  readonly source: Matcher;
  readonly matches: (value: string) => boolean;
}

const compiled = new Map<string, CompiledMatcher>();
const compiledMax = 2048;

/** Throws if the regular expression is invalid. */
export function matcherOf(matcher: Matcher): CompiledMatcher {
  const key = `${matcher.name}\u0000${matcher.op}\u0000${matcher.value}`;
  let found = compiled.get(key);
  if (!found) {
    found = { name: matcher.name, source: matcher, matches: predicate(matcher) };
    if (compiled.size >= compiledMax) compiled.clear();
    compiled.set(key, found);
  }
  return found;
}

function predicate({ op, value }: Matcher): (text: string) => boolean {
  if (op === '=') return (text) => text === value;
  if (op === '!=') return (text) => text !== value;
  const matches = regexPredicate(value);
  return op === '=~' ? matches : (text) => !matches(text);
}

function regexPredicate(pattern: string): (text: string) => boolean {
  const literals = literalsOf(pattern);
  if (literals) {
    const set = new Set(literals);
    return (text) => set.has(text);
  }
  if (pattern === '.*') return () => true;
  if (pattern === '.+') return (text) => text !== '';
  return wholeMatcher(pattern);
}
