/**
 * Sends spans to a collector in batches; spans that it cannot take in time are dropped and counted, never waited for.
 */
import { request as httpRequest } from 'node:http';
import type { Clock, Timer } from '../../../base/clock.js';
import type { FlowRecord } from './flow-record.js';
import { otlpBody, otlpSpan } from './otlp.js';
import type { SpanSink } from './tracer.js';

const maxQueue = 4096;
const batchSize = 512;
const batchMs = 1000;
const maxTries = 3;
/** A proxy that is shutting down waits at most this long for a collector. */
const closeMs = 3000;

/**
 * Resolves to true if the collector took the batch; false is retried. A rejection means a permanent refusal and is
 * not retried.
 */
export type Post = (body: string) => Promise<boolean>;

export class SpanExporter implements SpanSink {
  offered = 0;
  droppedFull = 0;
  droppedFailed = 0;
  readonly #clock: Clock;
  readonly #resource: Record<string, string>;
  readonly #post: Post;
  readonly #timer: Timer;
  #queue: Record<string, unknown>[] = [];
  #sending: Promise<void> | undefined;
  /** Attempts for a batch that the collector did not take. */
  #tries = 0;
  #batch: Record<string, unknown>[] = [];

  constructor(parts: { clock: Clock; resource: Record<string, string>; post: Post }) {
    this.#clock = parts.clock;
    this.#resource = parts.resource;
    this.#post = parts.post;
    this.#timer = parts.clock.every(batchMs, () => void this.flush());
  }

  get queued(): number {
    return this.#queue.length + this.#batch.length;
  }

  add(record: FlowRecord): void {
    this.offered++;
    if (this.queued >= maxQueue) {
      this.droppedFull++;
      return;
    }
    this.#queue.push(otlpSpan(record, this.#clock.nowMs()));
    if (this.#queue.length >= batchSize) void this.flush();
  }

  /** Sends one batch; if one is already being sent, waits for that one. */
  flush(): Promise<void> {
    if (this.#sending) return this.#sending;
    if (this.#batch.length === 0) {
      this.#batch = this.#queue.splice(0, batchSize);
      this.#tries = 0;
    }
    if (this.#batch.length === 0) return Promise.resolve();
    this.#sending = this.#send().finally(() => {
      this.#sending = undefined;
    });
    return this.#sending;
  }

  /** Sends the queued spans as far as the collector takes them at once, within a short time. */
  async close(): Promise<void> {
    this.#timer.cancel();
    let timer: Timer | undefined;
    const enough = new Promise<void>((resolve) => {
      timer = this.#clock.after(closeMs, resolve);
    });
    await Promise.race([this.#drain(), enough]);
    timer?.cancel();
  }

  async #drain(): Promise<void> {
    for (let left = this.queued; left > 0; left = this.queued) {
      await this.flush();
      if (this.queued >= left) break;
    }
  }

  async #send(): Promise<void> {
    let taken = false;
    let gaveUp = false;
    try {
      taken = await this.#post(otlpBody(this.#resource, this.#batch));
    } catch {
      gaveUp = true;
    }
    this.#tries++;
    if (!taken && !gaveUp && this.#tries < maxTries) return;
    if (!taken) this.droppedFailed += this.#batch.length;
    this.#batch = [];
  }
}

/** OTLP/HTTP: 2xx is success; 429, 5xx and a lost connection are retried; any other status is a permanent refusal. */
export function otlpPost(url: string, timeoutMs = 10_000): Post {
  const target = new URL(url);
  if (target.pathname === '/' || target.pathname === '') target.pathname = '/v1/traces';
  // Loaded on demand: it takes some milliseconds of a start.
  const isTls = target.protocol === 'https:';
  const send = isTls ? process.getBuiltinModule('node:https').request : httpRequest;
  return (body) =>
    new Promise((resolve, reject) => {
      const request = send(
        target,
        {
          method: 'POST',
          headers: {
            'content-type': 'application/json',
            'content-length': Buffer.byteLength(body),
          },
          // For the whole exchange: an answer may come a byte at a time.
          signal: AbortSignal.timeout(timeoutMs),
        },
        (response) => {
          const status = response.statusCode ?? 0;
          response.resume().on('end', () => {
            if (status < 300) resolve(true);
            else if (status === 429 || status >= 500) resolve(false);
            else reject(new Error(`the collector answered ${status}`));
          });
          response.on('error', () => resolve(false)).on('close', () => resolve(false));
        },
      );
      request.on('error', () => resolve(false));
      request.end(body);
    });
}
