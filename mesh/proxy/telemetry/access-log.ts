/** Access log as JSON lines with trace ids: off by default, limited in memory, written in pieces. */
import { closeSync, openSync, write } from 'node:fs';
import type { Clock, Timer } from '../../../base/clock.js';
import { exitCode, UserError } from '../../../base/errors.js';
import type { FlowRecord } from './flow-record.js';
import { redactPath } from './redact.js';
import { classifications } from './request-metrics.js';
import { readParent } from './trace-context.js';

/** When more bytes than this wait for the disk, lines are dropped and counted. */
const maxPendingBytes = 1 << 20;
const flushMs = 250;
const flushBytes = 64 * 1024;

/** A proxy that ends waits at most this long for the disk. */
const closeMs = 3000;

/** Calls `done` with an error when the text, or a part of it, is lost. */
export type LineWriter = (text: string, done: (error?: Error | null) => void) => void;

export class AccessLog {
  /** Read on the hot path. */
  readonly enabled: boolean;
  written = 0;
  dropped = 0;
  /** Lines that could not be written. */
  failed = 0;
  pendingBytes = 0;
  readonly #clock: Clock;
  readonly #write: LineWriter | undefined;
  readonly #timer: Timer | undefined;
  #lines: string[] = [];
  #lineBytes = 0;
  #writing = false;
  #onRest: (() => void) | undefined;

  constructor(parts: { clock: Clock; write: LineWriter | undefined }) {
    this.#clock = parts.clock;
    this.#write = parts.write;
    this.enabled = parts.write !== undefined;
    if (this.enabled) this.#timer = parts.clock.every(flushMs, () => this.flush());
  }

  add(record: FlowRecord): void {
    const line = `${JSON.stringify(accessLine(record, this.#clock.nowMs()))}\n`;
    this.written++;
    if (this.pendingBytes + line.length > maxPendingBytes) {
      this.dropped++;
      return;
    }
    this.pendingBytes += line.length;
    this.#lineBytes += line.length;
    this.#lines.push(line);
    if (this.#lineBytes >= flushBytes) this.flush();
  }

  flush(): void {
    if (this.#writing || this.#lines.length === 0 || !this.#write) return;
    const text = this.#lines.join('');
    const { length } = this.#lines;
    const bytes = this.#lineBytes;
    this.#lines = [];
    this.#lineBytes = 0;
    this.#writing = true;
    this.#write(text, (error) => {
      this.#writing = false;
      this.pendingBytes -= bytes;
      if (error) this.failed += length;
      if (!this.#onRest) return;
      if (this.#lines.length > 0) this.flush();
      else this.#onRest();
    });
  }

  /** Resolves when every line is written, or the disk takes too long. */
  close(): Promise<void> {
    this.#timer?.cancel();
    return new Promise((resolve) => {
      const limit = this.#clock.after(closeMs, resolve);
      this.#onRest = () => {
        limit.cancel();
        resolve();
      };
      this.flush();
      if (!this.#writing) this.#onRest();
    });
  }
}

function accessLine(record: FlowRecord, nowMs: number): Record<string, unknown> {
  const { request, span } = record;
  const parent = span?.traceId ? undefined : readParent(request);
  const traceId = span?.traceId || parent?.traceId || undefined;
  return {
    time: new Date(nowMs - (record.endedMs - record.beganMs)).toISOString(),
    direction: record.direction,
    method: request.method,
    authority: request.authority,
    path: redactPath(request.path),
    status: record.status,
    ...(record.grpcStatus >= 0 && { grpcStatus: record.grpcStatus }),
    classification: classifications[record.classification],
    latencyMs: round(record.headMs < 0 ? -1 : record.headMs - record.beganMs),
    durationMs: round(record.endedMs - record.beganMs),
    requestBytes: record.requestBytes,
    responseBytes: record.responseBytes,
    dst: record.dst,
    route: record.routeName,
    target: record.targetAddress,
    client: request.peerAddress,
    ...(request.peerIdentity !== undefined && { clientId: request.peerIdentity }),
    ...(record.targetIdentity !== undefined && { serverId: record.targetIdentity }),
    tls: request.tls,
    ...(record.label && { [record.label.name]: record.label.value }),
    ...(record.retries > 0 && { retries: record.retries }),
    ...(record.reason !== '' && { error: record.reason }),
    userAgent: request.header('user-agent'),
    requestId: request.header('x-request-id'),
    traceId,
    spanId: span?.spanId || parent?.spanId || undefined,
  };
}

const round = (ms: number): number => Math.round(ms * 1000) / 1000;

/** Writes to `stdout`, or appends to a file (0600). `off` does not get a writer. */
export function lineWriter(target: string): { write: LineWriter; close(): void } {
  if (target === 'stdout') {
    return {
      write: (text, done) => void process.stdout.write(text, done),
      close: () => undefined,
    };
  }
  let file: number;
  try {
    file = openSync(target, 'a', 0o600);
  } catch (error) {
    const why = (error as NodeJS.ErrnoException).code;
    throw new UserError(`accessLog ${target}: ${why}`, exitCode.environment);
  }
  return {
    write: (text, done) => {
      const bytes = Buffer.from(text);
      const step = (from: number): void => {
        write(file, bytes, from, bytes.length - from, null, (error, count) => {
          // A full disk loses lines, never requests.
          if (error || from + count >= bytes.length) done(error);
          else step(from + count);
        });
      };
      step(0);
    },
    close: () => closeSync(file),
  };
}
