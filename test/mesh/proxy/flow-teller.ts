/** Writes down all that a flow decides for a request or a connection, as lines of a story. */
import type { MeshState, ProxyConfig } from '../../../mesh/model.js';
import type {
  ConnectionFlow,
  End,
  Flow,
  TlsLabel,
  TryFailure,
} from '../../../mesh/proxy/flow/contract.js';
import { addedBy, goneNames, isReplaced } from '../../../mesh/proxy/flow/edits.js';
import { type Bench, bench, request } from './flow-bench.js';

/** A server's answer to one attempt; `copy` is the answer to a hedged request's copy. */
export interface Told {
  status?: number;
  grpcStatus?: number;
  fails?: TryFailure;
  tookMs?: number;
  /** The first attempt is still under way after so long, so that a copy may be sent. */
  copy?: { status: number; wins: boolean } | { fails: TryFailure };
}

export interface Asked {
  /** The answer to each attempt, by the endpoint's address and the attempt's number from 1. */
  answer?: (address: string, attempt: number) => Told;
  how?: End;
  grpcStatus?: number;
  bytes?: [number, number];
  /** Called before the first attempt. */
  begun?: (flow: Flow) => void;
}

/** Figures to the thousandth: the last digits of a logarithm differ between versions of Node. */
const rounded = (value: number): number => Math.round(value * 1000) / 1000;
const json = (value: unknown): string =>
  JSON.stringify(value, (_, one: unknown) => (typeof one === 'number' ? rounded(one) : one));

/** Series that depend on the machine. */
const ofMachine = /^(process_|nodejs_|proxy_build|#)|_bucket|^$/;

export class Teller {
  readonly b: Bench;
  readonly #lines: string[] = [];
  /** The series that a story is about. */
  counted = /^\w/;
  /** The number of recent requests that are explained at the end. */
  whys = 12;

  constructor(state: MeshState, options: { seed?: number; config?: Partial<ProxyConfig> } = {}) {
    this.b = bench(state, { startMs: Date.UTC(2026, 0, 2), ...options });
    for (const side of [this.b.gateway.outbound, this.b.gateway.inbound]) {
      side.onEndpointRemoved = ({ address }) => this.say('removed', address);
    }
  }

  say(what: string, ...values: unknown[]): void {
    const texts = values.map((v) => (typeof v === 'string' ? v : json(v)));
    this.#lines.push([json(this.b.clock.monotonicMs()), what, ...texts].join(' '));
  }

  /** Tells the answer, or the error. */
  tries(what: string, act: () => unknown): void {
    try {
      this.say(what, act() ?? 'done');
    } catch (error) {
      this.say(what, 'throws', error instanceof Error ? error.message : String(error));
    }
  }

  outbound(info: Partial<Parameters<typeof request>[0]> = {}, asked: Asked = {}, dialled?: string) {
    const { outbound } = this.b.gateway;
    const given = request(info);
    const destination = outbound.destinationFor(given.authority, dialled);
    this.say(given.method, given.path, 'to', destination.name, destination.protocol);
    return this.#carry(outbound.begin(destination, given), asked);
  }

  inbound(info: Partial<Parameters<typeof request>[0]> = {}, asked: Asked = {}, port = 4143) {
    const { inbound } = this.b.gateway;
    const given = request(info);
    const server = inbound.serverFor(port, asked.answer ? undefined : `10.1.1.1:${port}`);
    this.say(given.method, given.path, 'at', server ? server.protocol : 'no server');
    if (server) return this.#carry(inbound.begin(server, given), asked);
  }

  /** Each attempt of a connection ends as `attempts` says: undefined is one that connects. */
  connection(flow: ConnectionFlow, attempts: (TryFailure | undefined)[], how: End = 'complete') {
    this.#read(flow, ['delayMs', 'bytesPerSecond', 'refusal', 'perTryTimeoutMs', 'mirror']);
    for (const failure of attempts) {
      if (flow.refusal) break;
      const endpoint = flow.pick();
      this.say('connects to', endpoint?.address ?? `nobody for ${json(flow.waitMs)}`);
      this.#read(flow, ['refusal']);
      if (!endpoint) {
        this.b.clock.advance(Math.max(1, flow.waitMs));
        continue;
      }
      this.b.clock.advance(4);
      if (failure === undefined) flow.connected();
      else this.say(failure, flow.tryFailed(failure), flow.retryDelayMs());
      this.#read(flow, ['refusal']);
    }
    this.b.clock.advance(20);
    flow.ended(how, 10, 20);
    return flow;
  }

  connect(authority: string, dialled: string | undefined, attempts: (TryFailure | undefined)[]) {
    const { outbound } = this.b.gateway;
    const destination = outbound.destinationFor(authority, dialled);
    this.say('connection to', destination.name);
    return this.connection(outbound.connect(destination, '10.1.2.3'), attempts);
  }

  accept(port: number, peer: { identity?: string; address: string }, tls?: TlsLabel) {
    const { inbound } = this.b.gateway;
    const server = inbound.serverFor(port, `10.1.1.1:${port}`);
    if (!server) return this.say('no server at', port);
    const known = { identity: peer.identity, address: peer.address };
    this.say('accepts', peer, tls ?? '-', inbound.mayConnect(server, known));
    this.connection(inbound.connect(server, known, tls), [undefined]);
  }

  /** The part of a flow that is not as usual. */
  #read<T extends object>(flow: T, fields: (keyof T & string)[]): void {
    for (const field of fields) {
      const value = flow[field];
      const isUsual =
        value === undefined || value === 0 || (Array.isArray(value) && value.length === 0);
      if (!isUsual) this.say(`  ${field}`, value);
    }
  }

  #begun(flow: Flow): void {
    this.say('  route', flow.route.name);
    this.#read(flow, ['path', 'authority', 'requestHeaders', 'responseHeaders']);
    this.#read(flow, ['moreRequestHeaders', 'requestTimeoutMs', 'perTryTimeoutMs']);
    this.#read(flow, ['idleTimeoutMs', 'retryBufferBytes', 'delayMs', 'bytesPerSecond']);
    this.#read(flow, ['upgrades']);
    if (flow.hold) this.say('  held');
    if (flow.hedge) this.say('  hedged after', flow.hedge.afterMs);
    const { requestHeaders: edits, moreRequestHeaders: more } = flow;
    if (!edits) return;
    this.say('  gone', [...goneNames(edits)], 'added', addedBy(edits, more));
    const names = ['x-gone', 'x-set', 'x-add', 'traceparent', 'x-other'];
    this.say(
      '  replaced',
      names.filter((name) => isReplaced(name, edits, more)),
      names.filter((name) => isReplaced(name, undefined, more)),
    );
  }

  #carry(flow: Flow, asked: Asked): Flow {
    const { clock } = this.b;
    this.#begun(flow);
    asked.begun?.(flow);
    if (flow.delayMs > 0) clock.advance(flow.delayMs);
    let attempt = 0;
    let grpcStatus = -1;
    for (let turn = 0; turn < 50 && !flow.refusal; turn++) {
      const endpoint = flow.pick();
      if (!endpoint) {
        if (flow.refusal) break;
        this.say('  waits', flow.waitMs);
        clock.advance(Math.max(1, flow.waitMs));
        continue;
      }
      const { address, identity, http2, maxConnections, maxPending, maxWaitMs } = endpoint;
      if (attempt === 0 && flow.mirror) this.#mirror(flow);
      const pool = `${maxConnections}/${maxPending}/${maxWaitMs}`;
      const told = asked.answer?.(address, ++attempt) ?? {};
      this.say('  tries', address, identity ?? '-', http2 ? 'http2' : 'http1', pool);
      clock.advance(told.tookMs ?? 1);
      if (told.copy && this.#copied(flow, told.copy)) break;
      const { fails, status = 200 } = told;
      grpcStatus = told.grpcStatus ?? -1;
      const verdict = fails ? flow.tryFailed(fails) : flow.responded(status, grpcStatus);
      this.say('  answer', fails ?? status, verdict);
      if (verdict === 'relay') break;
      if (verdict === 'retry') {
        const delayMs = flow.retryDelayMs();
        this.say('  retries after', delayMs);
        clock.advance(delayMs);
      }
    }
    if (flow.refusal) this.say('  refused', flow.refusal);
    clock.advance(2);
    const [sent, received] = asked.bytes ?? [0, 100];
    flow.ended(asked.how ?? 'complete', asked.grpcStatus ?? grpcStatus, sent, received);
    return flow;
  }

  /** Sends the copy of a request that is slow; whether the copy's answer is the request's. */
  #copied(flow: Flow, copy: NonNullable<Told['copy']>): boolean {
    const to = flow.hedge?.pick();
    this.say('  copy to', to?.address ?? 'nobody');
    this.say('  second copy to', flow.hedge?.pick()?.address ?? 'nobody');
    this.b.clock.advance(3);
    if (!to || !flow.hedge) return false;
    if ('fails' in copy) {
      flow.hedge.over('copy', copy.fails);
      return false;
    }
    this.say('  copy is good', flow.hedge.isGood(copy.status));
    if (!copy.wins) {
      flow.hedge.over('copy', copy.status);
      return false;
    }
    flow.hedge.over('first', 'slower');
    this.say('  copy answers', flow.responded(copy.status, -1));
    return true;
  }

  #mirror({ mirror }: Flow): void {
    if (!mirror) return;
    this.say('  mirrored to', mirror.endpoint.address, mirror.header, mirror.maxBodyBytes);
    mirror.ended('answered');
    mirror.ended('answered');
  }

  /** All lines, and what the admin port shows afterwards; of the series only those that `counted` names. */
  end(counted = this.counted): string {
    const { gateway, audits } = this.b;
    for (const line of audits) this.#lines.push(`audit ${line}`);
    for (const fault of gateway.faults.list()) this.#lines.push(`fault ${json(fault)}`);
    for (const endpoint of gateway.endpoints().slice(-20)) {
      this.#lines.push(`endpoint ${json(endpoint)}`);
    }
    for (const { name, port, target, counts } of gateway.inbound.servers()) {
      const { address, pending, requests, failures } = target;
      this.#lines.push(
        `server ${json({ name, port, address, pending, requests, failures, counts })}`,
      );
    }
    for (const why of gateway.why.recent(this.whys)) this.#lines.push(`why ${json(why)}`);
    for (const line of this.b.text().split('\n')) {
      const [series = '', value = ''] = line.split(/ (?=\S+$)/);
      // A series of 0 counts where another is absent.
      const isKept = value !== '0' || /^(outbound_|inbound_|telemetry_|fault_)/.test(series);
      if (ofMachine.test(line) || !isKept || !counted.test(series)) continue;
      this.#lines.push(`${series} ${rounded(Number(value))}`);
    }
    // The ids of spans and traces are random bytes.
    return [...this.#lines, '']
      .join('\n')
      .replace(/\b(?!(.)\1+\b)([0-9a-f]{16}|[0-9a-f]{32})\b/g, 'ID');
  }
}
