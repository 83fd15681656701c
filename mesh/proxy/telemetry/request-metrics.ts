/** The counters of one route: plain number fields, and one cell for each kind of response. Read at scrape time. */
import type { TlsLabel } from '../flow/contract.js';
import { LabelSet } from './labels.js';
import { LatencyHistogram } from './latency-histogram.js';
import type { Direction } from './transport-metrics.js';

export interface RequestLabels {
  direction: Direction;
  /** `cart.retail`. */
  dst: string;
  service: string;
  namespace: string;
  route: string;
  /** Set on the inbound side. */
  server?: string;
  /** Set on counters of requests with the same label. */
  label?: { readonly name: string; readonly value: string };
}

export const tlsLabels: readonly TlsLabel[] = ['true', 'no_identity', 'disabled', 'loopback'];

export const tlsCode = (label: TlsLabel): number =>
  label === 'true' ? 0 : label === 'disabled' ? 2 : label === 'no_identity' ? 1 : 3;

/** How a response counts. `canceled`: the client left soon, so the response is neither a failure nor a success. */
export type Classification = 'success' | 'failure' | 'canceled';
export const classifications: readonly Classification[] = ['success', 'failure', 'canceled'];
export const success = 0;
export const failure = 1;
export const canceled = 2;

export interface ResponseCell {
  readonly key: number;
  readonly status: number;
  /** -1: none. */
  readonly grpcStatus: number;
  readonly tls: number;
  readonly classification: number;
  /** The proxy itself gave the answer; no server did. */
  readonly local: boolean;
  count: number;
}

/** Kinds of response that a route counts separately; further kinds are counted as status 0. */
const maxCells = 100;
const maxReasons = 50;
/** Label values with series of their own, over all routes; beyond that the label is `overflow`. */
export const maxLabelled = 5000;
const overflowValue = 'overflow';

export class RequestMetrics {
  readonly source: RequestLabels;
  readonly labels: LabelSet;
  requests = 0;
  inFlight = 0;
  tries = 0;
  retryRequests = 0;
  retrySuccesses = 0;
  retryLimitExceeded = 0;
  retryOverflow = 0;
  retrySameEndpoint = 0;
  retryOnlyEndpoint = 0;
  hedges = 0;
  hedgeWins = 0;
  hedgeOverflow = 0;
  rateLimited = 0;
  rateLimitedByIdentity = 0;
  shedConcurrency = 0;
  shedAdaptive = 0;
  shedMemory = 0;
  mirrorsAnswered = 0;
  mirrorsFailed = 0;
  mirrorsSkipped = 0;
  /** 2 kB, so created with the first observation: a proxy may know a thousand routes. */
  latency: LatencyHistogram | undefined;
  /** Set while the route may be retried: then its series are shown from the start. */
  hasRetries = false;
  hasHedges = false;
  /** Attempts whose answer the client never saw, by status; 0: no head came. */
  readonly otherTries = new Map<number, number>();
  /** Failed attempts that were not retried although the route has retries, by reason. */
  readonly retrySkips = new Map<string, number>();
  /** Refusals and broken responses, by reason. */
  readonly errors = new Map<string, number>();
  /** Present while the route has a budget. */
  budgetRemaining: (() => number) | undefined;
  /** Monotonic milliseconds since which the counters are unused. -1: in use. */
  retiredMs = -1;
  /** The same counters by the requests' label; their sum is this object. Undefined: there is no label. */
  byLabel: Map<string, RequestMetrics> | undefined;
  readonly #cells = new Map<number, ResponseCell>();
  #last: ResponseCell | undefined;

  readonly #room: { left: number };

  /** `room`: how many more labelled counters there may be, over all routes. */
  constructor(source: RequestLabels, room: { left: number } = { left: maxLabelled }) {
    this.source = source;
    this.#room = room;
    this.labels = new LabelSet([
      ['direction', source.direction],
      ['dst', source.dst],
      ['dst_service', source.service],
      ['dst_namespace', source.namespace],
      ['rt_route', source.route],
      ...(source.server === undefined ? [] : [['srv_name', source.server] as const]),
      ...(source.label ? [[source.label.name, source.label.value] as const] : []),
    ]);
  }

  respond(
    status: number,
    grpcStatus: number,
    tls: number,
    classification: number,
    local: boolean,
    latencyMs: number,
  ): void {
    const key =
      (((status * 128 + grpcStatus + 1) * 4 + tls) * 3 + classification) * 2 + (local ? 1 : 0);
    let cell = this.#last;
    if (cell === undefined || cell.key !== key) {
      cell = this.#cells.get(key) ?? this.#add(key, status, grpcStatus, tls, classification, local);
      this.#last = cell;
    }
    cell.count++;
    (this.latency ??= new LatencyHistogram()).observe(latencyMs);
  }

  /** The counters of requests with this label. */
  labelled(label: { readonly name: string; readonly value: string }): RequestMetrics {
    const all = (this.byLabel ??= new Map());
    let found = all.get(label.value);
    if (!found) {
      const isOver = this.#room.left <= 0 && label.value !== overflowValue;
      if (isOver) return this.labelled({ name: label.name, value: overflowValue });
      found = new RequestMetrics({ ...this.source, label }, this.#room);
      this.#room.left--;
      all.set(label.value, found);
    }
    return found;
  }

  /** Drops the counters whose label value has no series of its own any more. */
  dropLabels(has: (value: string) => boolean): void {
    for (const value of this.byLabel?.keys() ?? []) {
      if (has(value)) continue;
      this.byLabel?.delete(value);
      this.#room.left++;
    }
  }

  cells(): Iterable<ResponseCell> {
    return this.#cells.values();
  }

  #add(
    key: number,
    status: number,
    grpcStatus: number,
    tls: number,
    classification: number,
    local: boolean,
  ): ResponseCell {
    if (this.#cells.size >= maxCells) {
      // A server that sends very many status codes: only the class of the response is counted.
      const other = -1 - classification;
      const found = this.#cells.get(other);
      if (found) return found;
      const cell = { key: other, status: 0, grpcStatus: -1, tls, classification, local, count: 0 };
      this.#cells.set(other, cell);
      return cell;
    }
    const cell = { key, status, grpcStatus, tls, classification, local, count: 0 };
    this.#cells.set(key, cell);
    return cell;
  }
}

/** Raises the count of a reason; beyond a limit all are counted as `other`. */
export function raise<K extends string | number>(counts: Map<K, number>, reason: K): void {
  const before = counts.get(reason);
  if (before === undefined && counts.size >= maxReasons) {
    const other = 'other' as K;
    counts.set(other, (counts.get(other) ?? 0) + 1);
    return;
  }
  counts.set(reason, (before ?? 0) + 1);
}
