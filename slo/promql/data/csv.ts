/** Reads samples from a table: columns of time, value and labels, or a column of times and one for each series. */
import { UserError } from '../../../base/errors.js';
import { readTimeMs } from '../../../base/time-text.js';
import type { MemoryStore } from '../store/store.js';
import { parseGoFloat } from '../syntax/literals.js';
import { parseMetric } from '../testing/series-values.js';

const timeNames = ['time', 'timestamp', 'ts', 'date'];

/** The fields of a line; quotes protect commas and doubled quotes. */
export function fieldsOf(line: string): string[] {
  const fields: string[] = [];
  const field = /\s*(?:"((?:[^"]|"")*)"|([^,]*))\s*(,|$)/y;
  while (field.lastIndex <= line.length) {
    const match = field.exec(line);
    if (!match) break;
    fields.push(
      match[1] === undefined ? (match[2] as string).trim() : match[1].replaceAll('""', '"'),
    );
    if (match[3] === '') break;
  }
  return fields;
}

/** Reads seconds or milliseconds since the epoch, or a date; returns milliseconds, or undefined. */
export function parseTimeMs(text: string): number | undefined {
  const number = parseGoFloat(text);
  if (number !== undefined && Number.isFinite(number)) {
    return Math.round(Math.abs(number) >= 1e11 ? number : number * 1000);
  }
  const date = readTimeMs(text);
  return Number.isNaN(date) ? undefined : date;
}

/** Returns the number of samples; an empty field is not one. */
export function readCsv(file: string, text: string, store: MemoryStore): number {
  const lines = text.split(/\r?\n/);
  const header = fieldsOf(lines[0] ?? '');
  const timeColumn = header.findIndex((name) => timeNames.includes(name.toLowerCase()));
  const fail = (line: number, message: string, expected: string): never => {
    throw new UserError({ place: { file, line, column: 1 }, message, expected });
  };
  if (timeColumn < 0)
    return fail(1, 'no column of times', `a column called ${timeNames.join(', ')}`);
  const valueColumn = header.indexOf('value');
  const series =
    valueColumn < 0 ? header.map((name, i) => (i === timeColumn ? undefined : seriesOf(name))) : [];
  const wrong = series.findIndex((s, i) => i !== timeColumn && s === undefined);
  if (wrong >= 0)
    fail(
      1,
      `'${header[wrong] as string}' names no series`,
      'such as up{job="a"}, or a column called value',
    );
  let count = 0;
  const add = (
    labels: Parameters<MemoryStore['append']>[0],
    timeMs: number,
    field: string,
    line: number,
  ): void => {
    if (field === '') return;
    const value = parseGoFloat(field);
    if (value === undefined) return fail(line, `'${field}' is not a number`, 'a value');
    store.append(labels, timeMs, value);
    count++;
  };
  lines.slice(1).forEach((text, i) => {
    if (text.trim() === '') return;
    const fields = fieldsOf(text);
    const line = i + 2;
    if (fields.length !== header.length) {
      fail(line, `${fields.length} fields`, `${header.length} as in the first line`);
    }
    const timeMs = parseTimeMs(fields[timeColumn] as string);
    if (timeMs === undefined)
      return fail(line, `'${fields[timeColumn] as string}' is not a time`, 'seconds or a date');
    if (valueColumn < 0) {
      series.forEach((labels, j) => labels && add(labels, timeMs, fields[j] as string, line));
    } else {
      add(
        labelsOf(header, fields, timeColumn, valueColumn),
        timeMs,
        fields[valueColumn] as string,
        line,
      );
    }
  });
  return count;
}

function seriesOf(name: string): ReturnType<typeof parseMetric>['labels'] | undefined {
  try {
    const { labels, rest } = parseMetric(name);
    return rest.trim() === '' ? labels : undefined;
  } catch {
    return undefined;
  }
}

function labelsOf(
  header: readonly string[],
  fields: readonly string[],
  timeColumn: number,
  valueColumn: number,
): Record<string, string> {
  const labels: Record<string, string> = {};
  header.forEach((name, i) => {
    if (i === timeColumn || i === valueColumn) return;
    labels[name === 'name' || name === 'metric' ? '__name__' : name] = fields[i] as string;
  });
  return labels;
}
