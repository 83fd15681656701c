/** Alertmanager's matchers: `name="value"`, with `=~`, `!=` and `!~`, quoted or not. */
import { messageOf, UserError } from '../../base/errors.js';
import { parseString } from '../../slo/promql/syntax/literals.js';
import { wholeMatcher } from '../../slo/promql/store/regex.js';

export type AlertLabels = Readonly<Record<string, string>>;

export interface AlertMatcher {
  name: string;
  op: '=' | '!=' | '=~' | '!~';
  value: string;
  /** The matcher as written. */
  text: string;
  matches(labels: AlertLabels): boolean;
}

const classic = /^\s*([a-zA-Z_:][a-zA-Z0-9_:]*)\s*(=~|!~|!=|=)\s*([^]*?)\s*$/;

/** Since Alertmanager 0.27 any text is a name: quoted, or without the characters that are syntax. */
const word = /("(?:[^"\\]|\\.)*"|[^\s{}!=~,\\"'`]+)/su.source;
const newer = new RegExp(`^\\s*${word}\\s*(=~|!~|!=|=)\\s*${word}\\s*$`, 'su');

/** Parses one matcher. A missing label counts as an empty one. */
export const parseMatcher = (text: string): AlertMatcher =>
  parseClassic(text) ?? parseNewer(text) ?? refuse(text);

function refuse(text: string): never {
  throw new UserError({ message: `the matcher ${text}`, expected: 'such as severity="page"' });
}

/** The older syntax, which goes before the newer one where a text is both. */
function parseClassic(text: string): AlertMatcher | undefined {
  const [, name = '', op = '=', raw = ''] = classic.exec(text) ?? [];
  const value = /^"((?:[^"\\]|\\.)*)"$/s.exec(raw)?.[1] ?? raw;
  // A quote within a value must be escaped.
  const isBare = value === raw && !/^(?:[^"\\]|\\.|\\$)*$/s.test(raw);
  if (name === '' || isBare) return undefined;
  const plain = value.replaceAll(/\\(["\\n])/g, (_, c: string) => (c === 'n' ? '\n' : c));
  return matcherOf(name, op as AlertMatcher['op'], plain);
}

function parseNewer(text: string): AlertMatcher | undefined {
  const [, ...parts] = newer.exec(text) ?? [];
  const [name, op, value] = parts.map((part) => (part.startsWith('"') ? unquoted(part) : part));
  if (name === undefined || value === undefined) return undefined;
  return matcherOf(name, op as AlertMatcher['op'], value);
}

/** Go's own escapes in double quotes, where a line feed or the bytes of no character may not be. */
function unquoted(literal: string): string | undefined {
  if (/\n|\\'/.test(literal.replaceAll('\\\\', ''))) return undefined;
  const text = parseString(literal);
  return text?.includes('\ufffd') ? undefined : text;
}

/** Parses several matchers in one text: `{a="b", c=~"d"}`. */
export function parseMatchers(text: string): AlertMatcher[] {
  const parts = partsOf(text.trim().replace(/^\{/, '').replace(/\}$/, ''));
  const older = parts.map(parseClassic);
  return older.every((m) => m !== undefined) ? older : parts.map((p) => parseNewer(p) ?? refuse(p));
}

/** The texts between the commas outside quotes; a comma may be the last character. */
function partsOf(text: string): string[] {
  const parts = text.match(/(?:\\[^,]?|"(?:[^"\\]|\\.)*"?|[^",\\])*(?:,|$)/gs) ?? [];
  return parts
    .filter((part) => part.endsWith(',') || part.trim() !== '')
    .map((part) => part.replace(/,$/, ''));
}

/** As Alertmanager writes it: a name that has a character of the syntax is in quotes. */
function textOf(name: string, op: string, value: string): string {
  if (/[\s{}!=~,\\"'`]/u.test(name)) return JSON.stringify(name) + op + JSON.stringify(value);
  const escaped = value.replaceAll(/[\\"]/g, '\\$&').replaceAll('\n', '\\n');
  return `${name}${op}"${escaped}"`;
}

export function matcherOf(name: string, op: AlertMatcher['op'], value: string): AlertMatcher {
  const text = textOf(name, op, value);
  const negative = op.startsWith('!');
  let test: (actual: string) => boolean;
  if (op.endsWith('~')) {
    try {
      test = wholeMatcher(value, '');
    } catch (error) {
      throw new UserError({
        message: `the matcher ${text}`,
        expected: `a pattern of RE2: ${messageOf(error)}`,
      });
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
  for (const part of partsOf(text)) {
    const matcher = parseClassic(part) ?? parseNewer(part);
    if (matcher?.op !== '=') {
      throw new UserError({ message: `${option} ${part}`, expected: 'labels such as a=b,c="d e"' });
    }
    labels[matcher.name] = matcher.value;
  }
  return labels;
}
