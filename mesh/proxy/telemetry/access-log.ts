/** Access log as JSON lines with trace ids: off by default, limited in memory, written in pieces. */
import { closeSync, openSync, write } from 'node:fs';
import type { Clock, Timer } from '../../../base/clock.js';
import type { FlowRecord } from './flow-record.js';
import { redactPath } from './redact.js';
import { classifications } from './request-metrics.js';
import { readParent } from './trace-context.js';

/** When more bytes than this wait for the disk, lines are dropped and counted. */
const maxPendingBytes = 1 << 20;
const flushMs = 250;
const flushBytes = 64 * 1024;

export type LineWriter = (text: string, done: () => void) => void;

export class AccessLog {
  /** Read on the hot path. */
  readonly enabled: boolean;
  written = 0;
  dropped = 0;
  pendingBytes = 0;
  readonly #clock: Clock;
  readonly #write: LineWriter | undefined;
  readonly #timer: Timer | undefined;
  #lines: string[] = [];
  #lineBytes = 0;
  #writing = false;

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
    const bytes = this.#lineBytes;
    this.#lines = [];
    this.#lineBytes = 0;
    this.#writing = true;
    this.#write(text, () => {
      this.#writing = false;
      this.pendingBytes -= bytes;
    });
  }

  close(): void {
    this.#timer?.cancel();
    this.flush();
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
      write: (text, done) => void process.stdout.write(text, () => done()),
      close: () => undefined,
    };
  }
  const file = openSync(target, 'a', 0o600);
  return {
    write: (text, done) => {
      const bytes = Buffer.from(text);
      const step = (from: number): void => {
        write(file, bytes, from, bytes.length - from, null, (error, count) => {
          // A full disk loses lines, never requests.
          if (error || from + count >= bytes.length) done();
          else step(from + count);
        });
      };
      step(0);
    },
    close: () => closeSync(file),
  };
}
