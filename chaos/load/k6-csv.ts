/** k6's CSV, line by line, into points: the rows of one request follow one another, its verdict comes last. */
import type { LoadPoint } from './points.js';

/** In all of these time passes between the start of an iteration and the end of the answer. */
const parts = new Set(['http_req_blocked', 'http_req_connecting', 'http_req_duration']);

export class K6Csv {
  #columns: Map<string, number> | undefined;
  #ms = 0;
  readonly #onPoint: (point: LoadPoint) => void;
  readonly #onDropped: (count: number) => void;

  constructor(onPoint: (point: LoadPoint) => void, onDropped: (count: number) => void) {
    this.#onPoint = onPoint;
    this.#onDropped = onDropped;
  }

  /** Lines that are none of k6's rows are passed over. */
  line(line: string): void {
    if (line.startsWith('metric_name,')) {
      this.#columns = new Map(line.split(',').map((name, i) => [name, i]));
      return;
    }
    const columns = this.#columns;
    if (!columns || !/^(http_req_|dropped_iterations,)/.test(line)) return;
    // Texts of errors may hold commas in quotes: only the first columns and the verdict's are read.
    const cells = splitCsv(line);
    const cell = (name: string): string => cells[columns.get(name) ?? -1] ?? '';
    const [metric] = cells;
    const value = Number(cell('metric_value'));
    if (metric === 'dropped_iterations') return this.#onDropped(value);
    if (metric === 'http_req_duration') this.#ms = value;
    else if (metric !== undefined && parts.has(metric)) this.#ms += value;
    if (metric !== 'http_req_failed') return;
    // k6 begins an iteration when it is due or drops it: its start is when the request was due.
    const endMs = Number(cell('timestamp'));
    this.#onPoint({
      route: cell('name'),
      atMs: endMs - this.#ms,
      ms: this.#ms,
      ok: value === 0,
    });
    this.#ms = 0;
  }
}

function splitCsv(line: string): string[] {
  if (!line.includes('"')) return line.split(',');
  const cells: string[] = [];
  let cell = '';
  let quoted = false;
  for (const c of line) {
    if (c === '"') quoted = !quoted;
    else if (c === ',' && !quoted) {
      cells.push(cell);
      cell = '';
    } else cell += c;
  }
  cells.push(cell);
  return cells;
}
