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

/**
 * Calls back with each sample; throws an ExpositionError at the first line that Prometheus refuses, with which it
 * refuses the whole scrape: `\r\n`, an unknown type, a fraction in a timestamp and others.
 */
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
    const openMetrics = options.openMetrics === true;
    const first = openMetrics ? start : skipBlank(text, start, end);
    if (text.charCodeAt(first) === hash) {
      checkComment(text, first, end, line, openMetrics);
    } else if (first < end) {
      readLine(text, first, end, line, start, openMetrics, sample);
      take(sample);
    } else if (openMetrics) {
      throw new ExpositionError('an empty line', line, 1);
    }
    start = end + 1;
  }
}

const types = /^(counter|gauge|histogram|gaugehistogram|summary|info|stateset|unknown|untyped)$/;

function checkComment(
  text: string,
  from: number,
  end: number,
  line: number,
  openMetrics: boolean,
): void {
  if (openMetrics) {
    const comment = text.slice(from, end);
    if (comment === '# EOF' && end + 1 < text.length) {
      throw new ExpositionError('more text after # EOF', line + 1, 1);
    }
    if (!/^# (EOF|HELP \S+ .*|UNIT \S+ \S*|TYPE \S+ \S.*)$/.test(comment)) {
      throw new ExpositionError('a comment is HELP, TYPE, UNIT or # EOF', line, 1);
    }
  }
  const type = /^#[ \t]+TYPE[ \t]+\S+[ \t]*([^\n]*)$/.exec(
    text.slice(from, Math.min(end, from + 999)),
  );
  if (type && !types.test(type[1] as string)) {
    throw new ExpositionError(`'${short(type[1] as string)}' is not a type`, line, 1);
  }
}

const hash = 35;
const openBrace = 123;
const closeBrace = 125;
const quoteMark = 34;
const backslash = 92;

const isBlank = (code: number): boolean => code === 32 || code === 9;

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
  const brace = openMetrics ? at : skipBlank(text, at, end);
  if (text.charCodeAt(brace) === openBrace && brace < end) {
    at = bracesEnd(text, brace, end);
    if (at < 0) fail('labels without their closing brace', brace);
  }
  sample.series = text.slice(from, at);
  if (at >= end) fail(`a value is missing after ${short(sample.series)}`, end);
  const valueFrom = skipBlank(text, at, end);
  if (openMetrics && valueFrom !== at + 1) fail('one space stands before the value', at);
  const valueEnd = wordEnd(text, valueFrom, end);
  const word = text.slice(valueFrom, valueEnd);
  const value = numberOf(word);
  const isTooLarge = Math.abs(value ?? 0) === Infinity && !/inf/i.test(word);
  if (value === undefined || isTooLarge || /^0x/i.test(word)) {
    fail(word === '' ? 'a value is missing' : `'${short(word)}' is not a number`, valueFrom);
  }
  sample.value = value as number;
  sample.timeMs = undefined;
  const rest = text.slice(valueEnd, end);
  if (rest === '') return;
  const match = (openMetrics ? afterOpenMetricsValue : afterValue).exec(rest);
  if (!match) {
    const expected = openMetrics ? 'a timestamp or an exemplar' : 'a timestamp in milliseconds';
    fail(`only ${expected} may follow the value, not '${short(rest.trim())}'`, valueEnd + 1);
  }
  const time = match?.[1];
  if (time === undefined) return;
  const timeMs = openMetrics ? Math.round((numberOf(time) ?? NaN) * 1000) : Number(time);
  if (!(Math.abs(timeMs) < 2 ** 63)) fail(`'${time}' is not a timestamp`, valueEnd + 1);
  sample.timeMs = timeMs;
}

const afterValue = /^[ \t]*(?:[ \t](\d+)[ \t]*)?$/;
const afterOpenMetricsValue = /^(?: ([^#\s]\S*))?(?: # \{[^\n]*\} [-+.\w]+(?: [-+.\w]+)?)?$/;

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

const short = (text: string): string =>
  (text.length > 40 ? `${text.slice(0, 40)}…` : text).replaceAll('\r', '\\r');

const decimal = /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/;

/** Reads a float like Go: `+Inf`, `NaN`, decimal and hexadecimal. */
export function numberOf(word: string): number | undefined {
  if (decimal.test(word)) return Number(word);
  const lower = word.toLowerCase();
  if (/^[+-]?(inf|infinity)$/.test(lower)) return lower.startsWith('-') ? -Infinity : Infinity;
  if (lower === 'nan') return NaN;
  return /^0x[0-9a-f]+$/.test(lower) ? Number(lower) : undefined;
}

const name = /[a-zA-Z_:][a-zA-Z0-9_:]*/y;
const labelName = /[a-zA-Z_][a-zA-Z0-9_]*/y;
const quoted = /"((?:[^"\\\n]|\\.)*)"/y;

/** The labels of a series as exposed, including `__name__`; throws an Error with the mistake. */
export function labelsOf(series: string): Record<string, string> {
  const labels: Record<string, string> = {};
  const open = series.indexOf('{');
  const metric = (open < 0 ? series : series.slice(0, open)).replace(/[ \t]+$/, '');
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
    let key = match(labelName, series, at);
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
      if (labels.__name__ !== undefined) throw new Error(`a second metric name, ${short(key)}`);
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
