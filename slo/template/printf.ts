/** Go's fmt.Sprintf for the values of templates. */
import { formatFloat } from './format.js';
import { display, type Value } from './values.js';

interface Flags {
  minus: boolean;
  plus: boolean;
  sharp: boolean;
  space: boolean;
  zero: boolean;
  width: number | undefined;
  precision: number | undefined;
}

const directive = /%([-+# 0]*)(\*|\d+)?(?:\.(\*|\d*))?(?:\[(\d+)\])?([^]?)/g;

const verbType = (value: Value): string => {
  if (value === undefined) return '<nil>';
  if (typeof value === 'number') return `float64=${display(value)}`;
  if (typeof value === 'bigint') return `int=${value}`;
  if (typeof value === 'boolean') return `bool=${value}`;
  if (typeof value === 'string') return `string=${value}`;
  return `${display(value)}`;
};

export function sprintf(format: string, args: readonly Value[]): string {
  let next = 0;
  let reordered = false;
  const text = format.replace(directive, (_, flagText: string, width, precision, index, verb) => {
    const flags: Flags = {
      minus: flagText.includes('-'),
      plus: flagText.includes('+'),
      sharp: flagText.includes('#'),
      space: flagText.includes(' '),
      zero: flagText.includes('0') && !flagText.includes('-'),
      width: undefined,
      precision: undefined,
    };
    const star = (text: string | undefined): number | undefined => {
      if (text === undefined) return undefined;
      if (text !== '*') return Number(text);
      const value = args[next++];
      return typeof value === 'bigint' ? Number(value) : undefined;
    };
    flags.width = star(width as string | undefined);
    if (flags.width !== undefined && flags.width < 0) {
      flags.width = -flags.width;
      flags.minus = true;
      flags.zero = false;
    }
    flags.precision = star(precision as string | undefined);
    if (verb === '%') return '%';
    if (verb === '') return '%!(NOVERB)';
    if (index !== undefined) {
      next = Number(index) - 1;
      reordered = true;
      if (next < 0 || next >= args.length) return `%!${verb as string}(BADINDEX)`;
    }
    if (next >= args.length) return `%!${verb as string}(MISSING)`;
    return formatOne(verb as string, args[next++], flags);
  });
  if (reordered || next >= args.length) return text;
  const extra = args.slice(next).map((value) => {
    const shown = verbType(value);
    return shown.startsWith('map[') || shown.startsWith('[') ? `template=${shown}` : shown;
  });
  return `${text}%!(EXTRA ${extra.join(', ')})`;
}

function pad(text: string, flags: Flags, zeros: boolean): string {
  const { width = 0 } = flags;
  const length = [...text].length;
  if (length >= width) return text;
  if (flags.minus) return text + ' '.repeat(width - length);
  if (!zeros) return ' '.repeat(width - length) + text;
  const sign = /^[+-]/.exec(text)?.[0] ?? '';
  return sign + '0'.repeat(width - length) + text.slice(sign.length);
}

const signed = (text: string, flags: Flags): string => {
  if (text.startsWith('-') || text.startsWith('+')) return text;
  if (flags.plus) return `+${text}`;
  return flags.space ? ` ${text}` : text;
};

function formatOne(verb: string, value: Value, flags: Flags): string {
  if (verb === 'v' && (value === undefined || typeof value === 'object')) {
    return pad(value === undefined ? '<nil>' : display(value), flags, false);
  }
  if (typeof value === 'number') return formatNumber(verb, value, flags);
  if (typeof value === 'bigint') return formatInteger(verb, value, flags);
  if (typeof value === 'boolean') {
    if (verb === 't' || verb === 'v') return pad(String(value), flags, false);
    return `%!${verb}(${verbType(value)})`;
  }
  if (verb === 's' || verb === 'v' || verb === 'q' || verb === 'x' || verb === 'X') {
    if (value === undefined) return `%!${verb}(<nil>)`;
    let text = display(value);
    if (flags.precision !== undefined) text = [...text].slice(0, flags.precision).join('');
    if (verb === 'q')
      text = flags.sharp && !text.includes('`') ? `\`${text}\`` : JSON.stringify(text);
    if (verb === 'x' || verb === 'X') text = Buffer.from(text).toString('hex');
    return pad(verb === 'X' ? text.toUpperCase() : text, flags, false);
  }
  return value === undefined ? `%!${verb}(<nil>)` : `%!${verb}(${verbType(value)})`;
}

function formatNumber(verb: string, value: number, flags: Flags): string {
  const lower = verb.toLowerCase();
  if (!['v', 'e', 'f', 'g'].includes(lower) || verb === 'V') {
    return `%!${verb}(${verbType(value)})`;
  }
  const kind = lower === 'v' ? 'g' : (lower as 'e' | 'f' | 'g');
  const precision = flags.precision ?? (kind === 'g' ? -1 : 6);
  let text = formatFloat(value, kind, precision);
  if (!Number.isFinite(value)) return pad(signed(text, flags), flags, false);
  if (verb === 'E' || verb === 'G') text = text.toUpperCase();
  return pad(signed(text, flags), flags, flags.zero);
}

function formatInteger(verb: string, value: bigint, flags: Flags): string {
  const bases: Record<string, number> = { d: 10, v: 10, b: 2, o: 8, x: 16, X: 16 };
  const base = bases[verb];
  if (base !== undefined) {
    let text = value.toString(base);
    if (verb === 'X') text = text.toUpperCase();
    if (flags.sharp && base === 16) text = text.replace(/^-?/, (sign) => `${sign}0${verb}`);
    if (flags.precision !== undefined) {
      const digits = text.replace('-', '').padStart(flags.precision, '0');
      text = value < 0n ? `-${digits}` : digits;
    }
    return pad(signed(text, flags), flags, flags.zero && flags.precision === undefined);
  }
  const point = Number(value);
  const valid = point >= 0 && point <= 0x10ffff;
  if (verb === 'c') return pad(valid ? String.fromCodePoint(point) : '\ufffd', flags, false);
  if (verb === 'q') return pad(`'${valid ? String.fromCodePoint(point) : '\ufffd'}'`, flags, false);
  if (verb === 'U') return `U+${value.toString(16).toUpperCase().padStart(4, '0')}`;
  return `%!${verb}(${verbType(value)})`;
}
