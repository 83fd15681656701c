/** Explains how a request was handled: a bounded ring of recent decisions, found by the request's id. */
import type { Clock } from '../../../base/clock.js';
import type { FlowRecord } from '../telemetry/flow-record.js';
import { redactPath } from '../telemetry/redact.js';
import { classifications, failure } from '../telemetry/request-metrics.js';
import { readParent } from '../telemetry/trace-context.js';
import { TokenBucket } from '../../token-bucket.js';

/** Plain JSON, the answer to GET /why?id=. */
export type WhyRecord = Record<string, unknown>;

const ringSize = 1000;
/** Of the requests that went well, one in this many is recorded. */
const sampleEvery = 128;
/** And at most this many a second: describing one costs as much as ten requests. */
const sampledPerSecond = 10;
/** Requests that went wrong are all recorded, up to this many a second. */
const maxPerSecond = 200;
const maxRecordAllMs = 600_000;

export class WhyRing {
  readonly #clock: Clock;
  readonly #ring: (WhyRecord | undefined)[] = Array.from({ length: ringSize }, () => undefined);
  readonly #byId = new Map<string, WhyRecord>();
  readonly #bucket: TokenBucket;
  readonly #sampled: TokenBucket;
  #next = 0;
  #seen = 0;
  #recordAll = false;
  #recordUntilMs = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
    const nowMs = clock.monotonicMs();
    this.#bucket = new TokenBucket(maxPerSecond, maxPerSecond, nowMs);
    this.#sampled = new TokenBucket(sampledPerSecond, sampledPerSecond, nowMs);
  }

  /** Whether a request that goes well is recorded; asked once for each, on the hot path. */
  wants(): boolean {
    if (this.#recordAll) return true;
    if (++this.#seen < sampleEvery) return false;
    this.#seen = 0;
    return true;
  }

  add(record: FlowRecord): void {
    const isOrdinary = record.classification !== failure && !record.pastTries;
    const bucket = isOrdinary && !this.#recordAll ? this.#sampled : this.#bucket;
    if (!bucket.take(record.endedMs)) return;
    const why = this.#describe(record);
    const old = this.#ring[this.#next];
    for (const id of old ? idsOf(old) : []) if (this.#byId.get(id) === old) this.#byId.delete(id);
    this.#ring[this.#next] = why;
    this.#next = (this.#next + 1) % ringSize;
    for (const id of idsOf(why)) this.#byId.set(id, why);
  }

  /** The last record of this id (x-request-id, or the trace id); undefined: not recorded, or forgotten. */
  find(id: string): WhyRecord | undefined {
    return this.#byId.get(id);
  }

  /** Newest first, for GET /why without an id. */
  recent(limit: number): WhyRecord[] {
    const list: WhyRecord[] = [];
    for (let i = 1; i <= ringSize && list.length < limit; i++) {
      const why = this.#ring[(this.#next - i + ringSize) % ringSize];
      if (why) list.push(why);
    }
    return list;
  }

  /**
   * Records every request for this long, as many as the rate allows, and not just a sample and those that went wrong
   * (POST /why {"forMs": 60000}).
   */
  recordAll(forMs: number): void {
    const nowMs = this.#clock.monotonicMs();
    const untilMs = nowMs + Math.min(maxRecordAllMs, Math.max(0, forMs));
    this.#recordUntilMs = untilMs;
    this.#recordAll = untilMs > nowMs;
    this.#clock.after(untilMs - nowMs, () => {
      if (this.#clock.monotonicMs() >= this.#recordUntilMs) this.#recordAll = false;
    });
  }

  #describe(record: FlowRecord): WhyRecord {
    const { request, span } = record;
    const traceId = span?.traceId || readParent(request)?.traceId || undefined;
    const requestId = request.header('x-request-id');
    const round = (ms: number): number => Math.round(ms * 1000) / 1000;
    const tookMs = record.endedMs - record.beganMs;
    return {
      ...(requestId !== undefined && { requestId: copied(requestId.slice(0, 200)) }),
      ...(traceId !== undefined && { traceId }),
      time: new Date(this.#clock.nowMs() - tookMs).toISOString(),
      direction: record.direction,
      method: request.method,
      authority: copied(request.authority),
      path: copied(redactPath(request.path)),
      dst: record.dst,
      route: record.routeName,
      verdict: {
        status: record.status,
        ...(record.grpcStatus >= 0 && { grpcStatus: record.grpcStatus }),
        classification: classifications[record.classification],
        ...(record.reason !== '' && { reason: record.reason }),
      },
      target: record.targetAddress || null,
      latencyMs: record.headMs < 0 ? null : round(record.headMs - record.beganMs),
      durationMs: round(tookMs),
      retries: record.retries,
      ...(record.pastTries && { earlierTries: record.pastTries }),
      ...record.explain(),
    };
  }
}

/** Longer texts are cut. */
const maxText = 2000;

/** A copy: a part of a request's head would keep the whole head in memory. */
const copied = (text: string): string => Buffer.from(text.slice(0, maxText)).toString();

const idsOf = (why: WhyRecord): string[] =>
  [why.requestId, why.traceId].filter((id): id is string => typeof id === 'string');
