/** Alertmanager's matchers: `name="value"`, with `=~`, `!=` and `!~`, quoted or not. */
import { UserError } from '../../base/errors.js';
import { anchoredRegex } from '../../slo/promql/store/regex.js';

export type AlertLabels = Readonly<Record<string, string>>;

export interface AlertMatcher {
  name: string;
  op: '=' | '!=' | '=~' | '!~';
  value: string;
  /** The matcher as written. */
  text: string;
  matches(labels: AlertLabels): boolean;
}

const shape =
  /^\s*([a-zA-Z_][a-zA-Z0-9_]*)\s*(=~|!~|!=|=)\s*(?:"((?:[^"\\]|\\.)*)"|([^"{},\s][^"{},]*|))\s*$/;

/** Parses one matcher. A missing label counts as an empty one. */
export function parseMatcher(text: string): AlertMatcher {
  const match = shape.exec(text);
  if (!match) {
    throw new UserError({ message: `the matcher ${text}`, expected: 'such as severity="page"' });
  }
  const [, name = '', op = '=', quoted, bare] = match;
  const value =
    quoted === undefined ? (bare ?? '').trim() : quoted.replaceAll(/\\(["\\n])/g, unescape);
  return matcherOf(name, op as AlertMatcher['op'], value);
}

const unescape = (_: string, character: string): string => (character === 'n' ? '\n' : character);

/** Parses several matchers in one text: `{a="b", c=~"d"}`. */
export function parseMatchers(text: string): AlertMatcher[] {
  const inner = text.trim().replace(/^\{/, '').replace(/\}$/, '');
  const parts = inner.match(/(?:"(?:[^"\\]|\\.)*"|[^",])+/g) ?? [];
  return parts.map(parseMatcher);
}

export function matcherOf(name: string, op: AlertMatcher['op'], value: string): AlertMatcher {
  const text = `${name}${op}${JSON.stringify(value)}`;
  const negative = op.startsWith('!');
  let test: (actual: string) => boolean;
  if (op.endsWith('~')) {
    try {
      const pattern = anchoredRegex(value);
      test = (actual) => pattern.test(actual);
    } catch (error) {
      throw new UserError({ message: `the matcher ${text}`, expected: String(error) });
    }
  } else test = (actual) => actual === value;
  return { name, op, value, text, matches: (labels) => test(labels[name] ?? '') !== negative };
}

/** Combines matchers of the newer and the older syntax. */
export function matchersOf(
  list: readonly string[] | undefined,
  equal: Readonly<Record<string, string>> | undefined,
  patterns: Readonly<Record<string, string>> | undefined,
): AlertMatcher[] {
  return [
    ...(list ?? []).flatMap(parseMatchers),
    ...Object.entries(equal ?? {}).map(([name, value]) => matcherOf(name, '=', value)),
    ...Object.entries(patterns ?? {}).map(([name, value]) => matcherOf(name, '=~', value)),
  ];
}

export const allMatch = (matchers: readonly AlertMatcher[], labels: AlertLabels): boolean =>
  matchers.every((m) => m.matches(labels));

/** Reads labels from the command line: `a=b,c="d e"`. */
export function parseLabels(text: string, option: string): Record<string, string> {
  const labels: Record<string, string> = {};
  for (const part of text.match(/(?:"(?:[^"\\]|\\.)*"|[^",])+/g) ?? []) {
    const match = shape.exec(part);
    if (!match || match[2] !== '=') {
      throw new UserError({ message: `${option} ${part}`, expected: 'labels such as a=b,c="d e"' });
    }
    labels[match[1] as string] = parseMatcher(part).value;
  }
  return labels;
}
