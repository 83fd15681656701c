/** The values of an experiment: its configuration and secrets, and their places in the experiment's texts. */
import { isFields } from './fields.js';

/** Types of `env_var_type`, by their names in the Chaos Toolkit; each returns undefined for a text of another type. */
const readers: Record<string, (text: string) => unknown> = {
  str: (text) => text,
  int: (text) => (/^\s*[+-]?\d+\s*$/.test(text) ? Number(text) : undefined),
  float: (text) => (Number.isFinite(numberOf(text)) ? numberOf(text) : undefined),
  bool: (text) => !['false', '0', 'no'].includes(text.toLowerCase()),
  bytes: (text) => text,
  json: (text) => {
    try {
      return text === '' ? text : (JSON.parse(text) as unknown);
    } catch {
      return undefined;
    }
  },
};
const otherNames: Record<string, string> = { string: 'str', integer: 'int', number: 'float' };

/** NaN for an empty text, too. */
export const numberOf = (value: unknown): number =>
  typeof value === 'number' || (typeof value === 'string' && value.trim() !== '')
    ? Number(value)
    : NaN;

/** The value of `{ type: env }`, or the reason why there is none. */
export function environmentValue(
  own: Record<string, unknown>,
  env: NodeJS.ProcessEnv,
): { value: unknown } | { why: string; expected?: string } {
  const key = String(own.key ?? '');
  const text = env[key];
  if (text === undefined && !('default' in own)) return { why: `the environment has no ${key}` };
  const found: unknown = text ?? own.default;
  const type = String(own.env_var_type ?? 'str');
  const read = readers[otherNames[type] ?? type];
  if (!read) {
    const why = `the env_var_type '${type}' is not known`;
    return { why, expected: Object.keys(readers).join(', ') };
  }
  const value = typeof found === 'string' ? read(found) : found;
  if (value !== undefined) return { value };
  // The text may be a secret, so it is not told.
  return { why: `the text in ${text === undefined ? 'default' : key} is not of type ${type}` };
}

/** Names as in Python's templates, as the Chaos Toolkit reads them: `${name}` and `$name`; `$$` is one dollar. */
const place = /\$(?:\$|([a-z_]\w*)|\{([a-z_]\w*)\})/gi;

/** Replaces each name of `values`, at any depth; a text that consists of one name keeps the value's type. */
export function filled(value: unknown, values: ReadonlyMap<string, unknown>): unknown {
  if (Array.isArray(value)) return value.map((own) => filled(own, values));
  if (isFields(value)) {
    return Object.fromEntries(Object.entries(value).map(([k, own]) => [k, filled(own, values)]));
  }
  if (typeof value !== 'string' || values.size === 0) return value;
  const [whole, short, long] = [...value.matchAll(place)][0] ?? [];
  const only = whole === value ? (short ?? long) : undefined;
  if (only !== undefined && values.has(only)) return values.get(only);
  return value.replaceAll(place, (text, bare?: string, braced?: string) => {
    const name = bare ?? braced;
    if (name === undefined) return '$';
    return values.has(name) ? String(values.get(name)) : text;
  });
}
