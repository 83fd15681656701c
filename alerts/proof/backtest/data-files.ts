/** Reads series from OpenMetrics files with timestamps, and from CSV files with one series in each column. */
import { messageOf, UserError } from '../../../base/errors.js';
import { readInput } from '../../../base/input.js';
import { readTimeMs } from '../../../base/time-text.js';
import { Labels, MemoryStore, type StoredSeries } from '../../../slo/promql/index.js';
import type { Histogram } from '../../../slo/promql/histogram/histogram.js';
import { eachSample, ExpositionError, labelsOf, numberOf } from '../../watch/exposition.js';

export interface DataRange {
  startMs: number;
  endMs: number;
}

/** Fills a store from files and keeps the time of the first and the last sample. */
export class DataFiles {
  readonly store = new MemoryStore();
  range: DataRange | undefined;

  readOpenMetrics(file: string): void {
    const text = readInput(file).replaceAll('\r\n', '\n');
    const openMetrics =
      /^# EOF\s*$/m.test(text) || !/^\S+(\{[^\n]*\})? \S+ \d{12,}\s*$/m.test(text);
    if (openMetrics && !/\n# EOF\s*$/.test(text)) {
      const line = text.split('\n').length;
      throw new UserError({
        place: { file, line, column: 1 },
        message: 'the file is cut off: its last line is not # EOF',
        expected: 'a whole OpenMetrics file',
      });
    }
    const known = new Map<string, StoredSeries>();
    let line = 0;
    const lines = lineCounter(text);
    try {
      eachSample(text, { openMetrics }, (sample) => {
        line = lines.next();
        if (sample.timeMs === undefined) {
          const place = { file, line, column: 1 };
          throw new UserError({
            place,
            message: 'a sample without a time',
            expected: 'a timestamp',
          });
        }
        let series = known.get(sample.series);
        if (!series) {
          series = this.store.series(labelsOf(sample.series));
          known.set(sample.series, series);
        }
        this.#add(series, sample.timeMs, sample.value, { file, line, column: 1 });
      });
    } catch (error) {
      if (error instanceof UserError) throw error;
      const at = error instanceof ExpositionError ? error : { line, column: 1 };
      const place = { file, line: at.line, column: at.column };
      throw new UserError({ place, message: messageOf(error) });
    }
  }

  /** The first column is the time; the other columns are named by their series: `errors_total{job="a"}`. */
  readCsv(file: string): void {
    const rows = csvRows(file, readInput(file));
    const header = rows.next().value as CsvRow | undefined;
    if (!header || header.cells.length < 2) {
      const place = { file, line: 1, column: 1 };
      const expected = 'time,errors_total,requests_total';
      throw new UserError({ place, message: 'no header with a time and series', expected });
    }
    const columns = header.cells.slice(1).map((cell) => {
      try {
        return this.store.series(Labels.of(labelsOf(cell.trim())));
      } catch (error) {
        const place = { file, line: 1, column: 1 };
        throw new UserError({ place, message: `the column '${cell}': ${messageOf(error)}` });
      }
    });
    for (const { cells, line } of rows) {
      const place = { file, line, column: 1 };
      if (cells.length !== header.cells.length) {
        const message = `${cells.length} cells where the header has ${header.cells.length}`;
        throw new UserError({ place, message, expected: 'as many as there are columns' });
      }
      const timeMs = timeOf(cells[0] as string);
      if (timeMs === undefined) {
        const expected = 'seconds or milliseconds since 1970, or RFC 3339';
        throw new UserError({ place, message: `'${cells[0] as string}' is not a time`, expected });
      }
      columns.forEach((series, i) => {
        const cell = (cells[i + 1] as string).trim();
        // An empty cell means a failed scrape.
        if (cell === '') return;
        const value = numberOf(cell);
        if (value === undefined) {
          throw new UserError({
            place,
            message: `'${cell}' is not a number`,
            expected: 'a number',
          });
        }
        this.#add(series, timeMs, value, place);
      });
    }
  }

  add(
    labels: Record<string, string>,
    timeMs: number,
    value: number | Histogram,
    file: string,
  ): void {
    this.#add(this.store.series(labels), timeMs, value, { file, line: 1, column: 1 });
  }

  #add(
    series: StoredSeries,
    timeMs: number,
    value: number | Histogram,
    place: { file: string; line: number; column: number },
  ): void {
    if (timeMs <= series.lastMs) {
      const same = timeMs === series.lastMs ? 'twice at the same time' : 'out of order';
      throw new UserError({
        place,
        message: `${series.labels.toString()} is ${same} (${new Date(timeMs).toISOString()})`,
        expected: 'samples of a series in the order of their times',
      });
    }
    if (typeof value === 'number') series.append(timeMs, value);
    else series.appendHistogram(timeMs, value);
    this.range ??= { startMs: timeMs, endMs: timeMs };
    if (timeMs < this.range.startMs) this.range.startMs = timeMs;
    if (timeMs > this.range.endMs) this.range.endMs = timeMs;
  }
}

/** Iterates over the numbers of the lines that hold samples. */
function lineCounter(text: string): { next: () => number } {
  let at = 0;
  let line = 0;
  return {
    next() {
      for (;;) {
        const end = text.indexOf('\n', at);
        const content = text.slice(at, end < 0 ? text.length : end).trim();
        at = end < 0 ? text.length + 1 : end + 1;
        line++;
        if ((content !== '' && !content.startsWith('#')) || at > text.length) return line;
      }
    },
  };
}

interface CsvRow {
  cells: string[];
  line: number;
}

/** Cells may be quoted, which a series with commas among its labels needs. */
function* csvRows(file: string, text: string): Generator<CsvRow> {
  let line = 0;
  for (const row of text.split('\n')) {
    line++;
    const bare = row.replace(/\r$/, '');
    if (bare.trim() === '' || bare.startsWith('#')) continue;
    const cells: string[] = [];
    const cell = /(?:"((?:[^"]|"")*)"|([^,]*))(,|$)/y;
    for (;;) {
      const match = cell.exec(bare);
      if (!match) {
        throw new UserError({ place: { file, line, column: 1 }, message: 'a quote is not closed' });
      }
      cells.push(match[1]?.replaceAll('""', '"') ?? (match[2] as string));
      if (match[3] === '') break;
    }
    yield { cells, line };
  }
}

/** A number beyond the year 5138 in seconds must be milliseconds. */
function timeOf(text: string): number | undefined {
  const number = numberOf(text.trim());
  if (number !== undefined) return Math.round(Math.abs(number) > 1e11 ? number : number * 1000);
  const ms = readTimeMs(text);
  return Number.isNaN(ms) ? undefined : ms;
}
