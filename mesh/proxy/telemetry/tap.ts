/** Shows live requests: scoped, sampled, rate limited, sensitive headers redacted. */
import type { Clock, Timer } from '../../../base/clock.js';
import { UserError } from '../../../base/errors.js';
import type { Random } from '../../../base/random.js';
import { TokenBucket } from '../../token-bucket.js';
import type { FlowRecord } from './flow-record.js';
import { classifications } from './request-metrics.js';
import { redactHeader, redactPath } from './redact.js';
import { checkedScope, decidesLate, endedInScope, inScope, type TapScope } from './tap-scope.js';

export interface TapSession {
  /** Requests in scope that were not shown because of the rate or a slow reader. */
  readonly skipped: number;
  close(): void;
}

/** Taps open at once. */
const maxSessions = 8;
/** Requests in flight that a session follows. */
const maxFollowed = 10_000;

interface Session {
  number: number;
  scope: TapScope;
  bucket: TokenBucket;
  /** Ids of the requests in flight that the session shows. */
  followed: Set<number>;
  skipped: number;
  write(line: string): boolean;
  end(): void;
  timer: Timer;
}

export class Tap {
  /** Whether any session is open; read on the hot path. */
  active = false;
  skippedTotal = 0;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #sessions = new Set<Session>();
  #nextSession = 1;
  #nextId = 1;

  constructor(parts: { clock: Clock; random: Random }) {
    this.#clock = parts.clock;
    this.#random = parts.random;
  }

  get sessions(): number {
    return this.#sessions.size;
  }

  /**
   * Begins a session. `scope` is the parsed body of POST /tap, README.md lists its fields; throws a UserError on a
   * bad scope. `write` gets whole lines with their newline, and returns false when its reader is too slow: then
   * requests are skipped, never queued. The session ends by itself after scope.seconds (60), calling `onEnd`.
   */
  open(scope: unknown, write: (line: string) => boolean, onEnd: () => void): TapSession {
    const checked = checkedScope(scope);
    if (this.#sessions.size >= maxSessions) {
      throw new UserError({ message: 'too many taps', expected: `at most ${maxSessions}` });
    }
    const { maxPerSecond, seconds } = checked;
    const bucket = new TokenBucket(maxPerSecond, maxPerSecond, this.#clock.monotonicMs());
    const session: Session = {
      number: this.#nextSession++,
      scope: checked,
      bucket,
      followed: new Set(),
      skipped: 0,
      write,
      end: onEnd,
      timer: this.#clock.after(seconds * 1000, () => this.#close(session)),
    };
    this.#sessions.add(session);
    this.active = true;
    return {
      get skipped() {
        return session.skipped;
      },
      close: () => this.#close(session),
    };
  }

  /** Called at a request's head. Returns an id to end it by; 0: no session shows it. */
  began(record: FlowRecord): number {
    const id = this.#nextId;
    let shown = false;
    for (const session of this.#sessions) {
      const { scope } = session;
      if (!inScope(scope, record)) continue;
      if (scope.sampleRatio < 1 && this.#random.next() >= scope.sampleRatio) continue;
      if (session.followed.size >= maxFollowed) {
        this.#skip(session);
        continue;
      }
      if (!decidesLate(scope)) {
        if (!session.bucket.take(this.#clock.monotonicMs())) {
          this.#skip(session);
          continue;
        }
        if (!session.write(requestLine(session, id, record))) {
          this.#skip(session);
          continue;
        }
      }
      session.followed.add(id);
      shown = true;
    }
    if (!shown) return 0;
    this.#nextId++;
    return id;
  }

  ended(id: number, record: FlowRecord): void {
    for (const session of this.#sessions) {
      if (!session.followed.delete(id)) continue;
      const { scope } = session;
      let text = '';
      if (decidesLate(scope)) {
        if (!endedInScope(scope, record)) continue;
        if (!session.bucket.take(this.#clock.monotonicMs())) {
          this.#skip(session);
          continue;
        }
        text = requestLine(session, id, record);
      }
      if (!session.write(text + endLines(session, id, record))) this.#skip(session);
    }
  }

  close(): void {
    for (const session of this.#sessions) this.#close(session);
  }

  #skip(session: Session): void {
    session.skipped++;
    this.skippedTotal++;
  }

  #close(session: Session): void {
    if (!this.#sessions.delete(session)) return;
    session.timer.cancel();
    this.active = this.#sessions.size > 0;
    session.end();
  }
}

function requestLine({ number, scope }: Session, id: number, record: FlowRecord): string {
  const { request } = record;
  const headers = (scope.headers ?? []).flatMap((name): [string, string][] => {
    const value = request.header(name.toLowerCase());
    return value === undefined ? [] : [[name.toLowerCase(), redactHeader(name, value)]];
  });
  const path = redactPath(request.path);
  if (scope.output === 'json') {
    return `${JSON.stringify({
      event: 'req',
      id: `${number}:${id}`,
      ...identityOf(record),
      method: request.method,
      authority: request.authority,
      path,
      ...(headers.length > 0 && { headers: Object.fromEntries(headers) }),
    })}\n`;
  }
  const shown = headers.map(([name, value]) => ` ${name}=${JSON.stringify(value)}`).join('');
  return (
    `req id=${number}:${id} ${peersOf(record)} :method=${request.method} ` +
    `:authority=${request.authority} :path=${path}${shown}\n`
  );
}

function endLines({ number, scope }: Session, id: number, record: FlowRecord): string {
  const headUs = Math.round(1000 * (record.headMs - record.beganMs));
  const durationUs = Math.round(1000 * (record.endedMs - record.beganMs));
  if (scope.output === 'json') {
    return `${JSON.stringify({
      event: 'end',
      id: `${number}:${id}`,
      ...identityOf(record),
      status: record.status,
      ...(record.grpcStatus >= 0 && { grpcStatus: record.grpcStatus }),
      classification: classifications[record.classification],
      ...(record.headMs >= 0 && { latencyUs: headUs }),
      durationUs,
      responseBytes: record.responseBytes,
      retries: record.retries,
      ...(record.reason !== '' && { error: record.reason }),
    })}\n`;
  }
  const peers = peersOf(record);
  const latencyUs = record.headMs < 0 ? durationUs : headUs;
  const grpc = record.grpcStatus < 0 ? '' : ` grpc-status=${record.grpcStatus}`;
  const error = record.reason === '' ? '' : ` error=${record.reason}`;
  const retries = record.retries === 0 ? '' : ` retries=${record.retries}`;
  return (
    `rsp id=${number}:${id} ${peers} :status=${record.status} latency=${latencyUs}µs\n` +
    `end id=${number}:${id} ${peers} duration=${durationUs}µs ` +
    `response-length=${record.responseBytes}B${grpc}${retries}${error}\n`
  );
}

function identityOf(record: FlowRecord): Record<string, unknown> {
  const { request } = record;
  return {
    proxy: record.direction === 'inbound' ? 'in' : 'out',
    src: request.peerAddress,
    dst: record.targetAddress || record.dst,
    service: record.dst,
    route: record.routeName,
    tls: tlsOf(record),
    ...(request.peerIdentity !== undefined && { clientId: request.peerIdentity }),
    ...(record.targetIdentity !== undefined && { serverId: record.targetIdentity }),
  };
}

const peersOf = (record: FlowRecord): string =>
  `proxy=${record.direction === 'inbound' ? 'in' : 'out'} src=${record.request.peerAddress} ` +
  `dst=${record.targetAddress || record.dst} tls=${tlsOf(record)} route=${record.routeName}`;

const tlsOf = (record: FlowRecord): string => {
  if (record.direction === 'inbound') return record.request.tls;
  return record.targetIdentity === undefined ? 'disabled' : 'true';
};
