/** The functions of templates: Go's own and those that Prometheus adds. */
import { anchorlessRegex, anywhereMatcher } from '../promql/store/regex.js';
import { formatFloat } from './format.js';
import { sprintf } from './printf.js';
import {
  display,
  isTrue,
  StringMap,
  TemplateArguments,
  TemplateDuration,
  TemplateSample,
  TemplateTime,
  timeText,
  typeName,
  type Value,
} from './values.js';

/** An error in a call, without its place, which the caller adds. */
export class CallError extends Error {}

export interface Surroundings {
  /** Runs `query` at the time of the evaluation. */
  query: (expr: string) => TemplateSample[];
  timeMs: number;
  externalUrl: string;
}

export type TemplateFunction = (args: readonly Value[], around: Surroundings) => Value;

interface Entry {
  /** Minimum and maximum number of arguments. */
  arity: [number, number];
  call: TemplateFunction;
}

const text = (value: Value, which: string): string => {
  if (typeof value === 'string') return value;
  throw new CallError(`wrong type for ${which}: expected string; got ${typeName(value)}`);
};

const samples = (value: Value, name: string): readonly TemplateSample[] => {
  if (Array.isArray(value)) return value as readonly TemplateSample[];
  throw new CallError(`wrong type for value of ${name}: expected a query's result`);
};

const sample = (value: Value, name: string): TemplateSample => {
  if (value instanceof TemplateSample) return value;
  throw new CallError(`wrong type for value of ${name}: expected a sample; got ${typeName(value)}`);
};

/** Reads a number from a number, a string or a duration, as Prometheus does. */
function toFloat(value: Value): number {
  if (typeof value === 'number') return value;
  if (typeof value === 'bigint') return Number(value);
  if (value instanceof TemplateDuration) return value.seconds;
  if (typeof value === 'string') {
    const word = /^([+-]?)(inf|infinity|nan)$/i.exec(value);
    if (word)
      return word[2]?.toLowerCase() === 'nan' ? NaN : word[1] === '-' ? -Infinity : Infinity;
    const parsed = value.trim() === value && value !== '' ? Number(value) : NaN;
    if (!Number.isNaN(parsed)) return parsed;
    throw new CallError(`strconv.ParseFloat: parsing ${JSON.stringify(value)}: invalid syntax`);
  }
  throw new CallError(`can't convert ${typeName(value)} to float`);
}

const g4 = (value: number): string => formatFloat(value, 'g', 4);

function humanize(value: number): string {
  if (value === 0 || !Number.isFinite(value)) return g4(value);
  return scale(value, 1000, ['k', 'M', 'G', 'T', 'P', 'E', 'Z', 'Y']);
}

function scale(value: number, base: number, above: readonly string[]): string {
  let v = value;
  let prefix = '';
  if (Math.abs(v) >= 1) {
    for (const p of above) {
      if (Math.abs(v) < base) break;
      prefix = p;
      v /= base;
    }
    return g4(v) + prefix;
  }
  for (const p of ['m', 'u', 'n', 'p', 'f', 'a', 'z', 'y']) {
    if (Math.abs(v) >= 1) break;
    prefix = p;
    v *= 1000;
  }
  return g4(v) + prefix;
}

function humanize1024(value: number): string {
  if (Math.abs(value) <= 1 || !Number.isFinite(value)) return g4(value);
  return scale(value, 1024, ['ki', 'Mi', 'Gi', 'Ti', 'Pi', 'Ei', 'Zi', 'Yi']);
}

function humanizeDuration(value: number): string {
  if (!Number.isFinite(value)) return g4(value);
  if (value === 0) return '0s';
  if (Math.abs(value) < 1) return `${scale(value, 1000, [])}s`;
  const sign = value < 0 ? '-' : '';
  const v = Math.abs(value);
  const whole = Math.trunc(v);
  const [seconds, minutes] = [whole % 60, Math.floor(whole / 60) % 60];
  const [hours, days] = [Math.floor(whole / 3600) % 24, Math.floor(whole / 86_400)];
  if (days !== 0) return `${sign}${days}d ${hours}h ${minutes}m ${seconds}s`;
  if (hours !== 0) return `${sign}${hours}h ${minutes}m ${seconds}s`;
  if (minutes !== 0) return `${sign}${minutes}m ${seconds}s`;
  return `${sign}${g4(v)}s`;
}

function toTimeMs(value: number): number {
  if (!Number.isFinite(value)) throw new CallError('value is NaN or Inf');
  if (Math.abs(value) * 1e9 > 2 ** 63) {
    throw new CallError(
      `${formatFloat(value, 'g', -1)} cannot be represented as a nanoseconds timestamp since it overflows int64`,
    );
  }
  return Math.trunc(value * 1000);
}

/** The result of reading a regular expression of Go, which may be none. */
function read<T>(pattern: string, reader: (pattern: string) => T): T {
  try {
    return reader(pattern);
  } catch {
    throw new CallError(`error parsing regexp: ${JSON.stringify(pattern)}`);
  }
}

/** Expands `$1`, `${1}` and `$name`; a name is the longest run of letters, digits and underscores, as in Go. */
function expand(template: string, match: RegExpExecArray): string {
  return template.replace(/\$(?:\$|(\w+)|\{(\w+)\})/g, (all, bare, braced) => {
    if (all === '$$') return '$';
    const name = (bare ?? braced) as string;
    return (/^\d+$/.test(name) ? match[Number(name)] : match.groups?.[name]) ?? '';
  });
}

const matches = (pattern: string, subject: string): boolean =>
  read(pattern, anywhereMatcher)(subject);

function replaceAll(pattern: string, replacement: string, subject: string): string {
  if (!matches(pattern, subject)) return subject;
  const expression = read(pattern, (p) => anchorlessRegex(p, 'g'));
  let result = '';
  let end = 0;
  for (const match of subject.matchAll(expression)) {
    result += subject.slice(end, match.index) + expand(replacement, match);
    end = match.index + match[0].length;
  }
  return result + subject.slice(end);
}

function splitHostPort(address: string): { host: string; port: string } | undefined {
  const match = /^(?:\[([^\]]*)\]|([^:[\]]*)):([^:]*)$/.exec(address);
  return match ? { host: match[1] ?? match[2] ?? '', port: match[3] as string } : undefined;
}

const isIp = (host: string): boolean =>
  /^\d{1,3}(\.\d{1,3}){3}$/.test(host) ||
  (host.includes(':') && /^[0-9a-fA-F:.]+(%.+)?$/.test(host));

function stripDomain(address: string): string {
  const split = splitHostPort(address);
  const host = split?.host ?? address;
  if (isIp(host)) return address;
  const short = host.split('.')[0] ?? '';
  return split && split.port !== '' ? `${short}:${split.port}` : short;
}

const queryEscape = (value: string): string =>
  encodeURIComponent(value)
    .replaceAll('%20', '+')
    .replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);

const link = (tab: number) => (expr: string) => `/graph?g0.expr=${queryEscape(expr)}&g0.tab=${tab}`;

const durationUnits: Record<string, number> = {
  y: 31_536_000,
  w: 604_800,
  d: 86_400,
  h: 3600,
  m: 60,
  s: 1,
  ms: 0.001,
};

function parseDuration(duration: string): number {
  const whole =
    /^-?(?:(\d+)y)?(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?(?:(\d+)ms)?$/;
  if (duration === '0') return 0;
  if (duration === '' || duration === '-' || !whole.test(duration)) {
    throw new CallError(`not a valid duration string: ${JSON.stringify(duration)}`);
  }
  let seconds = 0;
  for (const [, count, unit] of duration.matchAll(/(\d+)(ms|[ywdhms])/g)) {
    seconds += Number(count) * (durationUnits[unit as string] as number);
  }
  return duration.startsWith('-') ? -seconds : seconds;
}

type Basic = 'bool' | 'int' | 'float' | 'string';

function basic(value: Value): Basic {
  if (typeof value === 'boolean') return 'bool';
  if (typeof value === 'bigint') return 'int';
  if (typeof value === 'number') return 'float';
  if (typeof value === 'string') return 'string';
  throw new CallError('invalid type for comparison');
}

function equal(a: Value, b: Value): boolean {
  if (a === undefined || b === undefined) return a === b;
  // Go compares only numbers of one kind: a float64 such as $value is comparable with 1.0 and not with 1.
  if (basic(a) !== basic(b)) throw new CallError('incompatible types for comparison');
  return a === b;
}

function less(a: Value, b: Value): boolean {
  if (basic(a) !== basic(b)) throw new CallError('incompatible types for comparison');
  if (typeof a === 'boolean') throw new CallError('invalid type for comparison');
  return (a as number) < (b as number);
}

function index(args: readonly Value[]): Value {
  let value = args[0];
  for (const key of args.slice(1)) {
    if (value instanceof StringMap) value = value.get(text(key, 'index'));
    else if (value instanceof TemplateArguments) value = value.values.get(text(key, 'index'));
    else if (Array.isArray(value) || typeof value === 'string') {
      const i = typeof key === 'bigint' ? Number(key) : NaN;
      const { length } = value as { length: number };
      if (!(i >= 0 && i < length)) throw new CallError(`index out of range: ${display(key)}`);
      value =
        typeof value === 'string' ? BigInt(Buffer.from(value)[i] ?? 0) : (value as Value[])[i];
    } else throw new CallError(`can't index item of type ${typeName(value)}`);
  }
  return value;
}

function slice(args: readonly Value[]): Value {
  const [value, from, to] = args;
  if (typeof value !== 'string' && !Array.isArray(value)) {
    throw new CallError(`can't slice item of type ${typeName(value)}`);
  }
  const { length } = value as { length: number };
  const start = from === undefined ? 0 : Number(from as bigint);
  const end = to === undefined ? length : Number(to as bigint);
  if (start < 0 || end > length || start > end) throw new CallError('index out of range');
  return (value as string).slice(start, end);
}

function lengthOf(value: Value): Value {
  if (typeof value === 'string') return BigInt(Buffer.byteLength(value));
  if (Array.isArray(value)) return BigInt(value.length);
  if (value instanceof StringMap) return BigInt(Object.keys(value.record).length);
  if (value instanceof TemplateArguments) return BigInt(value.values.size);
  throw new CallError(`len of type ${typeName(value)}`);
}

/** As fmt.Sprint: a space between two operands unless one of them is a string. */
function sprint(args: readonly Value[]): string {
  let result = '';
  args.forEach((arg, i) => {
    if (i > 0 && typeof arg !== 'string' && typeof args[i - 1] !== 'string') result += ' ';
    result += arg === undefined ? '<nil>' : display(arg);
  });
  return result;
}

/** Unicode's words: a point, a colon or an apostrophe within one ends no word, and a digit begins one. */
const titled = (value: string): string =>
  value.replace(/[\p{L}\p{M}\p{N}_]+(?:['’.:][\p{L}\p{M}\p{N}_]+)*/gu, (word) =>
    word.replace(/\p{L}/u, (letter) => letter.toUpperCase()),
  );

const jsEscape = (value: string): string =>
  // oxlint-disable-next-line no-control-regex
  value.replace(/[\\'"<>&=\u0000-\u001f\u007f]/g, (c) =>
    /[\\'"]/.test(c)
      ? `\\${c}`
      : `\\u${c.charCodeAt(0).toString(16).toUpperCase().padStart(4, '0')}`,
  );

const htmlEscapes: Record<string, string> = {
  '<': '&lt;',
  '>': '&gt;',
  '&': '&amp;',
  '"': '&#34;',
  "'": '&#39;',
};

const any: [number, number] = [1, Infinity];
const of = (count: number, call: TemplateFunction): Entry => ({ arity: [count, count], call });

/** A function of one number that accepts whatever can be read as a number. */
const ofNumber = (call: (value: number) => Value): Entry => of(1, ([v]) => call(toFloat(v)));
const ofText = (name: string, call: (value: string) => Value): Entry =>
  of(1, ([v]) => call(text(v, `value of ${name}`)));

/** The evaluator itself runs `and` and `or`, because they stop early; the entries only provide their names. */
export const functions: Readonly<Record<string, Entry>> = {
  and: { arity: any, call: (args) => args.find((v) => !isTrue(v)) ?? args.at(-1) },
  or: { arity: any, call: (args) => args.find((v) => isTrue(v)) ?? args.at(-1) },
  not: of(1, ([v]) => !isTrue(v)),
  eq: { arity: [2, Infinity], call: ([a, ...rest]) => rest.some((b) => equal(a, b)) },
  ne: of(2, ([a, b]) => !equal(a, b)),
  lt: of(2, ([a, b]) => less(a, b)),
  le: of(2, ([a, b]) => less(a, b) || equal(a, b)),
  // Go turns `le` and `lt` round, so that NaN is greater than any number.
  gt: of(2, ([a, b]) => !less(a, b) && !equal(a, b)),
  ge: of(2, ([a, b]) => !less(a, b)),
  len: of(1, ([v]) => lengthOf(v)),
  index: { arity: [1, Infinity], call: index },
  slice: { arity: [1, 3], call: slice },
  print: { arity: [0, Infinity], call: sprint },
  println: {
    arity: [0, Infinity],
    call: (args) => `${args.map((v) => (v === undefined ? '<nil>' : display(v))).join(' ')}\n`,
  },
  printf: {
    arity: any,
    call: ([format, ...args]) => sprintf(text(format, 'format of printf'), args),
  },
  html: {
    arity: any,
    call: (args) => sprint(args).replace(/[<>&"']/g, (c) => htmlEscapes[c] as string),
  },
  js: { arity: any, call: (args) => jsEscape(sprint(args)) },
  urlquery: { arity: any, call: (args) => queryEscape(sprint(args)) },

  query: of(1, ([expr], around) => around.query(text(expr, 'value of query'))),
  first: of(1, ([v]) => {
    const first = samples(v, 'first')[0];
    if (!first) throw new CallError('first() called on vector with no elements');
    return first;
  }),
  label: of(2, ([name, s]) => {
    const { labels } = sample(s, 'label');
    return new StringMap(labels).get(text(name, 'label'));
  }),
  value: of(1, ([s]) => sample(s, 'value').value),
  strvalue: of(1, ([s]) => new StringMap(sample(s, 'strvalue').labels).get('__value__')),
  args: {
    arity: [0, Infinity],
    call: (args) => new TemplateArguments(new Map(args.map((v, i) => [`arg${i}`, v]))),
  },
  sortByLabel: of(2, ([name, v]) => {
    const label = text(name, 'label of sortByLabel');
    const of = (s: TemplateSample): string => new StringMap(s.labels).get(label);
    const sorted = [...samples(v, 'sortByLabel')];
    return sorted.sort((a, b) => (of(a) < of(b) ? -1 : of(a) > of(b) ? 1 : 0));
  }),
  reReplaceAll: of(3, ([pattern, replacement, subject]) =>
    replaceAll(text(pattern, 'pattern'), text(replacement, 'replacement'), text(subject, 'text')),
  ),
  match: of(2, ([pattern, subject]) => matches(text(pattern, 'pattern'), text(subject, 'text'))),
  safeHtml: ofText('safeHtml', (v) => v),
  title: ofText('title', titled),
  toUpper: ofText('toUpper', (v) => v.toUpperCase()),
  toLower: ofText('toLower', (v) => v.toLowerCase()),
  graphLink: ofText('graphLink', link(0)),
  tableLink: ofText('tableLink', link(1)),
  stripPort: ofText('stripPort', (v) => splitHostPort(v)?.host ?? v),
  stripDomain: ofText('stripDomain', stripDomain),
  humanize: ofNumber(humanize),
  humanize1024: ofNumber(humanize1024),
  humanizeDuration: ofNumber(humanizeDuration),
  humanizePercentage: ofNumber((v) => `${g4(v * 100)}%`),
  humanizeTimestamp: ofNumber((v) => (Number.isFinite(v) ? timeText(toTimeMs(v)) : g4(v))),
  toTime: ofNumber((v) => new TemplateTime(toTimeMs(v))),
  toDuration: ofNumber((v) => new TemplateDuration(v)),
  parseDuration: ofText('parseDuration', parseDuration),
  now: of(0, (_, around) => around.timeMs / 1000),
  pathPrefix: of(0, (_, around) =>
    new URL(around.externalUrl || 'http://x').pathname.replace(/^\/$/, ''),
  ),
  externalURL: of(0, (_, around) => around.externalUrl),
  urlQueryEscape: ofText('urlQueryEscape', queryEscape),
};

export const functionNames: ReadonlySet<string> = new Set(Object.keys(functions));
