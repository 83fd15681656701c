/** The values in templates: Go's ints are bigint here, its float64s are numbers. */
import { formatFloat } from './format.js';

/** A sample as `query` returns it; a histogram is its text. */
export class TemplateSample {
  readonly labels: Record<string, string>;
  readonly value: number | string;
  constructor(labels: Record<string, string>, value: number | string) {
    this.labels = labels;
    this.value = value;
  }
}

/** Milliseconds since the epoch, in UTC. */
export class TemplateTime {
  readonly ms: number;
  constructor(ms: number) {
    this.ms = ms;
  }
}

export class TemplateDuration {
  readonly seconds: number;
  constructor(seconds: number) {
    this.seconds = seconds;
  }
}

/** `map[string]any`, made by `args`. A missing key has no value, whereas a missing label is empty. */
export class TemplateArguments {
  readonly values: ReadonlyMap<string, Value>;
  constructor(values: ReadonlyMap<string, Value>) {
    this.values = values;
  }
}

/** The value of `.` in an alert's template. */
export class AlertData {
  readonly fields: ReadonlyMap<string, Value>;
  constructor(fields: ReadonlyMap<string, Value>) {
    this.fields = fields;
  }
}

/** A map of strings, such as labels. */
export class StringMap {
  readonly record: Readonly<Record<string, string>>;
  constructor(record: Readonly<Record<string, string>>) {
    this.record = record;
  }
  get(name: string): string {
    return Object.hasOwn(this.record, name) ? (this.record[name] as string) : '';
  }
  entries(): [string, string][] {
    return Object.entries(this.record).sort(([a], [b]) => (a < b ? -1 : 1));
  }
}

export type Value =
  | string
  | number
  | bigint
  | boolean
  | undefined
  | StringMap
  | TemplateSample
  | TemplateTime
  | TemplateDuration
  | TemplateArguments
  | AlertData
  | readonly Value[];

/** Truth as in Go's templates: an empty value is false. */
export function isTrue(value: Value): boolean {
  if (value === undefined || value === false || value === '' || value === 0) return false;
  if (value === 0n) return false;
  if (Array.isArray(value)) return value.length > 0;
  if (value instanceof StringMap) return Object.keys(value.record).length > 0;
  if (value instanceof TemplateArguments) return value.values.size > 0;
  return true;
}

/** The name of the type in error messages, as in Go. */
export function typeName(value: Value): string {
  if (value === undefined) return 'nil';
  if (typeof value === 'string') return 'string';
  if (typeof value === 'number') return 'float64';
  if (typeof value === 'bigint') return 'int';
  if (typeof value === 'boolean') return 'bool';
  if (value instanceof StringMap) return 'map[string]string';
  if (value instanceof TemplateArguments) return 'map[string]interface {}';
  if (value instanceof TemplateSample) return '*template.sample';
  if (value instanceof TemplateTime) return '*time.Time';
  if (value instanceof TemplateDuration) return '*time.Duration';
  if (value instanceof AlertData) return 'struct';
  return 'template.queryResult';
}

/** The text that `{{ x }}` prints, Go's `%v`. */
export function display(value: Value): string {
  if (value === undefined) return '<no value>';
  if (typeof value === 'string') return value;
  if (typeof value === 'number') return formatFloat(value, 'g', -1);
  if (typeof value === 'bigint' || typeof value === 'boolean') return String(value);
  if (value instanceof StringMap) {
    return `map[${value
      .entries()
      .map(([k, v]) => `${k}:${v}`)
      .join(' ')}]`;
  }
  if (value instanceof TemplateArguments) {
    const sorted = [...value.values].sort(([a], [b]) => (a < b ? -1 : 1));
    return `map[${sorted.map(([k, v]) => `${k}:${display(v)}`).join(' ')}]`;
  }
  if (value instanceof TemplateTime) return timeText(value.ms);
  if (value instanceof TemplateDuration) return durationText(value.seconds);
  if (value instanceof TemplateSample) {
    return `&{${display(new StringMap(value.labels))} ${display(value.value)}}`;
  }
  if (value instanceof AlertData) return `{${[...value.fields.values()].map(display).join(' ')}}`;
  return `[${(value as readonly Value[]).map(display).join(' ')}]`;
}

const two = (n: number): string => String(n).padStart(2, '0');

/** A time as Go prints it: `2026-01-02 03:04:05.67 +0000 UTC`. */
export function timeText(ms: number): string {
  const date = new Date(ms);
  if (Number.isNaN(date.getTime())) return String(ms);
  const fraction = ((ms % 1000) + 1000) % 1000;
  const tail =
    fraction === 0 ? '' : `.${String(Math.trunc(fraction)).padStart(3, '0')}`.replace(/0+$/, '');
  return (
    `${String(date.getUTCFullYear()).padStart(4, '0')}-${two(date.getUTCMonth() + 1)}-${two(date.getUTCDate())} ` +
    `${two(date.getUTCHours())}:${two(date.getUTCMinutes())}:${two(date.getUTCSeconds())}${tail} +0000 UTC`
  );
}

/** A duration as Go prints it: `1h2m3.5s`, `250ms`. */
export function durationText(seconds: number): string {
  if (seconds === 0) return '0s';
  const sign = seconds < 0 ? '-' : '';
  const rest = Math.abs(seconds);
  const digits = (n: number): string => String(Number(n.toFixed(9)));
  if (rest < 1e-6) return `${sign}${digits(rest * 1e9)}ns`;
  if (rest < 1e-3) return `${sign}${digits(rest * 1e6)}µs`;
  if (rest < 1) return `${sign}${digits(rest * 1e3)}ms`;
  const hours = Math.floor(rest / 3600);
  const minutes = Math.floor((rest % 3600) / 60);
  const tail = `${digits(rest - hours * 3600 - minutes * 60)}s`;
  if (hours > 0) return `${sign}${hours}h${minutes}m${tail}`;
  return minutes > 0 ? `${sign}${minutes}m${tail}` : sign + tail;
}
