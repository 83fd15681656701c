/**
 * Converts k6's CSV, line by line, to points, for our script and for users' scripts. The rows of one request are
 * adjacent. Checks of its answer follow, from the same virtual user, and can still turn the request into a failure.
 */
import type { Failure, LoadPoint } from './points.js';

/** Metrics whose time lies between the start of an iteration and the end of the answer. */
const parts = new Set(['http_req_blocked', 'http_req_connecting', 'http_req_duration']);
/** The tags that k6 must record for a request; virtual user and iteration are not among its defaults. */
export const systemTags =
  'status,method,name,group,check,error,error_code,expected_response,scenario,vu,iter';
/** A limit, because a script that names its requests by their URLs would make a route for each user. */
const maxRoutes = 200;
const otherRoutes = '(others)';
/** k6's codes for a request or a dial that exceeded its time limit. */
const timeoutCodes = new Set(['1050', '1211']);

export class K6Csv {
  #columns: Map<string, number> | undefined;
  #ms = 0;
  /** By virtual user: its last request, which a check may still follow. */
  readonly #open = new Map<string, LoadPoint>();
  readonly #routes = new Set<string>();
  readonly #onPoint: (point: LoadPoint) => void;
  readonly #onDropped: (count: number) => void;
  /** The last line that was not a CSV row: k6's message when it died. */
  lastWords = '';

  constructor(onPoint: (point: LoadPoint) => void, onDropped: (count: number) => void) {
    this.#onPoint = onPoint;
    this.#onDropped = onDropped;
  }

  line(line: string): void {
    if (line.startsWith('metric_name,')) {
      this.#columns = new Map(line.split(',').map((name, i) => [name, i]));
      return;
    }
    const columns = this.#columns;
    if (!columns || !/^[A-Za-z_][\w]{0,127},\d+,/.test(line)) {
      if (line.trim() !== '') this.lastWords = line.slice(0, 500);
      return;
    }
    if (!/^(http_req_|grpc_req_duration,|checks,|iteration|dropped_|firedrill_)/.test(line)) return;
    const cells = splitCsv(line);
    const cell = (name: string): string => cells[columns.get(name) ?? -1] ?? '';
    this.#row(cells[0] as string, Number(cell('metric_value')), cell);
  }

  /** Adds the requests that no check followed by the end. */
  flush(): void {
    for (const vu of this.#open.keys()) this.#close(vu);
  }

  #row(metric: string, value: number, cell: (name: string) => string): void {
    const vu = /(?:^|&)vu=(\d+)/.exec(cell('metadata'))?.[1] ?? '';
    const atMs = Number(cell('timestamp'));
    switch (metric) {
      case 'dropped_iterations':
        return this.#onDropped(value);
      case 'http_req_duration':
        this.#ms = value;
        return;
      case 'http_req_failed': {
        const failed = value !== 0 ? httpFailure(cell) : undefined;
        // k6 begins an iteration when it is due, or drops it: the start of an iteration is the time when the request
        // was due.
        this.#request(vu, cell('name'), atMs, this.#ms, Number(cell('status')), failed);
        this.#ms = 0;
        return;
      }
      case 'grpc_req_duration':
        return this.#request(vu, cell('name'), atMs, value, undefined, grpcFailure(cell('status')));
      case 'firedrill_unanswered':
        return this.#request(vu, cell('name'), atMs, value, 0, 'no-answer');
      case 'checks': {
        const point = this.#open.get(vu);
        if (value === 0 && point?.ok) {
          point.ok = false;
          point.failure = 'body';
        }
        return;
      }
      case 'iteration_duration':
        return this.#close(vu);
      default:
        if (parts.has(metric)) this.#ms += value;
    }
  }

  #request(
    vu: string,
    name: string,
    endMs: number,
    ms: number,
    status: number | undefined,
    failure: Failure | undefined,
  ): void {
    this.#close(vu);
    this.#open.set(vu, {
      route: this.#route(name),
      atMs: endMs - ms,
      ms,
      ok: failure === undefined,
      ...(status !== undefined && { status }),
      ...(failure !== undefined && { failure }),
    });
  }

  /** A request without its own name is named by the path of its address. */
  #route(given: string): string {
    const name = given.replace(/^https?:\/\/[^/]+(?=\/)/, '').replaceAll(',', '_');
    if (this.#routes.has(name)) return name;
    if (this.#routes.size >= maxRoutes) return otherRoutes;
    this.#routes.add(name);
    return name;
  }

  #close(vu: string): void {
    const point = this.#open.get(vu);
    if (!point) return;
    this.#open.delete(vu);
    this.#onPoint(point);
  }
}

function httpFailure(cell: (name: string) => string): Failure {
  if (timeoutCodes.has(cell('error_code'))) return 'timeout';
  return cell('status') === '0' || cell('status') === '' ? 'no-answer' : 'status';
}

/** By the code's number: 0 is OK, 4 an exceeded deadline, 14 an unavailable server. */
function grpcFailure(code: string): Failure | undefined {
  if (code === '0') return undefined;
  if (code === '4') return 'timeout';
  return code === '14' ? 'no-answer' : 'status';
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
