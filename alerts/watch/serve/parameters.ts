/** Reads parameters of Prometheus's HTTP API as Prometheus does; each mistake has its own error message. */
import { parseDurationMs } from '../../../base/duration.js';
import { readTimeMs } from '../../../base/time-text.js';
import {
  lineColumn,
  type Matcher,
  parse,
  parseSelector,
  PromqlError,
} from '../../../slo/promql/index.js';

/** A mistake of the client, or a query that cannot be evaluated. */
export class ApiError extends Error {
  readonly status: number;
  readonly type: string;

  constructor(status: number, type: string, message: string) {
    super(message);
    this.status = status;
    this.type = type;
  }
}

export const badData = (name: string, message: string): ApiError =>
  new ApiError(400, 'bad_data', `invalid parameter "${name}": ${message}`);

const numeric = /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/;
/** RFC 3339 as Go reads it: `2026-05-01T12:00:00.5+02:00`. */
const rfc3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/;

/** The largest time of a Date, in both directions. */
const timeMaxMs = 8.64e15;

/** Reads seconds since the epoch or RFC 3339; returns milliseconds. */
export function timeOf(query: URLSearchParams, name: string, otherwise?: number): number {
  const text = query.get(name) ?? '';
  if (text === '' && otherwise !== undefined) return otherwise;
  const ms = numeric.test(text)
    ? Math.round(Number(text) * 1000)
    : rfc3339.test(text)
      ? readTimeMs(text)
      : NaN;
  if (Math.abs(ms) <= timeMaxMs) return ms;
  throw badData(name, `cannot parse ${JSON.stringify(text)} to a valid timestamp`);
}

/** Reads a duration or seconds; returns milliseconds. */
export function durationOf(query: URLSearchParams, name: string): number {
  const text = query.get(name) ?? '';
  const ms = numeric.test(text) ? Math.round(Number(text) * 1000) : parseDurationMs(text);
  if (ms !== undefined && Math.abs(ms) <= timeMaxMs) return ms;
  throw badData(name, `cannot parse ${JSON.stringify(text)} to a valid duration`);
}

/** Checks the time that a query may take; the server has its own bounds of samples and points. */
export function checkTimeout(query: URLSearchParams): void {
  if ((query.get('timeout') ?? '') === '' || durationOf(query, 'timeout') > 0) return;
  throw badData('timeout', `timeout must be positive, got ${query.get('timeout')}`);
}

/** Reads a truth as Go does. */
export function truthOf(query: URLSearchParams, name: string): boolean {
  const text = query.get(name) ?? '';
  if (/^(1|t|T|TRUE|true|True)$/.test(text)) return true;
  if (/^(|0|f|F|FALSE|false|False)$/.test(text)) return false;
  throw badData(name, `cannot parse ${JSON.stringify(text)} to true or false`);
}

/** Reads a limit; 0 means none. */
export function limitOf(query: URLSearchParams): number {
  const text = query.get('limit') ?? '';
  if (text === '') return 0;
  if (/^\d{1,15}$/.test(text)) return Number(text);
  throw badData('limit', `cannot parse ${JSON.stringify(text)} to a whole number`);
}

/** Reads a query that parses and is not too long. */
export function queryOf(query: URLSearchParams) {
  const text = query.get('query') ?? '';
  try {
    return { text, expr: parse(text) };
  } catch (error) {
    if (!(error instanceof PromqlError)) throw error;
    throw badData('query', `${placed(text, error)}`);
  }
}

/** A label's name as a path has it: `U__service_2e_name` is `service.name`. A text that is no such code is the name. */
export function labelNameOf(text: string): string {
  const [, code] = /^U__((?:[^_]|__|_[0-9a-fA-F]{1,6}_)*)$/.exec(text) ?? [];
  if (code === undefined) return text;
  const name = code.replaceAll(/_(?:_|(\w+?)_)/g, (_, hex?: string) => {
    const point = Number.parseInt(hex ?? '5f', 16);
    return point > 0x10ffff ? '\ud800' : String.fromCodePoint(point);
  });
  return /\p{Surrogate}/u.test(name) ? text : name;
}

/** Reads `match[]`: selectors, none of which may match everything. */
export function matchersOf(query: URLSearchParams): (readonly Matcher[])[] {
  return query.getAll('match[]').map((text) => {
    try {
      return parseSelector(text).matchers;
    } catch (error) {
      if (!(error instanceof PromqlError)) throw error;
      throw badData('match[]', placed(text, error));
    }
  });
}

const placed = (text: string, error: PromqlError): string => {
  const { line, column } = lineColumn(text, error.from);
  return `${line}:${column}: parse error: ${error.message}`;
};
