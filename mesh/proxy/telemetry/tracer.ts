/**
 * Head sampling: decides which requests get a span and which trace headers go on. Finished spans go to the exporter.
 */
import { randomBytes } from 'node:crypto';
import type { Random } from '../../../base/random.js';
import type { HeaderList, RequestInfo } from '../flow/contract.js';
import type { FlowRecord } from './flow-record.js';
import { contextHeaders, isGoodState, readParent } from './trace-context.js';

/** `sampled` false: nothing is recorded; there may be headers to pass on. */
export interface Span {
  readonly sampled: boolean;
  readonly traceId: string;
  readonly spanId: string;
  readonly parentId: string;
  readonly headers: HeaderList | undefined;
}

export interface SpanSink {
  /** Takes a finished request with its span; never blocks. */
  add(record: FlowRecord): void;
}

/** The caller decided against sampling: its headers pass through unchanged. */
const notSampledParent: Span = {
  sampled: false,
  traceId: '',
  spanId: '',
  parentId: '',
  headers: undefined,
};
/** The same with an invalid tracestate, which is dropped. */
const notSampledBroken: Span = { ...notSampledParent, headers: ['tracestate', ''] };
/** No caller, and not sampled: B3 passes the decision on in three bytes, without ids. */
const notSampledRoot: Span = { ...notSampledParent, headers: ['b3', '0'] };

export class Tracer {
  /** Read on the hot path. */
  readonly enabled: boolean;
  readonly #ratio: number;
  readonly #random: Random;
  readonly #sink: SpanSink | undefined;

  /** Without a sink there is no tracing, and all trace headers pass through unchanged. */
  constructor(parts: { sampleRatio: number; random: Random; sink: SpanSink | undefined }) {
    this.enabled = parts.sink !== undefined;
    this.#ratio = parts.sampleRatio;
    this.#random = parts.random;
    this.#sink = parts.sink;
  }

  start(request: RequestInfo): Span {
    const parent = readParent(request);
    if (parent && !parent.sampled) {
      const others = parent.form === 'w3c' ? request.header('tracestate') : undefined;
      return others && !isGoodState(others) ? notSampledBroken : notSampledParent;
    }
    if (!parent && this.#random.next() >= this.#ratio) return notSampledRoot;
    const traceId = parent?.traceId || hexId(16);
    const parentId = parent?.spanId ?? '';
    const spanId = hexId(8);
    const headers = contextHeaders(parent?.form ?? 'w3c', traceId, spanId, parentId);
    // A tracestate belongs to the context that it came with; an invalid one is dropped.
    const state = request.header('tracestate');
    if (state && (parent?.form !== 'w3c' || !isGoodState(state))) headers.push('tracestate', '');
    return { sampled: true, traceId, spanId, parentId, headers };
  }

  finish(record: FlowRecord): void {
    this.#sink?.add(record);
  }
}

const poolBytes = 4096;
let pool = Buffer.alloc(0);
let used = 0;

/** Random bytes in hex, drawn from the system in larger pieces. */
function hexId(bytes: number): string {
  if (used + bytes > pool.length) {
    pool = randomBytes(poolBytes);
    used = 0;
  }
  used += bytes;
  return pool.toString('hex', used - bytes, used);
}
