/** Reads the text formats of metrics, Prometheus's (0.0.4) and OpenMetrics; metadata is skipped. */

export class ExpositionError extends Error {
  /** Line number, from 1. */
  readonly line: number;
  readonly column: number;

  constructor(message: string, line: number, column: number) {
    super(`line ${line}, column ${column}: ${message}`);
    this.name = 'ExpositionError';
    this.line = line;
    this.column = column;
  }
}

export interface ExposedSample {
  /** The series as written, so that equal texts can be looked up without parsing. */
  series: string;
  value: number;
  /** The sample's time; absent if the line has none. */
  timeMs: number | undefined;
}

export interface ExpositionOptions {
  /** OpenMetrics: times are in seconds, exemplars follow `#`, and the text ends with `# EOF`. */
  openMetrics?: boolean;
  /** Number of the text's first line, for texts read in pieces. */
  firstLine?: number;
}

/** Calls back with each sample; throws an ExpositionError at the first invalid line. */
export function eachSample(
  text: string,
  options: ExpositionOptions,
  take: (sample: ExposedSample) => void,
): void {
  let line = options.firstLine ?? 1;
  const sample: ExposedSample = { series: '', value: 0, timeMs: undefined };
  for (let start = 0; start < text.length; line++) {
    let end = text.indexOf('\n', start);
    if (end < 0) end = text.length;
    const first = skipBlank(text, start, end);
    if (first < end && text.charCodeAt(first) !== hash) {
      readLine(text, first, end, line, start, options.openMetrics === true, sample);
      take(sample);
    }
    start = end + 1;
  }
}

const hash = 35;
const openBrace = 123;
const closeBrace = 125;
const quoteMark = 34;
const backslash = 92;

const isBlank = (code: number): boolean => code === 32 || code === 9 || code === 13;

function skipBlank(text: string, from: number, end: number): number {
  let at = from;
  while (at < end && isBlank(text.charCodeAt(at))) at++;
  return at;
}

function wordEnd(text: string, from: number, end: number): number {
  let at = from;
  while (at < end && !isBlank(text.charCodeAt(at))) at++;
  return at;
}

function readLine(
  text: string,
  from: number,
  end: number,
  line: number,
  lineStart: number,
  openMetrics: boolean,
  sample: ExposedSample,
): void {
  const fail = (message: string, at: number): never => {
    throw new ExpositionError(message, line, at - lineStart + 1);
  };
  let at = from;
  while (at < end && text.charCodeAt(at) !== openBrace && !isBlank(text.charCodeAt(at))) at++;
  const brace = skipBlank(text, at, end);
  if (text.charCodeAt(brace) === openBrace && brace < end) {
    at = bracesEnd(text, brace, end);
    if (at < 0) fail('labels without their closing brace', brace);
  }
  sample.series = text.slice(from, at);
  if (at >= end) fail(`a value is missing after ${short(sample.series)}`, end);
  const valueFrom = skipBlank(text, at, end);
  const valueEnd = wordEnd(text, valueFrom, end);
  const word = text.slice(valueFrom, valueEnd);
  const value = numberOf(word);
  if (value === undefined) {
    fail(word === '' ? 'a value is missing' : `'${word}' is not a number`, valueFrom);
  }
  sample.value = value as number;
  sample.timeMs = undefined;
  const next = skipBlank(text, valueEnd, end);
  if (next >= end) return;
  const exemplar = (i: number): boolean => openMetrics && text.charCodeAt(i) === hash;
  if (exemplar(next)) return;
  const timeEnd = wordEnd(text, next, end);
  const time = Number(text.slice(next, timeEnd));
  if (Number.isNaN(time)) fail(`'${text.slice(next, timeEnd)}' is not a timestamp`, next);
  sample.timeMs = openMetrics ? Math.round(time * 1000) : Math.trunc(time);
  const rest = skipBlank(text, timeEnd, end);
  if (rest < end && !exemplar(rest)) fail('more than a value and a timestamp', rest);
}

/** The index after the closing brace, or -1. Braces within quotes are text. */
function bracesEnd(text: string, open: number, end: number): number {
  let quoted = false;
  for (let at = open + 1; at < end; at++) {
    const code = text.charCodeAt(at);
    if (quoted && code === backslash) at++;
    else if (code === quoteMark) quoted = !quoted;
    else if (code === closeBrace && !quoted) return at + 1;
  }
  return -1;
}

const short = (text: string): string => (text.length > 40 ? `${text.slice(0, 40)}…` : text);

const decimal = /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/;

/** Reads a float like Go: `+Inf`, `NaN`, decimal and hexadecimal. */
export function numberOf(word: string): number | undefined {
  if (decimal.test(word)) return Number(word);
  const lower = word.toLowerCase();
  if (/^[+-]?(inf|infinity)$/.test(lower)) return lower.startsWith('-') ? -Infinity : Infinity;
  if (lower === 'nan') return NaN;
  return /^0x[0-9a-f]+$/.test(lower) ? Number(lower) : undefined;
}

const name = /[a-zA-Z_:][a-zA-Z0-9_:.]*/y;
const quoted = /"((?:[^"\\\n]|\\.)*)"/y;

/** The labels of a series as exposed, including `__name__`; throws an Error with the mistake. */
export function labelsOf(series: string): Record<string, string> {
  const labels: Record<string, string> = {};
  const open = series.indexOf('{');
  const metric = (open < 0 ? series : series.slice(0, open)).trim();
  if (metric !== '') {
    name.lastIndex = 0;
    if (name.exec(metric)?.[0] !== metric)
      throw new Error(`'${short(metric)}' is not a metric name`);
    labels.__name__ = metric;
  }
  if (open >= 0) readLabels(series, open + 1, labels);
  if (labels.__name__ === undefined) throw new Error(`no metric name in ${short(series)}`);
  return labels;
}

function readLabels(series: string, from: number, labels: Record<string, string>): void {
  let at = from;
  const skip = (): void => {
    while (isBlank(series.charCodeAt(at))) at++;
  };
  for (;;) {
    skip();
    if (series[at] === '}') return;
    let key = match(name, series, at);
    if (key === undefined) {
      const text = match(quoted, series, at);
      if (text === undefined) throw new Error(`a label was expected at ${short(series.slice(at))}`);
      key = text;
    }
    at += key.length;
    skip();
    if (series[at] !== '=') {
      // A quoted text without `=` is the metric's name.
      if (!key.startsWith('"')) throw new Error(`'=' is missing after the label ${key}`);
      labels.__name__ = unescape(key.slice(1, -1));
    } else {
      at++;
      skip();
      const value = match(quoted, series, at);
      if (value === undefined) throw new Error(`the value of ${key} is not in quotes`);
      at += value.length;
      const plain = key.startsWith('"') ? unescape(key.slice(1, -1)) : key;
      if (plain in labels) throw new Error(`the label ${plain} appears twice`);
      labels[plain] = unescape(value.slice(1, -1));
    }
    skip();
    if (series[at] === ',') at++;
    else if (series[at] !== '}') throw new Error(`',' or '}' was expected after a label`);
  }
}

function match(pattern: RegExp, text: string, at: number): string | undefined {
  pattern.lastIndex = at;
  return pattern.exec(text)?.[0];
}

/** The exposition format has only these three escapes; any other backslash stands for itself. */
const unescape = (text: string): string =>
  text.includes('\\')
    ? text.replace(/\\([\\n"])/g, (_, c: string) => (c === 'n' ? '\n' : c))
    : text;
